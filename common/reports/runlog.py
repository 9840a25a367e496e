"""A run's log: what happened to it while nobody looked, as JSON lines in run.log in its folder; it may fail, a run may not.

It holds our words and, cut short, the host's; no key, no prompt, no answer, no address of a channel.
"""

from __future__ import annotations

import logging
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from traceback import extract_tb

import orjson

from common.errors import BatchError
from common.files import LOG
from common.nouns import Event, Run
from common.providers.account import keys
from common.reports.channels import channels
from common.text import one_line
from common.version import version

BYTES, OLDER = 1_000_000, 3  # of a file, and how many older ones are kept
WORDS = 300  # characters of a text
SECRET = 8  # characters; less is no secret and may stand in any text
ERROR = "ends with an error"
TROUBLE = ("wait", "lost", "aside", "refused", "paused", "owed", "mend", "disowned", "double", "late", "witnessed", ERROR)


class _LogLines(logging.Formatter):
    """A record as one line of JSON: when (UTC), how bad, which process, what, and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        about = {"at": when, "level": record.levelname.lower(), "pid": record.process, "event": record.msg}
        return orjson.dumps(about | record.about, default=str).decode()


class _Quiet(RotatingFileHandler):
    """Open only while it writes, so that nothing has to be closed; where it cannot write, it lets be."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
            if self.stream:
                self.stream.close()
        except (OSError, ValueError):
            pass
        self.stream = None

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk says nothing here; where it matters, it is said."""


class RunLog:
    """Listens to a run at work and writes what it hears into its run's log."""

    def __init__(self, run: Run) -> None:
        self._file = _Quiet(run.folder / LOG, maxBytes=BYTES, backupCount=OLDER, encoding="utf-8", errors="replace", delay=True)
        self._file.setFormatter(_LogLines())
        self._status: dict[int, str] = {}
        self._has_begun = False
        secrets = {*keys(), *(channel.url for channel in channels())}
        self._secrets = sorted((secret for secret in secrets if len(secret) >= SECRET), key=len, reverse=True)

    def __call__(self, event: Event) -> None:
        shard, batch = event.shard, event.batch
        if batch is not None:
            if self._status.get(shard.n) == batch.status:
                return  # a look that has seen nothing new
            self._status[shard.n] = batch.status
        about = {"shard": shard.n, "batch": shard.batch_id, "model": shard.model, "state": shard.state} if shard else {}
        about |= {"status": batch.status, "succeeded": batch.succeeded, "errored": batch.errored} if batch else {}
        self.write(event.kind, **about, text=event.text)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Note how what is done meanwhile ends."""
        try:
            yield
        except BaseException as error:
            frames = [] if isinstance(error, BatchError) else extract_tb(error.__traceback__)[-4:]
            where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
            self.write(ERROR, kind=type(error).__name__, status=getattr(error, "status", 0), where=where, text=str(error))
            raise
        if self._has_begun:
            self.write("ends")

    def write(self, event: str, **about: object) -> None:
        """Note something; texts are cut and made fit for a line, secrets taken out, what is empty left out.

        Before the first thing it is noted which command begins, and by which versions: one to which nothing happens leaves no trace.
        """
        if not self._has_begun:
            self._has_begun = True
            versions = {"version": version(), "python": platform.python_version(), "system": platform.system()}
            self.write("begins", command=shlex.join(sys.argv), **versions)
        level = logging.WARNING if event in TROUBLE else logging.INFO
        clean = {name: self._clean(value) if isinstance(value, str) else value for name, value in about.items() if value not in ("", 0, [])}
        record = logging.LogRecord(LOG, level, "", 0, event, None, None)
        record.about = clean
        self._file.handle(record)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return one_line(text[: 4 * WORDS], WORDS)  # a host's may be long
