"""Scoring again: the answers stay, the questions change, nothing is sent, and what was there before is still there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from common import cli
from common.nouns import Question
from common.results.scoring import differences
from tests.cli.scripts import FILE, MODEL, only_run, table
from tests.support import Commands

FORM = "".join(
    f"\\nQ{n}. {name}({word}): [{what}]"
    for n, name in ((1, "Joy"), (2, "Anger"))
    for word, what in (("value", "0-100"), ("reason", "reason"))
)
PROMPT = f'{{user = "Read {{text}}{FORM}"}}'
JOY, ANGER = '{id = "Q1", name = "Joy"}', '{id = "Q2", name = "Anger"}'
KEYS = {"prompt": PROMPT, "question": f"[{JOY}, {ANGER}]", "trials": "12", "max_tokens": "400"}
NARROW = {**KEYS, "question": f'[{{id = "Q1", name = "Joy", min = 0, max = 80}}, {ANGER}]'}


class Rescoring:
    """A study asked once, changed beside itself, and scored again in this process."""

    def __init__(self, run: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self.run, self._study, self._capsys = run, study, capsys
        for name, value in run.env.items():
            monkeypatch.setenv(name, value)

    def study(self, to: str, /, **keys: str) -> Path:
        """The study as these keys change it, in a folder of its own."""
        made = self._study(**{**KEYS, **keys})
        return Path(shutil.copytree(made, made.with_name(to), dirs_exist_ok=True))

    def ask(self, script: str = "openai", *more: str, where: Path | None = None) -> Path:
        """The run's folder, once the study is answered; asking again goes on with it."""
        end = self.run(script, "--batch", "--experiment", where or self.study("asked"), "--model", MODEL[script], *more)
        assert end.code == 0, end.said
        return only_run(self.run.results, script)

    def __call__(self, *words: object) -> tuple[int, str]:
        """What `python tools/rescore.py` with these words ends with and says."""
        self._capsys.readouterr()
        code = cli.make("rescore", [*map(str, words)])
        said = self._capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out + said.err


