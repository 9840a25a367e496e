"""What convert.py does: a task for each file, on the machine that has it, with the project's own converter."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from sys import stderr
from tempfile import TemporaryDirectory
from typing import NamedTuple

from common.cli.exits import OK, UNFINISHED
from common.cli.scripts import TOOLS
from common.cli.text import Voice
from common.errors import BatchError, InputError
from common.experiment.read import load
from common.results.convert import convert
from common.results.formats import FORMATS
from common.results.marked import mark_in
from common.results.origin import ForeignOrigin
from common.text import one_line
from tools.ray import cluster

STALL = 900.0  # seconds without a file that is done; that of a machine which died is never done
AT = "node:"


class Source(NamedTuple):
    """A file, or several by a pattern, and the address of the machine that has it; "" where all have."""

    url: str
    node: str = ""

    def __str__(self) -> str:
        return f"{AT}{self.node}:{self.url}" if self.node else self.url


class Done(NamedTuple):
    """What came of a file; `error`: why it was not converted."""

    file: str
    target: str = ""
    rows: int = 0
    bad: int = 0
    error: str = ""


class How(NamedTuple):
    """What every task must know."""

    out: str
    form: str
    provider: str
    experiment: str  # a file in the folder that travels along; "" for none


def command(args: argparse.Namespace) -> int:
    """Do what the command line says; the exit code. Raises InputError, BatchError."""
    sources = [_source(word) for word in args.files]
    file = args.experiment and (args.experiment / "experiment.toml" if args.experiment.is_dir() else args.experiment)
    if file:
        load(file)  # complain once and before anything is started
    out = args.out if "://" in args.out else str(Path(args.out).absolute())
    how = How(out, args.format, args.provider, file.name if file else "")
    with redirect_stdout(stderr):  # what Ray tells of its nodes
        ray = cluster.connect(args.ray, str(file.absolute().parent) if file else None)
        _check_nodes(sources, ray.nodes())
        found = [one for many in _gathered(ray, [(listed, one, one) for one in sources]) for one in many]
        _check_names(found)
        done = _gathered(ray, [(converted, one, one, how) for one in found])
        ray.shutdown()
    return _told(Voice(as_json=args.json), done)


def _source(word: str) -> Source:
    if not word.startswith(AT):
        return Source(word if "://" in word else str(Path(word).absolute()))
    node, _, path = word.removeprefix(AT).partition(":")
    if not node or not path.startswith("/"):
        raise InputError(f"{word!r}: expected node:IP:/PATH, as node:10.0.0.5:/data/*_output.jsonl")
    return Source(path, node)


def _check_nodes(sources: Sequence[Source], nodes: Sequence[dict]) -> None:
    there = {node["NodeManagerAddress"] for node in nodes if node["Alive"]}
    if lost := [source for source in sources if source.node and source.node not in there]:
        raise InputError(f"{lost[0]}: no such machine in the cluster; it has {', '.join(sorted(there))}")


def _check_names(found: Sequence[Source]) -> None:
    names = Counter(one.url.rpartition("/")[2] for one in found)
    if not names:
        raise InputError("no such file: none of the names and patterns finds one")
    name, count = names.most_common(1)[0]
    if count > 1:
        raise InputError(f"{count} files are named {name}: one table would replace the other; convert them apart")


def _gathered(ray, calls: Sequence[tuple]) -> list:
    """The values of (function, source whose machine runs it, *arguments), in order. Raises BatchError when nothing ends any more."""
    asked = []
    for function, source, *arguments in calls:
        pinned = {"resources": {f"{AT}{source.node}": 0.001}} if source.node else {}
        asked.append(ray.remote(function).options(num_cpus=1, **pinned).remote(*arguments))
    rest = asked
    while rest:
        ended, rest = ray.wait(rest, timeout=STALL)
        if not ended:
            raise BatchError(f"no file was finished for {STALL:g} s: are the cluster's machines there?")
    return ray.get(asked)


def listed(source: Source) -> list[Source]:
    """The files that a source's pattern finds; of output files with their error files beside them the former only."""
    import fsspec

    fs, path = fsspec.url_to_fs(source.url)
    names = sorted(fs.glob(path)) if "*" in path or "?" in path else [path] if fs.exists(path) else []
    paired = {name.replace("_output.jsonl", "_errors.jsonl") for name in names if name.endswith("_output.jsonl")}
    return [source._replace(url=name if "://" not in source.url else fs.unstrip_protocol(name)) for name in names if name not in paired]


def converted(source: Source, how: How) -> Done:
    """One file with its error file → one table."""
    try:
        with TemporaryDirectory() as scratch:
            return _converted(source, how, Path(scratch))
    except (OSError, ImportError, ValueError, InputError) as error:
        return Done(str(source), error=f"{type(error).__name__}: {one_line(error, 300)}")


def _converted(source: Source, how: How, scratch: Path) -> Done:
    files = tuple(_fetched(source.url, scratch))
    experiment = load(Path(how.experiment)) if how.experiment else None
    tool = TOOLS[how.provider]
    origin = ForeignOrigin(files[0], tool.folder, (tool.host,), experiment, mark_in(files)[0])
    target = scratch / (files[0].stem + FORMATS[how.form].ending)
    tally = convert(files, how.form, target, origin)
    return Done(str(source), _put(target, how.out) if tally.rows else "", tally.rows, tally.bad.total())


def _fetched(url: str, scratch: Path) -> Iterator[Path]:
    """Copies of a file and of its error file, if it has one."""
    import fsspec

    fs, path = fsspec.url_to_fs(url)
    errors = path.removesuffix("_output.jsonl") + "_errors.jsonl"
    for one in [path, *([errors] if path.endswith("_output.jsonl") and fs.exists(errors) else [])]:
        copy = scratch / one.rpartition("/")[2]
        fs.get_file(one, str(copy))
        yield copy


def _put(table: Path, out: str) -> str:
    """Bring a table to its place, whole or not at all; returns its address."""
    import fsspec

    fs, folder = fsspec.url_to_fs(out)
    fs.makedirs(folder, exist_ok=True)
    target = f"{folder.rstrip('/')}/{table.name}"
    fs.put_file(str(table), f"{target}.part")
    fs.mv(f"{target}.part", target)
    return fs.unstrip_protocol(target)


def _told(voice: Voice, done: Sequence[Done]) -> int:
    if voice.as_json:
        voice.json({"files": [one._asdict() for one in done]})
    for one in done:
        more = f"; {one.bad:,} lines gave no row" if one.bad else ""
        voice.say(f"not converted: {one.file}: {one.error}" if one.error else f"{one.file}: {one.rows:,} rows → {one.target}{more}")
    return OK if any(one.rows for one in done) and not any(one.error for one in done) else UNFINISHED
