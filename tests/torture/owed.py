"""Owed: each way in which results are late, unreadable or damaged × kills; once the host is well, all is there and paid once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.torture.matrix import fate, rule
from tests.torture.trials import KILLS, Play, Trial

HURRY = ("--patience", "0.15")  # while the host is not well
DONE = {"openai": {"status": "completed"}, "anthropic": {"processing_status": "ended"}}
LATE = {"openai": {"output_file_id": None, "error_file_id": None}, "anthropic": {"results_url": None}}
NO_COUNTS = {"request_counts": None}
ZEROS = {"openai": {"request_counts": {"total": 0, "completed": 0, "failed": 0}},
         "anthropic": {"request_counts": {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}}}  # fmt: skip
BACK = {"openai": {"status": "in_progress", "output_file_id": None},
        "anthropic": {"processing_status": "in_progress", "results_url": None}}  # fmt: skip
JSON_ERROR = {"error": {"message": "try later", "type": "server_error", "param": None, "code": None}}
Pairs = tuple[tuple[str, dict], ...]


def fetch(**action: object) -> Pairs:
    """Every download."""
    return (("fetch", rule(times=-1, **action)),)


def shown(profile: str, change: dict, **more: object) -> Pairs:
    """What each look at an ended batch shows."""
    each = {"times": -1, "where": DONE[profile], "action": {"object": change}, **more}
    return (("look", each), ("list", each))


def ways(profile: str) -> Iterator[tuple[str, Pairs]]:
    """(name, faults) of each way in which results can be late or unreadable at this shape of API."""
    for status in (404, 409, 410, 423, 425, 429, 500, 502, 503):
        yield f"results answer {status}", fetch(status=status)
    yield "results are HTML", fetch(body="<html>Sign in</html>", headers={"content-type": "text/html"})
    yield "results are empty, 204", fetch(status=204)
    yield "results are a JSON error with 200", fetch(body=JSON_ERROR)
    yield "results are null", fetch(body="null")
    yield "results are another batch's", fetch(rows_of="another")
    yield "results are cut off", fetch(truncate=0.5)
    yield "results lack lines", fetch(lines={"missing": 3})
    yield "results have broken lines", fetch(lines={"malformed": 2})
    yield "the connection drops at each download", fetch(drop="before")
    yield "every other download fails", (("fetch", {"times": -1, "probability": 0.5, "seed": 3, "action": {"status": 500}}),)
    yield "results are named late", shown(profile, LATE[profile])
    yield "… and counts are null", shown(profile, {**LATE[profile], **NO_COUNTS})
    yield "… and counts are zero", shown(profile, {**LATE[profile], **ZEROS[profile]})
    yield "counts are null and lines missing", (*shown(profile, NO_COUNTS), *fetch(lines={"missing": 3}))
    yield "new batches are not found", (("look", rule(times=-1, status=404)),)
    yield "the status lags", shown(profile, BACK[profile], each=True, seconds=0.4)
    yield "the status goes backwards", shown(profile, BACK[profile], each=True, nth=2, times=1)
    yield from other_words(profile)
    if profile == "openai":
        yield from one_of_two_files()


def other_words(profile: str) -> Iterator[tuple[str, Pairs]]:
    """Final states in the words of other hosts, and bad ones beside files."""
    (field,) = DONE[profile]
    for said in ("SUCCEEDED", "complete", "Done", "finished"):
        yield f"the end is called {said}", shown(profile, {field: said})
        yield f"… and results answer 404, {said}", (*shown(profile, {field: said}), *fetch(status=404))
    for said in ("failed", "cancelled", "expired"):
        yield f"{said} with files", shown(profile, {field: said})
        yield f"{said} with files that answer 404", (*shown(profile, {field: said}), *fetch(status=404))


def one_of_two_files() -> Iterator[tuple[str, Pairs]]:
    """Some rows fail at first, so that there are two files, and only one of them can be had."""
    failing = (("create", fate(times=-1, rows={"share": 0.4, "status": 500, "times": 1})),)
    for field in ("output_file_id", "error_file_id"):
        yield f"two files, {field} is null", (*failing, *shown("openai", {field: None}))
        yield f"two files, {field} is null, no counts", (*failing, *shown("openai", {field: None, **NO_COUNTS}))
    yield "two files, every other download is 404", (
        *failing, ("fetch", {"times": -1, "probability": 0.5, "seed": 5, "action": {"status": 404}}))  # fmt: skip


def _cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def _edited(raw: bytes) -> bytes:
    return raw.replace(b"[", b"9", 1).replace(b": ", b": 1", 4)


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "emptied": lambda raw: b"",
    "cut": _cut,
    "edited": _edited,
    "deleted": lambda raw: None,
    "doubled": lambda raw: raw + raw,
}


def _damage(folder: Path, how: Callable[[bytes], bytes | None]) -> None:
    """What happens to raw files on a disk."""
    for path in (folder / "batch_results").glob("*.jsonl"):
        new = how(path.read_bytes())
        path.unlink() if new is None else path.write_bytes(new)


def end_well(play: Play, reference: dict[str, str], turned: bool, kill: str = "") -> None:
    """The host is well again: the same command and --retry-failed, in this order or the other, one of them perhaps killed."""
    play.faults()
    if kill == "at the end":
        play.command(kill_at=play.point(0.0, 0.4))
    if turned and play.run_name:
        play.retry_failed(play.run_name)
    if play.to_the_end() != 0:
        play.wrong.append(f"ended with {play.ends[-1]['code']}: {play.ends[-1]['err'][-500:]}")
    if not turned:
        play.retry_failed(play.run_name)
    play.wrong += play.world.judge(play.profile, reference)


def _late(pairs: Pairs, kill: str, turned: bool) -> Callable[[Play, dict[str, str]], None]:
    def act(play: Play, reference: dict[str, str]) -> None:
        play.faults(*pairs)
        for point in play.points(kill):
            play.command(*HURRY, kill_at=point)
        if kill != "early":
            play.command(*HURRY)
        end_well(play, reference, turned, kill)

    return act


def _damaged(how: Callable[[bytes], bytes | None], gone: bool, kill: str, turned: bool) -> Callable[[Play, dict[str, str]], None]:
    def act(play: Play, reference: dict[str, str]) -> None:
        for point in play.points(kill) or [0]:
            play.command(kill_at=point)
        _damage(play.folder, how)
        if gone:
            play.faults(*fetch(status=404))
            play.command(*HURRY)
        end_well(play, reference, turned, kill)

    return act


def trials(profile: str) -> list[Trial]:
    """Each way × each pattern of kills; the two orders at the end take turns."""
    found = [
        Trial(f"{name}, {kill}", _late(pairs, kill, turned=(n + m) % 2 == 1))
        for n, (name, pairs) in enumerate(ways(profile))
        for m, kill in enumerate(KILLS)
    ]
    # in no list for ever: whose creation was lost as well, nobody can find (docs/reliability.md), so none is killed meanwhile
    unlisted = (("look", rule(times=-1, status=404)), ("list", rule(times=-1, lag=1e9)))
    for kill in ("no kill", "at the end"):
        found.append(Trial(f"new batches are found nowhere, {kill}", _late(unlisted, kill, turned=kill != "no kill")))
    found += [
        Trial(f"raw files {name}{', the host answers 404' if gone else ''}, {kill}", _damaged(how, gone, kill, turned=n % 2 == 1))
        for n, (name, how) in enumerate(DAMAGE.items())
        for gone in (False, True)
        for kill in ("no kill", "late", "twice", "at the end")
    ]
    return found
