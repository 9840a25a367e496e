"""Asking the hosts where the batches of all open runs stand, each account with a few calls; nothing is noted, nothing is collected."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from common.cli.exits import tried
from common.cli.scripts import script_of
from common.errors import InputError
from common.nouns import Batch, State
from common.providers import account as accounts
from common.providers import connect, local
from common.providers.account import Account
from common.providers.base import Provider
from common.runs.choose import check_open
from common.runs.reading import reading
from common.runs.stand import Stand

TYPED = "make status"


@dataclass
class Told:
    """What the hosts said: batches by id; by run, why its host said nothing; and the worst exit code of the calls."""

    batches: dict[str, Batch] = field(default_factory=dict)
    why_not: dict[str, str] = field(default_factory=dict)
    code: int = 0


class Hosts:
    """The hosts of some results folder's runs, spoken to as long as the `stack` is open, so that a local service goes on meanwhile."""

    def __init__(self, stack: ExitStack, results: Path) -> None:
        self._stack, self._results = stack, results
        self._open: dict[tuple[str, str], tuple[Account, Provider]] = {}

    def ask(self, stands: Iterable[Stand]) -> Told:
        """One look at all that is out. What goes wrong at one host is its own."""
        told, groups = Told(), {}
        for stand in stands:
            if stand.run.way and not stand.run.local:
                told.why_not |= {stand.run.key: "is asked row by row, so only its own command knows more"} if stand.out else {}
            elif any(out.state == State.SUBMITTED for out in stand.out):
                groups.setdefault((script_of(stand.run.provider, stand.run.host).host, stand.run.address), []).append(stand)
        for (host, address), group in groups.items():
            code, said = tried(lambda: self._ask(host, address, group, told), TYPED)  # noqa: B023  called at once
            told.code = max(told.code, code)
            told.why_not.update({stand.run.key: said for stand in group} if said else {})
        return told

    def _ask(self, host: str, address: str, group: list[Stand], told: Told) -> int:
        account, provider = self._at(host, address)
        if account.identity != address:
            raise InputError(f"made for {address}, and {account.host.url_variable} names another address")
        check_open(account)
        accounts.check_key(account, f"{group[0].run.provider}_example.py")
        ids = [out.batch_id for stand in group for out in stand.out if out.state == State.SUBMITTED]
        told.batches.update({batch.id: batch for batch in provider.status(ids)})
        return 0

    def _at(self, host: str, address: str) -> tuple[Account, Provider]:
        if (key := (host, address)) not in self._open:
            account = self._stack.enter_context(local.account(host, self._results)) if address == "local" else accounts.account(host)
            self._open[key] = account, self._stack.enter_context(closing(connect(account, lambda: self._shared(account))))
        return self._open[key]

    def _shared(self, account: Account) -> Path:
        """Where the pace of an account's calls is kept."""
        with reading(self._results) as journal:
            return account.rates(self._results, journal.salt)
