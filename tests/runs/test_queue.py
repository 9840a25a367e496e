"""The host's queue: what fits goes, the rest waits, whoever shares it; what was refused is learned from, and never a loop."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from common.errors import Busy
from common.experiment.cut import Cutter
from common.nouns import FINAL, Condition, Limits, Quota, Run, Shard, State
from common.providers.quota import said
from common.runs.desk import Desk, Options
from common.runs.journal import Journal
from common.runs.lifecycle import Lifecycle
from common.runs.queue import DOUBT, WEEK, Queues
from common.runs.spending import Caps
from tests.basics import asked
from tests.runs.test_state_machine import MODEL
from tests.runs.toy import Host, Time, Toy
from tests.support import Commands

LIMIT = 1000  # prompt tokens
BATCH = 600.0  # seconds that each takes
OPTIONS = Options(parallel=8, poll=15.0, grace=60.0, caps=Caps(1000.0))
STUDY = {"trials": "70", "text": '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t1.txt"}]'}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("Enqueued token limit reached for gpt-4o-mini in organization org-1. Limit: 2,000,000 enqueued tokens. Try", Quota(2_000_000)),
        ("Enqueued request limit reached for text-embedding-3-small. Limit: 1,000,000 enqueued requests.", Quota(None, 1_000_000)),
        ("The number of enqueued tokens has surpassed the configured limit of 30K for the deployment 'x'.", Quota(30_000)),
        ("would exceed your organization's limit of 150 requests in the batch processing queue.", Quota(None, 150)),
        ("Enqueued token limit reached", None),
        ("Rate limit reached: limit of 50 requests per minute", None),
        ("Limit: 0 enqueued tokens", None),
    ],
)
def test_what_a_refusal_names(text: str, limit: Quota | None) -> None:
    """All known forms; a rate, or nothing, is no queue."""
    assert said(text) == (limit and limit._replace(source="as the host has said"))


# ---- in memory, on a clock of its own


class Full(Toy):
    """A host whose queue takes so many tokens, of which others have some, and which counts more than we do."""

    def __init__(self, host: Host, limit: int, others: int = 0, weight: float = 1.0, names_it: bool = True) -> None:
        super().__init__(host)
        self.limit, self.others, self.weight, self.names_it = limit, others, weight, names_it
        self.tokens: dict[str, float] = {}
        self.most = self.refused = 0.0

    def submit(self, shard: Shard, *more: object) -> str:
        now = self._host.time.at
        there = self.others + sum(n for one, n in self.tokens.items() if self._host.batches[one]["ends"] > now)
        if there + self.weight * shard.tokens > self.limit:
            self.refused += 1
            raise Busy(f"limit of {self.limit} tokens in the queue" if self.names_it else "limit of 0 tokens in the queue", None)
        made = self._host.create(shard)
        self._host.batches[made]["ends"] = now + BATCH
        self.tokens[made] = self.weight * shard.tokens
        self.most = max(self.most, there + self.tokens[made])
        return made


class Sure(random.Random):
    """Chance by which all goes well."""

    def random(self) -> float:
        return 0.5


@dataclass
class Folder:
    """A results folder, and the runs in it. Each request has 16 prompt tokens, and is answered."""

    path: Path
    host: Host

    def planned(self, name: str, requests: int, queues: Queues | None = None) -> Run:
        """A run of so many requests, cut for the queue if that is known."""
        with closing(Journal(self.path)) as journal:
            run = Run(f"toy/{name}", name, "d", "toy", "toy", "local", "e", "", self.path / "toy" / name, self.host.time.at, ("m",))
            (run.folder / "shards").mkdir(parents=True)
            limits = replace(Limits(None, None), **(queues.cut(Limits(None, None), "m") if queues else {}))
            plan = Cutter(run=run.key, folder=run.folder / "shards", limits=limits, provider=Toy(self.host))
            conditions = [Condition(MODEL, "1", f"t{n}", "", "a b c?", None) for n in range(requests)]
            made = list(plan.cut(asked(conditions, 1, 10), 10, 1, None))
            return journal.plan(journal.save_run(run, "created"), made)

    def driven(self, run: Run, provider: Full, **known: Quota) -> float:
        """One command to its end; seconds that it took."""
        begun, clock = self.host.time.at, self.host.time.clock
        with closing(Journal(self.path, clock=clock.now)) as journal, journal.lock(run):
            queues = Queues(journal, "", run.key, person=known, clock=clock)
            desk = Desk(journal.run(run.key), provider, journal, {"m": MODEL}, OPTIONS, clock=clock, queues=queues)
            Lifecycle(desk).go()
            assert desk.count(*FINAL) == len(desk.shards)
        return self.host.time.at - begun


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, Host(Time(), Sure(1), trouble=0, killing=0))


def bought(folder: Folder) -> list[int]:
    return sorted(set(folder.host.answered.values()))


@pytest.mark.parametrize("known", [True, False])
def test_nearly_as_quick_as_can_be(folder: Folder, known: bool) -> None:
    """Six queues full of work take six times as long as a batch, and 10 % at most; a limit that is not known costs one refusal."""
    limit = {"m": Quota(LIMIT)} if known else {}
    with closing(Journal(folder.path)) as journal:
        run = folder.planned("a", 6 * 60, Queues(journal, person=limit) if known else None)
    provider = Full(folder.host, LIMIT)
    seconds = folder.driven(run, provider, **limit)
    assert provider.most <= LIMIT
    assert seconds <= 6 * BATCH * 1.1, seconds / BATCH
    assert provider.refused == (0 if known else 1)
    assert len(folder.host.answered) == 6 * 60


def test_others_in_the_queue(folder: Folder) -> None:
    """Others fill the queue for a day: tries grow apart; then all goes."""
    with closing(Journal(folder.path)) as journal:
        run = folder.planned("a", 20, Queues(journal, person={"m": Quota(LIMIT)}))
    provider = Full(folder.host, LIMIT, others=LIMIT - 5)
    sleep = folder.host.time.sleep

    def until_tomorrow(seconds: float) -> None:
        sleep(seconds)
        if folder.host.time.at > 1_000_000 + 86_400:
            provider.others = 0

    folder.host.time.sleep = until_tomorrow
    folder.driven(run, provider, m=Quota(LIMIT))
    assert 20 < provider.refused < 86_400 / 300


def test_a_host_that_counts_more(folder: Folder) -> None:
    """It counts a third more than we do: a refusal or two teach that, and its queue is not left half empty."""
    with closing(Journal(folder.path)) as journal:
        run = folder.planned("a", 200, Queues(journal, person={"m": Quota(LIMIT)}))
    provider = Full(folder.host, LIMIT, weight=1.3)
    seconds = folder.driven(run, provider, m=Quota(LIMIT))
    assert provider.refused <= 2 and provider.most <= LIMIT and seconds < 5.5 * BATCH < DOUBT


def test_a_request_that_no_queue_holds(folder: Folder) -> None:
    """Learned too late to refuse it at planning: given up with a reason, not tried for ever."""
    run = folder.planned("a", 3)
    folder.driven(run, Full(folder.host, 10))
    with closing(Journal(folder.path)) as journal:
        notes = [shard.note for shard in journal.shards(run)]
    assert len(notes) == 3 and all(note.startswith("its one request has 16 prompt tokens, and the queue of m holds 10") for note in notes)


def test_what_was_learned_is_kept(folder: Folder) -> None:
    """The next command knows what a host has said, for a week; a person's word counts more."""
    folder.driven(folder.planned("a", 150), Full(folder.host, LIMIT))
    clock = folder.host.time.clock
    with closing(Journal(folder.path)) as journal:
        told = Queues(journal, clock=clock).limit("m")
        assert told.tokens == LIMIT and "said on 1970-01-12" in told.source
        assert Queues(journal, clock=clock, tier={"m": Quota(7)}).limit("m").tokens == LIMIT
        assert Queues(journal, clock=clock, person={"m": Quota(7)}).limit("m").tokens == 7
        assert Queues(journal, "another", clock=clock).limit("m") is None
        folder.host.time.at += WEEK
        assert Queues(journal, clock=clock).limit("m") is None


