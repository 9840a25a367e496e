"""Two or three runs at once that spend from the same caps, in memory: threads stand for processes, and a till knows what was billed."""

from __future__ import annotations

import csv
import math
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson

from common import catalog
from common.errors import BatchError
from common.experiment.cut import Cutter
from common.nouns import FINAL, Condition, Limits, Pause, Result, Run, Shard, Usage
from common.runs import wishes
from common.runs.derive import derive
from common.runs.desk import Desk, Options
from common.runs.journal import Journal
from common.runs.lifecycle import Lifecycle
from common.runs.spending import Caps
from tests.basics import asked
from tests.runs.toy import Host, Killed, Time, Toy

MODELS = ("gpt-4.1", "gpt-4o-mini", "o3", "gpt-5", "gpt-5-mini", "o1")  # prompts are written into no cache unasked, so a price is a product
TOKENS = 50_000  # an answer at most
OUTCOMES = ("succeeded",) * 7 + ("truncated", "server_error", "server_error")
ROUNDS = 80  # commands of each run; more means that it does not get on
ROUNDED = 1e-5  # USD; a receipt has six places


class Stage:
    """Threads of which one at a time is at work; who goes on is drawn whenever one of them waits or calls the host."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._me = chance, threading.local()
        self._turns: dict[int, threading.Semaphore] = {}

    def play(self, acts: Sequence[Callable[[], None]]) -> None:
        """All acts to their ends. Raises the first error that one of them ends with."""
        errors: list[BaseException] = []
        self._turns = {n: threading.Semaphore(0) for n in range(len(acts))}
        threads = [threading.Thread(target=self._act, args=(n, act, errors)) for n, act in enumerate(acts)]
        for thread in threads:
            thread.start()
        self._next().release()
        for thread in threads:
            thread.join()
        for error in errors:
            raise error

    def switch(self) -> None:
        """Let another one go on, or the same."""
        if (n := getattr(self._me, "n", None)) is not None and (chosen := self._next()) is not self._turns[n]:
            mine = self._turns[n]
            chosen.release()
            mine.acquire()

    def _next(self) -> threading.Semaphore:
        return self._turns[self._chance.choice([*self._turns])]

    def _act(self, n: int, act: Callable[[], None], errors: list[BaseException]) -> None:
        self._me.n = n
        self._turns[n].acquire()
        try:
            act()
        except BaseException as error:  # noqa: BLE001  told by the thread that waits for this one
            errors.append(error)
        finally:
            del self._turns[n]
            if self._turns:
                self._next().release()


class Hours(Time):
    """A clock near the end of a month, whose sleeps let the others go on."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        super().__init__()
        self._stage = stage
        self.at = datetime(2026, 12, 1, tzinfo=UTC).timestamp() - chance.choice((50, 1000, 1_000_000))

    def sleep(self, seconds: float) -> None:
        """Let time pass, and another one go on."""
        super().sleep(seconds)
        self._stage.switch()


