"""Telling a person's channels what has become of a run: each piece of news once, whichever command or process finds it.

Whoever notes it in the journal sends it, and notes it first: killed in between, it is not sent again (at most once).
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from common import catalog
from common.cli.exits import again
from common.cli.named import way_to
from common.cli.scripts import script_of
from common.errors import InputError
from common.nouns import Event, Run
from common.outcomes import PAID
from common.reports.channels import channels
from common.reports.notify import Post
from common.reports.words import message
from common.runs import notices
from common.runs.desk import Desk
from common.runs.journal import Journal
from common.runs.lock import InWork
from common.runs.notices import News, Notice
from common.runs.overview import current_summary

AT_ONCE = ("paused", "refused")  # events that may be news; of all others a look from time to time is enough
EVERY = 60.0  # seconds


class Teller:
    """Listens to a run at work and sends what is news while it goes on, without waiting for a channel."""

    def __init__(self, journal: Journal, desk: Desk, posts: list[Post]) -> None:
        self._journal, self._desk, self._posts, self._due = journal, desk, posts, time.monotonic() + EVERY

    def __call__(self, event: Event) -> None:
        if event.kind in AT_ONCE or time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            run = self._desk.run
            self._posts += _sent(self._journal, run, lambda: _due(self._journal, run, None))


def announce(journal: Journal, run: Run, posts: list[Post], summary: dict | None, error: BaseException | None = None) -> None:
    """Tell what is news now that a command has done with a run, and say which channels did not take it. Never fails.

    `posts`: those on their way already. `error`: what has ended the command; who interrupted it needs no message, and who is at
    work on the run sends his own.
    """
    if error is None or (isinstance(error, Exception) and not isinstance(error, InWork)):
        posts += _sent(journal, run, lambda: _at_the_end(journal, journal.run(run.key), summary, error))
    while posts:
        if warning := posts.pop(0).warning():
            print(f"warning: {warning}", file=sys.stderr, flush=True)


def announce_error(results: Path, run: Run, error: BaseException) -> None:
    """Tell that a command about a run has ended with an error, for one that has no journal open (any more). Never fails."""
    with suppress(InputError, sqlite3.Error), closing(Journal(results)) as journal:
        announce(journal, run, [], None, error)


def _at_the_end(journal: Journal, run: Run, summary: dict | None, error: BaseException | None) -> Iterator[Notice]:
    if run.imported:
        return
    shards = journal.shards(run)
    found = [*_due(journal, run, summary or current_summary(run, shards))]
    yield from found
    if not {notice.kind for notice in found} & {News.PAUSED, News.DONE, News.FAILED}:
        yield from notices.owed(shards, run)
        if error is not None:
            yield notices.stopped(journal, run, error)


def _due(journal: Journal, run: Run, summary: dict | None) -> Iterator[Notice]:
    return notices.due(journal, run, journal.shards(run), catalog.hosts()[run.host], time.time(), summary)


def _sent(journal: Journal, run: Run, found: Callable[[], Iterable[Notice]]) -> list[Post]:
    """Each notice that nobody has noted before, on its way. What cannot be read or noted is not worth a run."""
    posts: list[Post] = []
    if channels():
        try:
            for notice in found():
                if journal.notify_once(notice.run, notice.key):
                    posts.append(Post(message(run, notice, _then(run, notice))))
        except (InputError, OSError, sqlite3.Error) as error:
            print(f"warning: no message was sent: the journal cannot be had ({type(error).__name__})", file=sys.stderr, flush=True)
    return posts


def _then(run: Run, notice: Notice) -> str:
    """The command to type next; nothing in it that only this machine should know."""
    script, where = f"python {script_of(run.provider, run.host).name}", [word for word in way_to(run) if word in ("--local", "--live")]
    match notice.kind:
        case News.DONE:
            return f"make report RUN={run.key}"
        case News.FAILED if _can_be_asked_again(notice):
            return again(script, ["--retry-failed", run.name, *where])
        case News.FAILED:
            return f"make report RUN={run.key}"
        case News.STALLED | News.EXPIRING | News.OWED:
            return "make collect"
    return again(script, ["--status", run.name, *where])


def _can_be_asked_again(notice: Notice) -> bool:
    """Whether rows failed that are not paid, and were not just cut off: asked again as they are, those would be so again."""
    outcomes = notice.facts["outcomes"]
    return notice.facts["unclean"] > sum(outcomes.get(name, 0) for name in (*PAID, "truncated"))
