"""make costs: the ledger is what the service billed, whatever became of its rows; it adds up with the journal, and forgets nothing."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from common import cli
from common.nouns import Run, Shard, State
from common.runs import ledger
from common.runs.journal import Journal
from tests.cli.scripts import INPUT, OK, UNFINISHED, only_run
from tests.maintenance.test_forget import forget
from tests.support import QUICK, Commands

PRICES = {"openai": (Decimal("1"), Decimal("4")), "anthropic": (Decimal("0.5"), Decimal("2.5"))}  # of a batch: gpt-4.1, claude-haiku-4-5
FAILING = {"call": "batches.create", "times": 1, "action": {"fate": {"rows": {"share": 0.5, "status": 500, "times": 1}}}}
CUT = {"max_tokens": "3", "text": '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t1.txt"}]', "trials": "3"}
TONES = {"factor": '[{name = "tone", level = [{id = "kind"}, {id = "harsh"}]}]', "prompt": '{user = "Be {tone.id}: {text}"}'}


def costs(capsys: pytest.CaptureFixture, results: Path, *words: object) -> tuple[int, str, str]:
    """The tool in this process: exit code, stdout, stderr."""
    capsys.readouterr()
    code = cli.make("costs", ["--results", str(results), *map(str, words)])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.out, said.err


def facts(capsys: pytest.CaptureFixture, results: Path, *words: object) -> dict:
    """What it says with --json, once it adds up."""
    code, out, _ = costs(capsys, results, "--json", *words)
    assert (code, (found := json.loads(out))["adds_up"]) == (OK, True), out
    return found


def bill(run: Commands) -> dict[str, Decimal]:
    """What the service billed, in USD by shape of API, from its own count of tokens."""
    found = dict.fromkeys(PRICES, Decimal(0))
    for create in run.creates():
        into, out = PRICES[create["profile"]]
        found[create["profile"]] += (create["billed_input_tokens"] * into + create["billed_output_tokens"] * out) / 1_000_000
    return found


def test_the_ledger_is_the_bill(run: Commands, study: Callable, capsys: pytest.CaptureFixture) -> None:
    """Two providers of a study, rows that failed and were asked again, rows that were cut off: to the millionth of a dollar."""
    run.world.control("faults", [FAILING])
    asked = ("--model", "gpt-4.1", "claude-haiku-4-5", "--run", "both", "--batch", *QUICK)
    end = run.tool("study", study(**CUT, **TONES), *asked)
    assert "simulated: nothing was paid" in end.out and "failed or cut-off" in end.out, end.said
    due = bill(run)
    found = facts(capsys, run.results, "--simulated", "--by", "provider", "study")
    paid = {row["provider"]: row["paid_usd"] for row in found["rows"]}
    assert paid == {"openai": pytest.approx(float(due["openai"]), abs=1e-9), "claude": pytest.approx(float(due["anthropic"]), abs=1e-9)}
    assert {row["study"] for row in found["rows"]} == {"both"} and found["total"]["requests"] == run.requests() > 24
    assert found["total"]["wasted_usd"] > 0 and found["total"]["saved_usd"] == pytest.approx(float(sum(due.values())))
    receipts = [json.loads((only_run(run.results, one) / "summary.json").read_bytes())["receipt"] for one in ("openai", "claude")]
    assert sum(one["paid_usd"] for one in receipts) == pytest.approx(float(sum(due.values())), abs=1e-9)
    for by in (["tone"], ["persona", "outcome"], ["text", "model", "month"], ["trial", "run"]):
        rows = facts(capsys, run.results, "--simulated", "--by", *by)
        for name in ("paid_usd", "wasted_usd", "list_price_usd", "requests", "clean_answers"):
            assert sum(row[name] for row in rows["rows"]) == pytest.approx(found["total"][name], abs=1e-8), (by, name)
    assert {row["outcome"] for row in facts(capsys, run.results, "--simulated", "--by", "outcome")["rows"]} == {"truncated", "server_error"}
    assert facts(capsys, run.results)["rows"] == [] and "2 runs that are rehearsals" in costs(capsys, run.results)[1]


def test_a_forgotten_run_is_still_paid(run: Commands, study: Callable, capsys: pytest.CaptureFixture) -> None:
    """Its rows are gone, its money is not; a second run of the same name adds to it, and forgetting that one too loses neither."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--run", "one")
    for _ in range(2):
        assert run(*command).code == OK
        before = facts(capsys, run.results, "--simulated", "--by", "month", "model", "run")
        assert forget(run, "one", "--yes")[0] == OK
        after = facts(capsys, run.results, "--simulated", "--by", "month", "model", "run")
        assert after["rows"] == before["rows"] and after["journal_usd"] == pytest.approx(before["journal_usd"])
        assert after["total"]["paid_usd"] == pytest.approx(float(bill(run)["openai"])) and after["total"]["batches"] == len(run.creates())
    (row,) = facts(capsys, run.results, "--simulated", "--by", "persona")["rows"]
    assert (row["persona"], row["requests"]) == ("(forgotten run)", run.requests())


