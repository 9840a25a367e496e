"""The campaign in pieces that worker processes can take: each piece has a name, runs in its own world, and is judged."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import cache
from importlib.util import find_spec
from multiprocessing.util import Finalize
from pathlib import Path

from tests.service import STEADY, Service
from tests.torture import claims, growing, identity, kills, lists, lookalikes, matrix, money, owed, queue, random_runs, trials
from tests.torture.kills import SMALL, Verdict
from tests.torture.trials import Play, Trial
from tests.torture.world import World, Zygote

SHAPES = ("openai", "anthropic")  # one of each shape of API
PROFILES = ("openai", "anthropic", "kluster", "openrouter")
JUMPS = [(after, sign * seconds) for after in (3, 25, 40, 50) for seconds in (3600.0, 3 * 86400.0) for sign in (1, -1)]
SPENDERS = 1000  # random trials of caps in memory
LOST_AND_WAIT = [
    ("create", matrix.rule(drop="after")),
    ("create", matrix.rule(nth=2, status=429, headers={"retry-after": "1"})),
]
CAMPAIGNS = {"owed": owed.trials, "identity": identity.trials, "lists": lists.trials, "money": money.trials, "claims": claims.trials}
# safeguard: (shape, campaign, the trials that must catch it as a pattern, every so-manieth of them)
BITES = {
    "owed": (("openai", "owed", "results", 6), ("anthropic", "owed", "results", 6)),
    "presence": (("openai", "owed", "counts|named late", 2), ("anthropic", "owed", "counts|named late", 3)),
    "checksum": (("openai", "owed", "raw files", 4), ("anthropic", "owed", "raw files", 4)),
    "claim": (("openai", "claims", "", 2), ("anthropic", "claims", "", 2)),
    "mark": (("anthropic", "identity", "two runs at once, two folders", 2),),
    "witness": (("openai", "identity", "journal", 2), ("anthropic", "identity", "journal", 2)),
    "first-look": (("openai", "identity", "once planned", 2),),
    "token": (("openai", "identity", "lock file", 1), ("anthropic", "identity", "lock file", 1)),
    "whole-list": (("openai", "lists", "oldest first, two", 2),),
    "grace": (("openai", "lists", "list late", 2),),
    "money-transaction": (("openai", "money", "provider", 1),),
    "money-unknown": (("anthropic", "money", "", 2),),
    "money-month": (("openai", "money", "provider", 1),),
}


@cache
def started() -> ExitStack:
    """What this process has started, stopped at its end: in the workers of a pool too, where atexit is never called."""
    stack = ExitStack()
    Finalize(None, stack.close, exitpriority=10)
    return stack


@cache
def zygote() -> Zygote:
    """This process's forker of commands."""
    return started().enter_context(closing(Zygote()))


@cache
def other() -> Zygote:
    """One more, for commands at the same time."""
    return started().enter_context(closing(Zygote()))


