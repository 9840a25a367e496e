"""make backup and make restore: a results folder into an archive, and back."""

from __future__ import annotations

import argparse

from common.cli.exits import OK
from common.cli.folder import results_folder
from common.cli.text import Voice
from common.errors import InputError
from common.maintenance.backup import backup
from common.maintenance.places import place, split
from common.maintenance.restore import JOURNAL, restore
from common.text import many, one_line, size

SHOWN = 5  # files that are named


def save(args: argparse.Namespace) -> int:
    """One verified archive; returns the exit code. Raises InputError, OSError."""
    made = backup(results_folder(), place(args.out) if args.out else None, args.full)
    print(f"{made.path}: {made.files:,} files, {size(made.bytes)}, verified")
    if made.new < made.files:
        print(f"{made.new:,} of them are new or changed, and in it; the others are in earlier archives beside it, so keep those")
        print("FULL=1 saves all in one")
    return OK


def bring_back(args: argparse.Namespace) -> int:
    """An archive into the results folder; returns the exit code. Raises InputError, and then nothing was changed; OSError."""
    if args.file is None:
        raise InputError("which archive? type: make restore FILE=results/backups/results-….tar.gz, one that make backup has made")
    results, voice = results_folder(), Voice(as_json=False)
    found = restore(results, *split(args.file))
    voice.say(f"{results}: {len(found.added):,} files restored, {found.same:,} were here already, all as their checksums say")
    if found.mended:
        voice.say(f"{len(found.mended):,} damaged files replaced: {_named(found.mended)}")
    if other := [name for name in found.kept if name != JOURNAL]:
        voice.say(
            f"other here than in the backup, and left as it is: {many(len(other), 'file')}: {_named(other)}",
            "to have the backup's, move these away and type the same again",
        )
    if JOURNAL in found.kept:
        voice.say("the journal here was kept, as it changes with each command; make adopt lets it know runs that it does not have")
    voice.say("make audit compares all of it with the journal")
    return OK


def _named(files: list[str]) -> str:
    more = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
    return ", ".join(one_line(name, 120) for name in sorted(files)[:SHOWN]) + more
