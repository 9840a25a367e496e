"""The fault matrix: what the provider or the network does wrong, and where each case must end."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field

from tests.torture.world import World

ALL = ("openai", "anthropic", "kluster", "openrouter")
FILES = ("openai", "kluster")


def _calls(name: str) -> dict[str, str]:
    """The service's name of a call, by profile."""
    return {profile: f"{'messages.' * (profile == 'anthropic')}batches.{name}" for profile in ALL}


CREATE, LIST, LOOK = _calls("create"), _calls("list"), _calls("retrieve")
FETCH = {"openai": "files.content", "kluster": "files.content", "anthropic": "messages.batches.results", "openrouter": "batches.retrieve"}
CALLS = {"create": CREATE, "list": LIST, "look": LOOK, "fetch": FETCH}


@dataclass(frozen=True)
class Case:
    """One fault: `rules` are (call, rule) where call is a key of CALLS or a call's own name.

    `first`: exit codes that the first command may end with; then the same command is repeated until it ends with
    `last`. `says`: what the first command must have told. `short`: rows that are allowed to have no answer at the end.
    """

    name: str
    rules: tuple[tuple[str, dict], ...]
    profiles: tuple[str, ...] = ALL
    first: tuple[int, ...] = (0,)
    last: int = 0
    says: str = ""
    short: str = ""
    options: tuple[str, ...] = ()
    after: tuple[tuple[str, dict], ...] = field(default=())  # the rules once the first command is over


def rule(nth: int = 1, times: int = 1, **action: object) -> dict:
    """A fault rule's part beside its call."""
    return {"nth": nth, "times": times, "action": action}


def fate(times: int = 1, **what: object) -> dict:
    """A fault that is decided when a batch is made."""
    return rule(times=times, fate=what)


BURSTS = [
    Case(
        f"{status} three times on every call",
        tuple((call, rule(times=3, status=status)) for call in ("create", "look", "list", "fetch")),
    )
    for status in (500, 502, 503, 504, 529)
]
CASES = [
    Case("create accepted, then 500", (("create", rule(status=500, when="after")),), says="lost|found again"),
    Case("create accepted, then the connection drops", (("create", rule(drop="after")),), says="found again"),
    Case("connection drops before the create is accepted", (("create", rule(drop="before")),), says="never made"),
    Case("every create accepted and dropped", (("create", rule(times=-1, drop="after")),)),
    Case(
        "create accepted, then a 429 that is a lie",
        (("create", rule(status=429, when="after", headers={"retry-after": "0.3"})),),
        says="found again",
    ),
    Case(
        "429 with Retry-After 1",
        (("create", rule(times=2, status=429, headers={"retry-after": "1"})),),
        says="trying again in 1 s",
    ),
    Case("429 without Retry-After", (("create", rule(times=3, status=429)),)),
    Case(
        "429 that asks for 600 s: the wait is announced, not cut short",
        (
            ("look", rule(times=-1, status=429, headers={"retry-after": "600"})),
            ("list", rule(times=-1, status=429, headers={"retry-after": "600"})),
        ),
        first=(1,),
        says="429",
        options=("--patience", "5"),
    ),
    *BURSTS,
    Case("status answers drip slowly", (("look", rule(times=2, slow=2000)), ("list", rule(times=2, slow=2000)))),
    Case("a download is cut in the middle, twice", (("fetch", rule(times=2, truncate=0.5)),)),
    Case("a download is cut after its first bytes", (("fetch", rule(truncate=40)),)),
    Case(
        "lists lag 2 s behind and the create's answer is lost",
        (("create", rule(drop="after")), ("list", rule(times=-1, lag=2))),
        options=("--grace", "4"),
        says="found again",
    ),
    Case("output repeats lines", (("fetch", rule(times=-1, lines={"duplicate": 3})),), says="duplicate"),
    Case("output has lines of other requests", (("fetch", rule(times=-1, lines={"foreign": 2})),), says="foreign"),
    Case("output has broken lines once", (("fetch", rule(lines={"malformed": 2})),)),
    Case("output misses lines once", (("fetch", rule(lines={"missing": 3})),)),
    Case(
        "the provider's counters lie",
        (
            ("look", rule(times=-1, counts={"completed": 1, "failed": 0, "total": 8, "succeeded": 1})),
            ("list", rule(times=-1, counts={"completed": 1, "failed": 0, "total": 8, "succeeded": 1})),
        ),
        says="the provider counts",
        profiles=FILES,
    ),
    Case(
        "completed, but the output file is named late",
        (("look", rule(times=1, hide_output=True)), ("list", rule(times=1, hide_output=True))),
        profiles=FILES,
    ),
    Case("a batch expires at 60 %", (("create", fate(expire_at=0.6)),)),
    Case(
        "every request of a batch fails for a passing reason",
        (("create", fate(rows={"share": 1, "status": 500, "times": 1})),),
    ),
    Case(
        "a batch is cancelled by someone else",
        (("create", fate(cancel_at=0.4)),),
        first=(1,),
        last=1,
        short="cancelled",
        says="cancelled",
    ),
    Case(
        "the input file vanishes once",
        (("create", fate(fail={"code": "invalid_request", "param": "file_id", "message": "file not found"})),),
        profiles=FILES,
    ),
    Case(
        "the queue is full once",
        (("create", fate(fail={"code": "token_limit_exceeded", "message": "Enqueued token limit reached"})),),
        profiles=FILES,
        says="queue",
    ),
    Case(
        "a batch is refused for a reason of its own",
        (("create", fate(fail={"code": "mismatched_model", "message": "no", "line": 2})),),
        profiles=FILES,
        first=(1,),
        last=1,
        short="not_accepted",
        says="mismatched_model",
    ),
    Case(
        "a bad line is taken out with --skip-invalid",
        (("create", fate(fail={"code": "invalid_request", "param": "body.model", "message": "no", "line": 2})),),
        profiles=FILES,
        first=(1,),
        last=1,
        short="invalid_request|not_accepted",
        options=("--skip-invalid",),
    ),
    Case(
        "the balance is empty at the create",
        (
            (
                "create",
                rule(
                    times=1,
                    status=429,
                    body={
                        "error": {
                            "code": "insufficient_quota",
                            "type": "insufficient_quota",
                            "message": "You exceeded your current quota",
                        }
                    },
                ),
            ),
        ),
        profiles=FILES,
        first=(3,),
        says="quota",
    ),
    Case(
        "the balance runs out inside a batch",
        (
            (
                "create",
                fate(
                    rows={
                        "share": 0.3,
                        "status": 429,
                        "code": "insufficient_quota",
                        "type": "insufficient_quota",
                        "message": "You exceeded your current quota",
                        "times": 1,
                    }
                ),
            ),
        ),
        profiles=FILES,
        first=(3,),
        says="quota",
    ),
    Case(
        "the spending limit of Anthropic",
        (
            (
                "create",
                rule(
                    times=1,
                    status=429,
                    body={
                        "type": "error",
                        "error": {
                            "type": "rate_limit_error",
                            "message": "spend limit",
                            "details": {"error_code": "enforced_spend_limit_reached"},
                        },
                    },
                ),
            ),
        ),
        profiles=("anthropic",),
        first=(3,),
        says="spend limit",
    ),
    Case("the key is refused", (("create", rule(status=401)),), first=(3,), says="401"),
    Case(
        "a row is refused for good",
        (
            (
                "create",
                fate(
                    rows={
                        "share": 0.2,
                        "status": 400,
                        "code": "content_policy_violation",
                        "type": "invalid_request_error",
                        "message": "no",
                        "times": -1,
                    }
                ),
            ),
        ),
        profiles=FILES,
        first=(1,),
        last=1,
        short="refused|invalid_request",
    ),
    Case(
        "no call is answered at all",
        (("*", rule(times=-1, drop="before")),),
        first=(1,),
        says="lost|reached",
        options=("--patience", "2"),
    ),
]


