"""Owns the pool of worker processes: hands out jobs, and starts a worker anew when one has died."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parents[2]
LINE_LIMIT = 64 * 1024 * 1024
TRIES = 3


class WorkerDied(RuntimeError):
    """A job has killed its worker several times."""


class Workers:
    """A few processes that do what would hold up the event loop."""

    def __init__(self, count: int):
        self.count = count
        self._idle: asyncio.Queue[asyncio.subprocess.Process | None] = asyncio.Queue()
        self._all: set[asyncio.subprocess.Process] = set()
        for _ in range(count):
            self._idle.put_nowait(None)

    async def warm(self) -> None:
        """Start all workers now, so that the first batch need not wait for them."""
        taken = [await self._take() for _ in range(self._idle.qsize())]
        for process in taken:
            self._idle.put_nowait(process)

    async def run(self, job: dict) -> dict:
        """Run one job; if its worker dies it is run again, since all jobs may be repeated."""
        for _ in range(TRIES):
            process = await self._take()
            answer = b""
            try:
                process.stdin.write(orjson.dumps(job, option=orjson.OPT_APPEND_NEWLINE))
                await process.stdin.drain()
                answer = await process.stdout.readline()
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:  # also when we are cancelled: a half-read worker is of no further use
                alive = answer.endswith(b"\n")
                if not alive:
                    self._end(process)
                self._idle.put_nowait(process if alive else None)
            if alive:
                return orjson.loads(answer)
        raise WorkerDied(f"job {job['kind']} failed {TRIES} times; see the error output of the service")

    async def _take(self) -> asyncio.subprocess.Process:
        process = await self._idle.get()
        if process is not None and process.returncode is None:
            return process
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"{__package__}.worker", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=LINE_LIMIT, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True)
        except BaseException:  # also when we are cancelled: a place that is not given back is lost for good
            self._idle.put_nowait(None)
            raise
        self._all.add(process)
        return process

    def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            # not process.kill(): it may reap what is dead already, and asyncio then complains of an unknown child
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Let all workers go; their parts are only kept when whole, so nothing is harmed."""
        for process in self._all:
            self._end(process)
        await asyncio.gather(*map(_buried, self._all))


async def _buried(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process and of its pipes: a pipe that outlives the event loop complains with a traceback."""
    process.stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await process.stdin.wait_closed()
    await process.stdout.read()
    await process.wait()
