"""The answers of an earlier run as a data set: its table, narrowed to the rows that succeeded."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Sequence
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment.data.csv_rows import CSV
from common.experiment.data.defused import undefused
from common.experiment.data.reader import DataRow, Fail, Reader
from common.experiment.data.text_file import TextFile
from common.outcomes import OWED, PENDING, SUCCEEDED
from common.text import one_line

# The columns that every table of results has beside those of its questions and factors.
OURS = (
    "experiment", "run", "provider", "model", "model_id", "persona", "persona_name", "text", "text_title", "trial", "temperature",
    "custom_id", "outcome", "validation", "problems", "finish_reason", "attempts", "input_tokens", "cached_tokens", "output_tokens",
    "reasoning_tokens", "cost_usd", "error_code", "error_message", "created", "batch_id", "taken_from", "simulated", "answer",
)  # fmt: skip
# How an answer came and what it cost is no content: none can be asked about, or a price that changes would change what is asked.
_PASSING = frozenset(
    ("validation", "problems", "finish_reason", "attempts", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens",
     "cost_usd", "error_code", "error_message", "created", "batch_id", "taken_from", "outcome", "simulated")
)  # fmt: skip
_NEEDED = ("custom_id", "outcome", "simulated", "answer")
_SHOWN = 5  # runs that a message names
_AGAIN = "type the run's own command again, which makes it anew"
_FINISH = "finish it with its own command, or collect what has ended with: make status ID={}"


def column_name(name: str, taken: Container[str] = OURS) -> str:
    """The column of the new run's results that holds a column of its source: under its own name, or as `source_<name>`.

    Two names never share a column, also where the source has sources of its own.
    """
    return f"source_{name}" if name in taken or name.startswith("source_") else name


class Chained(Reader):
    """The rows of a run's table that succeeded, with the models' very answers.

    `run`: "provider/name". `left_out`: how many did not. `simulated`: whether any row, or the run, is a rehearsal's.
    Raises InputError.
    """

    id_column = "custom_id"

    def __init__(self, folder: Path, rows: int, simulated: bool, fail: Fail) -> None:
        self.file, self.run = folder / "results.csv", f"{folder.parent.name}/{folder.name}"
        self._fail = fail
        if not self.file.is_file():
            raise fail("run", f"the table of {folder.name} is gone; {_AGAIN}")
        self._table = CSV(TextFile(self.file, "", fail), ",", fail)
        columns = self._table.columns
        if missing := [name for name in _NEEDED if name not in columns]:
            raise fail("run", f"{self.file} is no table of a run: it has no column {missing[0]}; delete it and {_AGAIN}")
        kept = [at for at, name in enumerate(columns) if name not in _PASSING]
        self.columns = tuple(columns[at] for at in kept)
        self._kept = itemgetter(*kept)
        self._outcome, self._simulated = columns.index("outcome"), columns.index("simulated")
        self.simulated, self._rows, self.left_out = simulated, rows, 0
        self._digest = self._looked_through()

    def rows(self) -> Iterator[DataRow]:
        outcome, kept = self._outcome, self._kept
        for where, row in self._table.rows():
            if row[outcome] == SUCCEEDED:
                yield where, [undefused(cell) if cell[:1] == "'" else cell for cell in kept(row)]

    def digests(self) -> tuple[str, tuple[str, ...]]:
        return self._digest, ()

    def _looked_through(self) -> str:
        """The digest of the rows whatever their order, which is that of the batches' ends."""
        total, count, answers = 0, 0, 0
        for _, row in self._table.rows():
            count += 1
            self.simulated = self.simulated or row[self._simulated] != "false"
            if row[self._outcome] == SUCCEEDED:
                answers += 1
                total += int.from_bytes(hashlib.sha256(orjson.dumps(self._kept(row))).digest(), "big")
        if count != self._rows:
            raise self._fail("run", f"{self.file} has {count:,} rows, its summary.json {self._rows:,}; delete it and {_AGAIN}")
        if not answers:
            raise self._fail("run", f"none of the {count:,} rows of {self.file} succeeded, so there is nothing to ask about")
        self.left_out = count - answers
        return hashlib.sha256(orjson.dumps([self.columns, f"{total:x}", answers])).hexdigest()


