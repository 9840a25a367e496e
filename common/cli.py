"""The command line of the four scripts: which command it is, and what comes of its errors. Prints, like all cli_*.py."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Sequence

from common import cli_run, cli_status, settings
from common.cli_arguments import Script, parser
from common.cli_session import Session, again, opened
from common.errors import BatchError, Refused, Usage
from common.providers.sdk import one_line

UNFINISHED, INPUT, REFUSED, DETACHED = 1, 2, 3, 130
COMMANDS = {"status": cli_status.status, "cancel": cli_status.cancel, "retry_failed": cli_run.retry_failed}


def main(script: Script, argv: Sequence[str] | None = None) -> int:
    """Run a script's command line; returns the exit code. No traceback leaves it unless DEBUG is set."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parser(script).parse_args(arguments)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _detach)
    go_on = again(script, arguments)
    try:
        settings.load_env()
        with opened(script, args, arguments) as session:
            return _command(session)
    except KeyboardInterrupt:
        print(f"detached: submitted batches go on at the provider. Go on with: {go_on}", file=sys.stderr)
        return DETACHED
    except Usage as error:
        return _fail(error, INPUT)
    except Refused as error:
        return _fail(error, REFUSED)
    except BatchError as error:
        return _fail(f"{error}. Nothing is lost; go on with: {go_on}", UNFINISHED)
    except (OSError, sqlite3.Error) as error:
        where = f"{error.filename}: " if getattr(error, "filename", None) else ""
        said = getattr(error, "strerror", None) or str(error)
        return _fail(f"{where}{said}. Nothing is lost; make room or mend it, then go on with: {go_on}", INPUT)
    except Exception as error:
        if os.environ.get("DEBUG"):
            raise
        return _fail(f"unexpected {type(error).__name__}: {one_line(error)}. Nothing is lost; DEBUG=1 shows where", UNFINISHED)


def _detach(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _fail(error: object, code: int) -> int:
    print(f"error: {one_line(error, 1500)}", file=sys.stderr)
    return code


def _command(session: Session) -> int:
    named = [(call, getattr(session.args, name)) for name, call in COMMANDS.items() if getattr(session.args, name)]
    if len(named) + session.args.list > 1:
        raise Usage("--status, --cancel, --list and --retry-failed are commands of their own; give one of them")
    if named:
        (call, name), = named
        return call(session, name)
    return cli_status.list_all(session) if session.args.list else cli_run.run(session)


__all__ = ["Script", "main"]
