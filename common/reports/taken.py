"""Fifth and sixth view: what it took (time, money, tokens), and the record: versions, prompts, parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from common.nouns import Shard
from common.reports.facts import Facts, OneRun
from common.reports.html import Figure, Html, figure, folded, h, long, shown, table
from common.runs.money import receipt_lines
from common.text import duration, iso, usd

BATCHES = 500  # that are listed
FEW = 5  # runs whose receipts stand open
PROMPT, PARAMETERS = 6000, 4000  # characters
_TOLD = ("system", "user", "turns")  # shown in full


def costs(facts: Facts) -> Html:
    """Cost and tokens by model, time by batch."""
    simulated = bool(facts.simulated)
    rows = [
        [model, use.rows, use.input, use.output, use.reasoning, use.unknown, Figure(usd(facts.costs.get(model), simulated))]
        for model, use in facts.uses.items()
    ]
    known = [cost for cost in facts.costs.values() if cost is not None]
    unknown = len(facts.costs) - len(known)
    total = usd(sum(known), simulated) + (f", and {unknown} models at unknown price" if unknown else "")
    head = ["model", "rows", "input tokens", "output tokens", "of them reasoning", "rows without usage", "cost"]
    said = h("{}", [h("<p>{}: {}</p>", one.run.key, shown("; ".join(receipt_lines(one.summary["receipt"])), 300)) for one in facts.runs])
    said = folded("receipts", said) if len(facts.runs) > FEW else said
    return h('<p class="lead">Cost at batch price: <b>{}</b></p>{}{}{}', total, said, table(head, rows), _batches(facts))


def _batches(facts: Facts) -> Html:
    every = [(one, shard) for one in facts.runs for shard in one.shards if shard.batch_id and not shard.taken_from]
    rows = [_batch(one, shard) for one, shard in every[:BATCHES]]
    head = ["batch", "run", "model", "requests", "sent (UTC)", "in the queue", "at work", "in all"]
    said = "<p>In the queue: from sending to the first answer. At work: from the first to the last answer. In all: until it was collected. "
    said += "A dash: the provider’s rows carry no times of their own.</p>"
    more = h("<p>{} of {} batches are listed.</p>", len(rows), len(every)) if len(every) > BATCHES else ""
    return h("<h3>Time by batch</h3>{}{}{}", Html(said), table(head, rows), more)


def _batch(one: OneRun, shard: Shard) -> list:
    sent, done = shard.intent_at, shard.collected_at
    first, last = one.answered.get(shard.batch_id, (0.0, 0.0))
    timed = sent - 1 <= first < done - 1e-6 and first <= last <= done + 1
    times = [max(0.0, first - sent), last - first] if timed else [None, None]
    times.append(done - sent if sent and done >= sent else None)
    told = [Figure("–" if t is None else duration(t)) for t in times]
    return [shard.batch_id, one.run.key, shard.model, shard.count, iso(sent), *told]


# ---- the record


def record(facts: Facts) -> Html:
    """What each run noted when it was planned."""
    return h("{}", [folded(h("{} <small>{}</small>", one.run.key, iso(one.run.created_at)), _run(one)) for one in facts.runs])


def _run(one: OneRun) -> Html:
    run, found = one.run, one.record
    facts = [("experiment", run.experiment), ("provider", run.provider), ("address", run.address), ("planned", iso(run.created_at))]
    facts += [(f"version: {name}", value) for name, value in _mapping(found.get("versions")).items()]
    files = ", ".join(str(_mapping(file).get("name", "")) for file in _list(found.get("files")))
    facts += [("files", files), ("digest of what was asked", run.digest)]
    asked = _mapping(found.get("asked"))
    prompts = [h("<h3>{}</h3>{}", name, long(_text(asked[name]), PROMPT)) for name in _TOLD if asked.get(name)]
    others = {name: value for name, value in asked.items() if name not in _TOLD}
    parameters = h("<h3>parameters</h3>{}", long(_text(others), PARAMETERS)) if others else ""
    none = "" if found else Html("<p>This run has no record: an earlier version planned it.</p>")
    named = table(["", ""], [[name, shown(value, 300)] for name, value in facts], "", "plain")
    return h("{}{}{}{}{}", none, named, table(["model", "id", "ids reported", "max_tokens"], _models(found)), prompts, parameters)


def _models(found: dict) -> Iterator[list]:
    for model in map(_mapping, _list(found.get("models"))):
        reported = ", ".join(map(str, _list(model.get("ids_reported"))))
        yield [str(model.get("alias")), shown(model.get("id"), 120), shown(reported, 200), figure(_number(model.get("max_tokens")), 0)]


def _text(value: object) -> str:
    try:
        return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    except orjson.JSONEncodeError:  # too deep: nothing that we wrote
        return "(cannot be shown)"


def _mapping(value: object) -> Mapping:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list:
    return value if isinstance(value, list) else []


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) else None