def test_what_cannot_be_asked_or_read(run: Commands, study: Callable, capsys: pytest.CaptureFixture) -> None:
    """An unknown name, two outputs for one screen: a line and exit 2. A lost raw file is a line of its own, and the sum stays."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1").code == OK
    for words, said in ((("--by", "colour"), "no run here has that; known are day, month"), (("--csv", "--json"), "name a file")):
        code, out, err = costs(capsys, run.results, "--simulated", *words)
        assert (code, out, err.count("\n"), said in err) == (INPUT, "", 1, True), err
    for path in (run.results / "openai/batch_results").iterdir():
        path.unlink()
    (row,) = facts(capsys, run.results, "--simulated", "--by", "persona")["rows"]
    assert (row["persona"], row["paid_usd"]) == ("(raw file gone)", pytest.approx(float(bill(run)["openai"])))
    with closing(Journal(run.results)) as journal:
        journal._db.execute("UPDATE shards SET spent = spent + 0.5 WHERE n = 1")
    code, out, _ = costs(capsys, run.results, "--simulated")
    assert code == UNFINISHED and "does NOT add up with the journal" in out and "these lines $0.5000 less" in out


# ---- a journal whose clock the test sets

ADDRESS = "https://api.openai.com/v1"


def paid(journal: Journal, name: str, sent: str, amount: float, address: str = ADDRESS, **more: object) -> Shard:
    """A run of one batch that was sent at a moment (UTC) and has cost so much; `more`: what else the batch's end brought."""
    at = time.mktime(time.strptime(sent, "%Y-%m-%d %H:%M:%S")) - time.timezone
    folder = journal.results / "openai" / name
    run = Run(f"openai/{name}", name, "d", "openai", "openai", address, "e", "", folder, at - 60, ("m",), study="s")
    shard = Shard(run.key, 1, 1, 1, folder / "shards/s", "", 10, 100, 50, 9.0, "=1+1", 5, f"t{name}")
    journal.plan(journal.save_run(run, "created"), [shard])
    shard = journal.record(shard, "submitting", state=State.SUBMITTING, intent_at=at)
    money = {"spent": amount, "known": amount, "listed": 2 * amount, "wasted": 0.0, **more}
    return journal.record(shard, "collected", state=State.COLLECTED, collected_at=at + 90_000, tally={"succeeded": 10}, **money)