def month_name(at: float) -> str:
    """The month of an intent. Its creation may come after others had slept into the next one: it is the intent's all the same."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m}"


class Till(Host):
    """A host that bills, and looks into the journal whenever it accepts a batch: nothing may ever be above a cap."""

    def __init__(self, folder: Path, seed: int) -> None:
        chance = random.Random(seed)
        self.stage = Stage(chance)
        super().__init__(Hours(self.stage, chance), chance, trouble=chance.choice((0, 0.1)), killing=chance.choice((0, 0.02, 0.08)))
        self.folder, self.missing = folder, chance.choice((0, 0, 0.2, 1))
        self.models = {alias: catalog.find(alias, "openai") for alias in chance.sample(MODELS, 2)}
        self.caps, self.wrong = Caps(), []
        self.bills: dict[str, dict[str, float]] = {}
        self.gone: Counter[tuple[str, bool]] = Counter()  # what forgotten runs have cost at most, by month

    def create(self, shard: Shard) -> str:
        """Accept a batch."""
        batch_id = super().create(shard)
        is_local = self.run(shard.run).address == "local"
        self.batches[batch_id] |= {"shard": shard, "month": (month_name(shard.intent_at), is_local), "group": self.group(shard.run)}
        self.audit()
        return batch_id

    def rows(self, batch_id: str) -> list[dict]:
        """The rows of an ended batch, decided and billed once."""
        batch = self.batches[batch_id]
        if batch["rows"] is None:
            self.bills[batch_id] = {}
            batch["rows"] = [self._row(batch_id, sent, batch["shard"]) for sent in batch["ids"]]
            self.chance.shuffle(batch["rows"])
        return batch["rows"]

    def _row(self, batch_id: str, sent: str, shard: Shard) -> dict:
        outcome, model = self.chance.choice(OUTCOMES), self.models[shard.model]
        read, said = self.chance.randint(1, 40), self.chance.choice((shard.max_tokens, self.chance.randint(1, shard.max_tokens)))
        if outcome == "server_error":
            read = said = 0
        self.bills[batch_id][sent] = (read * model.input + said * model.output) * (1 - model.batch_discount) / 1e6
        told = [read, 0, said] if self.chance.random() >= self.missing or outcome == "server_error" else None
        return {"id": sent, "ok": outcome != "server_error", "outcome": outcome, "usage": told}

    # ---- the judge

    def run(self, key: str) -> Run:
        with closing(Journal(self.folder)) as journal:
            return journal.run(key)

    def group(self, key: str) -> tuple[str, bool]:
        """Who shares the cap of a run."""
        run = self.run(key)
        return run.study or key, run.address == "local"

    def audit(self) -> None:
        """By the bills and by the bodies of the journal: what each group and each month has cost and may still."""
        billed, noted, months = Counter(), Counter(), Counter()
        in_month = Counter(self.gone)
        for batch_id, bills in self.bills.items():
            batch = self.batches[batch_id]
            billed[batch["group"]] += sum(bills.values())
            months[batch["month"]] += sum(bills.values())
        with closing(Journal(self.folder)) as journal:
            for run in journal.runs():
                for shard in journal.shards(run):
                    if shard.state in ("planned", "uploaded", "refused"):
                        continue
                    most = (shard.most if shard.spent is None else shard.spent) if shard.state == "collected" else shard.reserve
                    is_local = run.address == "local"
                    noted[run.study or run.key, is_local] += most
                    in_month[month_name(shard.intent_at), is_local] += most
        for what, found, cap in (
            ("billed", billed, self.caps.run), ("noted", noted, self.caps.run),
            ("billed in", months, self.caps.month), ("noted in", in_month, self.caps.month),
        ):  # fmt: skip
            self.wrong += [f"{what} {who}: {usd} above {cap}" for who, usd in found.items() if usd > cap + 1e-6]


class Window(Toy):
    """One process's way to the till."""

    def _weather(self, *kinds: type[Exception]) -> None:
        self._host.stage.switch()
        super()._weather(*kinds)

    def decode(self, line: dict) -> Result:
        usage = line["usage"]
        return Result(line["id"], line["outcome"], "text" if line["ok"] else "", usage=usage and Usage(*usage))


def planned(till: Till, n: int, study: str, local: bool) -> str:
    """A run of two to four shards on disk and in the journal; its key."""
    chance, folder, alias = till.chance, till.folder, [*till.models][n % 2]
    with closing(Journal(folder)) as journal:
        run = Run(
            f"openai/r{n}", f"r{n}", "d", "openai", "openai", "local" if local else "https://x", "e", "", folder / f"openai/r{n}",
            till.time.at, (alias,), longer=chance.choice((None, 2.0)), study=study,
        )  # fmt: skip
        (run.folder / "shards").mkdir(parents=True)
        told = {"experiment": "e", "personas": {"1": "p"}, "models": {alias: till.models[alias].id}, "texts": {}, "questions": []}
        (run.folder / "run.json").write_bytes(orjson.dumps(told))
        plan = Cutter(run=run.key, folder=run.folder / "shards", limits=Limits(chance.randint(1, 3), None), provider=Window(till))
        conditions = asked([Condition(till.models[alias], "1", "t", "", "word " * 50, None)], chance.randint(2, 6), TOKENS)
        journal.plan(journal.save_run(run, "created"), list(plan.cut(conditions, TOKENS, 1, None)))
        return run.key


def life(till: Till, key: str) -> None:
    """One process with a run's command."""
    options = Options(parallel=2, poll=10.0, grace=60.0, patience=600.0, retries=2, caps=till.caps)
    with closing(Journal(till.folder, clock=till.time.clock.now)) as journal, journal.lock(run := journal.run(key)):
        desk = Desk(run, Window(till), journal, till.models, options, clock=till.time.clock)
        try:
            wishes.resume(desk)
            Lifecycle(desk).go()
        except (Killed, BatchError):
            pass


