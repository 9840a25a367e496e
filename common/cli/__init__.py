"""The command line of the four scripts: which command it is, and what comes of its errors. Prints, like all cli_*.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from common.cli import door
from common.cli.options import Script, parser


def main(script: Script, argv: Sequence[str] | None = None) -> int:
    """Run a script's command line; returns the exit code. No traceback leaves it unless DEBUG is set."""
    door.enter()
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parser(script).parse_args(arguments)
    # the rest of the program is imported once there is something to do, so that --help is quick
    from common.cli.exits import guarded
    from common.cli.session import again

    return guarded(
        lambda: _command(script, args, arguments),
        again(script, arguments),
        "detached: submitted batches go on at the provider",
    )


def _command(script: Script, args: argparse.Namespace, arguments: Sequence[str]) -> int:
    from common import settings
    from common.cli import run, status
    from common.cli.session import opened
    from common.errors import InputError

    commands = {"status": status.status, "cancel": status.cancel, "retry_failed": run.retry_failed}
    named = [(call, getattr(args, name)) for name, call in commands.items() if getattr(args, name)]
    if len(named) + args.list > 1:
        raise InputError("--status, --cancel, --list and --retry-failed are commands of their own; give one of them")
    settings.load_env()
    with opened(script, args, arguments) as session:
        if args.list:
            return status.list_all(session)
        for call, name in named:
            return call(session, name)
        return run.run(session)


__all__ = ["Script", "main"]