@pytest.fixture
def scored(run: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Rescoring:
    """Against the service that is quick."""
    return Rescoring(run, study, monkeypatch, capsys)


def held(folder: Path) -> dict[str, bytes]:
    """All files of a folder, the lock aside."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


def joys(folder: Path) -> list[float | None]:
    """The values of the first question."""
    return [float(row["Q1_Joy"]) if row["Q1_Joy"] else None for row in table(folder)]


def test_a_narrower_range(scored: Rescoring) -> None:
    """Offline and without a key: values beyond the new range go, the change and the counts are told, the old table stays."""
    folder = scored.ask()
    before, raw, sent = held(folder), held(folder.parent / "batch_results"), len(scored.run.attempts())
    old = joys(folder)
    assert any(value > 80 for value in old) and any(value <= 80 for value in old)
    env = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    line = f"python tools/rescore.py {folder.name} --experiment {scored.study('narrow', **NARROW)}"
    done = scored.run.typed(line, env=env)
    assert (done.code, done.err) == (0, "")
    assert joys(folder) == [value if value <= 80 else None for value in old]
    beyond = sum(value > 80 for value in old)
    assert "Q1 Joy: range 0–100 → 0–80" in done.out
    assert f"answers checked: success 12 → partial {beyond}, success {12 - beyond}" in done.out
    after = held(folder)
    assert (after["results.scored-1.csv"], after["summary.scored-1.json"]) == (before["results.csv"], before["summary.json"])
    assert json.loads(after["summary.json"])["answers_checked"] == {"partial": beyond, "success": 12 - beyond}
    assert sum(b"Validation: partial" in text for name, text in after.items() if name.startswith("texts/")) == beyond
    assert (held(folder.parent / "batch_results"), len(scored.run.attempts())) == (raw, sent)
    assert cli.make("audit", []) == 0


def test_later_commands_keep_it(scored: Rescoring) -> None:
    """The run's own command, --status and a table that is made anew go on with the new questions."""
    folder = scored.ask()
    assert scored("all", "--experiment", scored.study("narrow", **NARROW))[0] == 0
    now = joys(folder)
    assert None in now
    (folder / "results.csv").unlink()
    asked = folder.parents[2] / "asked"
    assert scored.ask(where=asked) == folder and joys(folder) == now
    status = scored.run.typed(f"python {FILE['openai']} --status {folder.name}")
    assert status.code == 0 and joys(folder) == now
    raw = next((folder.parent / "batch_results").glob("*_output.jsonl"))
    assert cli.converter("openai", [str(raw), "--format", "csv"]) == 0
    assert {row["Q1_Joy"] for row in table_at(folder / f"{raw.stem}.csv")} <= {row["Q1_Joy"] for row in table(folder)}


def table_at(path: Path) -> list[dict]:
    """The rows of a table of any name."""
    shutil.copy(path, path.parent.parent / "results.csv")
    return table(path.parent.parent)


def test_a_lost_journal_does_not_undo_it(scored: Rescoring) -> None:
    """The plan is made anew under the same name: run.json keeps the scoring, and nothing is bought twice."""
    folder = scored.ask()
    assert scored(folder.name, "--experiment", scored.study("narrow", **NARROW))[0] == 0
    now, bought = sorted(map(str, joys(folder))), scored.run.requests()
    for path in scored.run.results.glob("journal.db*"):
        path.unlink()
    scored.ask(where=folder.parents[2] / "asked")
    assert (sorted(map(str, joys(folder))), scored.run.requests()) == (now, bought)
    assert len(json.loads((folder / "run.json").read_text())["former_scorings"]) == 1


def test_back_and_forth(scored: Rescoring) -> None:
    """Each scoring keeps the table before it, once; back again is the table of the beginning; the same again keeps nothing."""
    folder, narrow, asked = scored.ask(), scored.study("narrow", **NARROW), scored.study("asked")
    first = (folder / "results.csv").read_bytes()
    assert scored(folder.name, "--experiment", narrow)[0] == 0
    second = (folder / "results.csv").read_bytes()
    code, said = scored(folder.name)  # its own experiment, from where it was asked
    assert (code, "range 0–80 → 0–100" in said) == (0, True), said
    assert (folder / "results.csv").read_bytes() == first != second
    assert [(folder / f"results.scored-{n}.csv").read_bytes() for n in (1, 2)] == [first, second]
    names = sorted(held(folder))
    code, said = scored(folder.name, "--experiment", asked)
    assert (code, "whose questions are those that it had" in said, sorted(held(folder))) == (0, True, names), said
    former = json.loads((folder / "run.json").read_text())["former_scorings"]
    assert [one["table"] for one in former] == ["results.scored-1.csv", "results.scored-2.csv"]
    assert [one["questions"][0]["maximum"] for one in former] == [100, 80]


def test_questions_come_and_go(scored: Rescoring) -> None:
    """Added and removed questions change the columns; a run without any can be given some."""
    folder = scored.ask(where=scored.study("asked", question=f"[{JOY}]"))
    code, said = scored(folder.name, "--experiment", scored.study("both"))
    assert (code, "  Q2 Anger: added\n" in said, "  Q1" in said) == (0, True, False), said
    assert "Q2_Anger" in table(folder)[0]
    code, said = scored(folder.name, "--experiment", scored.study("anger", question=f"[{ANGER}]"), "--json")
    assert json.JSONDecoder().raw_decode(said)[0]["runs"][0]["changes"] == ["Q1 Joy: removed"]
    assert "Q1_Joy" not in table(folder)[0] and "Q2_Anger" in table(folder)[0]
    bare = scored.ask("claude", where=scored.study("bare", question="[]"))
    code, said = scored(bare.name, "--experiment", scored.study("both"))
    assert (code, "answers checked: none → success 12" in said) == (0, True), said


@pytest.mark.parametrize("again", ["rescore", "own command"])
def test_killed_half_way(scored: Rescoring, monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    """A disk that fails in the middle: the same command goes on, or the run's own, and the old table is kept once; also without links."""
    monkeypatch.setattr(os, "link", lambda *names: (_ for _ in ()).throw(PermissionError(1, "no links here")))
    folder, narrow = scored.ask(), scored.study("narrow", **NARROW)
    first = (folder / "results.csv").read_bytes()
    (folder / "results.csv.part").mkdir()
    code, said = scored(folder.name, "--experiment", narrow)
    assert (code, "tools/rescore.py" in said) == (2, True), said
    assert (folder / "results.csv").read_bytes() == first
    (folder / "results.csv.part").rmdir()
    if again == "rescore":
        assert scored(folder.name, "--experiment", narrow)[0] == 0
    else:
        scored.ask(where=folder.parents[2] / "asked")
    assert None in joys(folder)
    assert {name: content for name, content in held(folder).items() if "scored" in name and name.endswith(".csv")} == {
        "results.scored-1.csv": first
    }


UNFIT = (
    ({"name": '"other"'}, "is experiment 'other', run small-"),
    ({"question": "[]"}, "has no question"),
    ({"question": '[{id = "Q7", name = "Height"}]'}, "none of its questions is one of run small-"),
    ({"question": '[{id = "Q1"}]'}, "question[1].name: missing"),
)


def test_questions_that_do_not_fit(scored: Rescoring) -> None:
    """One line, and nothing is touched, not even of a run that they do fit."""
    folder, bare = scored.ask(), scored.ask("claude", where=scored.study("bare", question="[]"))
    before = held(folder), held(bare)
    for keys, said in UNFIT:
        code, told = scored(bare.name, folder.name, "--experiment", scored.study("other", **keys))
        assert (code, told.count("\n"), said in told) == (2, 1, True), told
        assert (held(folder), held(bare)) == before


def test_what_cannot_be_scored(scored: Rescoring, tmp_path: Path) -> None:
    """No such run, one that is meant twice, one without answers, an experiment that is gone, raw files gone or edited."""
    where = scored.study("asked")
    assert "no journal" in scored("all")[1]
    folder = scored.ask("openai", "--run", "one")
    scored.ask("claude", "--run", "one")
    scored.run("openai", "--batch", "--dry-run", "--experiment", where, "--model", MODEL["openai"], "--run", "dry")
    for words, said in (
        (["two"], "no run 'two'"),
        (["one"], "2 runs are called one; name one of openai/one, claude/one"),
        (["dry"], "run dry has no answers yet"),
        (["openai/one", "claude/one", "--experiment", tmp_path / "none"], "no such experiment"),
    ):
        code, told = scored(*words)
        assert (code, told.count("\n"), said in told) == (2, 1, True), told
    before = held(folder)
    raw = next((folder.parent / "batch_results").glob("*_output.jsonl"))
    content = raw.read_bytes()
    raw.write_bytes(content.replace(b"Joy", b"Job", 1))
    assert "was changed since it came" in scored("openai/one", "--experiment", where)[1]
    raw.unlink()
    assert "is gone" in scored("openai/one", "--experiment", where)[1]
    raw.write_bytes(content)
    where.rename(where.with_name("moved"))
    code, told = scored("openai/one")
    assert (code, "its experiment is no longer at" in told, held(folder) == before) == (2, True, True), told
    assert scored("openai/one", "--experiment", where.with_name("moved"))[0] == 0


Q = Question("Q1", "Joy")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (Question("Q1", "Joy", 1.0, 7.0), "range 0–100 → 1–7"),
        (Question("Q1", "Happiness"), "name 'Joy' → 'Happiness'"),
        (Question("Q1", "Joy", type="integer"), "type 'number' → 'integer'"),
        (Question("Q1", "Joy", reason="no"), "reason 'yes' → 'no'"),
        (Question("Q1", "Joy", value_label="数値"), "word for the value 'value' → '数値'"),
        (Question("Q1", "Joy", form="json"), "form of the answer 'text' → 'json'"),
        (Question("Q1", "Joy", type="choice", choices=(("a", ()), ("b", ("c",)))), "choice 'a' added, choice 'b' added, type"),
        (Question("Q1", "Joy", type="json", schema="{}", fields=("a.b",)), "another JSON schema, field a.b added"),
    ],
)
def test_what_differs_is_told(after: Question, said: str) -> None:
    """Each thing that scoring depends on, and nothing where nothing differs."""
    (line,) = differences([Q], [after])
    assert said in line and line.startswith("Q1 ")
    assert [*differences([after], [after])] == []
    spelled = Question("Q1", "Joy", choices=(("a", ("x",)),)), Question("Q1", "Joy", choices=(("a", ("x", "y")),))
    assert [*differences(spelled[:1], spelled[1:])] == ["Q1 Joy: choice 'a': other spellings"]
    assert [*differences([Q, Question("Q2", "B")], [Question("Q2", "B"), Q])] == ["the questions stand in another order"]
