"""The caps of runs and months: what counts, in which month, and that no order of events, kills or processes breaks them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.nouns import Run, Shard, State
from common.results.scan import BatchScan
from common.runs import budget, steps
from common.runs.journal import Journal, Terms
from common.runs.spending import Caps, OverCap, month_of
from tests.runs import spenders
from tests.torture import sabotage

NOW = datetime(2026, 11, 15, tzinfo=UTC).timestamp()
DAY = 86400.0


def made(journal: Journal, name: str = "r", reserve: float | None = 1.0, **changes: object) -> tuple[Run, Shard]:
    """A planned run of one shard."""
    run = Run(f"openai/{name}", name, "d", "openai", "openai", "https://x", "e", "", journal.results / "openai" / name, 1.0, ("m",))
    run = replace(run, **changes)
    shard = Shard(run.key, 1, 1, 1, run.folder / "shards/s", "", 10, 100, 50, reserve, "m", 5, f"t-{name}")
    return journal.plan(journal.save_run(run, "created"), [shard]), shard


def sent(journal: Journal, shard: Shard, at: float = NOW, month: float = 100.0) -> Shard:
    """Its intent, written at a moment under a cap on the month."""
    return journal.record(shard, "submitting", terms=Terms(Caps(month=month)), state=State.SUBMITTING, intent_at=at)


@pytest.fixture
def journal(tmp_path: Path):
    with closing(Journal(tmp_path)) as found:
        yield found


def test_a_month_is_over_all_runs(journal: Journal) -> None:
    """Runs of other providers count, in flight at most, collected as they cost; what would go beyond is not written at all."""
    _, one = made(journal, "one")
    other, two = made(journal, "two", provider="claude", key="claude/two")
    one = sent(journal, one)
    with pytest.raises(OverCap) as over:
        sent(journal, two, month=1.5)
    assert (over.value.which, over.value.most, over.value.money[:2]) == ("month", 2.0, (0.0, 1.0))
    assert journal.states(other) == {"planned": 1}
    journal.record(one, "collected", state=State.COLLECTED, spent=0.25)
    assert sent(journal, two, month=1.25).state == "submitting"
    assert journal.month(NOW, False) == (0.25, 1.0, 0)


@pytest.mark.parametrize(
    ("at", "counts"),
    [(NOW - 14 * DAY, True), (NOW - 14 * DAY - 1, False), (NOW + 15 * DAY + 3600, True), (0.0, True)],
    ids=["first second", "the month before", "after a jump of the clock", "nobody noted when"],
)
def test_the_month_of_the_intent(journal: Journal, at: float, counts: bool) -> None:
    """A batch stays in the month in which its intent was written, in UTC, whenever it is collected."""
    _, shard = made(journal)
    shard = sent(journal, shard, at)
    assert journal.month(NOW, False).total == counts
    if at:
        journal.record(shard, "collected", state=State.COLLECTED, spent=0.5, collected_at=NOW)
        assert journal.month(NOW, False).total == 0.5 * counts


def test_names_of_months() -> None:
    """In UTC, whatever the machine's zone; December ends in a new year."""
    assert month_of(NOW) == ("2026-11", NOW - 14 * DAY, "2026-12-01")
    assert month_of(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())[::2] == ("2026-12", "2027-01-01")


def test_what_does_not_count(journal: Journal) -> None:
    """Simulated money is counted apart; imported runs, refused batches and answers that were taken over cost nothing here."""
    for name, changes in {"local": {"address": "local"}, "imported": {"imported": NOW}}.items():
        sent(journal, made(journal, name, **changes)[1])
    journal.record(sent(journal, made(journal, "refused")[1]), "refused", state=State.REFUSED)
    journal.record(made(journal, "taken")[1], "collected", state=State.COLLECTED, spent=0.0, taken_from="openai/x")
    assert (journal.month(NOW, False).total, journal.month(NOW, True).total) == (0.0, 1.0)


def test_an_unknown_price_fits_no_month(journal: Journal) -> None:
    """Unknown is never zero: with a cap on the month nothing of unknown price is sent; what was sent before is told beside the sum."""
    _, shard = made(journal, reserve=None)
    with pytest.raises(OverCap):
        sent(journal, shard)
    terms = Terms(Caps(1.0))  # a cap on the run lets it pass
    shard = journal.record(shard, "submitting", terms=terms, state=State.SUBMITTING, intent_at=NOW)
    assert journal.month(NOW, False) == (0.0, 0.0, 1)
    journal.record(shard, "collected", state=State.COLLECTED, spent=None)
    assert journal.month(NOW, False) == (0.0, 0.0, 1)


def test_what_is_forgotten_stays_spent(journal: Journal) -> None:
    """Runs that are let go keep their place in the month: at their cost, their bound, or unknown; rehearsals apart."""
    for name, reserve, spent, changes in (
        ("cost", 1.0, 0.25, {}), ("bound", 1.0, None, {}), ("unknown", None, None, {}), ("local", 1.0, 0.5, {"address": "local"}),
        ("imported", 1.0, 0.7, {"imported": NOW}),
    ):  # fmt: skip
        run, shard = made(journal, name, reserve, **changes)
        shard = journal.record(shard, "submitting", state=State.SUBMITTING, intent_at=NOW)
        journal.record(shard, "collected", state=State.COLLECTED, spent=spent, most=None if spent else reserve and 0.75)
        journal.forget(run)
    assert (journal.month(NOW, False), journal.month(NOW, True)) == ((1.0, 0.0, 1), (0.5, 0.0, 0))
    assert journal.month(NOW + 20 * DAY, False) == (0.0, 0.0, 0)


def test_a_garbled_row_is_not_free(journal: Journal) -> None:
    """A run or batch whose row cannot be read counts as real, and as of this month."""
    for table in ("runs", "shards"):
        run, shard = made(journal, table)
        sent(journal, shard)
        journal._db.execute(f"UPDATE {table} SET body = '{{' WHERE {'key' if table == 'runs' else 'run'} = ?", (run.key,))
    assert journal.month(NOW, False).total == 2.0


@pytest.mark.parametrize("seed", range(1, 7))
def test_any_order_of_spending(tmp_path: Path, seed: int) -> None:
    """Runs at once, killed, without usages, over the end of a month: no cap is exceeded at any moment, and the books agree."""
    assert spenders.trial(tmp_path, seed) == []


@pytest.mark.parametrize(("safeguard", "seed"), [("money-transaction", 16), ("money-unknown", 2), ("money-month", 8)])
def test_the_judge_bites(tmp_path: Path, safeguard: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cap that is looked at too early, with unknown usage as zero, or a month of one run only, it is noticed."""
    for owner, name in ((Journal, "_check_caps"), (BatchScan, "spent"), (budget, "write_intent"), (steps, "write_intent")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # as it is: put back at the end
    sabotage.apply([safeguard])
    assert spenders.trial(tmp_path, seed)
