"""One experiment at several providers from the command line: one plan with one price, then all of them driven at once."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from common.cli import capped
from common.cli.drive import drive
from common.cli.exits import INTERRUPTED, OK, UNFINISHED, fail, tried
from common.cli.folder import results_folder
from common.cli.price import ENOUGH, expected_lines, price_facts, price_table, priced
from common.cli.run import code_of, may_send, planned_for
from common.cli.scripts import Script
from common.cli.session import ScriptSession, forgetting, opened
from common.cli.since import since, told_since_all
from common.cli.text import SIMULATED, runs_table, the_sum
from common.cli.where import check_study, host_in_study
from common.cli.whose import script_for
from common.errors import InputError
from common.experiment.experiment import Experiment, narrow
from common.experiment.read import load
from common.nouns import Run
from common.outcomes import PENDING
from common.retry import Clock
from common.runs import studies
from common.runs.expected import Cost, total
from common.runs.money import receipt_lines
from common.runs.overview import plan_facts, summary_of
from common.runs.plan import Planned
from common.text import many, one_line, usd

TYPED = "tools/study.py"
CALLS = 60.0  # seconds that calls under way have to end in after Ctrl-C


def command(args: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Plan a study at all its providers; with --batch send it. Returns the worst exit code of them."""
    parts = _parts(args.model)
    check_study(parts, args)
    if args.sample:
        raise InputError("--sample is of one provider; name its script, or --limit N for the study")
    experiment, sends = load(args.experiment, results_folder(args.results)), _sends(args)
    with ExitStack() as stack:
        sessions = {script: stack.enter_context(_session(script, args, arguments)) for script in parts}
        if sends:
            _check_may_send(sessions.values())
        shares = _shares(args.limit, parts)
        planned = {
            script: planned_for(session, _part(experiment, args, shares[script]), parts[script], sends)
            for script, session in sessions.items()
            if shares[script] != 0
        }
        sessions = {script: sessions[script] for script in planned}
        name, first = args.run or experiment.name, next(iter(sessions.values()))
        if not sends:
            return _show(first, name, sessions, planned, args)
        for script, plan in planned.items():
            planned[script] = replace(plan, run=studies.join(sessions[script].journal, plan.run, name))
        capped.check(first, planned.values(), f"study {name}")
        _show(first, name, sessions, planned, args)
        return _finish(first, name, _driven(planned, args, arguments), planned)


# ---- the plan


def _sends(args: argparse.Namespace) -> bool:
    return args.batch and not args.dry_run


def _parts(names: Sequence[str]) -> dict[Script, list[str]]:
    """The models by the script that asks them. Raises InputError for one that no provider is known to have."""
    if not names:
        raise InputError("name the models: --model gpt-4.1 claude-haiku-4-5 …; make models lists them")
    parts: dict[Script, list[str]] = {}
    for name in dict.fromkeys(names):
        if (script := script_for(name)) is None:
            said = "no provider in the catalog has it (make models lists what there is)"
            raise InputError(
                f"unknown model {one_line(name, 60)!r}: {said}; a raw id is asked by its provider's script, --model {one_line(name, 60)}"
            )
        parts.setdefault(script, []).append(name)
    return parts


def _shares(limit: int | None, parts: dict[Script, list[str]]) -> dict[Script, int | None]:
    """How many of at most `limit` requests each provider gets: shared evenly among all models."""
    if limit is None:
        return dict.fromkeys(parts)
    count, extra = divmod(limit, sum(map(len, parts.values())))
    shares, before = {}, 0
    for script, models in parts.items():
        shares[script] = count * len(models) + min(max(extra - before, 0), len(models))
        before += len(models)
    return shares


def _part(experiment: Experiment, args: argparse.Namespace, limit: int | None) -> Experiment:
    return narrow(experiment, args.trials, limit, args.persona, args.text, primed=args.prime_cache)


@contextmanager
def _session(script: Script, args: argparse.Namespace, arguments: Sequence[str], clock: Clock | None = None) -> Iterator[ScriptSession]:
    calls = _sends(args) or args.exact_tokens
    with opened(TYPED, host_in_study(script, args), args, makes_journal=True, calls=calls) as found:
        yield ScriptSession(**vars(found), script=script, arguments=arguments, clock=clock or Clock())


def _check_may_send(sessions: Iterable[ScriptSession]) -> None:
    """Raises one InputError with all that stands in the way, at whichever provider."""
    wrong = []
    for session in sessions:
        try:
            may_send(session)
        except InputError as error:
            wrong.append(str(error))
    if wrong:
        raise InputError("; ".join(dict.fromkeys(wrong)))


