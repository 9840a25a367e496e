"""The cap where a host tells the usage of some answers only: those are counted at their cost, the others at their own ceilings."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from common.experiment import ids_file
from common.nouns import Shard
from common.runs.journal import Journal
from tests.support import Commands
from tests.torture.world import World

TEXTS = {"t1.txt": "Short.\n", "t2.txt": "A much longer text. " * 200}
TWO = '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t2.txt"}]'
FIELD = {"openai": "response.body.usage", "claude": "result.message.usage"}
CONTENT = {"openai": "files.content", "claude": "messages.batches.results"}
MODEL = {"openai": "gpt-4.1", "claude": "claude-haiku-4-5"}


@pytest.fixture
def steady(calm: World, tmp_path: Path) -> Commands:
    """Commands against a service whose every row is answered at once."""
    calm.reset()
    return Commands(calm, tmp_path / "results")


def collected(run: Commands) -> tuple[float, Shard]:
    """What the journal counts against the cap, and the only shard."""
    with closing(Journal(run.results)) as journal:
        (found,) = journal.runs()
        (shard,) = journal.shards(found)
        return journal.committed(found.key), shard


def ceilings(shard: Shard) -> dict[str, float]:
    """The ceilings that the ids file keeps."""
    rows = [line.split("\t") for line in shard.path.with_suffix(".ids").read_text().splitlines()]
    return {row[0]: float(row[4]) for row in rows}


@pytest.mark.parametrize("script", ["openai", "claude"])
@pytest.mark.parametrize("rows", [0, 1, 3, 4])
def test_some_usages(steady: Commands, study, script: str, rows: int) -> None:
    """So many rows without usage: their own ceilings and the cost of the others; what is shown stays unknown."""
    where = {"where": {"purpose": "batch_output"}} if script == "openai" else {}
    rule = {"call": CONTENT[script], "times": -1, "action": {"without": [FIELD[script]], "rows": rows}, **where}
    steady.world.control("faults", [rule] if rows else [])
    asked = ("--batch", "--experiment", study(TEXTS, text=TWO), "--model", MODEL[script], "--json")
    end = steady(script, *asked)
    assert (end.json["cost_usd"] is None, end.json["tokens"].get("answers_without_usage", 0)) == (rows > 0, rows), end.said
    committed, shard = collected(steady)
    assert sum(ceilings(shard).values()) == pytest.approx(shard.reserve)
    raw = next((steady.results / script / "batch_results").glob("*_output.jsonl"))
    bare = {json.loads(line)["custom_id"] for line in raw.read_text().splitlines() if '"usage"' not in line}
    bound = sum(most for sent, most in ceilings(shard).items() if sent in bare)
    assert len(bare) == rows
    assert bound <= committed * (1 + 1e-9) <= shard.reserve * (1 + 2e-9)
    assert (committed < shard.reserve * (1 - 1e-9)) == (rows < 4)
    assert (shard.spent is None) == (rows > 0)
    assert committed == pytest.approx(shard.most)


def test_a_share_of_a_dearer_shard(steady: Commands, study) -> None:
    """With a higher cap on tokens the lines keep their ceilings; their sum is the shard's reserve all the same."""
    steady("openai", "--batch", "--experiment", study(TEXTS, text=TWO), "--model", "gpt-4.1")
    _, shard = collected(steady)
    first, *others = ceilings(shard)
    dearer = replace(shard, reserve=shard.reserve * 3)
    assert ids_file.ceiling_of(dearer, {first}) == pytest.approx(3 * ceilings(shard)[first])
    assert ids_file.ceiling_of(dearer, {first, *others}) == pytest.approx(dearer.reserve)
    assert (ids_file.ceiling_of(dearer, set()), ids_file.ceiling_of(replace(shard, reserve=None), {first})) == (0.0, None)
