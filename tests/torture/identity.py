"""Identity: runs that look alike, former ones, copied folders, older journals, rotated keys × lost answers × kills; each batch has
one owner."""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.basics import wait_for
from tests.torture.matrix import rule
from tests.torture.random_runs import write_experiment
from tests.torture.trials import KILLS, LOST, Play, Trial, second_results
from tests.torture.world import World, Zygote

SHAPE = {"personas": 2, "trials": 2, "rows": ["a", "b"]}
COLOURS = ("red", "blue")  # two experiments that ask under the same ids and differ in their text only
ROTATED = {"openai": {"OPENAI_API_KEY": "sk-rotated"}, "anthropic": {"ANTHROPIC_API_KEY": "sk-ant-rotated"}}
SEVERAL_KILLS = ("no kill", "late", "twice")
_answers: dict[tuple[Path, str, str], dict[str, str]] = {}


def lose(play: Play, lost: str, nth: int = 1) -> None:
    """Let the answers to two creations go astray."""
    if lost:
        play.faults(("create", rule(nth=nth, times=2, **LOST[lost])))


def argv_of(world: World, colour: str) -> tuple[str, ...]:
    """What runs one of the two experiments, under its own name."""
    return ("--experiment", str(world.folder / colour), "--run", colour)


def answers(play: Play, colour: str) -> dict[str, str]:
    """The answers of one of the two experiments, asked once and kept; the world is empty afterwards."""
    key = (play.world.folder, play.profile, colour)
    if key not in _answers:
        write_experiment(play.world.folder / colour, {**SHAPE, "text": f"The sky is {colour}."})
        _answers[key], _ = play.world.reference(play.profile, *argv_of(play.world, colour))
        play.world.reset()
    return _answers[key]


def batches(play: Play, results: Path, run: str = "*") -> set[str]:
    """The batches that a run's answers came from."""
    try:
        return {row["batch_id"] for row in play.world.table(play.profile, results, run).values()}
    except ValueError:
        return set()


def finish(play: Play, **job: object) -> None:
    """The host is well: the same command until it ends with 0."""
    play.faults()
    if play.to_the_end(**job) != 0:
        play.wrong.append(f"ended with {play.ends[-1]['code']}: {play.ends[-1]['err'][-500:]}")


def kill(play: Play, pattern: str, **job: object) -> None:
    """The commands of a pattern of kills; where it has none, a command that is not killed."""
    for point in play.points(pattern) or [0]:
        play.command(kill_at=point, **job)


# ---- two runs at once


def twins(play: Play, reference: dict[str, str], apart: bool, lost: str, pattern: str) -> None:
    """Two runs of equal sizes and equal ids at once, in one results folder or two."""
    right = {colour: answers(play, colour) for colour in COLOURS}
    folders = dict(zip(COLOURS, (play.world.results, second_results(play.world) if apart else play.world.results), strict=True))
    lose(play, lost)

    def go(colour: str, by: Zygote, at: int = 0) -> dict:
        return play.note(play.world.run(play.profile, *argv_of(play.world, colour), "--grace", "0.5", by=by, without=list(play.without),
                                        env={"RESULTS_DIR": str(folders[colour])}, kill_at=at))  # fmt: skip

    def both(at: int = 0) -> list[int]:
        other = threading.Thread(target=lambda: codes.append(go("blue", play.other, at and play.point(0.0, 0.8))["code"]))
        codes: list[int] = []
        other.start()
        codes.append(go("red", play.world.zygote, at)["code"])
        other.join()
        return codes

    for point in play.points(pattern) or [0]:
        both(point)
    play.faults()
    for _ in range(5):
        if both(play.point(0.0, 0.5) if pattern == "at the end" and len(play.ends) < 4 else 0) == [0, 0]:
            break
    else:
        play.wrong.append(f"never finished: {[end['err'][-300:] for end in play.ends[-2:]]}")
    play.wrong += play.world.overpaid(right["red"], times=2)
    for colour in COLOURS:
        play.wrong += [f"{colour}: {text}" for text in play.world.misread(play.profile, right[colour], folders[colour], colour)]
    if shared := batches(play, folders["red"], "red") & batches(play, folders["blue"], "blue"):
        play.wrong.append(f"both runs have answers of {len(shared)} batches")


# ---- former runs and copies


def former(play: Play, reference: dict[str, str], apart: bool, lost: str, pattern: str) -> None:
    """The same experiment has been run before, in another results folder or under another name; its batches are still there."""
    before = second_results(play.world) if apart else play.world.results
    named = () if apart else ("--run", "before")
    play.command(*named, env={"RESULTS_DIR": str(before)})
    lose(play, lost)
    new = () if apart else ("--run", "after")
    for point in play.points(pattern) or [0]:
        play.command(*new, kill_at=point)
    play.faults()
    if play.to_the_end(*new) != 0:
        play.wrong.append(f"ended with {play.ends[-1]['code']}: {play.ends[-1]['err'][-500:]}")
    play.wrong += play.world.overpaid(reference, times=2)
    play.wrong += play.world.misread(play.profile, reference, run="*" if apart else "after")
    if shared := batches(play, before, "*" if apart else "before") & batches(play, play.world.results, "*" if apart else "after"):
        play.wrong.append(f"{len(shared)} batches of the former run were taken for this one's")


