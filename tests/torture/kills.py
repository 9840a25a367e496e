"""kill -9 at every boundary: one trial per point, then the same command until it has finished, then the judge."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.torture.world import World

SMALL = ("--limit", "24")


@dataclass
class Verdict:
    """What a campaign found."""

    trials: int = 0
    failed: int = 0  # trials in which something was wrong
    kills: int = 0
    points: int = 0  # boundaries that an undisturbed run passes
    failures: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        """Sum up two workers' findings."""
        self.trials += other.trials
        self.failed += other.failed
        self.kills += other.kills
        self.points = max(self.points, other.points)
        self.failures += other.failures


def points_of(total: int, most: int) -> list[int]:
    """At most so many boundaries, evenly spread over all of them."""
    if most >= total:
        return list(range(1, total + 1))
    return sorted({1 + round(n * (total - 1) / (most - 1)) for n in range(most)})


def campaign(
    world: World,
    profile: str,
    points: list[int],
    reference: dict[str, str],
    *,
    without: tuple[str, ...] = (),
    rules: list[dict] | None = None,
    seed: int = 0,
    argv: tuple[str, ...] = SMALL,
) -> Verdict:
    """Kill one run at each point (and every third a second time while it recovers); judge what is there at the end."""
    verdict, dice = Verdict(), random.Random(seed)
    for point in points:
        world.reset()
        if rules:
            world.control("faults", rules)
        first = world.run(profile, *argv, kill_at=point, without=list(without))
        verdict.trials += 1
        verdict.kills += first["code"] == -9
        ends = [first]
        if first["code"] == -9 and point % 3 == 0:
            ends.append(world.run(profile, *argv, kill_at=dice.randint(1, 150), without=list(without)))
            verdict.kills += ends[-1]["code"] == -9
        ends += world.run_to_the_end(profile, *argv, without=list(without))
        wrong = world.judge(profile, reference)
        codes = [end["code"] for end in ends]
        if codes[-1] != 0:
            wrong.append(f"never finished, exit codes {codes}: {ends[-1]['err'].strip().splitlines()[-1:]}")
        if any("Traceback" in end["err"] for end in ends):
            wrong.append("a traceback reached the user")
        verdict.failed += bool(wrong)
        verdict.failures += [f"{profile} killed at {point}: {text}" for text in wrong]
    return verdict