def test_the_last_room_is_given_once(folder: Folder) -> None:
    """Two processes whose gates are open at once: the transaction lets one in."""
    runs = [folder.planned(name, 60) for name in "ab"]
    with closing(Journal(folder.path)) as one, closing(Journal(folder.path)) as two:
        desks, clock, limit = [], folder.host.time.clock, {"m": Quota(LIMIT)}
        for journal, run in zip((one, two), runs, strict=True):
            queues = Queues(journal, "", run.key, person=limit, clock=clock)
            desks.append(Desk(run, Full(folder.host, LIMIT), journal, {"m": MODEL}, OPTIONS, clock=clock, queues=queues))
        first, second = desks
        assert not first.queues.full(first.shards[1]) and not second.queues.full(second.shards[1])
        Lifecycle(first).advance()
        now, looks = second.queues.full, iter([""] * 4)  # as it was a moment ago: before the upload, and before the creation
        second.queues.full = lambda shard: next(looks) if looks.__length_hint__() else now(shard)
        Lifecycle(second).advance()
        assert [desk.shards[1].state for desk in desks] == [State.SUBMITTED, State.UPLOADED]


# ---- real commands


@pytest.fixture(scope="module")
def narrow(worlds: Callable):
    return worlds("--queue-limit", str(LIMIT), speed=600)


