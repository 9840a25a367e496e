"""The points at which a process may be killed: around each journal transaction, send, receive, sync, rename and unlink.

Nothing of the product is changed: the doors to the outside (sqlite3, socket, os) count who passes.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import sqlite3


def watch(counter: mmap.mmap, kill_at: int) -> None:
    """Count boundaries in `counter` (8 bytes, shared with the parent); kill -9 this process at the given one (0: never)."""
    passed = 0

    def boundary() -> None:
        nonlocal passed
        passed += 1
        counter[:8] = passed.to_bytes(8, "little")
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: object, name: str, before: bool = True, after: bool = True) -> None:
        real = getattr(owner, name)

        def door(*args, **kwargs):
            if before:
                boundary()
            value = real(*args, **kwargs)
            if after:
                boundary()
            return value

        setattr(owner, name, door)

    around(socket.socket, "sendall")
    around(socket.socket, "send")
    around(socket.socket, "recv", before=False)
    for name in ("fsync", "replace", "unlink"):
        around(os, name)

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *args):
            if sql.startswith(("BEGIN", "COMMIT")):
                boundary()
                value = super().execute(sql, *args)
                boundary()
                return value
            return super().execute(sql, *args)

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Connection, **kwargs)
