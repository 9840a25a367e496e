"""Takes single safeguards away, to show that the campaign notices: a test that cannot fail proves nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace


def apply(without: Iterable[str]) -> None:
    """Remove the named safeguards in this process; the names are the keys of `SAFEGUARDS`. Raises LookupError where one is not found."""
    for name in without:
        SAFEGUARDS[name]()


def _instead(module: str, name: str, make: Callable[[Callable], Callable]) -> bool:
    """Put another function in a function's place, wherever it has been imported to; whether there is one of that name."""
    with suppress(ImportError):
        importlib.import_module(module)
    real = getattr(sys.modules.get(module), name, None)
    if real is None:
        return False
    new = make(real)
    for other in [m for key, m in sys.modules.items() if key.partition(".")[0] == "common"]:
        for key, value in list(vars(other).items()):
            if value is real:
                setattr(other, key, new)
    return True


def _must(*done: bool) -> None:
    """At least one of the places where a safeguard may live was found."""
    if not any(done):
        raise LookupError("this safeguard is not where sabotage.py looks for it")


def _owed_is_final() -> None:
    """What is owed is closed at once, as if a person had given it up."""

    def make(real):
        def owe(desk, shard, *args, **kwargs):
            real(desk, shard, *args, **kwargs)
            sys.modules["common.runs.collect"].give_up_owed(desk, desk.shards[shard.n])

        return owe

    _must(_instead("common.runs.steps", "owe", make))


def _absence_buys() -> None:
    """Rows that no file mentions were not answered, whatever the counts say, and files that cannot be had hold none."""
    _must(_instead("common.runs.verdicts", "absent_outcome", lambda real: lambda *args: "missing"))


def _claimed_twice() -> None:
    """A batch that another shard has may be taken once more; only what this process has let go is not taken again."""
    from common.runs.journal import Journal

    let_go, real_record, old = set(), Journal.record, hasattr(Journal, "is_known")

    def record(self, shard, kind, *args, **kwargs):
        if kind == "disowned":
            let_go.add(shard.batch_id)
        return real_record(self, shard, kind, *args, **kwargs)

    Journal.record = record
    if old:
        Journal.is_known = lambda self, batch_id: batch_id in let_go
    _must(old, _instead("common.runs.claims", "is_free", lambda real: lambda db, batch_id, *more, **named: batch_id not in let_go))


def _no_mark() -> None:
    """Sent ids bear no mark of their run and attempt."""
    _must(_instead("common.experiment.marks", "new_secret", lambda real: lambda: ""))


def _first_page_only() -> None:
    """Of a list only the first page is read."""
    from common.providers.shared import SdkProvider

    real = SdkProvider._pages

    def pages(self, *args, **kwargs):
        yield next(iter(real(self, *args, **kwargs)))

    SdkProvider._pages = pages


def _no_witness() -> None:
    """The notes of creations beside the shards are not read."""
    _must(_instead("common.runs.witness", "consult", lambda real: lambda *args: None))


def _no_first_look() -> None:
    """Nobody asks whether a copy of the folder has sent a plan already."""
    places = (("common.runs.steps", "_sent_elsewhere"), ("common.runs.lost", "sent_elsewhere"))
    _must(*[_instead(module, name, lambda real: lambda *args: False) for module, name in places])


def _no_grace() -> None:
    """A batch that the list does not show at the first look was never made."""
    from common.runs.desk import Desk

    Desk.searched_in_vain = lambda self, shard: True


def _no_token() -> None:
    """Whoever has the lock file writes, also when another process has taken the run over."""
    from common.runs.journal import Journal

    Journal._check_writer = lambda self, run: None


def _no_checksum() -> None:
    """Raw files are read as they are on disk."""
    _must(_instead("common.runs.collect", "mend_all", lambda real: lambda desk: None))


def _no_write_ahead() -> None:
    """The intent is not written before the call that costs money (as in the peers, which save after it)."""
    from common.runs import witness

    def only_remembered(desk, shard):
        shard = replace(shard, state="submitting", intent_at=desk.clock.now())
        desk._keep(shard)
        return shard

    _must(_instead("common.runs.budget", "write_intent", lambda real: only_remembered))
    witness.intends = witness.accepted = lambda shard: None  # the second witness would make up for it


def _sends_again() -> None:
    """A create whose answer was lost is sent again at once, up to three times in all, as both SDKs do by default."""
    from common.errors import Unknown
    from common.providers.anthropic import Anthropic
    from common.providers.openai import OpenAIShaped

    for kind in (OpenAIShaped, Anthropic):
        real = kind.submit

        def submit(self, shard, model_id, real=real):
            for _ in range(2):
                with suppress(Unknown):
                    return real(self, shard, model_id)
            return real(self, shard, model_id)

        kind.submit = submit


def _no_id_check() -> None:
    """A batch found after a lost answer is believed without looking at the ids in its rows."""
    _must(_instead("common.runs.collect", "is_foreign", lambda real: lambda *args: False))


def _cap_before() -> None:
    """Caps are looked at, and then, a moment later, the intent is written whatever they say."""
    from common.runs.spending import Caps, OverCap

    def make(real):
        def write_intent(desk, shard):
            told, looked = desk.options, replace(shard, intent_at=desk.clock.now())
            try:
                desk.journal._check_caps(told.caps, looked)
            except OverCap:
                return real(desk, shard)
            desk.clock.sleep(0.05)
            desk.options = replace(told, caps=Caps())
            try:
                return real(desk, shard)
            finally:
                desk.options = told

        return write_intent

    _must(_instead("common.runs.budget", "write_intent", make))


def _unknown_is_zero() -> None:
    """An answer whose usage nobody tells has cost nothing."""
    from common.results.scan import BatchScan

    BatchScan.spent = property(lambda self: self.known)


def _month_is_run() -> None:
    """Of a month only the run at hand is counted."""
    from common.runs.journal import Journal

    real = Journal._check_caps

    def check_caps(self, caps, shard):
        self.month = lambda at, simulated: self.money(shard.run)
        real(self, caps, shard)

    Journal._check_caps = check_caps


SAFEGUARDS = {
    "write-ahead": _no_write_ahead, "single-send": _sends_again, "id-check": _no_id_check, "owed": _owed_is_final,
    "presence": _absence_buys, "claim": _claimed_twice, "mark": _no_mark, "whole-list": _first_page_only, "witness": _no_witness,
    "first-look": _no_first_look, "grace": _no_grace, "token": _no_token, "checksum": _no_checksum,
    "money-transaction": _cap_before, "money-unknown": _unknown_is_zero, "money-month": _month_is_run,
}  # fmt: skip