def of_run(results: Path, name: str, fail: Fail) -> Chained:
    """The results of a run in a results folder, named `run` or `provider/run`; else the newest finished run of that experiment.

    Raises InputError, by `fail("run", …)`, for a run that is unknown, ambiguous, unfinished or garbled.
    """
    runs = _runs(results)
    folder = _named(runs, name, fail)
    if folder is not None:
        return _finished(folder, fail)
    alike = _of_experiment(runs, name)
    if not alike:
        raise _unknown(results, runs, name, fail)
    troubles: list[InputError] = []
    for folder in alike:
        try:
            return _finished(folder, fail)
        except InputError as error:
            troubles.append(error)
    raise troubles[0]


def _finished(folder: Path, fail: Fail) -> Chained:
    """The results of the run in a folder. Raises InputError where it is not finished."""
    finish = _FINISH.format(folder.name)
    if not (folder / "summary.json").is_file():
        raise fail("run", f"{folder.name} is unfinished: nothing of it has been collected; {finish}")
    try:
        manifest, summary = (orjson.loads((folder / file).read_bytes()) for file in ("run.json", "summary.json"))
        open_rows = sum(summary["outcomes"].get(outcome, 0) for outcome in (PENDING, OWED))
        rows, planned, paused = int(summary["rows"]), int(summary["planned"]), summary.get("paused", "")
        simulated = bool(summary["simulated"] or summary.get("simulated_rows") or manifest.get("address") == "local")
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        why = one_line(repr(error), 100)
        raise fail("run", f"{folder} is garbled ({why}), or no run of this project; {_AGAIN}") from None
    if paused:
        raise fail("run", f"{folder.name} is unfinished: it waits ({one_line(paused, 120)}); {finish}")
    if open_rows or rows < planned:
        raise fail(
            "run", f"{folder.name} is unfinished: {open_rows or planned - rows:,} of {planned:,} answers are not there yet; {finish}"
        )
    return Chained(folder, rows, simulated, fail)


def _named(runs: Sequence[Path], name: str, fail: Fail) -> Path | None:
    """The folder of the run that has this very name; a name is compared with what is there, never followed as a path."""
    alike = [folder for folder in runs if name in (folder.name, f"{folder.parent.name}/{folder.name}")]
    if len(alike) > 1:
        names = " or ".join(f'"{folder.parent.name}/{folder.name}"' for folder in alike)
        raise fail("run", f"several providers have a run {one_line(name, 80)}; say which: run = {names}")
    return alike[0] if alike else None


def _of_experiment(runs: Sequence[Path], name: str) -> list[Path]:
    """The folders of the runs of an experiment, named `experiment` or `provider/experiment`, the newest first."""
    found = []
    for at, folder in enumerate(runs):
        try:
            manifest = orjson.loads((folder / "run.json").read_bytes())
            if name in (manifest["experiment"], f"{folder.parent.name}/{manifest['experiment']}"):
                found.append((-float(manifest["run"]["created_at"]), at, folder))
        except (OSError, ValueError, TypeError, LookupError):  # garbled, or of an earlier version: to be named by its own name
            continue
    return [folder for *_, folder in sorted(found)]


def _unknown(results: Path, runs: Sequence[Path], name: str, fail: Fail) -> InputError:
    names = [folder.name for folder in runs]
    known = list(dict.fromkeys((*get_close_matches(name.rpartition("/")[2][:200], names, _SHOWN), *names)))[:_SHOWN]
    there = f"expected one such as {', '.join(known)}; or make it first" if known else "there is none yet; make it first"
    return fail("run", f"no run or experiment {one_line(repr(name), 80)} in {results}; {there}, with --batch")


def _runs(results: Path) -> list[Path]:
    """The folders of all runs, the newest first. Raises InputError."""
    try:
        found = [manifest for manifest in results.glob("*/*/run.json") if manifest.is_file()]
        return [manifest.parent for manifest in sorted(found, key=lambda file: (-file.stat().st_mtime, file))]
    except OSError as error:
        raise InputError(f"{results}: {error.strerror or error}") from None
