"""Converting raw files from the command line: which files belong together, where the output goes, and what is told of it."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from multiprocessing import active_children
from pathlib import Path
from typing import NamedTuple

from common import settings
from common.cli.convert_told import Done, facts, lines
from common.cli.exits import INTERRUPTED, OK, UNFINISHED
from common.cli.scripts import Tool
from common.cli.text import Voice
from common.errors import InputError
from common.experiment.read import load
from common.results.convert import convert
from common.results.formats import FORMATS
from common.results.marked import mark_in
from common.results.opened import is_packed, plain
from common.results.origin import ForeignOrigin, Origin
from common.results.tally import Tally
from common.text import one_line


class Job(NamedTuple):
    """One batch to convert: its raw files, and what a worker process needs to know."""

    files: tuple[Path, ...]
    form: str
    out: Path | None  # the folder that the person named
    alone: bool  # the only batch of this command: its texts need no folder of their own
    provider: str
    providers: tuple[str, ...]
    experiment: Path | None


_GARBLED = (ValueError, TypeError, LookupError, AttributeError, FileNotFoundError, sqlite3.Error)  # of a run's row or ids file


def find_origin(path: Path) -> Origin | None:
    """What the journal knows of a raw file in results/<provider>/batch_results/; None when no run here has made it.

    Raises InputError where what is kept of its run is garbled.
    """
    results = path.resolve().parent.parent.parent
    if not (results / "journal.db").is_file():
        return None
    from common.cli.session import journal_if_any  # a file that lies elsewhere needs neither
    from common.results.origin import RunOrigin
    from common.runs.rawnames import owner_of

    try:
        with journal_if_any(results) as journal:
            found = owner_of(journal, path)
        return RunOrigin(found[0]).of(found[1]) if found else None
    except _GARBLED as error:
        said = f"{path}: what is kept of its run is garbled ({one_line(error, 200)})"
        raise InputError(f"{said}; make audit looks closer, or name its --experiment PATH") from None


def command(tool: Tool, args: argparse.Namespace) -> int:
    """Do what a converter's command line says: 0 converted, 1 no row at all or a file that could not be. Raises InputError, OSError."""
    voice = Voice(as_json=args.json)
    try:
        done = list(_run(_jobs(args, tool.folder, (tool.host,)), args.jobs))
    except ImportError:
        raise InputError(f"--format {args.format} needs a library that is not there; type: make setup (or take --format csv)") from None
    if args.json:
        voice.json({"files": [facts(d) for d in done]})
    else:
        voice.say(*chain.from_iterable(map(lines, done)))
    return OK if any(d.tally.rows for d in done) and not any(d.error for d in done) else UNFINISHED


def _jobs(arguments: argparse.Namespace, provider: str, providers: tuple[str, ...]) -> list[Job]:
    files = list(dict.fromkeys(arguments.files))
    for file in files:
        _check_there(file)
    siblings = {file: _sibling(file) for file in files}
    batches = [file for file in files if file not in siblings.values()]
    if arguments.experiment:
        load(arguments.experiment, settings.results_path(None))  # complain once and before anything is written
    jobs = [
        Job(
            (file, sibling) if (sibling := siblings[file]) else (file,),
            arguments.format, arguments.out, len(batches) == 1, provider, providers, arguments.experiment,
        )
        for file in batches
    ]  # fmt: skip
    names = Counter(file.stem for file in batches)
    if arguments.out and names.most_common(1)[0][1] > 1:
        raise InputError(f"two files are named {names.most_common(1)[0][0]}: with --out one would replace the other; convert them apart")
    return jobs


def _check_there(file: Path) -> None:
    if file.is_dir():
        raise InputError(f"{file} is a folder; name the files in it, as {file}/*_output.jsonl")
    if not file.exists():
        raise InputError(f"{file}: no such file; raw results are in results/<provider>/batch_results/<batch_id>_output.jsonl")


def _check_content(file: Path) -> None:
    """Refuse what holds no line at all, and what is no text even when it is unpacked. Raises InputError."""
    start = b""
    with plain(file) as content:
        while len(start) < 65_536 and (line := content.readline(65_536)):
            start += line
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        why = "is packed, and nothing in it can be unpacked" if is_packed(file) else "is empty"
        raise InputError(f"{file} {why}: nothing to convert; the batch may have no output yet (see --status <batch_id>)")
    if not text.startswith((b"{", b"[")) and b"\0" in start:
        raise InputError(f"{file} is a binary file; expected JSON lines, as downloaded from the batch API")


def _sibling(file: Path) -> Path | None:
    """The error file of an output file: a batch has one answer or one error for each request, in two files."""
    errors = file.with_name(file.name.removesuffix("_output.jsonl") + "_errors.jsonl")
    return errors if file.name.endswith("_output.jsonl") and errors.is_file() else None


def _run(jobs: Sequence[Job], workers: int) -> Iterable[Done]:
    if len(jobs) == 1:
        return map(_convert, jobs)
    if workers == 1:
        return map(_tried, jobs)
    from concurrent.futures import ProcessPoolExecutor  # only needed here

    with ProcessPoolExecutor(min(workers, len(jobs)), initializer=_silent) as pool:
        try:
            mine = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))  # what workers inherit
            futures = [pool.submit(_work, job) for job in jobs]
            signal.pthread_sigmask(signal.SIG_SETMASK, mine)
            return [future.result() for future in futures]
        except BaseException:
            for worker in active_children():
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _silent() -> None:
    """In a worker: its errors come back to be told once, and only the command itself tells it to stop."""
    sys.stderr = open(os.devnull, "w")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _work(job: Job) -> Done:
    """In a worker: convert; when told to stop, clear away and leave, past the pool's queues, whose locks a dead worker may hold."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _tried(job)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _stop(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what clears away is not to be stopped
    raise KeyboardInterrupt


def _tried(job: Job) -> Done:
    """One of several: that it cannot be converted is told, and the others are."""
    try:
        return _convert(job)
    except InputError as error:
        return Done(job.files, job.files[0], Tally(), False, str(error))


def _convert(job: Job) -> Done:
    _check_content(job.files[0])
    experiment = load(job.experiment, settings.results_path(None)) if job.experiment else None
    file = job.files[0]
    found = find_origin(file) if experiment is None else None
    origin = found or ForeignOrigin(file, job.provider, job.providers, experiment, _mark(job))
    target = _target(job, origin)
    return Done(job.files, target, convert(job.files, job.form, target, origin), bool(origin.questions))


def _mark(job: Job) -> str:
    """The mark that ids were sent with, as the file itself tells it for certain, else the journal; "" where neither does."""
    mark, certain = mark_in(job.files)
    if not mark or certain:
        return mark
    found = find_origin(job.files[0])
    return getattr(found, "mark", "")


def _target(job: Job, origin: Origin) -> Path:
    file = job.files[0]
    if job.form == "text" and job.out and job.alone:
        return job.out
    # a name of its own also in a run's folder: its texts/ holds the merged answers of all attempts
    return (job.out or origin.folder or file.parent) / (file.stem + FORMATS[job.form].ending)
