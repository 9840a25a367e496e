"""What a plan tells before anything is sent, and again whenever its run goes on: the grid in one line, sameness, unknown parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.experiment.test_attachments import png
from tests.support import Commands

GRID = {
    "name": '"crossed"',
    "prompt": '{user = "{w} {persona.name} {review}", files = ["{image}"]}',
    "persona": '[{id = "1", name = "a", temperature = 0.7}, {id = "2", name = "b", temperature = 1.2}]',
    "factor": '[{name = "w", levels = ["x", "y"]}, {name = "heat", sets = "temperature", levels = [0, 1, 1.5]}]',
    "text": None,
    "data": '{file = "d.csv", id = "id"}',
}
ROWS = "id,review,image\nr1,good,a.png\nr2,bad,\nr3,late,gone.png\n,none,\nr5,,\n"
GOOD = "id,review,image\nr1,good,a.png\nr2,bad,\nr3,late,a.png\n"
CROSSED = "2 personas × 3 texts × 2 w × 3 heat × 1 model × 2 trials = 72"
RULE = {"skip": "\"persona == '2' and w == 'y'\""}
CASES = [
    ({}, "", GOOD, CROSSED, 72, 0),
    (RULE, "", GOOD, f"{CROSSED}; only and skip leave 54", 54, 0),
    (RULE, "--sample 7", GOOD, f"{CROSSED}; only and skip leave some of it; a sample of 7", 7, 0),
    ({}, "--sample 7", GOOD, f"{CROSSED}; a sample of 7", 7, 0),
    ({}, "--limit 5", GOOD, f"{CROSSED}; the first 5", 5, 0),
    ({}, "--limit 500", GOOD, CROSSED, 72, 0),
    ({}, "--text r1 r3 --persona 2", GOOD, "1 persona × 2 texts × 2 w × 3 heat × 1 model × 2 trials = 24", 24, 0),
    (RULE, "--skip-invalid", ROWS, f"{CROSSED}; only and skip leave 54; 36 of these can be sent", 36, 54),
    ({}, "--skip-invalid --text r1", ROWS, "2 personas × 1 text × 2 w × 3 heat × 1 model × 2 trials = 24", 24, 0),
]


@pytest.mark.parametrize(("keys", "options", "rows", "line", "requests", "skipped"), CASES)
def test_the_grid(run: Commands, study: Callable, keys: dict, options: str, rows: str, line: str, requests: int, skipped: int) -> None:
    """Sizes, product, and what of it is asked, the first time and the second, in words and as JSON."""
    folder = study({"d.csv": rows, "a.png": png()}, **GRID, **keys)
    typed = ("openai", "--dry-run", "--model", "gpt-4.1", "--experiment", folder, *options.split())
    first, second, facts = run(*typed, quick=False), run(*typed, quick=False), run(*typed, "--json", quick=False).json
    assert line in first.out.splitlines(), first.said
    assert line in second.out.splitlines(), second.said
    assert (facts["grid"]["line"], facts["requests"], facts["skipped"]) == (line, requests, skipped)


def notes(out: str) -> list[str]:
    """The lines that a plan tells."""
    return [line.removeprefix("note: ") for line in out.splitlines() if line.startswith("note: ")]


def same(model: str, count: int) -> str:
    """What is told of requests that ask the same."""
    return f"{model}: {count} requests ask word for word what others of them ask; they count as more trials"


TOLD = [
    ("claude", "claude-haiku-4-5", "", [same("claude-haiku-4-5", 24)]),  # 1.5 is sent as 1
    ("openai", "gpt-4.1", "", []),
    ("openai", "o3", "", ["o3 takes no temperature: the levels that set one ask it the same", same("o3", 48)]),
    ("openai", "o3", "--limit 6", ["o3 takes no temperature: the levels that set one ask it the same", same("o3", 4)]),
]


@pytest.mark.parametrize(("script", "model", "options", "told"), TOLD)
def test_requests_that_ask_the_same(run: Commands, study: Callable, script: str, model: str, options: str, told: list[str]) -> None:
    """Counted by what is sent to this model, as many as are sent; told again when the run is continued."""
    folder = study({"d.csv": GOOD, "a.png": png()}, **GRID)
    typed = (script, "--dry-run", "--model", model, "--experiment", folder, *options.split())
    assert notes(run(*typed, quick=False).out) == told
    assert notes(run(*typed, quick=False).out) == run(*typed, "--json", quick=False).json["told"] == told


def test_parameters_that_nobody_knows(run: Commands, study: Callable) -> None:
    """An unknown one is sent as it stands and told; so is an effort that is not sent."""
    factor = '[{name = "effort", sets = "reasoning_effort", levels = ["low", "high"]}]'
    folder = study(factor=factor, request="{frob = 1}")
    assert notes(run("openai", "--dry-run", "--model", "gpt-4.1", "--experiment", folder, quick=False).out) == [
        "request.frob is not known here and is sent as it stands",
        "gpt-4.1 takes no reasoning effort: the levels that set one ask it the same",
        same("gpt-4.1", 2),
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ('{service_tier = "priority"}', True),
        ('{service_tier = "default"}', False),
        ('{tools = [{type = "function", function = {name = "f"}}]}', False),
        ("{web_search_options = {}}", True),
    ],
)
def test_parameters_whose_price_is_unknown(run: Commands, study: Callable, asked: str, told: bool) -> None:
    """What a tool at the provider or a dearer service adds to the bill is counted by no cap, and that is said."""
    out = run("openai", "--dry-run", "--model", "gpt-4.1", "--experiment", study(request=asked), quick=False).out
    assert any("no cap counts it" in note for note in notes(out)) == told, out


def test_a_changed_picture_is_another_run(run: Commands, study: Callable) -> None:
    """What an image holds is part of what is asked, as the words of a text are; its date and the images of other texts are not."""

    def planned(*options: str, **images: bytes) -> str:
        files = {f"{name}.png": data for name, data in images.items()}
        folder = study({"d.csv": GOOD.replace("late,a.png", "late,b.png"), **files}, **GRID)
        return run("openai", "--dry-run", "--json", "--model", "gpt-4.1", "--experiment", folder, *options, quick=False).json["run"]

    first = planned(a=png(), b=png())
    assert planned(a=png(), b=png()) == first
    assert planned(a=png(9, 9), b=png()) != first
    assert planned("--text", "r3", a=png(), b=png()) == planned("--text", "r3", a=png(9, 9), b=png())