@pytest.fixture
def run(narrow, tmp_path: Path) -> Commands:
    narrow.reset()
    return Commands(narrow, tmp_path / "results")


def enqueued(run: Commands) -> int:
    (most,) = run.world.service.control("ledger")["most_enqueued"]
    return most["tokens"]


def test_what_another_run_has_there(run: Commands, study: Callable[..., Path]) -> None:
    """A command that did not wait has left a wave in flight that nobody collects: the next one waits only while it is at work."""
    known, folder = {"QUEUE_TOKENS_GPT_4_1": str(LIMIT)}, study(**STUDY)
    for name, more in (("left", ["--no-wait"]), ("one", []), ("left", [])):
        end = run("openai", "--batch", "--model", "gpt-4.1", "--run", name, "--experiment", folder, *more, env=known)
        assert end.code == 0
        assert name == "left" or "gpt-4.1: 12 shards in 3 waves; its queue holds 1,000 prompt tokens (QUEUE_TOKENS_GPT_4_1)" in end.out
    assert LIMIT / 2 < enqueued(run) <= LIMIT
    assert {create["status"] for create in run.creates()} == {"completed"}  # none was refused
    assert set(run.world.service.billed().values()) == {2}


def test_a_queue_that_nobody_told_us_of(run: Commands, study: Callable[..., Path]) -> None:
    """A shard that is larger than the queue is refused once, cut, and goes through; the next plan knows."""
    done = run("openai", "--batch", "--experiment", study(**STUDY), "--model", "gpt-4.1")
    assert done.code == 0 and "larger than the queue of gpt-4.1, which holds 1,000 prompt tokens" in done.err
    assert [create["status"] for create in run.creates()].count("failed") == 1
    assert set(run.world.service.billed().values()) == {1} and enqueued(run) <= LIMIT
    plan = run("openai", "--experiment", study(**STUDY), "--model", "gpt-4.1", "--run", "again")
    assert "waves; its queue holds 1,000 prompt tokens (as the host said on 20" in plan.out


def test_failed_with_files(run: Commands, study: Callable[..., Path]) -> None:
    """A batch that failed for its queue, and yet has answers, is collected and never bought again."""
    errors = {"data": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]}
    broken = {"object": {"status": "failed", "errors": errors}}
    run.world.service.faults({"call": "*", "times": -1, "where": {"status": "completed"}, "action": broken})
    done = run("openai", "--batch", "--experiment", study(trials="3"), "--model", "gpt-4.1")
    assert done.code == 0 and len(run.creates()) == 1


def test_limits_by_hand(run: Commands, study: Callable[..., Path]) -> None:
    """A tier, a figure with a letter, requests at Anthropic; what cannot be is refused in one line."""
    folder = study(**STUDY)

    def plan(script: str, *more: str, **env: str):
        return run(script, "--dry-run", "--batch", "--experiment", folder, "--run", f"r{random.random()}", *more, env=env)

    assert "holds 900,000 prompt tokens (tier 1, as of 20" in plan("openai", "--model", "gpt-4.1", "--tier", "1").out
    assert "waves; its queue holds 2,000 prompt tokens" in plan("openai", "--model", "gpt-4.1", QUEUE_TOKENS_GPT_4_1="2K").out
    assert "its queue" not in plan("openai", "--model", "o3", OPENAI_TIER="1").out
    claude = plan("claude", "--model", "claude-haiku-4-5", ANTHROPIC_QUEUE_REQUESTS="40").out
    assert "14 shards in 4 waves; its queue holds 40 requests" in claude
    refused = [
        (plan("openai", "--tier", "9"), "--tier is '9'; known of"),
        (plan("openai", QUEUE_TOKENS_GPT_4_1="much"), "QUEUE_TOKENS_GPT_4_1 is 'much'; expected"),
        (plan("openai", QUEUE_TOKENS_GTP_4_1="5"), "QUEUE_TOKENS_GTP_4_1: no such model"),
        (plan("openai", "--model", "gpt-4.1", QUEUE_TOKENS_GPT_4_1="5"), "tokens; the host's queue holds 5"),
    ]
    for end, line in refused:
        assert end.code == 2 and line in end.error
