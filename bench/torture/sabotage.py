"""Takes single safeguards away, to show that the campaign notices: a test that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace


def apply(without: Iterable[str]) -> None:
    """Remove the named safeguards in this process: "write-ahead", "single-send", "lock" or "id-check"."""
    for name in without:
        {"write-ahead": _no_write_ahead, "single-send": _sdk_retries, "id-check": _no_id_check}[name]()


def _no_write_ahead() -> None:
    """The intent is not written before the call that costs money (as in the peers, which save after it)."""
    from common.lifecycle import Lifecycle

    real = Lifecycle._record

    def record(self, shard, kind, more=(), **changes):
        if kind == "submitting":
            shard = replace(shard, **changes)
            self._keep(shard)
            return shard
        return real(self, shard, kind, more, **changes)

    Lifecycle._record = record


def _sdk_retries() -> None:
    """The SDKs send a create again on their own, as they do by default."""
    import anthropic
    import openai

    for kind in (openai.OpenAI, anthropic.Anthropic):
        real = kind.__init__

        def init(self, *args, real=real, **kwargs):
            real(self, *args, **{**kwargs, "max_retries": 2})

        kind.__init__ = init


def _no_id_check() -> None:
    """A batch found after a lost answer is believed without looking at the ids in its rows."""
    from common.lifecycle import Lifecycle

    Lifecycle._disown = lambda self, shard: self._close(shard, self._batches[shard.n], self._scan(shard), {})
