"""Claims: two runs look for lost batches of one size in the same moment and see the same one; it gets one owner, whoever comes second."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial

from tests.torture.gates import Gate
from tests.torture.identity import COLOURS, answers, argv_of, batches
from tests.torture.lists import everywhere
from tests.torture.matrix import rule
from tests.torture.trials import LOST, Play, Trial
from tests.torture.world import Zygote

# nothing but size and rows tells two batches apart: Anthropic is so by itself, and there the ids that are sent bear marks
NAMELESS = {"openai": everywhere("metadata", "input_file_id"), "anthropic": ()}
HURRY = ("--patience", "1")  # of who waits for a batch that another run holds
THEN = ("ends", "waits", "dies")  # what the first does once it has the batch, while the second goes on


def meet(play: Play, reference: dict[str, str], first: str, second: str, then: str) -> None:
    """Red's creation is lost, and its batch is seen by both before either takes it; red commits first, then blue tries.

    `first`, `second`: how the answers to their creations go astray; blue's may not even have arrived.
    """
    right = {colour: answers(play, colour) for colour in COLOURS}
    sends, takes, red_takes, red_has = gates = [Gate(play.world.folder / f"gate{n}") for n in range(4)]
    try:
        blue = _started(play, "blue", play.world.zygote, submitting=sends, adopted=takes)
        sends.reached()  # before red's batch is there: some hosts have no other sign than that a lost batch is newer than this
        _lose(play, first)
        red = _started(play, "red", play.other, adopted=red_takes, **({} if then == "ends" else {"ended": red_has}))
        red_takes.reached()
        _lose(play, second)
        sends.open()
        takes.reached()
        red_takes.open()
        if then != "ends":
            red_has.reached()
        if then == "dies":
            red_has.kill()
        if then != "waits":
            red.join()
        takes.open()
        blue.join()
        if then == "waits":
            red_has.open()
        red.join()
    finally:
        for gate in gates:
            gate.open()
    _finish(play, right)


def _lose(play: Play, lost: str) -> None:
    play.faults(("create", rule(**LOST[lost])), *NAMELESS[play.profile])


def _run(play: Play, colour: str, by: Zygote, **job: object) -> dict:
    argv = (*argv_of(play.world, colour), *HURRY)
    return play.note(play.world.run(play.profile, *argv, by=by, without=list(play.without), **job))


def _started(play: Play, colour: str, by: Zygote, **gates: Gate) -> threading.Thread:
    """A command on its way to the first of its gates, by the kind of event that each stands before."""
    held = {kind: str(gate.path) for kind, gate in gates.items()}
    thread = threading.Thread(target=_run, args=(play, colour, by), kwargs={"hold": held})
    thread.start()
    return thread


def _finish(play: Play, right: dict[str, dict[str, str]]) -> None:
    """Both commands once more, until they have finished; then the judge."""
    play.faults(*NAMELESS[play.profile])
    for _ in range(4):
        ends = [_run(play, colour, play.world.zygote) for colour in COLOURS]
        if not any(end["code"] for end in ends):
            break
    else:
        play.wrong.append(f"never finished: {[end['err'][-300:] for end in ends]}")
    play.wrong += play.world.overpaid(right["red"], times=2)
    for colour in COLOURS:
        play.wrong += [f"{colour}: {text}" for text in play.world.misread(play.profile, right[colour], run=colour)]
    if shared := set.intersection(*(batches(play, play.world.results, colour) for colour in COLOURS)):
        play.wrong.append(f"both runs have answers of {len(shared)} batches")
    play.wrong += owned_twice(play)


def owned_twice(play: Play) -> list[str]:
    """Batches that two shards held at the same time, by the events of the journal."""
    holders: dict[tuple[str, int], str] = {}
    wrong = []
    with closing(sqlite3.connect(play.world.results / "journal.db")) as db:
        for run, n, data in db.execute("SELECT run, n, data FROM events WHERE n IS NOT NULL ORDER BY rowid"):
            if (batch := json.loads(data).get("batch_id")) is None:
                continue
            wrong += [f"{batch} was held by {run} while {other} held it" for (other, _), held in holders.items() if batch and held == batch]
            holders[run, n] = batch
    return wrong


def trials(profile: str) -> list[Trial]:
    """How red's answer is lost × how blue's is × what red does next."""

    def act(*how: str) -> Callable[[Play, dict[str, str]], None]:
        return partial(meet, first=how[0], second=how[1], then=how[2])

    return [
        Trial(f"both see one batch, {first}, the second's {second}, the first {then}", act(first, second, then))
        for first in LOST if first != "create dropped before"
        for second in ("create dropped before", "create dropped after")
        for then in THEN
    ]  # fmt: skip
