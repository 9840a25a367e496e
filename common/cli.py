"""The command line of the four scripts: arguments, messages, exit codes. With its helpers, the only printer."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from common import local, planning, report, results, settings
from common.errors import BatchError, Refused, Usage
from common.experiment import load, narrow
from common.journal import Journal
from common.lifecycle import Lifecycle, Options
from common.providers.base import Provider
from common.providers.sdk import one_line
from common.records import Batch, Run, Shard

OK, UNFINISHED, INPUT, REFUSED, DETACHED = 0, 1, 2, 3, 130


@dataclass(frozen=True)
class Script:
    """What an entry script declares: its file name, results folder, host and model group."""

    name: str
    folder: str
    host: str
    group: tuple[str, ...]
    needs_batch: bool


def parser(script: Script) -> argparse.ArgumentParser:
    """All options of a script."""
    p = argparse.ArgumentParser(
        prog=f"python {script.name}",
        description="Run an experiment through a batch API at batch price; the same command again goes on where it stopped.",
        epilog="Exit codes: 0 every request has an answer; 1 not finished, or rows failed for good; 2 your input; "
        "3 the provider refused (key, quota); 130 detached.",
        allow_abbrev=False,
    )
    do = p.add_argument_group("what to do")
    do.add_argument("--batch", action="store_true", help="submit, watch and collect" + ("" if script.needs_batch else " (the default here)"))
    do.add_argument("--dry-run", action="store_true", help="check, write the shards, show counts and price; send nothing")
    do.add_argument("--no-wait", action="store_true", help="submit and return; the same command collects later")
    do.add_argument("--status", metavar="ID", help="a batch id or a run: where it stands; collects what has ended")
    do.add_argument("--cancel", metavar="ID", help="a batch id or a run: stop it; finished rows are kept")
    do.add_argument("--list", action="store_true", help="all runs of this provider, and the account's batches if a key is there")
    do.add_argument("--retry-failed", metavar="RUN", help="send every row of a run without a clean answer once more")
    what = p.add_argument_group("what to ask")
    what.add_argument("--model", nargs="+", action="extend", metavar="ALIAS", default=[], help=f"default: those alive of {', '.join(script.group)}")
    what.add_argument("--experiment", type=Path, default=settings.ROOT / "experiments/literary", metavar="PATH", help="a folder with an experiment.toml (default: experiments/literary)")
    what.add_argument("--trials", type=_count, metavar="N", help="trials of each cell instead of the experiment's")
    what.add_argument("--limit", type=_count, metavar="N", help="at most N requests in all, shared evenly among the models")
    what.add_argument("--persona", nargs="+", action="extend", metavar="ID", help="only these personas")
    what.add_argument("--text", nargs="+", action="extend", metavar="ID", help="only these texts")
    what.add_argument("--run", metavar="NAME", help="a name of your own; a new one repeats the experiment afresh")
    how = p.add_argument_group("how")
    how.add_argument("--local", action="store_true", help="rehearse on the local batch service: no key, no cost, simulated answers")
    how.add_argument("--max-cost", type=_amount, metavar="USD", help="spending cap of the run (MAX_COST_USD, else 10)")
    how.add_argument("--parallel", type=_count, default=8, metavar="N", help="batches in flight at once (default 8)")
    how.add_argument("--poll", type=_seconds, metavar="S", help="first interval between two looks (default 15; 0.2 on this machine); grows to 20 times that")
    how.add_argument("--retries", type=_number, default=3, metavar="N", help="how often a row that failed for a passing reason is sent again (default 3)")
    how.add_argument("--grace", type=_seconds, metavar="S", help="how long a batch whose creation went unanswered is looked for (default 60)")
    how.add_argument("--patience", type=_seconds, default=3600.0, metavar="S", help="how long an unreachable provider is waited for (default 3600)")
    how.add_argument("--skip-invalid", action="store_true", help="leave out requests that cannot be sent and go on with the others")
    how.add_argument("--allow-retired", action="store_true", help="send to a model that is known to be retired")
    how.add_argument("--allow-unknown-price", action="store_true", help="send although no price is known, so no cap can hold")
    how.add_argument("--texts", action=argparse.BooleanOptionalAction, default=True, help="one text file per answer beside the table")
    how.add_argument("--results", metavar="DIR", help="where results go (RESULTS_DIR, else results/)")
    how.add_argument("--speed", type=_seconds, default=local.SPEED, metavar="X", help="with --local: simulated seconds per second (default 3600)")
    how.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return p


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def _number(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 or more")
    return value


def _seconds(text: str) -> float:
    if (value := _amount(text)) == 0:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value


def main(script: Script, argv: Sequence[str] | None = None) -> int:
    """Run a script's command line; returns the exit code. No traceback leaves it unless DEBUG is set."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parser(script).parse_args(arguments)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _detach)
    try:
        settings.load_env()
        return Command(script, args, arguments).go()
    except KeyboardInterrupt:
        print(f"detached: submitted batches go on at the provider. Go on with: {_again(script, arguments)}", file=sys.stderr)
        return DETACHED
    except Usage as error:
        return _fail(error, INPUT)
    except Refused as error:
        return _fail(error, REFUSED)
    except BatchError as error:
        return _fail(f"{error}. Nothing is lost; go on with: {_again(script, arguments)}", UNFINISHED)
    except (OSError, sqlite3.Error) as error:
        where = f"{error.filename}: " if getattr(error, "filename", None) else ""
        said = getattr(error, "strerror", None) or str(error)
        return _fail(f"{where}{said}. Nothing is lost; make room or mend it, then go on with: {_again(script, arguments)}", INPUT)
    except Exception as error:
        if os.environ.get("DEBUG"):
            raise
        return _fail(f"unexpected {type(error).__name__}: {one_line(error)}. Nothing is lost; DEBUG=1 shows where", UNFINISHED)


