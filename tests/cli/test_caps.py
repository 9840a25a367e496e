"""The caps as a person meets them: in the plan, when a command is refused, when a run pauses, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest

from common.runs.journal import Journal
from tests.cli.refusals import nothing_was_sent, refused
from tests.cli.scripts import INPUT, OK, UNFINISHED
from tests.cli.test_collect import FAILING, collected
from tests.cli.test_study import asked
from tests.support import NO_KEY, Commands, End, later

MONTH = "MONTHLY_CAP_USD"


def typed(run: Commands, study: Callable, *more: object, cap: object = "", trials: str = "2") -> End:
    """One run's command with a cap on the month."""
    return run("openai", "--experiment", study(trials=trials), "--model", "gpt-4.1", *more, env={MONTH: str(cap)})


def spent(run: Commands) -> float:
    """USD of this month, by the journal."""
    with closing(Journal(run.results)) as journal:
        return journal.month(datetime.now(UTC).timestamp(), False).total


@pytest.mark.parametrize("cap", ["ten", "-1", "nan", "inf"])
def test_a_month_cap_that_is_none(run: Commands, study: Callable, cap: str) -> None:
    """A cap that is no amount is not taken for no cap."""
    refused(typed(run, study, "--batch", cap=cap), f"{MONTH} is '{cap}'; expected an amount in USD")
    nothing_was_sent(run)


def test_the_plan_says_what_a_cap_covers(run: Commands, study: Callable) -> None:
    """Both caps, each with what counts against it already; nothing where all fits; a command that would begin it is refused."""
    whole = typed(run, study, "--json")
    most = whole.json["max_cost_usd"]
    assert whole.json["caps_that_stop_it"] == []
    plan = typed(run, study, "--max-cost", most / 2, cap=most / 4)
    lines = [line for line in plan.out.splitlines() if line.startswith("cap: ")]
    assert len(lines) == 2 and all("which covers 0 of the 2 requests to send" in line for line in lines), plan.out
    assert "--max-cost USD raises it" in lines[0] and f"{MONTH} raises it" in lines[1]
    stops = typed(run, study, "--json", "--max-cost", most / 2, cap=most / 4).json["caps_that_stop_it"]
    assert [(stop["cap"], stop["usd"], stop["spent_usd"]) for stop in stops] == [("run", most / 2, 0.0), ("month", most / 4, 0.0)]
    refused(typed(run, study, "--batch", cap=most / 2), "the month 20", "(UTC) could come to", "above the cap of", "Nothing was sent")
    nothing_was_sent(run)
    assert typed(run, study, "--batch", cap=1.01 * most).code == OK


def test_all_providers_count(run: Commands, study: Callable) -> None:
    """What another provider's run has cost is told and counted, in a run's plan and in a study's."""
    assert run("claude", "--batch", "--experiment", study(), "--model", "claude-haiku-4-5").code == OK
    before, most = spent(run), typed(run, study, "--json").json["max_cost_usd"]
    made = run.creates()
    assert before > 0
    refused(typed(run, study, "--batch", cap=most + before / 2), "the month", "(spent $0.0", "in flight at most $0.0000)")
    end = asked(run, study(), "--batch", models=("gpt-4.1", "deepseekv3"), env={MONTH: str(before)})
    refused(end, "the month", "which covers 0 of the 4 requests")
    assert "cap: the month" in asked(run, study(), models=("gpt-4.1", "deepseekv3"), env={MONTH: str(before)}).out
    assert run.creates() == made
    assert typed(run, study, "--batch", cap=1.01 * (most + before)).code == OK


@pytest.mark.parametrize("which", ["run", "month"])
def test_reached_midway(run: Commands, study: Callable, which: str) -> None:
    """What is paid is collected, then the run pauses in one line; the same command goes on with a higher cap."""
    run.world.control("faults", FAILING)
    assert typed(run, study, "--batch", "--no-wait", trials="20").code == OK
    options, cap = (("--max-cost", "0.0001"), "") if which == "run" else ((), "0.0001")
    for _ in range(2):
        end = typed(run, study, "--batch", *options, cap=cap, trials="20")
        said = "--max-cost USD raises it" if which == "run" else "the same command goes on with a higher MONTHLY_CAP_USD, or from 20"
        refused(end, "the next batch could bring " + ("this run to" if which == "run" else "the month 20"), "(spent $", said)
        assert (len(run.creates()), end.error.count("\n")) == (1, 0)
    assert typed(run, study, "--batch", cap=10, trials="20").code == OK
    assert set(run.world.billed().values()) == {1} and len(run.world.billed()) == 20


def test_a_look_keeps_the_month(still: Commands, study: Callable) -> None:
    """make collect collects, and sends nothing again beyond the month's cap."""
    still.world.control("faults", FAILING)
    assert typed(still, study, "--batch", "--no-wait", trials="20").code == OK
    later(still)
    end = collected(still, env={MONTH: "0.0001"})
    assert (end.code, "the next batch could bring the month" in end.out, len(still.creates())) == (UNFINISHED, True, 1), end.said


def test_no_price_and_a_month(run: Commands, study: Callable) -> None:
    """--allow-unknown-price does what it did without a cap on the month; with one nothing of unknown price is sent."""
    command = ("openai", "--experiment", study(), "--model", "gpt-7.5-turbo", "--allow-unknown-price", "--batch")
    refused(run(*command, env={MONTH: "5"}), "no price is known", f"{MONTH} cannot be kept", "models.toml", "Nothing was sent")
    nothing_was_sent(run)
    assert run(*command).code == OK
    end = typed(run, study, cap="0.0001")
    assert "beside 1 batch at no known price" in end.out, end.out


def test_caps_are_rehearsed_when_typed(run: Commands, study: Callable) -> None:
    """With --local the caps hold if --max-cost is typed, marked as rehearsed; those of the environment alone stop no rehearsal."""
    env = {**NO_KEY, "MAX_COST_USD": "0", MONTH: "0", "RESULTS_DIR": str(run.results / "local")}
    base = ("openai", "--experiment", study(), "--model", "gpt-4.1", "--local")
    assert "cap: " not in run(*base, env=env).out
    plan = run(*base, "--max-cost", "0", env=env).out
    assert plan.count("cap: rehearsed: ") == 2, plan
    end = run(*base, "--batch", "--max-cost", "0", env=env)
    assert (end.code, "rehearsed: this could cost up to" in end.error) == (INPUT, True), end.said
