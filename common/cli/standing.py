"""make status without an ID: all runs in one table, the open ones first, after each host was asked; with --watch again and again."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from common.cli.ask import Hosts, Told
from common.cli.exits import OK
from common.cli.folder import looked_at, results_folder
from common.cli.text import SIMULATED, Voice, table
from common.nouns import State
from common.runs.board import board, ends
from common.runs.stand import Board, Stand
from common.text import one_line

HEADER = ("provider/run", "", "asked", "answered", "at provider", "to send", "no answer", "all back", "")
CLOSED = 20  # ended runs in the table without --all
BAR = 12  # characters
BoardTable = tuple[list[tuple], list[str]]


def command(args: argparse.Namespace) -> int:
    """Tell where all runs stand; returns the exit code: that of the worst call. Nothing is collected, sent or noted."""
    results, voice = results_folder(), Voice(as_json=False)
    with ExitStack() as stack:
        hosts = None if args.offline else Hosts(stack, results)
        if args.watch:
            with suppress(KeyboardInterrupt):
                _watch(lambda: _look(results, hosts), args)
            return OK
        found, told = _look(results, hosts)
    rows, lines = _told(found, told, None if args.all else CLOSED)
    voice.say(_table(rows), *lines)
    return told.code


def _look(results: Path, hosts: Hosts | None) -> tuple[Board, Told]:
    """Where all stands by the journal, and by what the hosts say if they are asked."""
    with looked_at(results) as journal:
        found = board(journal)
        told = hosts.ask(found.open) if hosts else Told()
        for stand in found.open:
            stand.ends = ends(journal, found.pace, stand, found.now, told.batches)
    return found, told


def _watch(look: Callable[[], tuple[Board, Told]], args: argparse.Namespace) -> None:
    """On a terminal the table anew each time, else once per change; until nothing is open any more."""
    voice, terminal, before = Voice(as_json=False), sys.stdout.isatty(), None
    while True:
        found, told = look()
        rows, lines = _told(found, told, 0)
        counts = [(*row[:-2], row[-1]) for row in rows]
        if terminal:
            print("\x1b[H\x1b[2J", end="")
            shown = [f"{time.strftime('%H:%M:%S')}, every {args.watch:g} s; Ctrl-C leaves", *_table(rows).splitlines(), *lines]
            voice.say(*_fit(shown, shutil.get_terminal_size().lines - 1))
        elif counts != before:
            voice.say(time.strftime("%Y-%m-%d %H:%M:%S"), _table(rows), *lines)
        before = counts
        if not found.open:
            voice.say("nothing is open")
            return
        time.sleep(args.watch)


def _fit(lines: list[str], height: int) -> list[str]:
    """So many lines as a terminal shows."""
    return lines if len(lines) <= height else [*lines[: height - 1], f"… {len(lines) - height + 1} more lines"]


# ---- the table


def _told(found: Board, told: Told, closed: int | None) -> BoardTable:
    """The rows of the table, and what is said below it; at most so many runs that are not open, None for all."""
    rest = found.closed[:closed]
    rows = [_row(stand, told) for stand in found.open] + [_row(stand, told) for stand in rest]
    lines = [*_below(found, told)]
    if closed and len(found.closed) > len(rest):
        lines.append(f"… and {len(found.closed) - len(rest):,} older runs: make status ALL=1")
    if simulated := [stand for stand in (*found.open, *rest) if stand.simulated]:
        shown = len(found.open) + len(rest)
        lines.append(SIMULATED if len(simulated) == shown else f"{SIMULATED}: the runs that are marked simulated")
    return rows, lines


def _table(rows: list[tuple]) -> str:
    """The table, without columns in which nothing stands."""
    kept = [n for n, _ in enumerate(HEADER) if n < 2 or any(row[n] for row in rows)]
    return table([HEADER[n] for n in kept], [[row[n] for n in kept] for row in rows])


def _row(stand: Stand, told: Told) -> tuple:
    succeeded, done = _at_host(stand, told)
    out = _some(stand.in_flight) if done is None else f"{done:,} of {stand.in_flight:,} done"
    counts = f"{stand.run.planned:,}", f"{stand.answered:,}", out, _some(stand.unsent), _some(stand.failed)
    return stand.run.key, _bar(stand, succeeded), *counts, stand.ends.when if stand.ends else "", _note(stand, told)


def _some(count: int) -> str:
    return f"{count:,}" if count else ""


def _at_host(stand: Stand, told: Told) -> tuple[int, int | None]:
    """How many requests of what is out have an answer at the host, and how many are done; None where it did not say."""
    seen = [batch for out in stand.out if (batch := told.batches.get(out.batch_id))]
    return sum(batch.succeeded for batch in seen), sum(batch.succeeded + batch.errored for batch in seen) if seen else None


def _bar(stand: Stand, succeeded: int) -> str:
    """What has come, what is answered at the host, and the rest; 100 % is all of it."""
    whole = stand.run.planned or 1
    answered = min(stand.answered + succeeded, whole)
    here, there, percent = BAR * stand.answered // whole, BAR * answered // whole, 100 * answered // whole
    return f"{'█' * here}{'▒' * (there - here)}{'·' * (BAR - there)} {percent:3} %"


def _note(stand: Stand, told: Told) -> str:
    run, ended = stand.run, sum(batch.ended for out in stand.out if (batch := told.batches.get(out.batch_id)))
    marks = {
        "simulated": stand.simulated, "imported": run.imported, "cancelled": run.stopped, "paused": run.paused,
        "planned only": stand.is_plan, f"{ended} ended": ended,
    }  # fmt: skip
    notes = [mark for mark, holds in marks.items() if holds]
    notes += [f"{count} {state}" for state, count in stand.states.items() if state in (State.SUBMITTING, State.REFUSED)]
    return ", ".join(notes + ([stand.ends.basis] if stand.ends else []))


def _below(found: Board, told: Told) -> Iterator[str]:
    """What a person should know or do."""
    for stand in found.open:
        if stand.run.paused:
            yield one_line(f"{stand.run.key} waits for you: {stand.run.paused}", 300)
    for why in dict.fromkeys(told.why_not.values()):
        keys = [key for key, said in told.why_not.items() if said == why]
        yield one_line(f"not asked: {', '.join(keys)}: {why}", 500)
    outs = [out for stand in found.open if stand.run.key not in told.why_not for out in stand.out]
    if unknown := [out for out in outs if told.batches and out.state == State.SUBMITTED and out.batch_id not in told.batches]:
        yield one_line(f"not known to the host with this key: {', '.join(out.batch_id for out in unknown[:3])}{' …' * (len(unknown) > 3)}")
    outs = [out for stand in found.open for out in stand.out]
    if ended := sum(out.state == State.ENDED or (out.batch_id in told.batches and told.batches[out.batch_id].ended) for out in outs):
        yield f"ended, not fetched yet: {ended:,}; make collect fetches them"
    yield from found.garbled