@cache
def world(heal_share: float, speed: float = 1e6, *more: str) -> World:
    """This process's world with these settings, made once."""
    folder = Path(started().enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
    (folder / "service").mkdir()
    options = (*STEADY, "--heal-share", str(heal_share), "--speed", str(speed), *more)
    return World(folder, started().enter_context(Service(folder / "service", options)), zygote())


def plan(points: int, examples: int, seed: int, thin: int = 1) -> Iterator[tuple]:
    """All pieces of a campaign as (name, function, arguments), long ones first; of trials every `thin`-th."""
    for name, *_ in queue.trials():
        yield f"queue, {name}", run_queue, (name,)
    for without in ((), ("id-check",)):
        yield "without id-check" if without else "look-alikes", run_lookalikes, (without,)
    for shape in SHAPES:
        for name in CAMPAIGNS:
            for part in range(3):
                yield f"{name}, {shape}", run_trials, (name, shape, part * thin, 3 * thin)
    for part in range(0, SPENDERS // thin, 50):
        yield "money, in memory", money.in_memory, (seed + part, 50)
    for profile in PROFILES:
        for part in range(4):
            yield f"kills, {profile}", run_kills, (profile, points, part, 4, ())
    for part in range(0, examples, 25):
        yield "random", run_random, (min(25, examples - part), seed + part)
    for part in range(0, examples, 20):
        yield "growing", run_growing, (min(20, examples - part), seed + part)
    for profile in PROFILES:
        for part in range(2):
            yield f"matrix, {profile}", run_matrix, (profile, part, 2 * thin, ())
        yield f"clock, {profile}", run_clock, (profile, thin)
    for shape in SHAPES:
        yield f"open: folder copied midway, {shape}", run_trials, ("copied midway", shape, 0, thin)
    for profile in ("openai", "kluster"):
        yield "without write-ahead", run_kills, (profile, max(points // 4, 30), 0, 1, ("write-ahead",))
    yield "without single-send", run_matrix, ("openai", 0, 1, ("single-send",))
    yield "without single-send", run_matrix, ("kluster", 0, 1, ("single-send",))
    for name, places in BITES.items():
        for shape, campaign, pattern, step in places if exists(name) else ():
            yield f"without {name}", run_trials, (campaign, shape, 0, step if thin == 1 else 2 * step, pattern, (name,))


def exists(safeguard: str) -> bool:
    """Whether the program has a safeguard: ids bear marks only where a room for them is there."""
    return safeguard != "mark" or find_spec("common.experiment.marks") is not None


def run_kills(profile: str, points: int, part: int, parts: int, without: tuple[str, ...]) -> Verdict:
    """Kills of one profile: every `parts`-th of the points."""
    place = world(heal_share=0.15)
    reference, total = place.reference(profile, *SMALL)
    chosen = kills.points_of(total, points)[part::parts]
    verdict = kills.campaign(place, profile, chosen, reference, without=without, seed=part)
    verdict.points = total
    return verdict


def run_matrix(profile: str, part: int, parts: int, without: tuple[str, ...]) -> Verdict:
    """The fault matrix of one profile: every `parts`-th case."""
    place, verdict = world(heal_share=0.0), Verdict()
    reference, _ = place.reference(profile, *SMALL)
    for case in [case for case in matrix.CASES if profile in case.profiles][part::parts]:
        verdict.trials += 1
        wrong = matrix.try_case(place, case, profile, reference, SMALL, without)
        verdict.failures += [f"{profile}, {case.name}: {text}" for text in wrong]
        verdict.failed += bool(wrong)
    return verdict


def run_trials(campaign: str, profile: str, part: int, step: int, pattern: str = "", without: tuple[str, ...] = ()) -> Verdict:
    """A campaign's trials in one profile: of those whose name a pattern matches every `step`-th, from `part` on."""
    place = world(heal_share=0.0, **({"speed": money.SPEED} if campaign == "money" else {}))
    reference, total = place.reference(profile, *SMALL)

    def play(trial: Trial) -> Play:
        return Play(place, profile, total, random.Random(f"{profile} {trial.name}"), without, other(), SMALL)

    wanted = [trial for trial in CAMPAIGNS.get(campaign, identity.uncovered)(profile) if re.search(pattern, trial.name)]
    return trials.campaign(play, reference, wanted[part::step])


def run_random(examples: int, seed: int) -> Verdict:
    """Random experiments, faults and kills from one seed."""
    return random_runs.campaign(world(heal_share=0.0), examples, seed)


def run_growing(examples: int, seed: int) -> Verdict:
    """Random lives of a study that grows, from one seed; three edits each."""
    return growing.campaign(world(heal_share=0.0), examples, seed)


def run_clock(profile: str, thin: int = 1) -> Verdict:
    """The wall clock jumps while an answer is lost and a wait is under way."""
    place, verdict = world(heal_share=0.0), Verdict()
    reference, _ = place.reference(profile, *SMALL)
    for jump in JUMPS[::thin]:
        place.reset()
        place.control("faults", matrix.rules_of(tuple(LOST_AND_WAIT), profile))
        verdict.trials += 1
        ends = [place.run(profile, *SMALL, jump=jump), *place.run_to_the_end(profile, *SMALL)]
        wrong = place.judge(profile, reference)
        if ends[-1]["code"] != 0 or ends[0]["code"] == -1000:
            wrong.append(f"exit codes {[end['code'] for end in ends]}")
        verdict.failures += [f"{profile}, clock {jump}: {text}" for text in wrong]
        verdict.failed += bool(wrong)
    return verdict


def run_queue(name: str) -> Verdict:
    """A study that is larger than the host's queue."""
    return queue.campaign(world(0.0, queue.SPEED, "--queue-limit", str(queue.LIMIT)), other(), name)


def run_lookalikes(without: tuple[str, ...]) -> Verdict:
    """Somebody else's batch of our size, and a double of our own."""
    place, verdict = world(heal_share=0.0), Verdict()
    reference, _ = place.reference("anthropic", *SMALL)
    found = [lookalikes.stranger(place, reference, SMALL, without)]
    if not without:
        slow = world(heal_share=0.0, speed=lookalikes.SPEED)
        reference, _ = slow.reference("openai", *SMALL)
        found.append(lookalikes.double(slow, reference, SMALL))
    verdict.trials = len(found)
    verdict.failed = sum(map(bool, found))
    verdict.failures = [text for wrong in found for text in wrong]
    return verdict
