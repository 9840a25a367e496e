"""A study that grows: what is asked already is taken over, and only what is new is bought; counted by the service's ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.scripts import MODEL, OK, table
from tests.support import Commands, End
from tests.torture.world import World

TEXTS = '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t2.txt"}]'
FILES = {"t1.txt": "A text.\n", "t2.txt": "Another text.\n"}
PROMPT = '{system = "You are {persona.name}.", user = "Read {text}\\nQ1. Joy(value): [0-100]\\nQ1. Joy(reason): [why]"}'
QUESTION = '[{id = "Q1", name = "Joy"}]'
PERSONAS = '[{id = "1", name = "a reader", temperature = 0.7}, {id = "2", name = "a critic", temperature = 0.7}]'
SIZE = 8  # requests of the study: 2 personas × 2 texts × 2 trials


@pytest.fixture
def sure(calm: World, tmp_path: Path) -> Commands:
    """Commands against a quick service at which no row fails."""
    calm.reset()
    return Commands(calm, tmp_path / "results")


@pytest.fixture
def grown(study: Callable[..., Path]) -> Callable[..., Path]:
    """Makes the study, or what has become of it."""

    def make(files: dict[str, str | bytes] | None = None, **keys: str | None) -> Path:
        whole = {"text": TEXTS, "prompt": PROMPT, "question": QUESTION, "persona": PERSONAS, **keys}
        return study({**FILES, **(files or {})}, **whole)

    return make


def ask(run: Commands, folder: Path, *more: object, script: str = "openai", models: tuple[str, ...] = (), **env: str) -> End:
    """The command that sends a study, run to its end."""
    send = ["--batch"] if script in ("openai", "claude") else []
    return run(script, *send, "--experiment", folder, "--model", *(models or [MODEL[script]]), "--json", *more, env=env)


def bought(run: Commands) -> int:
    """Requests that were answered and paid, whatever run they are of."""
    return run.world.billed().total()


def rows(run: Commands, end: End, script: str = "openai") -> list[dict]:
    """The table of the run that a command has ended with, after its sum was seen to be right."""
    found = table(run.results / script / end.json["run"])
    taken = sum(row["taken_from"] != "" and row["outcome"] == "succeeded" for row in found)
    assert (end.json["adds_up"], end.json["taken_over"], len(found)) == (True, taken, end.json["planned"]), end.said
    return found


GROWN = {  # what is changed: (keys and files of the experiment, options, models, requests that are new, requests in all)
    "trials": ({"trials": "5"}, (), (), 12, 20),
    "one more model": ({}, (), ("gpt-4.1", "gpt-4.1-mini"), 8, 16),
    "a typo in one of two texts": ({"files": {"t2.txt": "Another text!\n"}}, (), (), 4, 8),
    "one more text": ({"text": TEXTS[:-1] + ', {id = "t3", file = "t3.txt"}]', "files": {"t3.txt": "A third.\n"}}, (), (), 4, 12),
    "one more persona": ({"persona": PERSONAS[:-1] + ', {id = "3", name = "a child", temperature = 0.7}]'}, (), (), 4, 12),
    "another temperature": ({"persona": PERSONAS.replace("0.7}]", "0.8}]")}, (), (), 4, 8),
    "another cap": ({"max_tokens": "65"}, (), (), 8, 8),
    "another name of the study": ({"name": '"other"'}, (), (), 0, 8),
    "another id of a text": ({"text": TEXTS.replace('"t2",', '"zwei",')}, (), (), 0, 8),
    "only the scale": ({"question": '[{id = "Q1", name = "Joy", max = 10}]'}, (), (), 0, 8),
    "another type of question": ({"question": '[{id = "Q1", name = "Joy", type = "integer"}]'}, (), (), 0, 8),
    "fewer trials": ({"trials": "1"}, (), (), 0, 4),
    "a part of it": ({}, ("--limit", "3"), (), 0, 3),
    "a sample of it": ({}, ("--sample", "3"), (), 0, 3),
    "one persona": ({}, ("--persona", "2"), (), 0, 4),
}  # fmt: skip


@pytest.mark.parametrize("change", GROWN)
def test_only_what_is_new_is_bought(sure: Commands, grown: Callable, change: str) -> None:
    """The table of changes."""
    keys, options, models, new, size = GROWN[change]
    first = ask(sure, grown())
    assert (first.code, bought(sure)) == (OK, SIZE), first.said
    plan = ask(sure, grown(**keys), *options, "--dry-run", models=models).json
    assert (plan["taken_over"], plan["requests"]) == (size - new, size)
    end = ask(sure, grown(**keys), *options, models=models)
    assert (end.code, bought(sure)) == (OK, SIZE + new), end.said
    found = rows(sure, end)
    if end.json["run"] != first.json["run"]:
        taken = [row for row in found if row["taken_from"]]
        assert ({row["taken_from"] for row in taken} <= {f"openai/{first.json['run']}"}, len(taken)) == (True, size - new)
        assert {float(row["cost_usd"]) for row in taken} <= {0.0}
    again = ask(sure, grown(**keys), *options, models=models)
    assert (again.code, bought(sure), again.json["run"]) == (OK, SIZE + new, end.json["run"])
