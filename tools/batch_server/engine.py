"""Owns the life of a batch: the only place that knows the order validating, in_progress, finalizing, end."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import traceback
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from .clock import Clock
from .rows import Context
from .rules import queue_full
from .settings import Profile, Settings
from .state import Batch, File, State
from .workers import Workers

DAY = 86400
KEEP_OUTPUT = 30 * DAY
IN_FLIGHT_PATIENCE = 10.0
# Parts that belong to no chunk: the http backend's answers, and the lines of requests that were never run.
ANSWERS, GAPS = (999_999_998, 999_999_998), (999_999_999, 999_999_999)
EXPIRED = ("batch_expired", "This request could not be executed before the completion window expired.")


class Engine:
    """Runs one task per unfinished batch; every step is committed before the next one begins."""

    def __init__(self, settings: Settings, profiles: dict[str, Profile], state: State, clock: Clock, workers: Workers):
        self.settings, self.profiles, self.state, self.clock, self.workers = settings, profiles, state, clock, workers
        self.tasks: dict[str, asyncio.Task] = {}
        self.wake: dict[str, asyncio.Event] = {}
        # How rows are answered; the http backend puts its own way here.
        self.answer_chunk, self.before_end = self._rehearse, _nothing
        self.chunk_rows, self.in_flight, self.paced = settings.chunk_rows, settings.workers + 1, True

    def resume(self) -> None:
        """Go on with everything that was unfinished when the service last ended."""
        for batch in list(self.state.live.values()):
            self.start(batch)

    def start(self, batch: Batch) -> None:
        """Run a batch in the background."""
        self.wake[batch.id] = asyncio.Event()
        task = self.tasks[batch.id] = asyncio.create_task(self._run(batch))
        task.add_done_callback(lambda done: self._ended(batch.id, done))

    def cancel(self, batch: Batch) -> None:
        """Ask a running batch to stop; what is in flight still counts."""
        self._step(batch, "cancelling")
        if batch.id in self.wake:
            self.wake[batch.id].set()

    async def stop(self) -> None:
        """Stop all tasks; their batches go on at the next start."""
        await asyncio.gather(*(self.drop(batch_id) for batch_id in self.tasks))

    async def drop(self, batch_id: str) -> None:
        """Stop the task of one batch, if it has one."""
        if task := self.tasks.get(batch_id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _ended(self, batch_id: str, task: asyncio.Task) -> None:
        """Tidy up after a batch; a bug must be seen, and must not hang the others."""
        self.tasks.pop(batch_id, None)
        self.wake.pop(batch_id, None)
        if not task.cancelled() and task.exception():
            traceback.print_exception(task.exception())

    async def _run(self, batch: Batch) -> None:
        if batch.status == "validating":
            await self._validate(batch)
        if batch.status == "in_progress":
            await self._work(batch)
        if batch.status in ("finalizing", "cancelling"):
            await self._finish(batch)

    # -- time -----------------------------------------------------------------------------------
    def age(self, batch: Batch) -> float:
        """Simulated seconds since the batch was made."""
        return self.clock.age(batch.created_real, batch.jumped)

    def _step(self, batch: Batch, status: str, *, files: tuple[File, ...] = (), at: float | None = None) -> None:
        batch.status = status
        batch.times[status] = at if at is not None else batch.created + self.age(batch)
        self.state.save(batch, files=files)

    async def _until(self, batch: Batch, age: float) -> None:
        """Wait until a batch has an age, or is cancelled."""
        while batch.status != "cancelling" and (left := age - self.age(batch)) > 0:
            await self.clock.pause(left, self.wake[batch.id])

    # -- validating -----------------------------------------------------------------------------
    async def _validate(self, batch: Batch) -> None:
        if not batch.blob or not self.state.blob(batch.blob).exists():
            message = "The input file could not be found. Please ensure that the file exists and that you have access to it."
            found = {"total": 0, "tokens": 0, "model": None,
                     "errors": [{"code": "invalid_request", "message": message, "param": "file_id", "line": None}]}
        else:
            found = await self._check(batch)
        await self._until(batch, self.settings.validating)
        if batch.status == "cancelling":
            return
        errors = found["errors"] or self._refused(batch, found)
        batch.model = found["model"]
        if errors:
            batch.errors = errors
            self._step(batch, "failed")
            return
        batch.total, batch.prompt_tokens = found["total"], found["tokens"]
        self._step(batch, "in_progress")

    async def _check(self, batch: Batch) -> dict:
        profile = self.profiles[batch.profile]
        return await self.workers.run({
            "kind": "check", "data": str(self.state.blob(batch.blob)), "index": str(self._index(batch)), "seed": batch.id,
            "endpoint": batch.endpoint, "one_model": profile.one_model, "max_rows": profile.max_rows})

    def _refused(self, batch: Batch, found: dict) -> list[dict]:
        """Reasons beside the file's own: a demanded failure, or the queue of prompt tokens is full."""
        if fail := batch.fate.get("fail"):
            return [{"code": "server_error", "message": "The batch failed.", "param": None, "line": None, **fail}]
        limits = self.settings.queue_limit
        limit = limits.get(found["model"], limits.get("", 0))
        queued = self._queued(batch, found["model"]) + found["tokens"]
        if limit and queued > limit:
            return [queue_full(found["model"], limit)]
        self.state.note_most(batch.account, found["model"], queued)
        return []

    def _queued(self, batch: Batch, model: str) -> int:
        """Prompt tokens of an account's other batches that stand in a model's queue."""
        return sum(other.prompt_tokens for other in self.state.live.values()
                   if other.account == batch.account and other.model == model and other.id != batch.id)

    # -- in progress ----------------------------------------------------------------------------
    def _index(self, batch: Batch) -> Path:
        return self.state.work(batch) / "index"

    def _left(self, batch: Batch, goal: int) -> list[list[int]]:
        """The ranges of rows below `goal` that nobody has answered yet."""
        left, at = [], 0
        for first, last in [*self.state.chunks(batch), (goal, goal)]:
            if min(first, goal) > at:
                left.append([at, min(first, goal)])
            at = max(at, last)
        return left

    async def _work(self, batch: Batch) -> None:
        fate = batch.fate
        share = fate.get("expire_at", fate.get("cancel_at", 0.5 if fate.get("stuck") else 1.0))
        goal = min(batch.total, math.ceil(batch.total * share))
        begun = batch.times["in_progress"] - batch.created
        planned = self.settings.working + self.settings.working_per_row * batch.total
        await self._answer_all(batch, goal, begun, planned)
        await self._until(batch, batch.window if fate.get("stuck") else begun + planned * share)
        if batch.status == "cancelling":
            return
        if fate.get("cancel_at") is not None:
            self.cancel(batch)
            return
        batch.outcome = "expired" if goal < batch.total or self._left(batch, goal) else "completed"
        self._step(batch, "finalizing")

    async def _answer_all(self, batch: Batch, goal: int, begun: float, planned: float) -> None:
        """Answer rows as simulated time allows, several chunks at once, until all are done or the batch is stopped."""
        left, running = self._left(batch, goal), set()
        try:
            while batch.status != "cancelling" and (left or running):
                allowed = math.ceil(batch.total * min(1.0, (self.age(batch) - begun) / planned)) if self.paced else batch.total
                while left and len(running) < self.in_flight and (chunk := self._take(left, allowed)):
                    running.add(asyncio.create_task(self._chunk(batch, *chunk)))
                wait = asyncio.ensure_future(self.clock.pause(max(planned / 20, 0.02 * self.clock.speed), self.wake[batch.id]))
                done, _ = await asyncio.wait({*running, wait}, return_when=asyncio.FIRST_COMPLETED)
                wait.cancel()
                running -= done
                for task in done - {wait}:
                    task.result()
                if not self.paced and self.age(batch) >= batch.window:
                    break
        except asyncio.CancelledError:  # the service stops: nothing may go on behind its back
            await self._let_end(running, 0)
            raise
        await self._let_end(running)

    async def _let_end(self, running: set[asyncio.Task], patience: float = IN_FLIGHT_PATIENCE) -> None:
        """What is in flight may end, if it does so soon."""
        if not running:
            return
        done, late = await asyncio.wait(running, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()

    def _take(self, left: list[list[int]], allowed: int) -> tuple[int, int] | None:
        """The next chunk below `allowed`, taken off `left`."""
        first, end = left[0]
        last = min(first + self.chunk_rows, end, allowed)
        if last <= first:
            return None
        left[0][0] = last
        if last == end:
            left.pop(0)
        return first, last

    async def _chunk(self, batch: Batch, first: int, last: int) -> None:
        result = await self.answer_chunk(batch, first, last)
        batch.ok += result["ok"]
        batch.failed += result["failed"]
        for key in ("tokens_in", "tokens_out", "reasoning"):
            batch.usage[key] = batch.usage.get(key, 0) + result[key]
        self.state.add_chunk(batch, first, last, result["seen"])

    async def _rehearse(self, batch: Batch, first: int, last: int) -> dict:
        return await self.workers.run({
            "kind": "answer", "context": asdict(self.context(batch)), "db": str(self.state.path), "first": first, "last": last,
            "data": str(self.state.blob(batch.blob)), "index": str(self._index(batch)), "base": self.part(batch, first, last)})

    def context(self, batch: Batch) -> Context:
        """What the rows of a batch share."""
        return Context(batch.id, batch.profile, batch.endpoint, int(batch.created), self.settings.shares, batch.version,
                       batch.fate or None, now=self.clock.now())

    def part(self, batch: Batch, first: int, last: int) -> str:
        """The base name of a chunk's files."""
        return str(self.state.work(batch) / f"{first:09d}-{last:09d}")

    def _parts(self, batch: Batch, kind: str) -> list[Path]:
        """The files of committed chunks only: a killed service may have left others that overlap them."""
        ranges = [*self.state.chunks(batch), ANSWERS, GAPS]
        return [path for first, last in ranges if (path := Path(self.part(batch, first, last) + kind)).exists()]

    # -- the end --------------------------------------------------------------------------------
    async def _finish(self, batch: Batch) -> None:
        if batch.status == "cancelling":
            await self.clock.pause(self.settings.cancelling)
        else:
            await self._until(batch, batch.times["finalizing"] - batch.created + self.settings.finalizing)
        outcome = "cancelled" if batch.status == "cancelling" else batch.outcome
        await asyncio.to_thread(self.before_end, batch)
        if batch.total:
            await self._gaps(batch, outcome)
        files = await asyncio.to_thread(self._join, batch)
        if batch.status == "cancelling":  # asked for while the files were being written
            outcome = "cancelled"
        batch.outcome = outcome
        at = batch.created + batch.window if outcome == "expired" else None
        self._step(batch, outcome, files=tuple(files), at=at)
        self.state.write(("delete from answers where batch = ?", (batch.id,)))
        shutil.rmtree(self.state.work(batch), ignore_errors=True)
        self.state.drop_blob(batch.blob)

    async def _gaps(self, batch: Batch, outcome: str) -> None:
        """Lines for requests that were never run; OpenAI writes none for cancelled ones."""
        anthropic, ranges = batch.profile == "anthropic", self._left(batch, batch.total)
        if not ranges or (outcome == "cancelled" and not anthropic):
            return
        code, message = ("canceled", "") if outcome == "cancelled" else ("expired", "") if anthropic else EXPIRED
        await self.workers.run({
            "kind": "gaps", "batch": batch.id, "anthropic": anthropic, "code": code, "message": message, "ranges": ranges,
            "data": str(self.state.blob(batch.blob)), "index": str(self._index(batch)), "base": self.part(batch, *GAPS)})

    def _join(self, batch: Batch) -> list[File]:
        """Write output, error and ledger files from the parts; on disk before anybody hears of them."""
        files = []
        for kind, name in ((".out", "output"), (".err", "error")):
            file = self._joined(batch, kind, name)
            setattr(batch, f"{name}_file", file.id if file else None)
            files += [file] if file else []
        with self.state.blob(f"billed-{batch.id}").open("wb") as out:
            for part in self._parts(batch, ".ids"):
                out.write(part.read_bytes())
        return files

    def _joined(self, batch: Batch, kind: str, name: str) -> File | None:
        parts = [path for path in self._parts(batch, kind) if path.stat().st_size]
        if not parts:
            return None
        blob, digest, size = self.state.new_blob(), sha256(), 0
        path = self.state.blob(blob)
        with path.open("wb") as out:
            for part in parts:
                with part.open("rb") as data:
                    while piece := data.read(1 << 20):
                        digest.update(piece)
                        size += out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        now = self.clock.now()
        keep = batch.keep or KEEP_OUTPUT
        return File(self._output_id(batch, name), batch.account, f"{batch.id}_{name}.jsonl", "batch_output", size,
                    digest.hexdigest(), now, int(now) + keep, blob)

    def _output_id(self, batch: Batch, name: str) -> str:
        if batch.profile == "kluster" and name == "output" and batch.input_file:
            return f"{batch.input_file}-output-{batch.id[-6:]}"
        return self.state.new_id("file-")


def _nothing(batch: Batch) -> None:
    """The rehearsal has nothing to do before the end."""
