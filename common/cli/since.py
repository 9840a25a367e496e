"""What a plan tells of the runs before it: what an edited experiment asks otherwise, and which of its runs are not finished."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping

from common.cli.exits import again
from common.cli.named import way_to
from common.cli.session import ScriptSession
from common.nouns import Run
from common.runs.changes import changes
from common.runs.journal import Journal
from common.runs.overview import has_begun, is_open, started
from common.runs.plan import Planned


def since(session: ScriptSession, planned: Planned) -> dict:
    """What a run of which nothing was sent yet changes since the one before it, and what is unfinished; nothing of other runs."""
    journal, run = session.journal, planned.run
    if run.named or run.imported or started(journal, run):
        return {}
    earlier, unfinished = _before(journal, run)
    what = changes(earlier, run) if earlier else []
    found: dict = {"run": earlier.name, "of": _day(earlier), "what": what} if what else {}
    if what and run.reuses:
        found["requests_new"] = run.planned - planned.taken - planned.waits.total()
        found["requests"] = run.planned
    if unfinished:
        found["unfinished"] = [
            {"run": one.name, "of": _day(one), "paused": one.paused, "finish_with": _finishing(session, one)} for one in unfinished
        ]
    return found


def told_since(found: dict) -> Iterator[str]:
    """The same for people."""
    if found.get("what"):
        yield f"changed since run {found['run']} of {found['of']}:"
        yield from (f"  {line}" for line in found["what"])
        if "requests" in found:
            new = found["requests_new"]
            yield f"  {new:,} of {found['requests']:,} requests {'is' if new == 1 else 'are'} new: no answer to them is here"
    yield from _told_unfinished(found)


def told_since_all(found: Mapping[str, dict]) -> Iterator[str]:
    """The same of several providers at once; what has changed at all of them is told once."""
    where: dict[str, list[str]] = {}
    for folder, of_one in found.items():
        for line in of_one.get("what", ()):
            where.setdefault(line, []).append(folder)
    yield from ["changed since the runs before:"] * bool(where)
    yield from (f"  {line} ({', '.join(folders)})" for line, folders in where.items())
    for of_one in found.values():
        yield from _told_unfinished(of_one)


def _told_unfinished(found: dict) -> Iterator[str]:
    for one in found.get("unfinished", ()):
        paused = f", paused: {one['paused']}" if one["paused"] else ""
        yield f"the run {one['run']} of {one['of']} is unfinished{paused}; finish it with: {one['finish_with']}"


def _before(journal: Journal, run: Run) -> tuple[Run | None, list[Run]]:
    """The newest other run of the same experiment of which anything was sent or taken over, and all that are not finished."""
    others = [
        one
        for one in journal.runs(run.provider)
        if one.planned and one.key != run.key and (one.experiment, one.address) == (run.experiment, run.address)
    ]
    begun = [one for one in others if not one.named and has_begun(journal, one)]
    return max(begun, key=lambda one: one.created_at, default=None), [one for one in others if not one.imported and is_open(journal, one)]


def _day(run: Run) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(run.created_at))


def _finishing(session: ScriptSession, run: Run) -> str:
    """The command that takes a run to its end, though its experiment has changed: the look at all, unless it waits for a person."""
    where = session.args.results
    if not run.paused:
        return f"RESULTS_DIR={shlex.quote(where)} make collect" if where else "make collect"
    more = [*way_to(run), *(["--results", where] if where else [])]
    return again(f"python {session.script.name}", ["--retry-failed", run.name, *more])
