"""Which models a command means, and whether they may be asked: alive, open, priced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from common import catalog
from common.catalog.prices import as_sent
from common.errors import InputError
from common.experiment.experiment import Experiment
from common.nouns import TO_SUBMIT, Model, Run, Shard
from common.providers.account import Account
from common.settings import is_loopback


def choose_models(names: Sequence[str], group: Sequence[str], account: Account, allow_retired: bool) -> tuple[list[Model], list[str]]:
    """The models of a command: those named, else those of the script's group that are alive. Also notices.

    Raises InputError for an unknown alias, and for a retired model on a real host.
    """
    host, today = account.host, date.today()
    judged = _retirement_counts(account) and not allow_retired
    members = [m for name in group if (m := catalog.find(name, host.name))]
    alive = [m for m in members if not catalog.is_retired(m, today)]
    if not names and not members:
        known = f"{host.title} is not known to have any of {', '.join(group)}" if group else f"{host.title} has no usual models"
        raise InputError(f"{known}; name models with --model (make models lists them)")
    if not names and alive:
        return [as_sent(model, account.way) for model in alive], []
    models, notices = [], []
    for name in dict.fromkeys(names or [m.alias for m in members]):
        model, notice = catalog.resolve(name, host.name)
        notices += [notice] if notice else []
        if catalog.is_retired(model, today):
            instead = f"its replacement is {model.replacement}" if model.replacement else f"alive here: {_names(alive) or 'none'}"
            said = f"{name} was retired on {model.retired_on}; {instead}"
            if judged:
                raise InputError(f"{said} (--allow-retired sends it all the same)")
            notices.append(said)
        models.append(as_sent(model, account.way))
    return models, notices


def _names(models: Iterable[Model]) -> str:
    return ", ".join(model.alias for model in models)


def models_of(run: Run) -> list[Model]:
    """The models of a run as the catalog knows them today, at the prices of the way in which it is sent."""
    return [as_sent(catalog.in_window(catalog.resolve(alias, run.host)[0], run.window), run.way) for alias in run.models]


def as_batches(run: Run, shards: Iterable[Shard]) -> float | None:
    """USD that what is not sent yet would cost at most in batches, of a run that is sent at the full price; None where unknown."""
    share = {alias: 1 - catalog.resolve(alias, run.host)[0].batch_discount for alias in run.models}
    reserves = [(shard.reserve, share[shard.model]) for shard in shards if shard.state in TO_SUBMIT]
    return None if any(most is None for most, _ in reserves) else sum(most * part for most, part in reserves)


def _retirement_counts(account: Account) -> bool:
    """A model's end is its own host's, so it means nothing to a service on this machine."""
    return not (account.host.local or is_loopback(account.address))


def check_open(account: Account, instead: str = "") -> None:
    """Refuse a host that is known to be closed; `instead`: what is to be said of others. Raises InputError."""
    host = account.host
    if host.closed_on and not host.local:
        raise InputError(
            f"{host.title} is closed ({host.closed_on}: {host.closed_why}); set {host.url_variable} to a host that "
            f"speaks its API, or add --local to rehearse" + (f"; {instead}" if instead else "")
        )


def check_prices(models: Sequence[Model], account: Account, allowed: bool) -> None:
    """Refuse to spend where a price is unknown, because no cap could be kept. Raises InputError."""
    unknown = [m.alias for m in models if m.input is None or m.output is None]
    if unknown and not allowed and not account.host.local and not is_loopback(account.address):
        raise InputError(
            f"the price of {', '.join(unknown)} is unknown, so no spending cap can be kept; add it to "
            f"common/catalog/models.toml, or --allow-unknown-price"
        )


def check_source(experiment: Experiment, account: Account, allowed: bool) -> None:
    """Refuse to pay for questions about rehearsed answers. Raises InputError."""
    if experiment.texts.simulated and not (allowed or account.host.local):
        raise InputError(
            f"{experiment.path}: data.run: the answers of {experiment.texts.chained} are simulated; add --local to rehearse, "
            "or --allow-simulated to pay for questions about them"
        )
