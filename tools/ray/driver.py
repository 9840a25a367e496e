"""The driver of run_batch.py: rows without an answer go through a Ray Data job, pass by pass, and come back to one file a shard."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NothingCame
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from common.cli.exits import OK, UNFINISHED
from common.cli.folder import looked_at
from common.cli.named import only_run
from common.cli.session import results_folder
from common.cli.text import Voice
from common.errors import BatchError, InputError
from common.nouns import TO_SUBMIT, Run
from tools.ray import cluster, endpoints
from tools.ray.work import Work

PASS_ROWS, PASS_BYTES = 50_000, 64 << 20  # what is on its way at most: a machine's death costs no more, and it fits into memory
BLOCK = 32  # rows that travel together: what is asked again at most when their actor dies
SHOWN = 10.0  # seconds between two lines of progress


class Row(NamedTuple):
    """A request on its way."""

    work: int  # which Work it is of
    n: int
    line: bytes


def command(args: argparse.Namespace) -> int:
    """Do what the command line says; the exit code. Raises InputError, and BatchError where nothing comes any more."""
    key = os.environ.get("LOCAL_API_KEY", "").strip()
    urls = endpoints.checked(args.endpoint, args.own, bool(key))
    if args.stall <= args.timeout:
        raise InputError(f"--stall {args.stall:g} must be longer than --timeout {args.timeout:g}: one slow answer is no stall")
    results = results_folder(args.results)
    shards = [found for word in args.what for found in _meant(word, args, results)]
    with _alone_in({out for _, out in shards}):
        works = [Work(path, out) for path, out in shards]
        if len({work.output for work in works}) < len(works):
            raise InputError("two of the shards would have the same output; name each once, or run them with different --out")
        rows = _rows(works)
        if (first := next(rows, None)) is not None:
            with redirect_stdout(sys.stderr):  # what Ray tells of its nodes
                ray = cluster.connect(args.ray)
                job = Job(ray, {"urls": urls, "key": key, "slots": args.slots, "timeout": args.timeout, "tries": args.tries}, args.stall)
                try:
                    _ask(job, works, first, rows)
                finally:
                    for work in works:
                        work.close()
                ray.shutdown()
    return _told(args, works)


def _meant(word: str, args: argparse.Namespace, results: Path) -> list[tuple[Path, Path]]:
    """(shard, folder of its output) of a file, or of all that a run has still to send. Raises InputError."""
    path = Path(word)
    if path.is_file():
        return [(path, _made(args.out or path.parent / "ray"))]  # not beside it: a run's own folder of shards is swept
    with looked_at(results) as journal:
        run = only_run(journal, word)
        _check_own(run, args.own)
        shards = journal.shards(run, *TO_SUBMIT)
    if not shards:
        raise InputError(f"run {run.name} has nothing to ask: all of it was sent or answered")
    out = args.out or results / "ray" / run.provider / run.name
    return [(shard.path, _made(out / f"attempt-{shard.attempt}")) for shard in shards]


def _check_own(run: Run, own: bool) -> None:
    if not own and (run.address == "local" or not endpoints.is_private(endpoints.parts_of(run.address).hostname)):
        raise InputError(f"run {run.name} was planned for {run.address}, which could not take these answers; plan it for your own endpoint")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _alone_in(folders: set[Path]) -> Iterator[None]:
    """Be the only driver that writes there; the kernel frees a lock when its process dies. Raises InputError."""
    files = [open(folder / ".ray.lock", "w") for folder in sorted(folders)]
    try:
        for file in files:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another command writes to {Path(file.name).parent}; wait for it or stop it") from None
        yield
    finally:
        for file in files:
            file.close()


def _rows(works: Sequence[Work]) -> Iterator[Row]:
    """All requests without a row, shard after shard."""
    for number, work in enumerate(works):
        if not work.is_done:
            for n, line in work.open():
                yield Row(number, n, line)


def _ask(job: Job, works: Sequence[Work], first: Row, rows: Iterator[Row]) -> None:
    """Pass after pass, until every request has its row. A row that a lost machine has taken along is in the next pass again."""
    done, began, shown, rest = 0, 0.0, 0.0, [first]
    while rest := [*rest, *_filled(rest, rows)]:
        came = 0
        for work, n, line in job.answers(rest):
            came += works[work].keep(n, line)
            now = time.monotonic()
            began, shown = began or now, shown or now
            if now > shown + SHOWN:
                shown = now
                print(f"{done + came:,} rows, {(done + came) / (now - began):,.0f} a second", file=sys.stderr, flush=True)
        done += came
        rest = [row for row in rest if row.n in works[row.work].todo]
        if not came:
            raise BatchError(f"{len(rest):,} rows did not come back from the cluster")


def _filled(rest: Sequence[Row], rows: Iterator[Row]) -> Iterator[Row]:
    """Rows that a pass has room for beside those that are left over."""
    size = sum(len(row.line) for row in rest)
    for row in islice(rows, PASS_ROWS - len(rest)):
        yield row
        size += len(row.line)
        if size > PASS_BYTES:
            return


class Job:
    """Asks rows on a cluster by actors of `how`; raises BatchError once no row has come for `stall` seconds."""

    def __init__(self, ray, how: dict, stall: float) -> None:
        self._ray, self._stall = ray, stall
        self._actors = sum(node["Alive"] for node in ray.nodes())
        self._slots = -(-how["slots"] // self._actors)  # of each actor at each endpoint
        self._how = {**how, "slots": self._slots}
        self._calls = -(-self._slots * len(how["urls"]) // BLOCK) + 1  # blocks that an actor works on at once, so that no slot waits

    def answers(self, rows: Sequence[Row]) -> Iterator[tuple[int, int, bytes]]:
        """(work, number, output line) of each row, as they come."""
        from ray.data import ActorPoolStrategy
        from tools.ray.asking import Asker

        pool = ActorPoolStrategy(
            size=self._actors, max_concurrent_calls_per_actor=self._calls, max_tasks_in_flight_per_actor=2 * self._calls,
            enable_true_multi_threading=True,
        )  # fmt: skip
        data = self._ray.data.from_arrow([_table(rows[at : at + BLOCK]) for at in range(0, len(rows), BLOCK)]).map_batches(
            Asker, batch_size=None, batch_format="pyarrow", compute=pool, num_cpus=0.1, fn_constructor_kwargs=self._how
        )
        for table in self._watched(data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)):
            for place, line in zip(table["place"].to_pylist(), table["line"].to_pylist()):
                yield place >> 32, place & 0xFFFFFFFF, line

    def _watched(self, tables: Iterator) -> Iterator:
        tables, pool = iter(tables), ThreadPoolExecutor(1)
        while True:
            try:
                table = pool.submit(next, tables, None).result(self._stall)
            except NothingCame:
                raise BatchError(f"no row has come for {self._stall:g} s: are the endpoints there, and the cluster's machines?") from None
            if table is None:
                pool.shutdown()
                return
            yield table


def _table(rows: Sequence[Row]):
    import pyarrow as pa

    places = pa.array([row.work << 32 | row.n for row in rows], pa.int64())
    return pa.table({"place": places, "line": pa.array([row.line for row in rows], pa.large_binary())})


def _told(args: argparse.Namespace, works: Sequence[Work]) -> int:
    """Say what there is; the exit code."""
    voice = Voice(as_json=args.json)
    failed = sum(work.failed for work in works)
    if args.json:
        voice.json({"shards": [{"shard": str(w.path), "output": str(w.output), "rows": w.rows, "failed": w.failed} for w in works]})
        return UNFINISHED if failed else OK
    rows = sum(work.rows for work in works)
    voice.say(f"{rows:,} rows, {failed:,} of them failed")
    folders = sorted({work.output.parent for work in works})
    voice.say(*(f"outputs: {folder}/*_output.jsonl" for folder in folders))
    if any(not Path(word).is_file() for word in args.what):
        voice.say("to take them into the run, type the command that planned it, without --dry-run, with --answers and these files")
    return UNFINISHED if failed else OK
