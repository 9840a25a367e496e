"""Prompt caching from the command line: the same question with and without marks, its price to the cent, and who is sent first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from common.nouns import Shard, State
from common.runs.journal import Journal
from common.runs.overview import cache_is_old
from tests.basics import wait_for
from tests.support import Commands, End, later
from tests.torture.world import World

SYSTEM = "You are {persona.name}. " + "Read with great care, and say what you feel. " * 1000
FILES = {"system.txt": SYSTEM, "t1.txt": "A quiet river. " * 1000, "t2.txt": "A bright harbour. " * 900, "t3.txt": "Short."}
KEYS = {
    "prompt": '{system_file = "system.txt", user = "Read {text}"}',
    "trials": "3",
    "text": '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t2.txt"}, {id = "t3", file = "t3.txt"}]',
}
PLAIN, WRITTEN, READ, OUT = 0.5e-6, 1.0e-6, 0.05e-6, 2.5e-6  # USD a token of claude-haiku-4-5 in a batch


@pytest.fixture
def steady(calm: World, tmp_path: Path) -> Commands:
    """Commands against a service whose every row is answered at once."""
    calm.reset()
    return Commands(calm, tmp_path / "results")


@pytest.fixture
def ask(study: Callable[..., Path]) -> Callable[..., End]:
    """`ask(commands, "on", …)`: the experiment, sent with that way of caching (None: the key is not there)."""

    def one(run: Commands, way: str | None, *more: str) -> End:
        key = {"prompt_caching": f'"{way}"'} if way else {}
        how = more or ("--batch", "--json")
        return run("claude", "--experiment", study(FILES, **KEYS, **key), "--model", "claude-haiku-4-5", *how)

    return one


def shards(run: Commands) -> list[Shard]:
    """Of the only run that was sent."""
    with closing(Journal(run.results)) as journal:
        (found,) = journal.runs()
        return journal.shards(found)


def usages(run: Commands, batch_id: str) -> dict[str, dict]:
    """Request id → its usage, out of a raw file."""
    lines = (run.results / f"claude/batch_results/{batch_id}_output.jsonl").read_text().splitlines()
    return {row["custom_id"]: row["result"]["message"]["usage"] for row in map(json.loads, lines)}


def ceilings_of(path: Path) -> dict[str, float]:
    """Request id → USD at most, from the ids file of a shard."""
    rows = [row.split("\t") for row in path.with_suffix(".ids").read_text().splitlines()]
    return {row[0]: float(row[4]) for row in rows}


@pytest.mark.parametrize("ways", [(None, "on", "off", "primed"), ("primed", None)])
def test_it_is_the_same_question(steady: Commands, ask: Callable[..., End], ways: tuple) -> None:
    """What was answered without marks is taken over by who marks, and the other way round; nothing is bought twice."""
    ends = [ask(steady, way) for way in ways]
    assert [end.json["outcomes"] for end in ends] == [{"succeeded": 9}] * len(ways), ends[-1].said
    assert steady.requests() == 9
    assert len({end.json["run"] for end in ends}) == len({way or "off" for way in ways})


def test_the_price_to_the_cent(steady: Commands, ask: Callable[..., End]) -> None:
    """What was written and read is paid as such; no row costs more than its ceiling, nor would it if nothing were read."""
    end = ask(steady, "on")
    (shard,) = shards(steady)
    found = usages(steady, shard.batch_id)
    paid = {name: use["input_tokens"] * PLAIN + use["cache_creation_input_tokens"] * WRITTEN + use["cache_read_input_tokens"] * READ
            + use["output_tokens"] * OUT for name, use in found.items()}  # fmt: skip
    assert end.json["cost_usd"] == pytest.approx(sum(paid.values()), abs=1e-6)
    told = end.json["tokens"]
    assert told["cached"] == sum(use["cache_read_input_tokens"] for use in found.values()) > 0
    assert told["cache_written"] == sum(use["cache_creation"]["ephemeral_1h_input_tokens"] for use in found.values()) > 0
    ceilings = ceilings_of(shard.path)
    for name, use in found.items():
        kept = use["cache_creation_input_tokens"] + use["cache_read_input_tokens"]
        assert use["input_tokens"] * PLAIN + kept * WRITTEN + 64 * OUT <= ceilings[name]
    assert all(use["input_tokens"] < 100 for use in found.values())  # t3 too: its system prompt makes it long enough


def test_marks_of_a_person_are_in_the_ceiling_too(steady: Commands, study: Callable[..., Path]) -> None:
    """A `cache_control` among the request parameters costs more than plain input: the bound holds that."""
    found = []
    for request in ("{}", '{cache_control = {type = "ephemeral", ttl = "1h"}}'):
        end = steady("claude", "--dry-run", "--json", "--experiment", study(request=request), "--model", "claude-haiku-4-5")
        found += [end.json["max_cost_usd"] - 2 * 64 * OUT]
    assert found[1] > 2 * found[0] > 0


@pytest.mark.parametrize("trials", [1, 3])
def test_the_ceiling_holds_the_price_of_writing(steady: Commands, study: Callable[..., Path], trials: int) -> None:
    """Twice the input for what is marked, by the same bound of its tokens: of all of a prompt, or of its system prompt only."""
    found = {}
    for way in ("off", "on"):
        asked = study(FILES, **{**KEYS, "trials": str(trials)}, prompt_caching=f'"{way}"')
        end = steady("claude", "--dry-run", "--json", "--experiment", asked, "--model", "claude-haiku-4-5")
        (shard,) = end.json["shards"]
        ceilings = ceilings_of(Path(shard["path"])).values()
        assert shard["max_cost_usd"] == pytest.approx(sum(ceilings))
        found[way] = [most - 64 * OUT for most in ceilings]
    more = [on - off for off, on in zip(found["off"], found["on"], strict=True)]
    if trials == 3:
        assert more == pytest.approx(found["off"])
    else:  # the system prompt is the same for all: so is what it adds, and the shortest text has next to nothing beside it
        assert more == pytest.approx([min(found["off"])] * 3, rel=0.01)


def test_who_fills_the_cache_is_sent_first(still: Commands, study: Callable[..., Path]) -> None:
    """One request of each part alone; the others once their batch has ended, and all of them read. Nothing is asked twice."""
    asked = ("--batch", "--prime-cache", "--experiment", study(FILES, **KEYS), "--model", "claude-haiku-4-5")
    with ThreadPoolExecutor(1) as beside:
        work = beside.submit(still, "claude", *asked)
        wait_for(lambda: still.creates())
        time.sleep(0.3)
        assert [create["requests"] for create in still.creates()] == [3]
        later(still)
        wait_for(lambda: len(still.creates()) == 2)
        later(still)
        end = work.result()
    assert end.code == 0 and "3 of its requests are sent first and fill the cache" in end.out, end.said
    first, others = shards(still)
    assert (first.primes, others.primes, first.count, others.count) == (True, False, 3, 6)
    assert all(use["cache_creation_input_tokens"] == 0 < use["cache_read_input_tokens"] for use in usages(still, others.batch_id).values())
    assert set(still.world.service.billed().values()) == {1}


@pytest.mark.parametrize(
    ("action", "codes", "lost"),
    [({"status": 401}, (3, 0), (0, 0)), ({"status": 400}, (1, 1), (3, 6)), ({"drop": "after"}, (0, 0), (0, 0))],
    ids=["turned down", "refused", "lost"],
)
@pytest.mark.parametrize("which", [0, 1], ids=["first", "others"])
def test_whatever_happens_to_one_of_them(
    steady: Commands, ask: Callable[..., End], which: int, action: dict, codes: tuple[int, int], lost: tuple[int, int]
) -> None:
    """A creation that is turned down, refused for good or lost: it goes on, at the latest when typed again; nothing is bought twice."""
    steady.world.control("faults", [{"call": "messages.batches.create", "nth": which + 1, "action": action}])
    ends = [ask(steady, "primed") for _ in range(2)]
    assert tuple(end.code for end in ends) == codes, ends[0].said
    got = ends[1].json["outcomes"]["succeeded"]
    assert got == 9 - lost[which]
    assert steady.world.service.billed().total() == got


def test_an_hour_later(steady: Commands, ask: Callable[..., End]) -> None:
    """Going on when the cache is forgotten is told, and only then."""
    ask(steady, "primed")
    first, others = shards(steady)
    waiting = replace(others, state=State.PLANNED)
    old = replace(first, collected_at=time.time() - 3 * 3600)
    assert "filled 3.0 hours ago" in "".join(cache_is_old([old, waiting]))
    assert cache_is_old([first, waiting]) == cache_is_old([old, others]) == cache_is_old([waiting]) == []
    assert cache_is_old([replace(old, taken_from="claude/other"), waiting]) == []


def test_off_is_as_before_and_a_wrong_word_is_told(steady: Commands, ask: Callable[..., End]) -> None:
    """`off` is the same run as without the key, whose plan says what caching could save; a wrong word is said in one line."""
    end = ask(steady, None, "--dry-run")
    assert "prompt caching is off; 9 requests share 1 system prompt of about" in end.out
    assert ask(steady, None).json["run"] == ask(steady, "off").json["run"]
    assert ask(steady, "yes").error.endswith("experiment.toml: prompt_caching: is 'yes'; expected off, on or primed")
