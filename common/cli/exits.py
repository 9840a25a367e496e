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
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # a stream of a test or a notebook, or none at all
            stream.reconfigure(errors="replace")  # an ASCII or Latin-1 terminal shows what it can
    try:
        code, said = tried(lambda: _flushed(call), go_on, nothing_lost)
        return fail(said, code) if said else code
    except KeyboardInterrupt:
        _from_now_on(signal.SIG_IGN)
        print(f"{interrupted}. Go on with: {go_on}", file=sys.stderr)
        _from_now_on(_leave)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        return _unheard()


def tried(call: Callable[[], int], go_on: str, nothing_lost: str = "Nothing is lost") -> tuple[int, str]:
    """The exit code of `call`, and what a person is told of its error in one line ("": there was none)."""
    try:
        return call(), ""
    except InputError as error:
        return INPUT, str(error)
    except Refused as error:
        return REFUSED, str(error)
    except BatchError as error:
        return UNFINISHED, f"{error}. {nothing_lost}; go on with: {go_on}"
    except BrokenPipeError:
        raise
    except (OSError, sqlite3.Error) as error:
        return INPUT, f"{disk_error(error)}. {nothing_lost}; make room or mend it, then go on with: {go_on}"
    except Exception as error:
        if os.environ.get("DEBUG"):
            raise
        return UNFINISHED, f"unexpected {type(error).__name__}: {one_line(error)}. {nothing_lost}; DEBUG=1 shows where"


def fail(error: object, code: int) -> int:
    """Say an error in one line; returns the code."""
    print(f"error: {one_line(error, 1500)}", file=sys.stderr)
    return code


def again(typed: str, arguments: Sequence[str]) -> str:
    """The command that goes on where the one that was `typed` with these arguments stopped."""
    return shlex.join([*typed.split(), *(a for a in arguments if a != "--no-wait")])


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _from_now_on(handler: Callable | signal.Handlers) -> None:
    """What a further signal does to a command that is ending; a prompt or a notebook goes on as it was."""
    if not hasattr(sys, "ps1"):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handler)


def _leave(number: int, frame: object) -> None:
    """End at once: a thread may wait for a host, and all that counts is on disk."""
    os._exit(INTERRUPTED)


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
