"""make new: a starter experiment of a person's own, from the files of tools/starter/."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
from pathlib import Path

from common.cli.exits import OK
from common.errors import InputError
from common.experiment.read import NAME, check_name
from common.settings import ROOT
from common.text import one_line

STARTER = ROOT / "tools/starter"
SCRIPT = "python openai_example.py --experiment"


def new(args: argparse.Namespace) -> int:
    """Write experiments/NAME and say what to type next; returns the exit code. Raises InputError, and then nothing was written."""
    if args.name is None:
        raise InputError("which name? type: make new NAME=tea")
    if not check_name(args.name):
        raise InputError(f"NAME={one_line(args.name, 80)}: expected {NAME}")
    folder = (args.out or ROOT / "experiments") / args.name
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder}: is there already and stays as it is; choose another NAME")
    try:
        _write(folder, args.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); --out DIR names another place") from None
    shown = shlex.quote(min(str(folder), os.path.relpath(folder, ROOT), key=len))
    print(
        f"{folder}: experiment.toml, whose comments say what else it may hold, and reviews.csv, one row a text",
        "see what it asks, and what it could cost:",
        f"  {SCRIPT} {shown} --dry-run --local",
        "rehearse it, without a key or cost:",
        f"  {SCRIPT} {shown} --batch --local",
        "all keys: docs/experiments.md",
        sep="\n",
    )
    return OK


def _write(folder: Path, name: str) -> None:
    """The whole folder, or nothing."""
    part = folder.with_name(f"{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for file in STARTER.iterdir():
        text = file.read_text(encoding="utf-8")
        (part / file.name).write_text(text.replace('"NAME"', f'"{name}"'), encoding="utf-8")
    part.rename(folder)
