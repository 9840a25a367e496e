"""Makes a finished run's table again with other questions, from its raw files; what was there before stays beside it."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.experiment.experiment import Experiment
from common.experiment.questions import asked_of
from common.files import sync_folder, whole_file
from common.nouns import RESTING, Run, Shard
from common.results.merge import run_rows
from common.results.origin import RunOrigin
from common.results.packed import raw_sha256
from common.results.raw import Decode, raw_paths
from common.results.scoring import check_fit, differences, set_scoring
from common.results.tally import Tally
from common.runs.derive import derive
from common.runs.journal import Journal
from common.runs.overview import current_summary

TABLE, SUMMARY = "results.csv", "summary.json"
_KEPT = re.compile(r"(?:results|summary)\.scored-([0-9]{1,9})\.(?:csv|json)")


@dataclass(frozen=True)
class Rescored:
    """What a re-score changed: lines of `changes`, answers by what the check said, and the file with the table as it was."""

    changes: tuple[str, ...]
    asks_anew: bool  # a run of the changed experiment would be another one
    before: Mapping[str, int]
    after: Mapping[str, int]
    kept: Path | None  # None: the table has not changed, or there was none
    summary: dict


def check_rescorable(journal: Journal, run: Run, experiment: Experiment) -> None:
    """Refuse what cannot be re-scored, before anything is written. Raises InputError."""
    check_fit(RunOrigin(run), experiment.name, experiment.questions, experiment.path)
    shards = journal.shards(run)
    if not any(shard.state in RESTING for shard in shards):
        raise InputError(f"run {run.name} has no answers yet, so nothing to score; its own command, or --status {run.name}, collects them")
    for shard in shards:
        _check_raw(run, shard)


def _check_raw(run: Run, shard: Shard) -> None:
    """A table of fewer answers must not take the place of one of all."""
    folder = raw_paths(run, shard.batch_id)[0].parent
    for name, sha256 in shard.files.items():
        if (found := raw_sha256(folder / name, sha256)) != sha256:
            what = "was changed since it came" if found else "is gone"
            raise InputError(f"{folder / name}: {what}; restore it from a backup, or --status {run.name} fetches it again, then re-score")


def rescore(journal: Journal, run: Run, experiment: Experiment, decode: Decode) -> Rescored:
    """Score a run's answers by an experiment's questions: in run.json, table, texts and summary. Nothing is sent.

    The run's later commands go on with these questions. Raises InputError (see `check_rescorable`; also where another process is at
    work on the run), OSError.
    """
    with journal.lock(run):
        run = journal.run(run.key)
        check_rescorable(journal, run, experiment)
        shards, questions = journal.shards(run), RunOrigin(run).questions
        former = current_summary(run, shards)
        before = former["answers_checked"] if former else _checked(run, shards, decode)
        kept, is_new = _keep(run.folder)
        if is_other := questions != experiment.questions:
            (run.folder / SUMMARY).unlink(missing_ok=True)  # killed from here on, the run's own command makes all of it anew
            set_scoring(run.folder, experiment.questions, str(experiment.path.absolute()), kept.name if kept else "")
        journal.save_run(run, "rescored", source=str(experiment.path), table=kept.name if kept else "")
        summary = derive(journal, run.key, decode, (run.folder / "texts").is_dir())
        if is_new and not is_other and filecmp.cmp(kept, run.folder / TABLE, shallow=False):
            _drop(kept)
            kept = None
    changes = tuple(differences(questions, experiment.questions))
    asks_anew = [*map(asked_of, questions)] != [*map(asked_of, experiment.questions)]
    return Rescored(changes, asks_anew, before, summary["answers_checked"], kept, summary)


def _keep(folder: Path) -> tuple[Path | None, bool]:
    """The table and the summary as they are, kept as results.scored-N.csv and summary.scored-N.json: the table, and whether it is new.

    That of a former try, which was killed before it had made another table, is not kept twice.
    """
    if not (folder / TABLE).exists():
        return None, False
    numbers = [int(found[1]) for path in folder.iterdir() if (found := _KEPT.fullmatch(path.name))]
    last = max(numbers, default=0)
    if last and (kept := folder / _kept(TABLE, last)).exists() and filecmp.cmp(kept, folder / TABLE, shallow=False):
        return kept, False
    for name in (SUMMARY, TABLE):
        if (folder / name).exists():
            _put_beside(folder / name, folder / _kept(name, last + 1))
    sync_folder(folder)
    return folder / _kept(TABLE, last + 1), True


def _kept(name: str, n: int) -> str:
    stem, _, ending = name.partition(".")
    return f"{stem}.scored-{n}.{ending}"


def _put_beside(path: Path, target: Path) -> None:
    """Give a file a second name: what is made anew under its first one replaces it, and leaves this one as it is."""
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with open(path, "rb") as source, whole_file(target) as copy:
            shutil.copyfileobj(source, copy)


def _drop(kept: Path) -> None:
    """Remove what was kept in vain: a re-score that changes nothing leaves no copy to be wondered at."""
    kept.unlink()
    kept.with_name(kept.name.replace("results", "summary", 1)).with_suffix(".json").unlink(missing_ok=True)


def _checked(run: Run, shards: Sequence[Shard], decode: Decode) -> dict[str, int]:
    """How many answers are clean by the questions that run.json has now."""
    found = Tally(run.planned)
    for _ in found.counting(run_rows(run, shards, decode)):
        pass
    return dict(sorted(found.answers.items()))
