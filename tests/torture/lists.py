"""Lists: late, in any order, in circles, without metadata, or not to be had × lost creates × kills; nothing is bought twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from tests.torture.matrix import rule
from tests.torture.trials import LOST, Play, Trial
from tests.torture.world import STRANGERS, World

UNLISTED = (404, 405, 403, 501)
SIZES = (3, 12, 8, 5, 8, 12)  # of other people's batches in the account, some as large as ours
GRACE = ("--grace", "0.9")  # longer than the lag
LAG = 0.4
LIE = "create 429 after"
HURRY = ("--grace", "0.3", "--patience", "0.3")  # while nothing is listed
KILLS = ("no kill", "early", "late", "twice")
ODD = [None, "text", 7, [], {}, {"id": None, "object": "batch"}]


def lists(**action: object) -> tuple[tuple[str, dict], ...]:
    """Each list of batches."""
    return (("list", rule(times=-1, **action)),)


def everywhere(*fields: str) -> tuple[tuple[str, dict], ...]:
    """Fields that no answer holds."""
    return (("*", rule(times=-1, without=list(fields))),)


BENT = {"oldest first": {"order": "asc"}, "oldest first, two at a time": {"order": "asc", "page": 2},
        "two at a time": {"page": 2}, "in circles": {"page": 2, "circle": True},
        "oldest first, in circles": {"order": "asc", "page": 2, "circle": True}, "odd things": {"odd": ODD, "page": 3}}  # fmt: skip
WAYS = {
    **{name: lists(list=bend) for name, bend in BENT.items()},
    "late": lists(lag=LAG),
    "late, oldest first, two at a time": lists(lag=LAG, list={"order": "asc", "page": 2}),
    "every third answers 503": (("list", {"times": -1, "probability": 0.3, "seed": 1, "action": {"status": 503}}),),
}
# at the shape of OpenAI, where a batch is known by what it says of itself
DROPPED = {
    "no metadata": everywhere("metadata"),
    "no input file": everywhere("input_file_id"),
    "no metadata, late, oldest first": (*everywhere("metadata"), *lists(lag=LAG, list={"order": "asc", "page": 2})),
}
NAMELESS = {  # only size, time and rows are left: as at Anthropic, but the ids that are sent bear no mark
    "neither metadata nor input file": everywhere("metadata", "input_file_id"),
    "neither, in circles": (*everywhere("metadata", "input_file_id"), *lists(list={"page": 2, "circle": True})),
}


def strangers(play: Play) -> None:
    """Other people's batches in the same account, before ours."""
    make = _anthropic(play.world) if play.profile == "anthropic" else _openai(play.world)
    for n, size in enumerate(SIZES):
        make([f"{STRANGERS}{n}-{m}" for m in range(size)])


def _anthropic(world: World) -> Callable[[list[str]], object]:
    """What makes a batch of requests with these ids."""
    batches = world.service.anthropic().messages.batches
    params = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    return lambda ids: batches.create(requests=[{"custom_id": name, "params": params} for name in ids])


def _openai(world: World) -> Callable[[list[str]], object]:
    """What makes a batch of requests with these ids."""
    client = world.service.openai()
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "hi"}]}

    def make(ids: list[str]) -> None:
        rows = [{"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body} for name in ids]
        file = client.files.create(file=("in.jsonl", "\n".join(map(json.dumps, rows)).encode()), purpose="batch")
        client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")

    return make


def bent(play: Play, reference: dict[str, str], pairs: tuple, lost: str, nth: int, pattern: str) -> None:
    """The list errs all the time, and answers to creations are lost: the same command must end well nevertheless."""
    strangers(play)
    play.faults(("create", rule(nth=nth, times=2, **LOST[lost])), *pairs)
    for point in play.points(pattern) or [0]:
        play.command(*GRACE, kill_at=point)
    if play.to_the_end(*GRACE) != 0:
        play.wrong.append(f"ended with {play.ends[-1]['code']}: {play.ends[-1]['err'][-500:]}")
    play.wrong += play.world.judge(play.profile, reference)


def unlisted(play: Play, reference: dict[str, str], status: int, lost: str, nth: int, pattern: str) -> None:
    """No list at all: a lost creation is said and waits for a person; what is not lost goes its way. Then the list is back."""
    strangers(play)
    play.faults(("create", rule(nth=nth, times=1, **LOST[lost])), *lists(status=status))
    for point in play.points(pattern) or [0]:
        play.command(*HURRY, kill_at=point)
    end = play.command(*HURRY)
    if end["code"] not in (0, -9) and not says_so(end, status):
        play.wrong.append(f"ended with {end['code']} and does not say why: {end['err'][-500:]}")
    play.wrong += play.world.overpaid(reference)
    play.faults()
    if play.to_the_end(*GRACE) != 0:
        play.wrong.append(f"with the list back it ended with {play.ends[-1]['code']}: {play.ends[-1]['err'][-500:]}")
    play.wrong += play.world.judge(play.profile, reference)


def says_so(end: dict, status: int) -> bool:
    """Whether a person was told that a creation is in doubt, or at least what the list answered."""
    return "lists no batches" in end["err"] or "its answer was lost" in end["err"] or f"answered {status}" in end["err"]


def made(ways: dict[str, tuple]) -> list[Trial]:
    """Each way × lost answers × patterns of kills; the first and the second creation take turns.

    A 429 that is a lie is taken at its word after one look, so a list that lags cannot help against it.
    """
    return [
        Trial(f"list {name}, {lost}, {pattern}", partial(bent, pairs=pairs, lost=lost, nth=1 + n % 2, pattern=pattern))
        for name, pairs in ways.items()
        for n, (lost, pattern) in enumerate((lost, pattern) for lost in LOST for pattern in KILLS)
        if not (lost == LIE and "late" in name)
    ]


def without_lists() -> list[Trial]:
    """Each answer of a host that does not list × lost answers × patterns of kills."""
    return [
        Trial(f"list answers {status}, {lost}, {pattern}", partial(unlisted, status=status, lost=lost, nth=1 + n % 2, pattern=pattern))
        for status in UNLISTED
        for n, (lost, pattern) in enumerate((lost, pattern) for lost in LOST if lost != LIE for pattern in KILLS[:3])
    ]


def trials(profile: str) -> list[Trial]:
    """All of them that the shape of an API can have."""
    return [*made(WAYS), *(made({**DROPPED, **NAMELESS}) if profile == "openai" else ()), *without_lists()]