def _show(
    voice: ScriptSession, name: str, sessions: dict[Script, ScriptSession], planned: dict[Script, Planned], args: argparse.Namespace
) -> int:  # fmt: skip
    """The one plan, and what it may cost."""
    sends = _sends(args)
    if sends and args.json:
        return OK
    costs = {script: priced(sessions[script], plan) for script, plan in planned.items()}
    changed = {script.folder: since(sessions[script], plan) for script, plan in planned.items()}
    every = [cost for of_one in costs.values() for cost in of_one]
    if args.json:
        runs = [
            {"provider": script.folder, **plan_facts(plan.run, plan.models, plan.shards, plan.ceiling), "taken_over": plan.taken,
             "changed": changed[script.folder], **price_facts(costs[script])}
            for script, plan in planned.items()
        ]  # fmt: skip
        whole = {"max_cost_usd": total(cost.max_usd for cost in every), **price_facts(every)}
        stops = [stop.facts() for stop in capped.stops_of(voice, planned.values())]
        voice.json({"study": name, "simulated": args.local, **whole, "caps_that_stop_it": stops, "runs": runs, "sent": False})
        return OK
    print(price_table(every))
    voice.say(
        *(f"{script.folder}: run {plan.run.name} at {sessions[script].account.host.title}" for script, plan in planned.items()),
        _sum(name, planned, every, args.local),
        *expected_lines(every, f"the script of its provider with --sample {ENOUGH} tells"),
        *told_since_all(changed),
        *capped.told(voice, planned.values(), f"study {name}"),
    )
    _say_left_out(voice, planned)
    if not sends:
        steps = ["add --batch"] * (not args.batch) + ["leave out --dry-run"] * args.dry_run
        voice.say(*forgetting(voice, [plan.run for plan in planned.values()]), f"nothing was sent; {' and '.join(steps)} to submit")
    return OK


def _sum(name: str, planned: dict[Script, Planned], every: Iterable[Cost], local: bool) -> str:
    as_if = " (as if: nothing is paid on the local batch service)" if local else ""
    requests, taken = sum(plan.run.planned for plan in planned.values()), sum(plan.taken for plan in planned.values())
    there = f"{taken:,} of them answered already; " if taken else ""
    most = usd(total(cost.max_usd for cost in every))
    places = many(len(planned), "provider")
    return f"study {name}: {requests:,} requests at {places}; {there}what is not sent yet costs at most {most}{as_if}"


def _say_left_out(voice: ScriptSession, planned: dict[Script, Planned]) -> None:
    for plan in planned.values():
        voice.say(*(f"{count:,} of them are being asked by {key}: its answers are waited for" for key, count in plan.waits.items()))
    for script, plan in planned.items():
        example = f", e.g. {plan.invalid[0][0]}: {plan.invalid[0][1]}" if plan.invalid else ""
        voice.say(*[f"left out at {script.folder}: {plan.run.skipped:,} requests that cannot be sent{example}"] * bool(plan.run.skipped))


# ---- driving


class _Driver(threading.Thread):
    """One provider's run, driven with connections of its own."""

    def __init__(self, script: Script, plan: Planned, args: argparse.Namespace, arguments: Sequence[str], stop: threading.Event) -> None:
        super().__init__(name=script.folder, daemon=True)
        self.script, self.plan, self.code, self.said = script, plan, UNFINISHED, ""
        self._args, self._arguments, self._stop_asked = args, arguments, stop

    def run(self) -> None:
        """Drive the run; its end is in `code` and `said`."""
        try:
            self.code, self.said = tried(self._drive, f"the same command, or python {self.script.name} --status {self.plan.run.name}")
        except KeyboardInterrupt:
            self.code = INTERRUPTED

    def _drive(self) -> int:
        with _session(self.script, self._args, self._arguments, Clock(sleep=self._sleep)) as session:
            _, summary = drive(session, self.plan.run, self.plan.is_new, f"{self.script.folder}: ", self.plan.as_of)
        return code_of(summary, self._args.no_wait)

    def _sleep(self, seconds: float) -> None:
        """Sleep, unless the command is to end: in the one way in which all that sleeps is ended."""
        if self._stop_asked.wait(seconds):
            raise KeyboardInterrupt


def _driven(planned: dict[Script, Planned], args: argparse.Namespace, arguments: Sequence[str]) -> list[_Driver]:
    """All runs driven at once, to their ends: one that fails, or waits, does not hold up the others."""
    stop = threading.Event()
    drivers = [_Driver(script, plan, args, arguments, stop) for script, plan in planned.items()]
    try:
        for driver in drivers:
            driver.start()
        for driver in drivers:
            while driver.is_alive():
                driver.join(0.5)
    except KeyboardInterrupt:
        stop.set()
        for driver in drivers:
            driver.join(CALLS)
        raise
    return drivers


def _finish(session: ScriptSession, name: str, drivers: list[_Driver], planned: dict[Script, Planned]) -> int:
    runs: list[Run] = [plan.run for plan in planned.values()]
    summaries = [found for run in runs if (found := summary_of(run))]
    errors = {driver.script.folder: driver.said for driver in drivers if driver.said}
    if session.args.json:
        session.json({"study": name, "runs": summaries, "errors": errors})
    else:
        _print(session, name, summaries)
    for driver in drivers:
        if driver.said:
            fail(f"{driver.script.folder}: {driver.said}", driver.code)
    return max((driver.code for driver in drivers), default=UNFINISHED)


def _print(session: ScriptSession, name: str, summaries: list[dict]) -> None:
    if summaries:
        print(runs_table(summaries))
    if any(summary["simulated"] for summary in summaries):
        session.say(SIMULATED)
    for summary in summaries:
        session.say(
            f"{summary['provider']}: {the_sum(summary)}",
            *(f"  {line}" for line in receipt_lines(summary.get("receipt", {}))),
            f"  table: {session.results / summary['provider'] / summary['run'] / 'results.csv'}",
        )
    if pending := sum(summary["outcomes"].get(PENDING, 0) for summary in summaries):
        session.say(f"study {name}: {pending:,} requests are still to come. Go on with: {session.again()} (or make collect)")
