"""How a command ends: its exit codes, and the one place where an error becomes one line for a person."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from common.errors import BatchError, InputError, Refused, disk_error
from common.text import one_line

OK, UNFINISHED, INPUT, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130


def guarded(call: Callable[[], int], go_on: str, interrupted: str, nothing_lost: str = "Nothing is lost") -> int:
    """The exit code of `call`; its errors become one line on stderr. No traceback leaves it unless DEBUG is set.

    `go_on` is the command that goes on where this one stopped, `interrupted` what Ctrl-C and SIGTERM answer.
    """
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # a stream of a test or a notebook, or none at all
            stream.reconfigure(errors="replace")  # an ASCII or Latin-1 terminal shows what it can
    try:
        return _flushed(call)
    except KeyboardInterrupt:
        print(f"{interrupted}. Go on with: {go_on}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        return _unheard()
    except Exception as error:
        if is_to_be_shown(error):
            raise
        return fail(*told(error, go_on, nothing_lost))


def is_to_be_shown(error: Exception) -> bool:
    """Whether an error is of no expected kind, and DEBUG asks for its traceback."""
    return not isinstance(error, (BatchError, OSError, sqlite3.Error)) and bool(os.environ.get("DEBUG"))


def told(error: Exception, go_on: str, nothing_lost: str = "Nothing is lost") -> tuple[str, int]:
    """What a person is told of an error in one line, and the exit code."""
    match error:
        case InputError():
            return str(error), INPUT
        case Refused():
            return str(error), REFUSED
        case BatchError():
            return f"{error}. {nothing_lost}; go on with: {go_on}", UNFINISHED
        case OSError() | sqlite3.Error():
            return f"{disk_error(error)}. {nothing_lost}; make room or mend it, then go on with: {go_on}", INPUT
    return f"unexpected {type(error).__name__}: {one_line(error)}. {nothing_lost}; DEBUG=1 shows where", UNFINISHED


def fail(error: object, code: int) -> int:
    """Say an error in one line; returns the code."""
    print(f"error: {one_line(error, 1500)}", file=sys.stderr)
    return code


def again(typed: str, arguments: Sequence[str]) -> str:
    """The command that goes on where the one that was `typed` with these arguments stopped."""
    return shlex.join([*typed.split(), *(a for a in arguments if a != "--no-wait")])


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _flushed(call: Callable[[], int]) -> int:
    """The value of `call`, once all that it printed has gone out: a pipe that is closed shows here, not at the exit."""
    try:
        code = call()
    except SystemExit:  # --help, or options that cannot be
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _unheard() -> int:
    """Let what is still to be printed go nowhere, where nobody reads it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return OK