def _detach(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _again(script: Script, arguments: Sequence[str]) -> str:
    return shlex.join(["python", script.name, *arguments])


def _fail(error: object, code: int) -> int:
    print(f"error: {one_line(error, 1500)}", file=sys.stderr)
    return code


class Command:
    """One command of one script."""

    def __init__(self, script: Script, args: argparse.Namespace, arguments: Sequence[str]) -> None:
        self.script, self.args, self.arguments = script, args, arguments
        self.results = settings.results_folder(args.results)

    def go(self) -> int:
        """Do what the arguments say; returns the exit code."""
        args = self.args
        chosen = [name for name in ("status", "cancel", "list", "retry_failed") if getattr(args, name)]
        if len(chosen) > 1:
            raise Usage("--status, --cancel, --list and --retry-failed are commands of their own; give one of them")
        with self._account() as self.account:
            with _closing(Journal(self.results)) as self.journal:
                match chosen:
                    case ["status"]:
                        return self._status(args.status)
                    case ["cancel"]:
                        return self._cancel(args.cancel)
                    case ["list"]:
                        return self._list()
                    case ["retry_failed"]:
                        return self._retry_failed(args.retry_failed)
                return self._run()

    @contextmanager
    def _account(self) -> Iterator[settings.Account]:
        if self.args.local:
            with local.account(self.script.host, self.results, self.args.speed) as account:
                yield account
        else:
            yield settings.account(self.script.host)

    def _provider(self) -> Provider:
        if self.account.host.api == "anthropic":
            from common.providers.anthropic import Anthropic as kind
        else:
            from common.providers.openai import OpenAIShaped as kind
        return kind(self.account.host, self.account.base_url, self.account.key)

    # ---- planning and running

    def _run(self) -> int:
        args = self.args
        sends = (args.batch or not self.script.needs_batch) and not args.dry_run
        planning_account = self.account
        if sends:
            planning.check_open(self.account)
            self._check_key()
        experiment = narrow(load(args.experiment), args.trials, args.limit, args.persona, args.text)
        models, notices = planning.choose_models(args.model, self.script.group, planning_account, args.allow_retired or not sends)
        if sends:
            planning.check_prices(models, self.account, args.allow_unknown_price)
        self._say(*(f"note: {notice}" for notice in notices))
        planned = planning.plan(
            self.journal, self._provider(), self.account, self.script.folder, experiment, models, args.run, args.skip_invalid
        )
        if not sends:
            return self._show_plan(planned)
        self._check_cap(planned)
        self._print_plan(planned)
        return self._drive(planned.run)

    def _check_key(self) -> None:
        if warning := settings.check_key(self.account, self.script.name):
            self._say(f"warning: {warning}")

    def _cap(self) -> float:
        return float("inf") if self.account.host.local else settings.max_cost(self.args.max_cost)

    def _check_cap(self, planned: planning.Planned) -> None:
        cap, most = self._cap(), planned.ceiling
        if most is not None and most > cap:
            raise Usage(f"this could cost up to {report.usd(most)}, above the cap of {report.usd(cap)}; --max-cost USD raises it. Nothing was sent")

    def _plan_dict(self, planned: planning.Planned) -> dict:
        shards = planned.shards
        return {
            "run": planned.run.name,
            "folder": str(planned.run.folder),
            "host": self.account.host.title,
            "simulated": self.account.host.local,
            "new": planned.is_new,
            "models": {m.alias: m.id for m in planned.models},
            "requests": planned.run.planned,
            "skipped": planned.run.skipped,
            "invalid": [{"custom_id": custom_id, "why": why} for custom_id, why in planned.invalid],
            "bytes": sum(s.bytes for s in shards),
            "estimated_prompt_tokens": sum(s.tokens for s in shards),
            "max_cost_usd": planned.ceiling,
            "shards": [
                {"path": str(s.path), "model": s.model, "requests": s.count, "bytes": s.bytes, "sha256": s.sha256,
                 "estimated_prompt_tokens": s.tokens, "max_cost_usd": s.reserve, "state": s.state}
                for s in shards
            ],
        }  # fmt: skip

    def _print_plan(self, planned: planning.Planned) -> None:
        found = self._plan_dict(planned)
        states = self.journal.states(planned.run)
        self._say(
            f"run {found['run']} at {found['host']}: {found['requests']:,} requests in {len(found['shards'])} batches, "
            f"{report.size(found['bytes'])}, about {found['estimated_prompt_tokens']:,} prompt tokens",
            f"models: {', '.join(found['models'])}",
        )
        if found["skipped"]:
            self._say(f"left out: {found['skipped']:,} requests that cannot be sent, e.g. {found['invalid'][0]['custom_id'] if found['invalid'] else ''}")
        if planned.is_new:
            as_if = " (as if: nothing is paid on the local batch service)" if self.account.host.local else ""
            self._say(f"costs at most {report.usd(found['max_cost_usd'])}{as_if}")
        else:
            self._say("goes on where it stood: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items())))

    def _show_plan(self, planned: planning.Planned) -> int:
        add = "--batch" if self.script.needs_batch and not self.args.dry_run else ""
        found = self._plan_dict(planned)
        if self.args.json:
            self._json({**found, "sent": False, "to_send_add": add})
            return OK
        self._print_plan(planned)
        rows = [(s.path.name, s.model, f"{s.count:,}", report.size(s.bytes), f"{s.tokens:,}", report.usd(s.reserve), s.state) for s in planned.shards[:20]]
        print(report.table(("shard", "model", "requests", "bytes", "tokens", "at most", "state"), rows))
        if len(planned.shards) > 20:
            print(f"… and {len(planned.shards) - 20} more shards")
        print(f"shards: {planned.run.folder / 'shards'}")
        print(f"nothing was sent; add {add} to submit" if add else "nothing was sent; leave out --dry-run to submit")
        return OK

    def _drive(self, run: Run) -> int:
        from common.progress import Progress  # tqdm is only needed here

        with self.journal.lock(run):
            run = self._bind(self.journal.run(run.key))
            show = Progress(run, self.journal.shards(run), self.args.json)
            life = self._lifecycle(run, show)
            try:
                life.resume()
                life.go(until_submitted=self.args.no_wait)
            finally:
                show.close()
                # Whatever ended it: what has been collected is there to be read.
                summary = self._derive(run)
        return self._finish(life.run, summary)

    def _bind(self, run: Run) -> Run:
        """Tie a run to the account that first submits it. Raises Usage for another account's key."""
        mine = self.account.key_digest(self.journal.salt)
        if not run.account:
            return self.journal.save_run(replace(run, account=mine), "bound")
        if run.account != mine:
            raise Usage(f"run {run.name} was submitted with another key; its batches are that account's. Use that key, or --run NAME for a new run")
        return run

    def _lifecycle(self, run: Run, tell) -> Lifecycle:
        args, here = self.args, settings.is_loopback(self.account.base_url)
        rate = self.account.host.requests_per_minute
        options = Options(
            parallel=args.parallel,
            poll=args.poll or (0.2 if here else 15.0),
            retries=args.retries,
            grace=args.grace or (2.0 if self.account.host.local else 60.0),
            patience=args.patience,
            skip_invalid=args.skip_invalid,
            max_cost=self._cap(),
            pace=60.0 / rate if rate else 0.0,
        )
        models = {m.alias: m for m in planning.models_of(run)}
        return Lifecycle(run, self._provider(), self.journal, models, options, tell=tell)

    def _derive(self, run: Run) -> dict:
        """Make table, texts and summary anew from what has been collected."""
        run, shards = self.journal.run(run.key), self.journal.shards(run)
        found = results.write_rows(run, shards, self._provider().decode, self.args.texts)
        return results.write_summary(run, shards, found, time.time())

    def _finish(self, run: Run, summary: dict) -> int:
        pending = summary["outcomes"].get(results.PENDING, 0)
        bad = summary["rows"] - summary["outcomes"].get("succeeded", 0)
        code = OK if summary["adds_up"] and not bad else UNFINISHED
        if self.args.json:
            self._json(summary)
            return code
        print(report.table(report.HEADER, report.run_rows(summary)))
        if summary["simulated"]:
            print(report.SIMULATED)
        if checked := summary["answers_checked"]:
            print("answers checked: " + ", ".join(f"{name} {n:,}" for name, n in checked.items()))
        print(f"sum: {summary['planned']:,} planned = " + " + ".join(f"{n:,} {name}" for name, n in sorted(summary["outcomes"].items(), reverse=True)))
        if not summary["adds_up"]:
            print(f"the sum does not add up: {summary['rows']:,} rows for {summary['planned']:,} requests; make audit looks closer")
        print(f"table: {run.folder / 'results.csv'}")
        if self.args.texts:
            print(f"texts: {run.folder / 'texts'}")
        print(f"raw:   {run.folder.parent / 'batch_results'}")
        if pending:
            print(f"not finished: {pending:,} requests are still to come. Go on with: {_again(self.script, [a for a in self.arguments if a != '--no-wait'])}")
        elif bad:
            print(f"{bad:,} rows have no clean answer ({report.failures(summary['outcomes'])}); "
                  f"to send them once more: python {self.script.name} --retry-failed {run.name}{' --local' if self.args.local else ''}")  # fmt: skip
        return code

    # ---- the other commands

    def _find(self, name: str) -> tuple[Run, list[Shard]] | None:
        """The run that a name means, or the run of a batch id with that batch's shard only."""
        if (run := self.journal.run(f"{self.script.folder}/{name}")) is not None:
            return run, self.journal.shards(run)
        if (found := self.journal.owner(name)) is not None and found[0].provider == self.script.folder:
            return found[0], [found[1]]
        return None

    def _known(self, name: str) -> tuple[Run, list[Shard]]:
        if (found := self._find(name)) is None:
            known = ", ".join(r.name for r in self.journal.runs(self.script.folder)[-5:]) or "none yet"
            raise Usage(f"no run {name!r} here; runs of {self.script.folder}: {known}")
        return found

    def _own_account(self, run: Run) -> None:
        if run.address != self.account.identity:
            hint = "add --local" if run.address == "local" else f"it was submitted to {run.address}; leave out --local and set {self.account.host.url_variable}"
            raise Usage(f"run {run.name} lives elsewhere: {hint}")
        self._check_key()
        if run.account and run.account != self.account.key_digest(self.journal.salt):
            raise Usage(f"run {run.name} was submitted with another key; use that key")

    def _status(self, name: str) -> int:
        if (found := self._find(name)) is None:
            return self._foreign_status(name)
        run, shards = found
        self._own_account(run)
        looks: dict[int, Batch] = {}

        def tell(kind: str, shard: Shard | None = None, text: str = "", batch: Batch | None = None) -> None:
            if batch is not None:
                looks[shard.n] = batch
            elif text:
                self._say(text)

        busy = False
        try:
            lock = self.journal.lock(run)
            lock.__enter__()
        except Usage:
            lock, busy = nullcontext(), True  # its own process collects; we only look
        with _held(lock):
            life = self._lifecycle(run, tell)
            before = {s.n for s in shards if s.state == "fetched"}
            if busy:
                by_id = {s.batch_id: s.n for s in shards if s.state == "submitted"}
                looks.update((by_id[b.id], b) for b in self._provider().status(by_id))
            else:
                life.collect([s.n for s in shards])
            shards = [s for s in self.journal.shards(run) if s.n in {x.n for x in shards}]
            collected = {s.n for s in shards if s.state == "fetched"} - before
            summary = self._derive(run) if collected and not busy else report.summary_of(run)
        rows = [self._status_row(s, looks.get(s.n)) for s in shards]
        if self.args.json:
            self._json({"run": run.name, "states": self.journal.states(run), "paused": run.paused, "batches": rows, "summary": summary})
        else:
            self._print_status(run, rows, summary)
        unfinished = any(s.state not in ("fetched", "refused") for s in shards)
        return UNFINISHED if unfinished or any(s.state == "refused" for s in shards) else OK

    def _status_row(self, shard: Shard, batch: Batch | None) -> dict:
        now = time.time()
        running = batch is not None and not batch.ended
        return {
            "batch_id": shard.batch_id,
            "shard": shard.n,
            "model": shard.model,
            "state": shard.state,
            "status": batch.status if batch else "",
            "requests": shard.count,
            "succeeded": batch.succeeded if batch else shard.tally.get("succeeded", 0),
            "failed": batch.errored if batch else sum(n for name, n in shard.tally.items() if name != "succeeded"),
            "attempt": shard.attempt,
            "adopted": shard.adopted,
            "age_seconds": round(now - (batch.created_at or shard.intent_at)) if batch else None,
            "seconds_left": round(batch.expires_at - now) if running and batch.expires_at else None,
            "note": shard.note,
            "problems": [dict(p) for p in shard.problems],
        }

    def _print_status(self, run: Run, rows: list[dict], summary: dict | None) -> None:
        lines = [
            (
                r["batch_id"] or f"(shard {r['shard']})", r["model"], r["status"] or r["state"], f"{r['succeeded']:,}/{r['requests']:,}",
                r["failed"], "" if r["age_seconds"] is None else report.duration(r["age_seconds"]),
                "" if r["seconds_left"] is None else report.duration(max(r["seconds_left"], 0)), "adopted" if r["adopted"] else "",
            )
            for r in rows
        ]  # fmt: skip
        print(f"run {run.name}: {run.planned:,} requests" + (f"; paused: {run.paused}" if run.paused else "") + ("; cancelled" if run.stopped else ""))
        print(report.table(("batch", "model", "status", "answered", "failed", "age", "left", ""), lines))
        for row in rows:
            for problem in row["problems"][:10]:
                line = f"line {problem['line']}: " if problem.get("line") else ""
                print(one_line(f"{row['batch_id'] or row['shard']}: {line}{problem.get('custom_id', '')} {problem.get('code', '')} {problem.get('message', '')}"))
            if row["note"]:
                print(one_line(f"{row['batch_id'] or 'shard ' + str(row['shard'])}: {row['note']}", 500))
        if summary:
            if summary["simulated"]:
                print(report.SIMULATED)
            print(f"table: {run.folder / 'results.csv'}")

    def _foreign_status(self, batch_id: str) -> int:
        """A batch that no run of ours made: look at it, and collect it raw when it has ended."""
        planning.check_open(self.account)
        self._check_key()
        provider = self._provider()
        batch = next(iter(provider.status([batch_id])), None)
        if batch is None:
            raise Usage(f"{self.account.host.title} knows no batch {one_line(batch_id, 80)!r}, and no run here has that name; --list shows both")
        files = []
        if batch.ended and not batch.failed:
            paths = results.raw_files(self.results / self.script.folder, batch.id)
            paths[0].parent.mkdir(parents=True, exist_ok=True)
            files = [p for p in paths if p.exists()] or provider.download(batch, *paths)
        if self.args.json:
            self._json({"batch_id": batch.id, "status": batch.status, "ended": batch.ended, "requests": batch.total, "succeeded": batch.succeeded,
                        "failed": batch.errored, "problems": [dict(p) for p in batch.problems], "files": [str(f) for f in files]})  # fmt: skip
        else:
            print(f"batch {one_line(batch.id)}: {batch.status}, {batch.succeeded:,} of {batch.total:,} succeeded, {batch.errored:,} failed (no run here made it)")
            for problem in batch.problems:
                print(one_line(f"line {problem.get('line')}: {problem.get('code')} {problem.get('message')}"))
            for file in files:
                print(f"raw: {file}")
        return OK if batch.ended and not batch.failed else UNFINISHED

    def _cancel(self, name: str) -> int:
        if (found := self._find(name)) is None:
            planning.check_open(self.account)
            self._check_key()
            self._provider().cancel(name)
            return self._said({"cancelled": [name]}, f"batch {one_line(name)}: the provider was asked to cancel it")
        run, shards = found
        self._own_account(run)
        with self.journal.lock(run):
            life = self._lifecycle(run, lambda kind, shard=None, text="", batch=None: self._say(text) if text else None)
            if name == run.name:
                count = life.cancel()
            else:
                if shards[0].state not in ("submitted",):
                    raise Usage(f"batch {name} is {shards[0].state}; only a running batch can be cancelled")
                life.cancel_batch(shards[0])
                count = 1
        return self._said({"run": run.name, "cancelling": count}, f"{count} batches asked to stop; finished rows stay paid and are collected by --status {run.name}")

    def _list(self) -> int:
        runs = self.journal.runs(self.script.folder)
        rows = []
        for run in runs:
            states = self.journal.states(run)
            rows.append({"run": run.name, "requests": run.planned, "models": list(run.models), "address": run.address, "states": states,
                         "created": time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at)), "paused": run.paused, "cancelled": run.stopped})  # fmt: skip
        batches = []
        if self.account.key and not (self.account.host.closed_on and not self.account.host.local):
            for batch in self._provider().listing():
                owner = self.journal.owner(batch.id)
                batches.append({"batch_id": batch.id, "status": batch.status, "requests": batch.total, "succeeded": batch.succeeded,
                                "failed": batch.errored, "run": owner[0].name if owner else ""})  # fmt: skip
                if len(batches) == 100:
                    break
        if self.args.json:
            self._json({"runs": rows, "batches": batches})
            return OK
        print(report.table(("run", "created", "requests", "models", "at", "batches"), (
            (r["run"], r["created"], f"{r['requests']:,}", ", ".join(r["models"]), r["address"],
             ", ".join(f"{n} {state}" for state, n in sorted(r["states"].items())) + (" paused" if r["paused"] else "")) for r in rows)))  # fmt: skip
        if batches:
            print("\nthe account's newest batches:")
            print(report.table(("batch", "status", "succeeded", "failed", "run"), (
                (one_line(b["batch_id"], 80), b["status"], f"{b['succeeded']:,}/{b['requests']:,}", b["failed"], b["run"] or "(not made here)") for b in batches)))  # fmt: skip
        return OK

    def _retry_failed(self, name: str) -> int:
        run, _ = self._known(name)
        self._own_account(run)
        with self.journal.lock(run):
            run = self.journal.save_run(replace(run, stopped=False, paused=""), "retry_failed")
            count = self._lifecycle(run, lambda *args, **more: None).retry_failed()
        self._say(f"{count:,} rows of run {run.name} are sent once more")
        return self._drive(run)

    # ---- printing

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(line, file=sys.stderr if self.args.json else sys.stdout, flush=True)

    def _json(self, found: dict) -> None:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())

    def _said(self, found: dict, line: str) -> int:
        self._json(found) if self.args.json else print(line)
        return OK


@contextmanager
def _closing(journal: Journal) -> Iterator[Journal]:
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def _held(lock) -> Iterator[None]:
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
