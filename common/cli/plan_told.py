"""A plan in words, as a table and as JSON: what is asked of whom, what it may cost, and what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence

from common import catalog
from common.cli import by, capped
from common.cli.exits import OK
from common.cli.price import price_facts, price_lines, price_table, priced, without_batch
from common.cli.session import ScriptSession, forgetting
from common.cli.since import since, told_since
from common.nouns import Host
from common.runs.choose import as_batches
from common.runs.expected import Cost
from common.runs.overview import cache_is_old, counted_line, grid_of, plan_facts, started
from common.runs.plan import Planned
from common.text import many, size, usd


def unverified(host: Host) -> list[str]:
    """What is said of figures of a host that nobody could check, or that are not known."""
    told = [*host.unverified, *(["discount (none is counted)"] if host.discount is None else [])]
    return [f"not verified for {catalog.hosts()[host.name].title}: {', '.join(told)}"] if told and host.name in catalog.hosts() else []


def _plan_facts(session: ScriptSession, planned: Planned, costs: Sequence[Cost]) -> dict:
    host = session.account.host
    return {
        **plan_facts(planned.run, planned.models, planned.shards, planned.ceiling),
        "host": host.title,
        "unverified": unverified(host),
        "simulated": host.local,
        "new": planned.is_new,
        "invalid": [{"custom_id": custom_id, "why": why} for custom_id, why in planned.invalid],
        **grid_of(planned.run),
        "taken_over": planned.taken,
        "processing": session.account.way or "batch",
        "as_batches_max_cost_usd": as_batches(planned.run, planned.shards) if session.account.way == "standard" else None,
        "taken_over_cost_usd": planned.saved,
        "asked_elsewhere": dict(planned.waits),
        "queue": session.queues(planned.models).plan(planned.shards),
        "changed": since(session, planned),
        **price_facts(costs),
        "caps_that_stop_it": [stop.facts() for stop in capped.stops_of(session, [planned])],
    }


def print_plan(session: ScriptSession, planned: Planned, costs: Sequence[Cost], alone: bool) -> None:
    """Tell a plan in lines; `alone`: no table of its price stands beside them."""
    found = _plan_facts(session, planned, costs)
    counted = counted_line(found["prompt_tokens_counted"])
    session.say(
        f"run {found['run']} at {found['host']}: {many(found['requests'], 'request')} in {many(len(found['shards']), 'batch')}, "
        f"{size(found['bytes'])}, {'about ' * (not counted)}{found['estimated_prompt_tokens']:,} prompt tokens{counted}",
        f"models: {', '.join(found['models'])}",
        *([found["grid"]["line"]] if "line" in found["grid"] else ()),
        *(f"note: {line}" for line in found["told"]),
        *told_since(found["changed"]),
    )
    if found["skipped"]:
        example = f", e.g. {planned.invalid[0][0]}: {planned.invalid[0][1]}" if planned.invalid else ""
        session.say(f"left out: {found['skipped']:,} requests that cannot be sent{example}")
    states = session.journal.states(planned.run)
    for other, why in planned.unread.items():
        session.warn(f"the answers of {other} cannot be read, so what it has asked is asked again: {why}")
    for other, count in planned.waits.items():
        session.say(f"{count:,} of them are being asked by {other}: its answers are waited for, and taken over")
    if planned.is_new or not started(session.journal, planned.run):
        beside = without_batch(costs) if alone and not session.account.way else []  # the table tells it too
        session.say(*price_lines(session, planned, costs), *beside, *found["queue"].values())
    else:
        session.say("goes on where it stood: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items())))
        session.say(*cache_is_old(planned.shards))
    session.say(*capped.told(session, [planned], "this"), *by.told(session, planned))


def show_plan(session: ScriptSession, planned: Planned) -> int:
    """Show a plan of which nothing is sent, and what to type to send it."""
    args, own = session.args, session.account.host.own
    add = ("--live" if own else "--batch") if session.script.needs_batch and not (args.batch or args.live) else ""
    costs = priced(session, planned)
    if session.args.json:
        session.json({**_plan_facts(session, planned, costs), "sent": False, "to_send_add": add})
        return OK
    print_plan(session, planned, costs, alone=False)
    print(price_table(costs), end="\n\n")
    shown = planned.shards[:20]
    rows = [(s.path.name, s.model, f"{s.count:,}", size(s.bytes), f"{s.tokens:,}", usd(s.reserve), s.state) for s in shown]
    session.print_table(("shard", "model", "requests", "bytes", "tokens", "at most", "state"), rows)
    if len(planned.shards) > len(shown):
        session.say(f"… and {len(planned.shards) - len(shown)} more shards")
    session.say(f"shards: {planned.run.folder / 'shards'}", *forgetting(session, [planned.run]))
    steps = [f"add {add}"] * bool(add) + ["leave out --dry-run"] * session.args.dry_run
    session.say(f"nothing was sent; {' and '.join(steps)} to submit")
    return OK
