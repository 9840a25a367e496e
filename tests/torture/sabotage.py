"""Takes single safeguards away, to show that the campaign notices: a test that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace


def apply(without: Iterable[str]) -> None:
    """Remove the named safeguards in this process: "write-ahead", "single-send", "lock" or "id-check"."""
    for name in without:
        {"write-ahead": _no_write_ahead, "single-send": _sends_again, "id-check": _no_id_check}[name]()


def _no_write_ahead() -> None:
    """The intent is not written before the call that costs money (as in the peers, which save after it)."""
    from common.runs import steps, witness

    def only_remembered(desk, shard):
        shard = replace(shard, state="submitting", intent_at=desk.clock.now())
        desk._keep(shard)
        return shard

    steps.write_intent = only_remembered
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
    from common.runs import collect

    collect.is_foreign = lambda shard, found: False
