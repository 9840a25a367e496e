"""News of a run in words for a message: our own words, figures and names only; nothing that a host or a model has said."""

from __future__ import annotations

import re

from common.nouns import Run
from common.reports.channels import Message
from common.runs.notices import News, Notice
from common.text import iso, usd

_PAUSED = {
    "cap": "the next batch could cost more than a cap allows; --max-cost USD or MONTHLY_CAP_USD raises it",
    "disk": "the answers of the next batch may not fit on the disk; make disk shows what could go",
    "money": "the provider says that quota, balance or a spending limit is used up",
}
_STOPPED = {
    "Denied": "the provider turns the key away",
    "Broke": "the provider says that quota, balance or a spending limit is used up",
    "Refused": "the provider refuses what was asked of it",
    "Busy": "the provider is busy, or its queue is full",
    "Unreached": "the provider cannot be reached",
    "Unknown": "the provider does not answer as it should",
    "InputError": "something in the command, the files or the experiment needs a person",
    "OSError": "a file cannot be read or written; the disk may be full",
}
_OTHER = "something unexpected happened"


def message(run: Run, notice: Notice, then: str) -> Message:
    """What is told of a run; `then` is the command to type next."""
    simulated = run.local
    name = f"{_name(run.provider)}/{_name(run.name)}"
    happened, more = _said(notice, simulated)
    title = f"{'REHEARSAL: ' if simulated else ''}{name} {happened}"
    text = "\n".join([*more, f"Next: {then}"])
    facts = {"event": str(notice.kind), "run": _name(run.name), "provider": _name(run.provider), "simulated": simulated}
    return Message(title, text, facts | {key: notice.facts[key] for key in ("outcomes", "cost_usd") if key in notice.facts})


def _name(text: str) -> str:
    """A name as it may stand in any channel: no markup, no mention, no line break, no escape."""
    return re.sub(r"[^\w.-]", "?", text)[:80]


def _said(notice: Notice, simulated: bool) -> tuple[str, list[str]]:
    facts = notice.facts
    match notice.kind:
        case News.DONE:
            return "is finished", [_outcomes(facts), _cost(facts, simulated)]
        case News.FAILED:
            unclean = f"is finished, but {facts['unclean']:,} rows have no clean answer"
            return unclean, [_outcomes(facts), _cost(facts, simulated)]
        case News.REFUSED:
            return "goes on, but a batch was refused for good", [f"{facts['batches']:,} batches were refused so far."]
        case News.PAUSED:
            return "is paused", [f"Nothing more is sent: {_PAUSED.get(facts['by'], 'a person must see to it')}. The same command goes on."]
        case News.STOPPED:
            return "has stopped", [f"{_STOPPED.get(facts['why'], _OTHER)}. Nothing is lost."]
        case News.OWED:
            owed = f"{facts['requests']:,} requests in {facts['batches']:,} batches were accepted, and may be paid."
            return "waits for answers that could not be had yet", [owed, "The run's command, or make collect, looks again."]
        case News.STALLED:
            return f"has not moved for {facts['hours']:,} hours", [f"{facts['batches']:,} of its batches are in flight."]
        case News.EXPIRING:
            gone = f"{facts['batches']:,} batches are not collected; from {iso(facts['at'])[:10]} on their results can be gone."
            return "has results that vanish soon", [gone]
        case News.CAP:
            return f"has used {facts['committed'] / facts['cap']:.0%} of its cap", [
                f"{usd(facts['committed'])} of {usd(facts['cap'])} are spent, or reserved for what is in flight at its longest."
            ]
    raise AssertionError(notice.kind)


def _outcomes(facts: dict) -> str:
    return "Rows: " + ", ".join(f"{n:,} {_name(name)}" for name, n in sorted(facts["outcomes"].items(), key=lambda item: -item[1]))


def _cost(facts: dict, simulated: bool) -> str:
    return f"Cost: {usd(facts['cost_usd'], simulated)}"