def test_month_borders(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A batch is of the day on which it was sent, in UTC, whenever it was collected; rehearsals and imports stay apart."""
    with closing(Journal(tmp_path)) as journal:
        paid(journal, "a", "2026-10-31 23:59:59", 1.0)
        paid(journal, "b", "2026-11-01 00:00:00", 0.25)
        out = paid(journal, "c", "2026-11-30 12:00:00", 0.0)
        journal.record(out, "submitting", state=State.SUBMITTED)
        paid(journal, "d", "2026-11-30 23:59:59", 0.0, spent=None, most=0.75, known=0.5)
        paid(journal, "rehearsed", "2026-11-02 00:00:00", 64.0, "local")
        paid(journal, "marked", "2026-11-02 00:00:00", 64.0, simulated=True)
        paid(journal, "theirs", "2026-11-02 00:00:00", 64.0)
        journal.save_run(replace(journal.run("openai/theirs"), imported=1.0), "imported")
    by_month = facts(capsys, tmp_path, "--by", "month")
    figures = ("month", "known_usd", "paid_usd", "at_most_usd", "in_flight_at_most_usd")
    assert [tuple(row[name] for name in figures) for row in by_month["rows"]] == [
        ("2026-10", 1.0, 1.0, 1.0, 0.0), ("2026-11", 0.75, None, 1.0, 9.0),
    ]  # fmt: skip
    assert by_month["left_out"] == {"simulated": ["openai/marked", "openai/rehearsed"], "imported": ["openai/theirs"]}
    assert [row["day"] for row in facts(capsys, tmp_path, "--by", "day")["rows"]] == ["2026-10-31", "2026-11-01", "2026-11-30"]
    assert facts(capsys, tmp_path, "--by", "month", "--simulated")["total"]["paid_usd"] == 128.0
    code, out, err = costs(capsys, tmp_path, "--by", "month", "model", "--csv")
    assert (code, "\x1b" in out, "adds up with the journal: $11.00" in err) == (OK, False, True)
    assert [row["model"] for row in csv.DictReader(io.StringIO(out))] == ["'=1+1", "'=1+1"]  # a formula in no spreadsheet
    assert costs(capsys, tmp_path, "--csv", tmp_path / "costs.csv")[0] == OK
    assert (tmp_path / "costs.csv").read_text("utf-8-sig") == out


def test_a_forgotten_run_that_is_here_again(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Rebuilt from its folder, it counts once; and no archive that is taken in brings costs of its own making."""
    with closing(Journal(tmp_path)) as journal:
        for times in (1, 2):
            paid(journal, "a", "2026-11-01 00:00:00", 1.0)
            run = journal.run("openai/a")
            if times == 1:
                journal.forget(run, ledger.noted(journal, run))
                assert [about["committed"] for _, about in ledger.forgotten(journal)] == [1.0]
        theirs = replace(run, key="openai/theirs", name="theirs", imported=1.0)
        about = {**ledger.noted(journal, run), "committed": 64.0, "created_at": 7.0}
        journal.take_in(theirs, [], [(1.0, None, "forgotten", about), (2.0, None, "created", {})], [])
        assert [kind for *_, kind, _ in journal.events(theirs)] == ["created", "imported"]
    assert facts(capsys, tmp_path, "--by", "run")["total"]["paid_usd"] == 1.0


def test_a_folder_of_the_first_version(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """What was paid is known, its list price and waste are not."""
    with tarfile.open(Path(__file__).parents[1] / "runs/results_v1.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    (journal,) = tmp_path.rglob("journal.db")
    found = facts(capsys, journal.parent, "--simulated", "--by", "run")["total"]
    assert (found["list_price_usd"], found["wasted_usd"], found["paid_usd"] > 0) == (None, None, True)


def test_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Unknown is a range, in flight a column; what a garbled run holds is told, and the command ends with 1."""
    with closing(Journal(tmp_path)) as journal:
        paid(journal, "a", "2026-11-01 00:00:00", 1.0, spent=None, most=1.5)
        out = paid(journal, "b", "2026-11-02 00:00:00", 0.0)
        journal.record(out, "submitting", state=State.SUBMITTED)
    code, out, _ = costs(capsys, tmp_path, "--by", "run")
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert (code, lines["openai/a"][2:5], lines["openai/b"][-2:]) == (OK, ["$1.00", "to", "$1.50"], ["≤", "$9.00"])
    assert lines["total"][1] == "20" and "unknown: some answers" in out
    with closing(Journal(tmp_path)) as journal:
        journal._db.execute("UPDATE runs SET body = '{' WHERE name = 'a'")
    code, out, _ = costs(capsys, tmp_path, "--by", "run")
    assert code == UNFINISHED and "openai/a" in out and "these lines $1.50 less" in out


def test_ten_thousand_batches(tmp_path: Path) -> None:
    """The ledger of a large folder takes less than a second, whatever it is summed by."""
    with closing(Journal(tmp_path)) as journal:
        run = paid(journal, "big", "2026-11-01 00:00:00", 0.5).run
        body, row = journal._db.execute("SELECT body FROM shards").fetchone()[0], (run, "collected", "", "me", "m", 10, 100, 9.0, 0.5)
        many = ((run, n, *row[1:], body) for n in range(2, 10_001))
        journal._db.executemany("INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", many)
        began = time.process_time()
        books = ledger.read(journal)
        (money,) = ledger.summed(books.batches, ("day", "run", "model")).values()
        assert time.process_time() - began < 1
    assert (money.batches, money.committed, books.journal) == (10_000, 5_000.0, 5_000.0)
