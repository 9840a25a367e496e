"""What a plan says of money: expected and at most, of each model and in all, and what the same costs without batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from common.cli.session import ScriptSession
from common.cli.text import table
from common.nouns import TO_SUBMIT
from common.providers import standard
from common.retry import patiently
from common.runs.choose import as_batches
from common.runs.counting import count_prompts
from common.runs.expected import BY_PROVIDER, BY_USE, EXACT, Cost, expected_costs, total
from common.runs.overview import grid_of
from common.runs.plan import Planned
from common.text import many, usd

HEADER = ("model", "to send", "tokens in", "expected", "at most", "without batch")
SHORT = {BY_PROVIDER: "counted", BY_USE: "by use"}
BESIDE = ("expected_without_batch_usd", "max_without_batch_usd")
ENOUGH = 50  # requests that tell how long answers are; who plans no more is not told to ask a sample first


def priced(session: ScriptSession, planned: Planned) -> list[Cost]:
    """What a plan will cost; with --exact-tokens the provider is asked to count. Raises what a call raises."""
    counts = _counted(session, planned) if session.args.exact_tokens else {}
    kinds = grid_of(planned.run)["prompt_tokens_counted"]
    return expected_costs(session.journal, planned.run, planned.models, planned.shards, kinds, counts)


def _counted(session: ScriptSession, planned: Planned) -> dict[str, int]:
    """By model, the prompt tokens of what is to be sent as the provider counts them; where it does not, that is said."""
    host, found = session.account.host, {}
    if not host.counts_tokens:
        session.say(f"note: {host.title} is not known to count tokens before anything is sent; its figures stay as they are")
        return {}
    session.check_key()

    def asked(call):
        return patiently(call, seconds=session.args.patience, start=1.0, sleep=session.clock.sleep, told=session.warn)

    for model in planned.models:
        waiting = [shard for shard in planned.shards if shard.model == model.alias and shard.state in TO_SUBMIT]
        if waiting:
            said = count_prompts(session.provider, model, waiting, asked)
            found[model.alias] = said.tokens
            of = f"{said.asked:,} different prompts" if said.asked == said.conditions else f"{said.asked:,} of {said.conditions:,} prompts"
            session.say(f"{host.title} has counted {of} for {model.alias}: {said.tokens:,} prompt tokens in all requests")
    return found


# ---- in words


def price_lines(session: ScriptSession, planned: Planned, found: Sequence[Cost]) -> list[str]:
    """What is sent, what that costs at most, and what is expected."""
    as_if = " (as if: nothing is paid on the local batch service)" if session.account.host.local else ""
    most, saved, taken = planned.ceiling, planned.saved, planned.taken
    if taken:
        whole = None if most is None or saved is None else most + saved
        first = f"{taken:,} answered already, {planned.run.planned - taken:,} to send: costs at most {usd(most)} instead of {usd(whole)}"
    else:
        first = f"costs at most {usd(most)}"
    first = "row by row at the full price: " * (session.account.way == "standard") + first
    exact = {*grid_of(planned.run)["prompt_tokens_counted"].values()} <= {EXACT}
    prompts = "prompts as counted" if exact else "as many prompt tokens as bytes can make where they are not counted exactly"
    return [
        f"{first}{as_if}",
        f"at most: answers as long as their cap, nothing from a cache, {prompts}",
        *expected_lines(found, "" if session.args.sample else f"--sample {ENOUGH} asks so many of them first"),
        *_live_lines(session, planned),
    ]


def _live_lines(session: ScriptSession, planned: Planned) -> list[str]:
    """What is different where nothing is sent in batches."""
    way, slots = session.account.way, session.args.slots or standard.SLOTS
    lines = [f"the same in batches: at most {usd(as_batches(planned.run, planned.shards))}"] if way == "standard" else []
    lines += ["own models: a token costs nothing here"] if way == "own" else []
    air = f"{many(slots, 'question')} in the air at once"
    risk = f"at most {air}: so many may be paid twice each time that this is killed (told at the end)"
    return [*lines, *[risk] * bool(way and not session.account.host.local)]


def expected_lines(found: Sequence[Cost], tells: str) -> list[str]:
    """What is expected, and of which models it is not known; `tells`: what would find it out, "" where nothing is to be said."""
    found = [one for one in found if one.to_send]
    if not found:
        return []
    unknown = [one for one in found if not one.earlier_answers]
    hint = f"; {tells}" if tells and sum(one.to_send for one in unknown) > ENOUGH else ""
    if len(unknown) == len(found):
        return [f"expected: unknown until some were asked{hint}"]
    lines = [_basis(one) for one in found if one.earlier_answers]
    if unknown:
        names = ", ".join(one.model for one in unknown)
        return [f"expected: unknown for {names} until some were asked{hint}", *lines]
    return [f"expected {usd(total(one.expected_usd for one in found))}:", *lines]


def without_batch(found: Iterable[Cost]) -> list[str]:
    """What the same costs without batch, in words: for plans that are shown without their table."""
    found = [one for one in found if one.to_send]
    expected, most = (total(getattr(one, name) for one in found) for name in BESIDE)
    known = f"expected {usd(expected)}, " if expected is not None else ""
    return [f"without batch {known}at most {usd(most)}"] * bool(found)


def _basis(one: Cost) -> str:
    tokens = f", {one.prompt_tokens:,} prompt tokens {one.prompt_tokens_counted}" if one.prompt_tokens_counted in SHORT else ""
    if one.earlier_answers == 1:
        return f"  {one.model}: 1 earlier answer had {one.output_tokens:,.0f} output tokens{tokens}"
    spread = f"{one.output_tokens:,.0f} ± {one.output_tokens_spread:,.0f}"
    return f"  {one.model}: {one.earlier_answers:,} earlier answers had {spread} output tokens each{tokens}"


# ---- as a table


def price_table(found: Iterable[Cost]) -> str:
    """A line per model, and their sum where there are several."""
    found = list(found)
    rows = [_row(one) for one in found]
    if len(found) > 1:
        rows.append(_sum(found))
    return table(HEADER, rows)


def _row(one: Cost) -> tuple[str, ...]:
    share = f"{one.to_send:,}" if one.to_send == one.requests else f"{one.to_send:,} of {one.requests:,}"
    if not one.to_send:
        return one.model, share, "", "", "", ""
    kind = one.prompt_tokens_counted
    tokens = f"{one.prompt_tokens:,} {SHORT.get(kind) or kind.removeprefix('estimate ')}"
    beside = _without(one.expected_without_batch_usd, one.max_without_batch_usd)
    return one.model, share, tokens, usd(one.expected_usd), usd(one.max_usd), beside


def _sum(found: Sequence[Cost]) -> tuple[str, ...]:
    whole = {name: total(getattr(one, name) for one in found) for name in ("expected_usd", "max_usd", *BESIDE)}
    send, requests = sum(one.to_send for one in found), sum(one.requests for one in found)
    share = f"{send:,}" if send == requests else f"{send:,} of {requests:,}"
    tokens = f"{sum(one.prompt_tokens for one in found):,}"
    return "all", share, tokens, usd(whole["expected_usd"]), usd(whole["max_usd"]), _without(*(whole[name] for name in BESIDE))


def _without(expected: float | None, most: float | None) -> str:
    return f"up to {usd(most)}" if expected is None and most is not None else usd(expected)


def price_facts(found: Iterable[Cost]) -> dict:
    """The same for --json."""
    found = list(found)
    return {
        "costs": [one.as_dict() for one in found],
        "expected_cost_usd": total(one.expected_usd for one in found),
        **{name: total(getattr(one, name) for one in found) for name in BESIDE},
    }
