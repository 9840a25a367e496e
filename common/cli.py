"""The command line of the four scripts: which command it is, and what comes of its errors. Prints, like all cli_*.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from common import cli_run, cli_status, settings
from common.cli_arguments import Script, parser
from common.cli_session import Session, again, opened
from common.errors import Usage
from common.exits import guarded

COMMANDS = {"status": cli_status.status, "cancel": cli_status.cancel, "retry_failed": cli_run.retry_failed}


def main(script: Script, argv: Sequence[str] | None = None) -> int:
    """Run a script's command line; returns the exit code. No traceback leaves it unless DEBUG is set."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parser(script).parse_args(arguments)
    return guarded(
        lambda: _opened(script, args, arguments),
        again(script, arguments),
        "detached: submitted batches go on at the provider",
    )


def _opened(script: Script, args: argparse.Namespace, arguments: Sequence[str]) -> int:
    settings.load_env()
    with opened(script, args, arguments) as session:
        return _command(session)


def _command(session: Session) -> int:
    named = [(call, getattr(session.args, name)) for name, call in COMMANDS.items() if getattr(session.args, name)]
    if len(named) + session.args.list > 1:
        raise Usage("--status, --cancel, --list and --retry-failed are commands of their own; give one of them")
    if named:
        (call, name), = named
        return call(session, name)
    return cli_status.list_all(session) if session.args.list else cli_run.run(session)


__all__ = ["Script", "main"]
