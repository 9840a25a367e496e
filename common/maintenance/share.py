"""A run into one verified archive: its folder, its raw files, its rows of the journal and a page that says what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import orjson

from common.errors import InputError
from common.files import LOG
from common.maintenance import extract
from common.maintenance.archive import JOURNAL, README, Content, Sums, pack_into
from common.nouns import FINAL, Run, Shard
from common.providers.account import keys
from common.results.formats import MOST_TEXTS
from common.results.packed import as_it_came
from common.results.parts import INDEX
from common.runs.journal import Journal
from common.runs.lock import hold
from common.runs.overview import summary_of
from common.runs.segments import SUFFIX
from common.settings import ROOT
from common.text import iso
from common.version import version

ATTACHED = "images and PDFs are in run/shards as they were sent (base64), not as files; those named by an address are not in it"
_OWN = ("lock", INDEX)  # of a run's folder: what is of this machine only
_TELLING = ("run.json", "summary.json", "creates.log")  # in which folders of this machine may be named


@dataclass(frozen=True)
class SharedRun:
    """What was made: the archive, how many files are in it, and what of the run a person should know."""

    path: Path
    files: int
    simulated: bool
    complete: bool
    texts_left_out: bool
    attached: bool  # images or PDFs went with its prompts


def share(journal: Journal, run: Run, folder: Path) -> SharedRun:
    """Pack a run into `folder`, made if need be. Raises InputError for a run in work, damaged, or with a key in it; OSError."""
    if not run.planned:
        raise InputError(f"run {run.name} is not planned to its end, so there is nothing to share; its own command goes on")
    with hold(run):
        run = journal.run(run.key)
        shards, summary = journal.shards(run), summary_of(run)
        simulated = run.local or bool(summary and summary["simulated"])
        complete = all(shard.state in FINAL for shard in shards)
        with_texts = not any(islice((run.folder / "texts").glob("*"), MOST_TEXTS, None))
        name = f"{run.provider}-{run.name}{'-SIMULATED' if simulated else ''}.zip"
        told = {"program": version(), "provider": run.provider, "run": run.name, "simulated": simulated, "complete": complete}
        folder.mkdir(parents=True, exist_ok=True)
        attached = _is_attached(run)
        page = _page(run, shards, summary, simulated, complete, with_texts, attached).encode()
        sums = pack_into(
            folder / name, told, [(README, page), *_members(journal, run, shards, with_texts)],
            lambda sums: _check(journal, run, sums), _secrets(journal, run),
        )  # fmt: skip
    return SharedRun(folder / name, len(sums), simulated, complete, not with_texts, attached)


def _is_attached(run: Run) -> bool:
    """Whether images or PDFs went with the prompts of a run, by its record."""
    try:
        return bool(orjson.loads((run.folder / "record/record.json").read_bytes())["asked"]["files"])
    except (OSError, ValueError, TypeError, LookupError):  # planned by an earlier version, or garbled
        return False


def _check(journal: Journal, run: Run, sums: Sums) -> None:
    if name := extract.misfit(extract.Extract(run, journal.shards(run)), sums):
        raise InputError(f"{name} of run {run.name} is gone or not what the journal says; make audit looks closer. Nothing was shared")


def _secrets(journal: Journal, run: Run) -> set[bytes]:
    """What must stand nowhere in an archive: keys of the environment, the digest of the run's, and the salt of such digests."""
    salt = journal.salt
    return {salt, *(text.encode() for text in (salt.hex(), run.account, *keys()) if len(text) >= 8)}


def _members(journal: Journal, run: Run, shards: list[Shard], with_texts: bool) -> Iterator[tuple[str, Content]]:
    places = _places(journal, run)
    yield JOURNAL, _without(places, b"".join(extract.lines(journal, run)))
    for path in sorted(run.folder.rglob("*")):
        name = path.relative_to(run.folder)
        is_own = path.name in _OWN or path.name.startswith(LOG) or any(part.endswith((".part", SUFFIX)) for part in name.parts)
        if path.is_symlink() or not path.is_file() or is_own:
            continue
        if with_texts or name.parts[0] != "texts":
            yield f"run/{name.as_posix()}", _without(places, path.read_bytes()) if path.name in _TELLING else path
    for name, noted in sorted({name: noted for shard in shards for name, noted in shard.files.items()}.items()):
        yield f"batch_results/{name}", partial(as_it_came, run.folder.parent / "batch_results" / name, noted)


def _places(journal: Journal, run: Run) -> dict[bytes, bytes]:
    """Folders of this machine as JSON has them, and what stands for them in an archive."""
    folders = {Path(run.source).parent: "experiment", journal.results: "results", ROOT: "project", Path.home(): "~"}
    return {orjson.dumps(os.fspath(path))[1:-1]: name.encode() for path, name in folders.items() if len(path.parts) > 1}


def _without(places: dict[bytes, bytes], content: bytes) -> bytes:
    for path in sorted(places, key=len, reverse=True):
        content = content.replace(path, places[path])
    return content


def _page(run: Run, shards: list[Shard], summary: dict | None, simulated: bool, complete: bool, with_texts: bool, attached: bool) -> str:
    title = f"# Run {run.name} of experiment {run.experiment}\n"
    warning = "\n**SIMULATED: rehearsal answers of a local batch service, not data.**\n" if simulated else ""
    open_now = sum(shard.state not in FINAL for shard in shards)
    stand = "complete" if complete else f"NOT complete: {open_now} of {len(shards)} batches were still open when it was shared"
    outcomes = ", ".join(f"{n:,} {name}" for name, n in sorted(summary["outcomes"].items())) if summary else "nothing collected yet"
    texts = "one text file per answer" if with_texts else f"left out: more than {MOST_TEXTS:,}; they can be made again from the raw files"
    shown = f"; {ATTACHED}" if attached else ""
    return f"""{title}{warning}
- {run.planned:,} requests to {", ".join(run.models)} at {run.host}, planned {iso(run.created_at)}; {stand}
- rows: {outcomes}

## What is in it

- `run/results.csv`: one row per request, UTF-8; `run/summary.json`: the sum and the cost
- `run/texts/`: {texts}
- `run/record/`: how the run was made: the experiment's files as they were, and `record.json` with models, prices, caps, versions
- `run/shards/`: the input files as sent, and the ids of their requests{shown}
- `batch_results/`: the answers, byte for byte as the provider gave them
- `journal.jsonl`: what happened to each batch
- `manifest.json`: the size and the SHA-256 of each file

No API key and no digest of one is in it. Folders of the machine that it was made on are left out of what the program wrote.

## How to take it in

    make import FILE={run.provider}-{run.name}{"-SIMULATED" if simulated else ""}.zip

in a copy of the project (version {version()} or newer) puts it into its results folder. `AS=NAME` gives it another name there.
An imported run is a record: it can be looked at, audited and converted; nothing is ever sent for it.
"""
