"""make dashboard: a page on this machine that shows where all runs stand, and keeps itself fresh; it only reads."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from common import settings
from common.cli.exits import OK
from common.cli.folder import looked_at, results_folder
from common.errors import InputError
from common.reports.live import application
from common.reports.local_page import LOOPBACK, address, listen, serve
from common.runs.board import BoardMemory, board
from common.runs.stand import Board

PORT = 8791


def command(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; returns the exit code. Raises InputError where there is no journal, or nobody may listen there."""
    results = results_folder(args.results)
    password = settings.dashboard_password()
    name = args.host or LOOPBACK
    if not settings.is_loopback(f"//{name}") and not password:
        raise InputError(f"--host {name}: others could read all runs; put a DASHBOARD_PASSWORD into .env first")
    memory = BoardMemory()
    _look(results, memory)  # what is wrong with the journal is said here, not in the browser
    port = PORT if args.port is None else args.port
    with _listener(name, port) if args.host else listen(port) as listener:
        port = listener.getsockname()[1]
        print(f"dashboard: {f'http://{name}:{port}/' if args.host else address(listener)}   (Ctrl-C ends it)", flush=True)
        if password and not settings.is_loopback(f"//{name}"):
            print("the password travels in clear: let others come through a TLS proxy or ssh -L", flush=True)
        serve(application(lambda: _look(results, memory), results, password, name), listener)
    return OK


def _look(results: Path, memory: BoardMemory) -> Board:
    with looked_at(results) as journal:
        return board(journal, memory=memory)


def _listener(name: str, port: int) -> socket.socket:
    """A socket at an address of this machine. Raises InputError."""
    try:
        return socket.create_server((name, port))
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--host {name}: nothing can listen there on port {port} ({why}); name an address of this machine") from None
