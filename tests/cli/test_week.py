"""A study of a week: grown every day, its key rotated, its folder moved, given away and grown elsewhere; all is bought once."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from common import catalog, cli
from common.catalog.prices import pricing
from common.nouns import Usage
from tests.cli.scripts import OK, table
from tests.cli.test_collect import collected
from tests.cli.test_study import MODELS, asked
from tests.service import MARK, SECRET
from tests.support import Commands, later

NEW_KEY = {"OPENAI_API_KEY": f"sk-new-{SECRET}", "ANTHROPIC_API_KEY": f"sk-ant-new-{SECRET}"}
GROWN = ("gpt-4.1", "gpt-4.1-mini", "claude-haiku-4-5", "deepseekv3")
HOSTS = dict(zip(GROWN, ("openai", "openai", "anthropic", "kluster")))
TWO = '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t2.txt"}]'


def sent(run: Commands) -> int:
    """How many requests were bought so far, by the service's books."""
    return run.world.control("ledger")["billed"]["billed_rows"]


def paid(run: Commands) -> tuple[Counter, float]:
    """By the service's books: how often each request was answered, and USD in all."""
    count: Counter = Counter()
    dollars = 0.0
    for create in run.creates():
        for row in run.world.control(f"ledger?batch={create['batch_id']}")["rows"]:
            name = MARK.sub("", row["custom_id"])
            model = re.fullmatch(r"p1_(.+)_n\d+_t\d", name)[1]
            count[name] += 1
            found = catalog.find(model, HOSTS[model])
            dollars += pricing(found)(Usage(row["input_tokens"], 0, row["output_tokens"]))
    return count, dollars


def asks(rows: Iterable[dict]) -> int:
    """How many different requests have a row."""
    return len({(row["model"], row["text"], row["trial"]) for row in rows})


def cost(rows: Iterable[dict]) -> float:
    """USD of rows."""
    return round(sum(float(row["cost_usd"]) for row in rows), 6)


def test_a_week(still: Commands, study: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """3 providers, + a model, + trials, a rotated key, + a text, a moved folder, a run given away and grown: one table, each once."""

    def make(target: str, *words: object) -> str:
        monkeypatch.setenv("RESULTS_DIR", str(still.results))
        capsys.readouterr()
        assert cli.make(target, [*map(str, words)]) == OK
        return capsys.readouterr().out

    def day(bought: int, *more: object, models: tuple[str, ...] = GROWN, **keys: str) -> str:
        """A morning's command, and in the evening a look at what has come; what the morning said."""
        before = sent(still)
        end = asked(still, study(files, **keys), "--batch", "--no-wait", *more, models=models)
        later(still)
        look = collected(still)
        assert (end.code, look.code, sent(still) - before) == (OK, OK, bought), end.said + look.said
        return end.out

    def exported(name: str) -> tuple[list[dict], str]:
        said = make("export", "all", "--out", tmp_path / "tables" / name)
        with open(tmp_path / "tables" / name / "data.csv", encoding="utf-8-sig", newline="") as file:
            return [*csv.DictReader(file)], said

    files = {"t2.txt": "Another.\n"}
    day(6, models=MODELS)  # Monday: three providers
    assert "models: + gpt-4.1-mini (openai)" in day(2)
    assert "trials 2 → 3 (openai, claude, deepseek)" in day(4, trials="3")
    submitted = asked(still, study(files, trials="3", text=TWO), "--batch", "--no-wait", models=GROWN)
    assert (submitted.code, "24 requests at 3 providers; 12 of them answered already" in submitted.out) == (OK, True), submitted.said
    still.env.update(NEW_KEY)  # Thursday: while a text is out, keys are changed
    later(still)
    look = collected(still)
    assert (look.code, look.out.count("this key is new"), sent(still)) == (OK, 2, 24), look.said
    still.results = still.results.rename(tmp_path / "moved")  # Friday: the folder has gone to another disk
    still.env["RESULTS_DIR"] = str(still.results)
    day(0, trials="3", text=TWO)
    day(4, "--text", "t2", trials="4", text=TWO)
    rows, said = exported("friday")
    assert "left out: 34 rows" in said and len(rows) == 28
    count, dollars = paid(still)
    assert (asks(rows), {*count.values()}, len(count)) == (28, {1}, 28)
    assert cost(rows) == round(dollars, 6) > 0
    name = next(row["run"] for row in rows if (row["model"], row["text"], row["trial"]) == ("gpt-4.1", "t2", "3"))
    make("share", name)
    (archive,) = (still.results / "shared").iterdir()
    still.results = tmp_path / "theirs"  # Saturday: somebody else grows what they were given
    still.env["RESULTS_DIR"] = str(still.results)
    make("import", archive)
    assert "10 requests at 1 provider; 6 of them answered already" in day(4, "--text", "t1", models=GROWN[:2], trials="5", text=TWO)
    rows, said = exported("theirs")
    assert ("left out: 6 rows" in said, len(rows), asks(rows)) == (True, 16, 16)
    (grown,) = {row["run"] for row in rows} - {name}
    assert Counter(row["taken_from"] for row in table(still.results / "openai" / grown)) == {f"openai/{name}": 6, "": 4}
    count, more = paid(still)
    assert ({*count.values()}, len(count)) == ({1}, 32)
    assert cost(row for row in rows if row["run"] == grown) == round(more - dollars, 6) > 0
