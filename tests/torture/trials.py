"""What the campaigns of owed results, of identity and of lists have in common: one trial, its commands, its kills, its end."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.service import KEYS
from tests.torture.kills import Verdict
from tests.torture.matrix import rules_of
from tests.torture.world import PROFILES, QUICK, World, Zygote

LOST = {  # how the answer to a create goes astray: accepted, or not
    "create dropped after": {"drop": "after"},
    "create 500 after": {"status": 500, "when": "after"},
    "create 429 after": {"status": 429, "when": "after", "headers": {"retry-after": "0.1"}},
    "create dropped before": {"drop": "before"},
}
KILLS = ("no kill", "early", "late", "twice", "at the end")


@dataclass
class Play:
    """One trial at work: where, who, and all that its commands have said."""

    world: World
    profile: str
    total: int  # boundaries that an undisturbed run passes
    dice: random.Random
    without: tuple[str, ...] = ()
    other: Zygote | None = None  # who runs a second command at the same time
    argv: tuple[str, ...] = ()
    ends: list[dict] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def faults(self, *pairs: tuple[str, dict]) -> None:
        """Put faults in force; none: the host is well."""
        self.world.control("faults", rules_of(pairs, self.profile))

    def command(self, *more: str, **job: object) -> dict:
        """The trial's command once more."""
        return self.note(self.world.run(self.profile, *self.argv, *more, without=list(self.without), **job))

    def retry_failed(self, name: str, **job: object) -> dict:
        """--retry-failed of a run."""
        return self.note(self.world.run(self.profile, argv=["--retry-failed", name, *QUICK], without=list(self.without), **job))

    def note(self, end: dict) -> dict:
        self.ends.append(end)
        return end

    def to_the_end(self, *more: str, most: int = 5, **job: object) -> int:
        """The same command until it has finished, at most so often; its last exit code."""
        for _ in range(most):
            if self.command(*more, **job)["code"] == 0:
                break
        return self.ends[-1]["code"]

    def point(self, low: float, high: float) -> int:
        """A boundary somewhere between two shares of an undisturbed run."""
        return self.dice.randint(1 + int(self.total * low), max(2, int(self.total * high)))

    def points(self, kill: str) -> list[int]:
        """The boundaries at which the commands of a pattern of KILLS die while the host is not well."""
        low, high = {"late": (0.5, 1.2)}.get(kill, (0.0, 0.6))
        if kill == "twice":
            return [self.point(0.1, 0.6), self.point(0.1, 0.8)]
        return [self.point(low, high)] if kill in ("early", "late") else []

    @property
    def said(self) -> str:
        """All that a person saw."""
        return "".join(end["out"] + end["err"] for end in self.ends)

    @property
    def run_name(self) -> str:
        """The name of the only run; "" when there is none yet."""
        return next((path.parent.name for path in self.folder.glob("*/run.json")), "")

    @property
    def folder(self) -> Path:
        """Where the profile's runs are."""
        return self.world.results / PROFILES[self.profile][0]

    def check(self) -> None:
        """What no command may ever do."""
        if any("Traceback" in end["err"] for end in self.ends):
            self.wrong.append(f"a traceback reached the user: {next(e['err'] for e in self.ends if 'Traceback' in e['err'])[-900:]}")
        if any(end["code"] == -1000 for end in self.ends):
            self.wrong.append("a command hung")
        if any(key in self.said for key in KEYS.values()):
            self.wrong.append("a key was printed")


@dataclass(frozen=True)
class Trial:
    """A trial's name and what is done in it."""

    name: str
    act: Callable[[Play, dict[str, str]], None]


def second_results(world: World) -> Path:
    """An empty results folder beside the world's own."""
    folder = world.folder / "results2"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def campaign(make: Callable[[Trial], Play], reference: dict[str, str], trials: Iterable[Trial]) -> Verdict:
    """Play trials one after the other; each must leave nothing wrong."""
    verdict = Verdict()
    for trial in trials:
        play = make(trial)
        play.world.reset()
        trial.act(play, reference)
        play.check()
        verdict.trials += 1
        verdict.kills += sum(end["code"] == -9 for end in play.ends)
        verdict.failed += bool(play.wrong)
        codes = [end["code"] for end in play.ends]
        verdict.failures += [f"{play.profile}, {trial.name} {codes}: {text}" for text in play.wrong]
    return verdict