def rules_of(pairs: tuple[tuple[str, dict], ...], profile: str) -> list[dict]:
    """The rules as the service takes them, for a profile."""
    return [{"call": CALLS[call][profile] if call in CALLS else call, **more} for call, more in pairs]


def try_case(
    world: World,
    case: Case,
    profile: str,
    reference: dict[str, str],
    argv: tuple[str, ...],
    without: tuple[str, ...] = (),
) -> list[str]:
    """Play one case; what is wrong, as a list (empty: all as it must be)."""
    world.reset()
    world.control("faults", rules_of(case.rules, profile))
    options = (*argv, *case.options)
    first = world.run(profile, *options, without=list(without))
    world.control(
        "faults", rules_of(case.after, profile) if case.after or first["code"] != 0 and case.last == 0 else []
    )
    shutil.rmtree(world.results / "rates", ignore_errors=True)  # a pause that was asked for is taken to be over
    ends = [first]
    while ends[-1]["code"] != case.last and len(ends) < 5:
        ends.append(world.run(profile, *options, without=list(without)))
    said = first["out"] + first["err"]
    wrong = []
    if first["code"] not in case.first:
        wrong.append(f"the first command ended with {first['code']}, expected {case.first}: {said[-600:]}")
    if ends[-1]["code"] != case.last:
        wrong.append(f"ended with {[e['code'] for e in ends]}, expected {case.last}: {ends[-1]['err'][-600:]}")
    if case.says and not re.search(case.says, said):
        wrong.append(f"did not say {case.says!r}: {said[-600:]}")
    if any("Traceback" in end["err"] for end in ends):
        wrong.append("a traceback reached the user")
    if any(key in said for key in ("sk-test", "sk-ant-test")):
        wrong.append("a key was printed")
    wrong += [text for text in world.judge(profile, reference) if not (case.short and "rows lost" in text)]
    if case.short:
        outcomes = {row["outcome"] for row in world.table(profile).values()} - {"succeeded"}
        if not outcomes or not all(re.fullmatch(case.short, outcome) for outcome in outcomes):
            wrong.append(f"rows without an answer are {outcomes or 'none'}, expected {case.short}")
    return wrong