def copied(play: Play, reference: dict[str, str], midway: bool, turned: bool, lost: str, pattern: str) -> None:
    """The results folder is copied, after planning or midway; one of the two goes on to its end, then the other comes."""
    lose(play, lost, nth=2 if midway else 1)
    if midway:
        play.command(kill_at=play.point(0.2, 0.8))
    else:
        play.command("--dry-run")
    copy = second_results(play.world)
    shutil.copytree(play.world.results, copy)
    first, second = (copy, play.world.results) if turned else (play.world.results, copy)
    kill(play, pattern, env={"RESULTS_DIR": str(first)})
    finish(play, env={"RESULTS_DIR": str(first)})
    kill(play, pattern, env={"RESULTS_DIR": str(second)})
    code = play.to_the_end(env={"RESULTS_DIR": str(second)}, most=3)
    play.wrong += play.world.overpaid(reference)
    play.wrong += play.world.misread(play.profile, reference, first)
    if code == 0:
        play.wrong += [f"the second: {text}" for text in play.world.misread(play.profile, reference, second)]
    elif not re.search(r"copy|another run|not ours", play.ends[-1]["err"]):
        play.wrong.append(f"the second ended with {code} and does not say why: {play.ends[-1]['err'][-400:]}")


# ---- the journal, the key, the lock


def older(play: Play, reference: dict[str, str], gone: bool, lost: str, pattern: str) -> None:
    """The journal is restored from an older copy, or lost, after more has been done."""
    kept = play.world.folder / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    lose(play, lost, nth=play.dice.randint(1, 2))
    play.command(kill_at=play.point(0.05, 0.6))
    for path in play.world.results.glob("journal.db*"):
        shutil.copy(path, kept)
    kill(play, pattern)
    for path in play.world.results.glob("journal.db*"):
        path.unlink()
    for path in () if gone else kept.iterdir():
        shutil.copy(path, play.world.results)
    finish(play)
    play.wrong += play.world.judge(play.profile, reference)


def rotated(play: Play, reference: dict[str, str], lost: str, pattern: str) -> None:
    """The key is another one of the same account from the second command on.

    Before any batch's id is known nothing shows that it is the same account: then it is refused, and the former key goes on.
    """
    lose(play, lost)
    kill(play, pattern)
    end = play.command(kill_at=play.point(0.0, 0.4) if pattern == "at the end" else 0, env=ROTATED[play.profile])
    refused = end["code"] == 2 and "another key" in end["err"] and not known_batches(play)
    finish(play, env={} if refused else ROTATED[play.profile])
    play.wrong += play.world.judge(play.profile, reference)


def known_batches(play: Play) -> int:
    """How many batches the journal knows by their ids."""
    with closing(sqlite3.connect(play.world.results / "journal.db")) as db:
        return db.execute("SELECT count(*) FROM shards WHERE batch_id <> ''").fetchone()[0]


def unlocked(play: Play, reference: dict[str, str], pattern: str) -> None:
    """Somebody deletes the lock file while a command waits, and starts another one."""
    play.faults(("create", rule(nth=2, status=429, headers={"retry-after": "0.7"})))
    first = threading.Thread(target=lambda: play.note(play.world.run(play.profile, *play.argv, by=play.other, without=list(play.without))))
    first.start()
    wait_for(lambda: len(play.world.control("ledger")["attempts"]) >= 2)
    for path in play.folder.glob("*/lock"):
        path.unlink()
    kill(play, pattern)
    first.join()
    finish(play)
    play.wrong += play.world.judge(play.profile, reference)


def _all(profile: str) -> Iterator[tuple[str, Callable[[Play, dict[str, str]], None]]]:
    for lost in LOST:
        for pattern in KILLS:
            for apart in (False, True):
                where = "two folders" if apart else "one folder"
                yield f"two runs at once, {where}, {lost}, {pattern}", partial(twins, apart=apart, lost=lost, pattern=pattern)
            yield f"rotated key, {lost}, {pattern}", partial(rotated, lost=lost, pattern=pattern)
        for pattern in SEVERAL_KILLS:
            for apart in (False, True):
                where = "another folder" if apart else "the same folder"
                yield f"former run in {where}, {lost}, {pattern}", partial(former, apart=apart, lost=lost, pattern=pattern)
    for lost in ("", *LOST):
        for pattern in SEVERAL_KILLS:
            for gone in (False, True):
                yield (f"journal {'lost' if gone else 'older'}, {lost or 'nothing lost'}, {pattern}",
                       partial(older, gone=gone, lost=lost, pattern=pattern))  # fmt: skip
        yield from _copies(lost, midway=False)
    for pattern in KILLS:
        yield f"lock file deleted, {pattern}", partial(unlocked, pattern=pattern)


def _copies(lost: str, midway: bool) -> Iterator[tuple[str, Callable[[Play, dict[str, str]], None]]]:
    for turned in (False, True):
        for pattern in ("no kill", "late"):
            first, when = "the copy" if turned else "the original", "midway" if midway else "once planned"
            yield (f"folder copied {when}, {first} first, {lost or 'nothing lost'}, {pattern}",
                   partial(copied, midway=midway, turned=turned, lost=lost, pattern=pattern))  # fmt: skip


def uncovered(profile: str) -> list[Trial]:
    """What the promise does not cover yet, measured all the same: folders copied in the middle of a run."""
    return [Trial(name, act) for lost in ("", *LOST) for name, act in _copies(lost, midway=True)]


def trials(profile: str) -> list[Trial]:
    """All likenesses × lost answers × patterns of kills."""
    return [Trial(name, act) for name, act in _all(profile)]
