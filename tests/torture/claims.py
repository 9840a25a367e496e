"""Claims: two runs look for lost batches of one size in the same moment and see the same one; it gets one owner, whoever comes second."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import NamedTuple

from tests.torture.gates import Gate
from tests.torture.identity import COLOURS, answers, argv_of, batches
from tests.torture.lists import everywhere
from tests.torture.matrix import rule
from tests.torture.trials import LOST, Play, Trial
from tests.torture.world import Zygote

# nothing but size and rows tells two batches apart: Anthropic is so by itself, and there the ids that are sent bear marks
NAMELESS = {"openai": everywhere("metadata", "input_file_id"), "anthropic": ()}
HURRY = ("--patience", "0.5")  # of who waits for a batch that another run holds
NEVER = "create dropped before"  # it has not even arrived
THEN = ("ends", "waits", "dies")  # what the first does once it has the batch, while the second goes on


def meet(play: Play, reference: dict[str, str], first: str, second: str, then: str) -> None:
    """Red's creation is lost, and its batch is seen by both before either takes it; red commits first, then blue tries.

    `first`, `second`: how the answers to their creations go astray; blue's may not even have arrived.
    """
    with _both_see_one(play, first, second, {} if then == "ends" else {"red": "ended"}) as (red, blue):
        red.takes.open()
        if then != "ends":
            red.has_it.reached()
        if then == "dies":
            red.has_it.kill()
        if then != "waits":
            red.thread.join()
        blue.takes.open()
        blue.thread.join()
        red.has_it.open()
    _finish(play)


def taken_by_the_other(play: Play, reference: dict[str, str], first: str, second: str) -> None:
    """As before, but blue takes red's batch, and holds it while red tries; its rows show whose it is, for their ids bear marks."""
    with _both_see_one(play, first, second, {"blue": "ended"}) as (red, blue):
        blue.takes.open()
        blue.has_it.reached()
        red.takes.open()
        red.thread.join()
        blue.has_it.open()
    _finish(play)


class Runner(NamedTuple):
    """A command at work, and the gates before it takes a batch and after it."""

    thread: threading.Thread
    takes: Gate
    has_it: Gate


@contextmanager
def _both_see_one(play: Play, first: str, second: str, after: dict[str, str]) -> Iterator[tuple[Runner, Runner]]:
    """Red and blue, each about to take red's batch; `after`: before which event one of them is held once it has it. Both end here."""
    for colour in COLOURS:
        answers(play, colour)
    sends, *gates = [Gate(play.world.folder / f"gate{n}") for n in range(5)]

    def start(colour: str, by: Zygote, takes: Gate, has_it: Gate, **more: Gate) -> Runner:
        held = {"adopted": takes, **more, **({after[colour]: has_it} if colour in after else {})}
        job = {"hold": {kind: str(gate.path) for kind, gate in held.items()}}
        thread = threading.Thread(target=_run, args=(play, colour, by), kwargs=job)
        thread.start()
        return Runner(thread, takes, has_it)

    runners = []
    try:
        runners.append(blue := start("blue", play.world.zygote, *gates[:2], submitting=sends))
        sends.reached()  # before red's batch is there: some hosts have no other sign than that a lost batch is newer than this
        _lose(play, first)
        runners.append(red := start("red", play.other, *gates[2:]))
        red.takes.reached()
        _lose(play, second)
        sends.open()
        blue.takes.reached()
        yield red, blue
    finally:
        for gate in (sends, *gates):
            gate.open()
        for runner in runners:
            runner.thread.join()


def _lose(play: Play, lost: str) -> None:
    play.faults(("create", rule(**LOST[lost])), *NAMELESS[play.profile])


def _run(play: Play, colour: str, by: Zygote, **job: object) -> dict:
    argv = (*argv_of(play.world, colour), *HURRY)
    return play.note(play.world.run(play.profile, *argv, by=by, without=list(play.without), **job))


def _finish(play: Play) -> None:
    """Both commands once more, until they have finished; then the judge."""
    right = {colour: answers(play, colour) for colour in COLOURS}
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
    """How red's answer is lost × how blue's is × what red does next, or that blue is first, where rows can tell whose a batch is."""
    lost = [(first, second) for first in LOST if first != NEVER for second in (NEVER, "create dropped after")]
    found = [
        Trial(f"both see one batch, {first}, the second's {second}, the first {then}", partial(meet, first=first, second=second, then=then))
        for first, second in lost
        for then in THEN
    ]
    if profile == "anthropic":
        found += [
            Trial(f"the other takes it, {first}, the other's {second}", partial(taken_by_the_other, first=first, second=second))
            for first, second in lost
        ]
    return found
