"""Whether what a host says of deleted files is so: a look after each deletion, and at files that it calls gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from common.errors import Denied, Refused, Unknown
from common.nouns import Batch
from common.providers.base import Holding, Provider

LOOKS = 3  # how often a deletion is looked for: some hosts show a file for a moment after it has gone


def confirm(provider: Provider, batch: Batch, deleted: list[str], ask: Callable, pause: Callable[[], None]) -> None:
    """Look whether what the host calls deleted is gone. What is not leaves `deleted`, and Unknown is raised."""
    there: set[str] = set()
    for look in range(LOOKS if deleted else 0):
        if look:
            pause()
        there = _still_there(provider, batch, ask)
        if not there.intersection(deleted):
            return
    if still := [ref for ref in deleted if ref in there]:
        deleted[:] = [ref for ref in deleted if ref not in there]
        raise Unknown(f"the host said that it deleted {', '.join(still)}, but still has it")


def _still_there(provider: Provider, batch: Batch, ask: Callable) -> set[str]:
    if not ask(lambda: list(provider.status([batch.id]))):
        return set()
    return {h.ref for h in ask(lambda: provider.holdings(batch)) if not h.gone}


def is_unseen(provider: Provider, batch: Batch, holdings: Iterable[Holding]) -> bool:
    """Whether a host that has nothing to say of a file's state gives the file all the same: then it is not gone."""
    return any(h.gone and h.ref and _is_given(provider, batch, h.ref) for h in holdings if h.kind in ("output", "errors"))


def _is_given(provider: Provider, batch: Batch, ref: str) -> bool:
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "probe")
        try:
            provider.download(replace(batch, output=ref, errors_file=""), path, path)
        except (Refused, Unknown) as error:
            if isinstance(error, Denied) or error.status not in (404, 410):
                raise
            return False
        return True
