"""Looking at runs and batches, and stopping them, from the command line: --status, --list, --cancel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice

from common.cli.announce import announce
from common.cli.exits import OK, UNFINISHED
from common.cli.session import ScriptSession
from common.cli.text import SIMULATED, the_sum
from common.errors import InputError, Refused
from common.nouns import Batch, Event, Run, Shard, State
from common.results.raw import raw_files
from common.runs import wishes
from common.runs.choose import check_open
from common.runs.money import receipt_lines
from common.runs.overview import batch_facts, run_facts, shard_facts, summary_of, waiting_facts
from common.text import duration, iso, one_line

LISTED = 100


def status(session: ScriptSession, name: str) -> int:
    """Where a batch or a run stands; what has ended is collected. Returns the exit code."""
    if (found := session.find(name)) is None:
        return _foreign_status(session, name)
    run, shards = found
    looks: dict[int, Batch] = {}
    if not run.imported:  # of a record there is nothing to look at but what came
        session.own_account(run)
        looks, shards = _collect(session, run, shards)
    summary = summary_of(run)
    announce(session.journal, run, session.posts, None)
    rows = [shard_facts(s, looks.get(s.n), time.time()) for s in shards]
    if session.args.json:
        states = session.journal.states(run)
        about = {"run": run.name, "states": states, "paused": run.paused, "imported": iso(run.imported)}
        session.json({**about, "waiting": waiting_facts(session.journal, run), "batches": rows, "summary": summary})
    else:
        _print(session, run, rows, summary)
    return OK if all(s.state == "collected" for s in shards) else UNFINISHED


def _collect(session: ScriptSession, run: Run, shards: list[Shard]) -> tuple[dict[int, Batch], list[Shard]]:
    """One look at the given shards' batches, by shard, and the shards after it.

    What has ended is collected, unless another process is at work on the run.
    """
    looks: dict[int, Batch] = {}

    def hear(event: Event) -> None:
        if event.batch is not None:
            looks[event.shard.n] = event.batch
        elif event.text:
            session.say(event.text)

    with ExitStack() as stack:
        try:
            stack.enter_context(session.journal.lock(run))
        except InputError:  # its own process is at work and collects; we only look
            by_id = {s.batch_id: s.n for s in shards if s.state == "submitted"}
            return ({by_id[b.id]: b for b in session.provider.status(by_id)} if by_id else {}), shards
        before = session.journal.states(run)
        desk = session.desk(run)
        desk.listeners.append(hear)
        wishes.collect_ended(desk, [s.n for s in shards])
        if session.journal.states(run) != before:
            session.derive(run)
    chosen = {s.n for s in shards}
    return looks, [shard for n, shard in desk.shards.items() if n in chosen]


def _print(session: ScriptSession, run: Run, rows: list[dict], summary: dict | None) -> None:
    notes = (f"; paused: {run.paused}" if run.paused else "") + ("; cancelled" if run.stopped else "")
    notes += f"; a record, imported {iso(run.imported)}" if run.imported else ""
    session.say(f"run {run.name}: {run.planned:,} requests{notes}")
    header = ("batch", "model", "status", "answered", "failed", "age", "left", "")
    session.print_table(header, [_cells(row) for row in rows])
    for row in rows:
        name = row["batch_id"] or f"shard {row['shard']}"
        for problem in row["problems"][:10]:
            session.say(one_line(f"{name}: {_problem(problem)}"))
        if row["note"]:
            session.say(one_line(f"{name}: {row['note']}", 500))
    session.say(*_waiting(session, run))
    if summary:
        session.say(the_sum(summary), *receipt_lines(summary.get("receipt", {})))
        if summary["simulated"]:
            session.say(SIMULATED)
        session.say(f"table: {run.folder / 'results.csv'}")


def _waiting(session: ScriptSession, run: Run) -> Iterator[str]:
    """What of a run is still to be sent, and what sends it."""
    found = waiting_facts(session.journal, run)
    if not found["started"]:
        yield "planned only: nothing of it was sent"
        return
    sends = "once it is taken up again" if run.paused or run.stopped else "by the run's own command, or by make collect"
    if found["again"]:
        yield f"{found['again']:,} requests wait to be sent again, {sends}"
    if found["first"]:
        yield f"{found['first']:,} requests wait to be sent, {sends}"


def _cells(row: dict) -> tuple:
    return (
        row["batch_id"] or f"(shard {row['shard']})",
        row["model"],
        row["status"] if row["state"] == "submitted" else row["state"],
        f"{row['succeeded']:,}/{row['requests']:,}",
        row["failed"],
        "" if row["age_seconds"] is None else duration(row["age_seconds"]),
        "" if row["seconds_left"] is None else duration(max(row["seconds_left"], 0)),
        "adopted" if row["adopted"] else "",
    )


def _problem(problem: dict) -> str:
    line = f"line {problem['line']}: " if problem.get("line") else ""
    return f"{line}{problem.get('custom_id') or ''} {problem.get('code') or ''} {problem.get('message') or ''}"


def _foreign_status(session: ScriptSession, batch_id: str) -> int:
    """A batch that no run of ours made: look at it, and collect it raw when it has ended."""
    check_open(session.account)
    session.check_key()
    batch = next(iter(session.provider.status([batch_id])), None)
    if batch is None:
        host = session.account.host.title
        raise InputError(f"{host} knows no batch {one_line(batch_id, 80)!r}, and no run here has that name; --list shows both")
    files = []
    if batch.ended and not batch.failed:
        paths = raw_files(session.results / session.script.folder, batch.id)
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        files = [p for p in paths if p.exists()] or session.provider.download(batch, *paths)
    if session.args.json:
        session.json({**_listed(session, batch), "ended": batch.ended, "problems": [dict(p) for p in batch.problems],
                      "files": [str(f) for f in files]})  # fmt: skip
    else:
        session.say(
            f"batch {one_line(batch.id)}: {one_line(batch.status, 40)}, {batch.succeeded:,} of {batch.total:,} succeeded, "
            f"{batch.errored:,} failed (no run here made it)",
            *(one_line(_problem(problem)) for problem in batch.problems),
            *(f"raw: {file}" for file in files),
        )
    return OK if batch.ended and not batch.failed else UNFINISHED


def cancel(session: ScriptSession, name: str) -> int:
    """Stop a batch, or a run with all its batches. Returns the exit code."""
    if (found := session.find(name)) is None:
        check_open(session.account)
        session.check_key()
        try:
            session.provider.cancel(name)
        except Refused as error:
            if error.status == 404:
                raise InputError(f"{session.account.host.title} knows no batch {one_line(name, 80)!r}; --list shows them") from None
            raise
        return _said(session, {"cancelling": [name]}, f"batch {one_line(name)}: the provider was asked to cancel it")
    run, shards = found
    session.own_account(run)

    with session.journal.lock(run):
        desk = session.desk(run)
        desk.listeners.append(lambda event: session.say(event.text) if event.text else None)
        if name == run.name:
            asked = wishes.cancel(desk)
        elif shards[0].state == "submitted":
            asked = [name] if wishes.cancel_one(desk, shards[0]) else []
        else:
            raise InputError(f"batch {name} is {shards[0].state}; only a running batch can be cancelled")
        lost = desk.count(State.SUBMITTING)
    text = f"{len(asked)} batches asked to stop; what is finished stays paid, and --status {run.name} collects it"
    if lost:
        text += f"; {lost} batch is still looked for: its creation went unanswered, and the run's command cancels it once it is found"
    _said(session, {"run": run.name, "cancelling": asked, "looked_for": lost}, text)
    return UNFINISHED if lost else OK


def _said(session: ScriptSession, found: dict, line: str) -> int:
    session.json(found) if session.args.json else session.say(line)
    return OK


def give_up(session: ScriptSession, name: str) -> int:
    """Close owed batches: one, or all of a run. Returns the exit code. Raises InputError when nothing is owed."""
    if (found := session.find(name)) is None:
        raise InputError(f"no run or batch {one_line(name, 80)!r} here; --list shows the runs")
    run, shards = found
    session.own_account(run)
    with session.journal.lock(run):
        closed = wishes.give_up(session.desk(run), (shard.batch_id for shard in shards))
        if not closed:
            raise InputError(f"nothing is owed in {one_line(name, 80)}; --status {run.name} shows where it stands")
        session.derive(run)
    return _said(session, {"run": run.name, "given_up": closed}, f"given up: {', '.join(map(one_line, closed))}")


def list_all(session: ScriptSession) -> int:
    """All runs of the script's provider, and the account's newest batches where a key is there. Returns the exit code."""
    runs = [run_facts(session.journal, run) for run in session.runs()]
    is_open = session.account.host.local or not session.account.host.closed_on
    newest = islice(session.provider.listing(), LISTED) if session.account.key and is_open else ()
    batches = [_listed(session, batch) for batch in newest]
    if session.args.json:
        session.json({"runs": runs, "batches": batches})
        return OK
    rows = [(r["run"], r["created"], f"{r['requests']:,}", ", ".join(r["models"]), r["address"], _states(r)) for r in runs]
    session.print_table(("run", "created", "requests", "models", "at", "batches"), rows)
    session.say(*(session.journal.garbled.values() if session.journal else ()))
    if batches:
        session.say("", "the account's newest batches:")
        session.print_table(("batch", "status", "succeeded", "failed", "run"), map(_listed_row, batches))
    return OK


def _listed_row(batch: dict) -> tuple:
    succeeded = f"{batch['succeeded']:,}/{batch['requests']:,}"
    return one_line(batch["batch_id"], 80), batch["status"], succeeded, batch["failed"], batch["run"] or "(not made here)"


def _states(run: dict) -> str:
    marks = " paused" * bool(run["paused"]) + " cancelled" * run["cancelled"] + " imported" * bool(run["imported"])
    return ", ".join(f"{n} {state}" for state, n in sorted(run["states"].items())) + marks


def _listed(session: ScriptSession, batch: Batch) -> dict:
    try:
        owner = session.owner(batch.id)
    except InputError as error:
        session.warn(one_line(error))
        owner = None
    return batch_facts(batch, owner[0] if owner else None)
