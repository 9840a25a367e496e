"""What a command wants planned, and where: two nouns in place of a tail of parameters."""

from __future__ import annotations

from dataclasses import dataclass

from common.providers.account import Account
from common.providers.base import Provider
from common.runs.journal import Journal
from common.runs.queue import Queues


@dataclass(frozen=True, slots=True)
class Site:
    """Where a run is planned: in whose journal and provider's folder of results, for which account. Shards are cut to fit `queues`."""

    journal: Journal
    provider: Provider
    account: Account
    folder: str
    queues: Queues


@dataclass(frozen=True, slots=True)
class Order:
    """What a person says of the run beside its experiment and models.

    `reuse`: whether answers that are there are taken over; None: unless the run has a name of its own. Without it, and without a
    name, the run is a fresh one: that of before which is not finished, else a new one. `window`: another than the host's usual
    one; it makes another run, but no other requests.
    """

    name: str | None = None
    skip_invalid: bool = False
    reuse: bool | None = None
    window: str = ""

    @property
    def reuses(self) -> bool:
        """Whether a new run takes over answers that are there."""
        return self.name is None if self.reuse is None else self.reuse

    @property
    def is_fresh(self) -> bool:
        """Whether the run is one of those that are counted, because they ask everything anew."""
        return self.reuse is False and self.name is None