def is_over(till: Till, key: str) -> bool:
    with closing(Journal(till.folder)) as journal:
        return all(shard.state in FINAL for shard in journal.shards(journal.run(key)))


def trial(folder: Path, seed: int) -> list[str]:
    """Some runs from plan to end, with caps that stop them now and then; what was wrong."""
    till = Till(folder, seed)
    chance = till.chance
    study = chance.choice(("", "", "s"))
    keys = [planned(till, n, study, local=n == 2) for n in range(chance.choice((2, 3)))]
    with closing(Journal(folder)) as journal:
        reserves = [shard.reserve for key in keys for shard in journal.shards(journal.run(key))]
    whole, one = sum(reserves), max(reserves)
    till.caps = Caps(max(one, whole * chance.uniform(0.1, 1.5)), chance.choice((math.inf, max(one, whole * chance.uniform(0.1, 1.5)))))
    left = [*keys]
    for turn in range(ROUNDS):
        till.time.jump += chance.choice((0, 0, 0, 3600, -7200))
        till.stage.play([lambda key=key: life(till, key) for key in left])
        till.audit()
        left = [key for key in left if not is_over(till, key)]
        if not left:
            break
        _between(till, left, turn)
    else:
        till.wrong.append(f"never ended: {left}")
    for key in keys:
        till.wrong += settled(till, key)
        if chance.random() < 0.5:
            forget(till, key)
            till.audit()
    return till.wrong


def _between(till: Till, left: Sequence[str], turn: int) -> None:
    """What a person does with a run that a cap has stopped: waits, for others or for a new month, or raises what stopped it."""
    paused = [run.paused for key in left if (run := till.run(key)).paused_by is Pause.CAP]
    if not paused:
        return
    if till.chance.random() < 0.2:
        till.time.at += 31 * 86400
    elif till.chance.random() < 0.3 + turn / ROUNDS:
        run, month = any("--max-cost" in why for why in paused), any("MONTHLY_CAP_USD" in why for why in paused)
        till.caps = Caps(till.caps.run * (1 + 0.5 * run), till.caps.month * (1 + 0.5 * month))


def forget(till: Till, key: str) -> None:
    """Let go of a run that is over; what it has cost stays."""
    with closing(Journal(till.folder)) as journal:
        run = journal.run(key)
        for shard in journal.shards(run, "collected"):
            till.gone[month_name(shard.intent_at), run.address == "local"] += shard.most if shard.spent is None else shard.spent
        before = [journal.month(till.time.at, simulated) for simulated in (False, True)]
        journal.forget(run)
        for old, simulated in zip(before, (False, True)):
            if abs(journal.month(till.time.at, simulated).total - old.total) > 1e-6:
                till.wrong.append(f"{key} was forgotten with its money")


def settled(till: Till, key: str) -> list[str]:
    """What is wrong with the books of a run that is over: reservations, batches, receipt and rows."""
    wrong, run = [], till.run(key)
    with closing(Journal(till.folder)) as journal:
        if journal.money(key).out or journal.month(0.0, run.address == "local").out:
            wrong.append("a reservation is not settled")
        found = {shard.batch_id: shard for shard in journal.shards(run, "collected")}
        receipt = derive(journal, key, Window(till).decode, texts=False)
    bills = {batch_id: till.bills[batch_id] for batch_id in found}
    for batch_id, shard in found.items():
        billed = sum(bills[batch_id].values())
        if not (abs(shard.spent - billed) < 1e-9 if shard.spent is not None else billed <= shard.most + 1e-9 <= shard.reserve + 2e-9):
            wrong.append(f"{batch_id}: billed {billed}, noted {shard.spent}, {shard.most} of {shard.reserve}")
    with open(run.folder / "results.csv", encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    of_rows = sum(bills[row["batch_id"]].pop(row["custom_id"]) for row in rows)  # the rest was billed for earlier attempts
    earlier = sum(sum(rest.values()) for rest in bills.values())
    if "" not in (costs := [row["cost_usd"] for row in rows]) and abs(sum(map(float, costs)) - of_rows) > ROUNDED:
        wrong.append(f"the rows cost {sum(map(float, costs))}, billed {of_rows}")
    if receipt["cost_usd"] is not None and abs(receipt["cost_usd"] - of_rows - earlier) > ROUNDED:
        wrong.append(f"the receipt says {receipt['cost_usd']}, billed {of_rows + earlier}")
    return [f"{key}: {text}" for text in wrong]
