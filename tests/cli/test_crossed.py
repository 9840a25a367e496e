"""A crossed study as a person runs it: real commands, real files, every cell of the table checked against what was written."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from common import cli
from common.experiment.kept import NAME
from tests.basics import SCRIPTS
from tests.cli.scripts import only_run, table
from tests.experiment.test_attachments import png
from tests.support import QUICK, Commands

TEXTS = {  # id → (what is asked, gold)
    "r_1": ("良い; 本\nzwei", "=1+1"), "n01_r_1": ("meh", "-neg"), "שלום": ("ok", " blank "), "é": ("café", "\x1b[31m"),
    "e\u0301": ("x", ""), "r_1_kurz": ("tail", "'quoted"),
}  # fmt: skip
PERSONAS = {"1": "30", "1_a": "=60", "👍🏽": "«ö»"}
WORDS = {"kurz": "Say", "sehr_lang": "Bitte sagen Sie"}
HEATS = {"0": 0.0, "1.5": 1.5}


def crossed(study: Callable, **more: str) -> Path:
    """The study's folder."""
    data = io.StringIO()
    csv.writer(data).writerows([("id", "review", "gold", "image"), *((i, review, gold, "a.png") for i, (review, gold) in TEXTS.items())])
    personas = ", ".join(f'{{id = {json.dumps(i, ensure_ascii=False)}, name = "n", age = "{age}"}}' for i, age in PERSONAS.items())
    words = ", ".join(f'{{id = "{i}", say = "{say}"}}' for i, say in WORDS.items())
    factors = f'[{{name = "wording", level = [{words}]}}, {{name = "heat", sets = "temperature", levels = [0, 1.5]}}]'
    keys = {
        "trials": "2",
        "prompt": '{system = "You are {persona.age}.", user = "{wording.say}: {review}", files = ["{image}"]}',
        "persona": f"[{personas}]",
        "factor": factors,
        "skip": "\"persona == '1_a' and wording == 'kurz'\"",
        "columns": '["*", "wording.say"]',
        "text": None,
        "data": '{file = "d.csv", id = "id"}',
        **more,
    }
    return study({"d.csv": data.getvalue(), "a.png": png()}, **keys)


def expected() -> dict[str, dict[str, str]]:
    """custom_id → cells, counted out by hand."""
    found = {}
    for persona, text, wording, heat, trial in product(PERSONAS, TEXTS, WORDS, HEATS, (1, 2)):
        if (persona, wording) != ("1_a", "kurz"):
            review, gold = TEXTS[text]
            found[f"p{persona}_gpt-4.1_n{trial:02d}_{text}_{wording}_{heat}"] = {
                "persona": persona, "persona_age": PERSONAS[persona], "text": text, "review": review, "gold": gold, "image": "a.png",
                "wording": wording, "wording_say": WORDS[wording], "heat": heat, "temperature": f"{HEATS[heat]:g}", "trial": str(trial),
            }  # fmt: skip
    return found


def shown(rows: list[dict]) -> dict[str, dict[str, str]]:
    """The same cells of a table, as they were before formulas were made harmless; each id once."""
    wanted = next(iter(expected().values()))
    found = {row["custom_id"]: {name: row[name].removeprefix("'") for name in wanted} for row in rows}
    assert len(found) == len(rows)
    return found


def harmless(cells: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Cells without what a table may not hold: the quote before a formula, and terminal escapes."""
    return {i: {name: cell.removeprefix("'").replace("\x1b", "") for name, cell in row.items()} for i, row in cells.items()}


def test_every_cell_of_the_table(run: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Through the service, derived anew, and with a journal that was lost: the same rows, right in each cell; nothing asked twice."""
    for name, value in run.env.items():
        monkeypatch.setenv(name, value)
    typed = ("openai", "--batch", "--model", "gpt-4.1", "--experiment", crossed(study))
    assert run(*typed).code == 0
    folder, want = only_run(run.results, "openai"), expected()
    assert harmless(shown(table(folder))) == harmless(want)
    sent = run.requests()
    (folder / "results.csv").unlink()
    assert run(*typed).code == 0
    assert harmless(shown(table(folder))) == harmless(want)
    for path in run.results.glob("journal.db*"):
        path.unlink()
    assert cli.make("adopt", []) == 0
    shutil.rmtree(folder / "texts")
    (folder / "results.csv").unlink()
    assert run(*typed).code == 0
    assert harmless(shown(table(folder))) == harmless(want)
    assert cli.make("audit", []) == 0
    assert run.requests() == sent
    kept = folder / NAME
    kept.write_bytes(kept.read_bytes().replace(b"-neg", b"-pos"))
    capsys.readouterr()
    assert cli.make("audit", []) == 1
    assert NAME in capsys.readouterr().out


def test_killed_while_it_is_planned(run: Commands, study: Callable) -> None:
    """Killed at any point of planning, the same command goes on: each request is sent once, and every cell is right."""
    where = crossed(study)
    argv = ["--batch", "--model", "gpt-4.1", "--experiment", str(where), *QUICK]
    for point in range(2, 40, 9):
        run.world.reset()
        shutil.rmtree(run.results, ignore_errors=True)
        end = run.world.zygote.run(script=SCRIPTS["openai"], argv=argv, env=run.env, kill_at=point)
        assert end["code"] == -9 and not run.creates(), end
        done = run("openai", *argv, quick=False)
        assert (done.code, harmless(shown(table(only_run(run.results, "openai"))))) == (0, harmless(expected())), done.said
        assert run.requests() >= len(expected())
        assert sum(create["requests"] for create in run.creates()[:1]) == len(expected())
