"""What a person sees while a run goes on: a bar per batch and one for the whole on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from common.nouns import TO_SUBMIT, Batch, Event, Run, Shard
from common.runs.journal import Journal
from common.runs.pace import Flight, Pace
from common.text import many, one_line

if TYPE_CHECKING:
    from tqdm import tqdm

SAID = {
    "submitted": "batch {s.batch_id}: submitted, {count} of {s.model}",
    "adopted": "batch {s.batch_id}: found again after its answer was lost",
    "lost": "shard {s.n}: {text}; looking for its batch before anything is sent again",
    "refused": "shard {s.n} of {s.model} refused: {text}",
    "collected": "batch {s.batch_id}: collected{note}",
}
MOST_BARS = 8
# without the rate and the end that tqdm makes of it: batches end all at once, and what had come before this command is no pace
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} req [{elapsed}{postfix}]"


class Patient:
    """Says on stderr what is being done, where it takes longer than a person likes to wait without a word."""

    def __init__(self, prefix: str, first: float = 2.0, every: float = 5.0) -> None:
        self._prefix, self._every, self._due = prefix, every, time.monotonic() + first

    def __call__(self, text: str) -> None:
        if (now := time.monotonic()) >= self._due:
            self._due = now + self._every
            print(f"{self._prefix}{text}", file=sys.stderr, flush=True)


class Progress:
    """Listens to a run at work and shows what it hears on stderr; with a `prefix`, as one of several, in plain lines.

    On a terminal earlier batches of the `journal` tell when things end.
    """

    def __init__(self, run: Run, shards: Iterable[Shard], quiet: bool = False, prefix: str = "", journal: Journal | None = None) -> None:
        shards = [*shards]
        self._run, self._quiet, self._prefix = run, quiet, prefix
        self._terminal = sys.stderr.isatty() and not (quiet or prefix)
        self._bars: dict[int, tqdm] = {}
        self._done = {s.n: s.count for s in shards if s.state == "collected" and s.attempt == 1}
        self._status: dict[int, str] = {}
        self._pace = Pace.of(journal) if journal and self._terminal else Pace({})
        self._flights: dict[int, Flight] = {}
        self._waiting = {s.n: s.model for s in shards if s.state in TO_SUBMIT}
        self._total = self._bar(run.name, run.planned, 0, sum(self._done.values()))
        self._last_wait, self._due = "", 0.0

    def _bar(self, name: str, total: int, position: int, done: int = 0) -> tqdm | None:
        if not self._terminal:
            return None
        from tqdm import tqdm  # only a terminal needs it

        how = {"position": position, "leave": position == 0, "dynamic_ncols": True, "bar_format": BAR}
        return tqdm(total=total, desc=name, initial=done, file=sys.stderr, **how)

    def __call__(self, event: Event) -> None:
        kind, shard, text, batch = event.kind, event.shard, event.text, event.batch
        if kind in ("submitted", "adopted", "refused"):
            self._waiting.pop(shard.n, None)
        if kind == "batch":
            self._look(shard, batch)
            return
        if kind == "wait":
            if text == self._last_wait:
                return
            self._last_wait = text
        if kind == "collected":
            self._collected(shard)
        note = f" ({text})" if kind == "collected" and text else ""
        self.say(SAID[kind].format(s=shard, text=text, note=note, count=many(shard.count, "request")) if kind in SAID else text)

    def say(self, line: str) -> None:
        """One line that stays; a host's words in it bring no escapes."""
        line = one_line(f"{self._prefix}{line}", 2000)
        if self._terminal:
            self._total.write(line, file=sys.stderr)
        elif not self._quiet:
            sys.stderr.write(f"{line}\n")  # in one piece: others may speak at the same time
            sys.stderr.flush()

    def _look(self, shard: Shard, batch: Batch) -> None:
        done = batch.succeeded + batch.errored
        if self._terminal and shard.n not in self._bars and len(self._bars) < MOST_BARS:
            self._bars[shard.n] = self._bar(f"  {one_line(shard.batch_id, 80)}", shard.count, 1 + len(self._bars))
        self._flights[shard.n] = flight = Flight(shard.model, time.time() - shard.intent_at, done / (shard.count or 1))
        if bar := self._bars.get(shard.n):
            ends = self._pace.batch(self._run.address, flight)
            bar.set_postfix_str(f"{one_line(batch.status, 40)}, ends {ends.when}", refresh=False)
            bar.n = min(done, shard.count)
            bar.refresh()
        elif not self._terminal and self._status.get(shard.n) != batch.status:
            self._status[shard.n] = batch.status
            self.say(f"batch {batch.id}: {batch.status} {done:,}/{shard.count:,}")
        if shard.attempt == 1:
            self._done[shard.n] = min(done, shard.count)
        self._count()

    def _collected(self, shard: Shard) -> None:
        self._flights.pop(shard.n, None)
        if bar := self._bars.pop(shard.n, None):
            bar.close()
        if shard.attempt == 1:
            self._done[shard.n] = shard.count
        self._count()

    def _count(self) -> None:
        if self._total is not None:
            if time.monotonic() >= self._due:  # a look hears of a thousand batches one by one
                self._due = time.monotonic() + 1
                ends = self._pace.run(self._run.address, [*self._flights.values()], [*self._waiting.values()])
                self._total.set_postfix_str(f"all back {ends.when}" if self._flights or self._waiting else "", refresh=False)
            self._total.n = sum(self._done.values())
            self._total.refresh()

    def close(self) -> None:
        """Leave the terminal as it was."""
        for bar in (*self._bars.values(), self._total):
            if bar is not None:
                bar.close()
        self._bars.clear()
