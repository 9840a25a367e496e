"""How a command ends: its exit codes, and the one place where an error becomes one line for a person."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable

from common.errors import BatchError, InputError, Refused, disk_error
from common.text import one_line

OK, UNFINISHED, INPUT, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130


def guarded(call: Callable[[], int], go_on: str, interrupted: str, nothing_lost: str = "Nothing is lost") -> int:
    """The exit code of `call`; its errors become one line on stderr. No traceback leaves it unless DEBUG is set.

    `go_on` is the command that goes on where this one stopped, `interrupted` what Ctrl-C and SIGTERM answer.
    """
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        return call()
    except KeyboardInterrupt:
        print(f"{interrupted}. Go on with: {go_on}", file=sys.stderr)
        return INTERRUPTED
    except InputError as error:
        return fail(error, INPUT)
    except Refused as error:
        return fail(error, REFUSED)
    except BatchError as error:
        return fail(f"{error}. {nothing_lost}; go on with: {go_on}", UNFINISHED)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (OSError, sqlite3.Error) as error:
        return fail(f"{disk_error(error)}. {nothing_lost}; make room or mend it, then go on with: {go_on}", INPUT)
    except Exception as error:
        if os.environ.get("DEBUG"):
            raise
        said = f"unexpected {type(error).__name__}: {one_line(error)}"
        return fail(f"{said}. {nothing_lost}; DEBUG=1 shows where", UNFINISHED)


def fail(error: object, code: int) -> int:
    """Say an error in one line; returns the code."""
    print(f"error: {one_line(error, 1500)}", file=sys.stderr)
    return code


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
