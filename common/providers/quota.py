"""What an account may have enqueued at its host: as a person says, as the catalog knows by tier, or as a refusal names it."""

from __future__ import annotations

import os
import re

from common import catalog
from common.errors import InputError
from common.nouns import Host, Model, Quota

PREFIX = "QUEUE_TOKENS_"  # and the model's name: QUEUE_TOKENS_GPT_4_1=900000
FACTORS = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
# "Limit: 900,000 enqueued tokens", "surpassed the configured limit of 30K", "limit of 200000 requests in the batch processing queue"
SAID = re.compile(r"\blimit(?::| of)\s*([0-9][0-9,]{0,20})\s?([KMB]?)\b", re.IGNORECASE)
QUEUED = re.compile(r"\b(enqueued|queue)\b", re.IGNORECASE)
UNIT = re.compile(r"\b(token|request)s?\b", re.IGNORECASE)


def said(text: str) -> Quota | None:
    """The limit that a refusal names; None where it names none."""
    found = SAID.search(text)
    if not found or not QUEUED.search(text):
        return None
    unit, most = UNIT.search(text), int(found[1].replace(",", "")) * FACTORS[found[2].upper()]
    if not unit or not most:
        return None
    return Quota(**{f"{unit[1].lower()}s": most}, source="as the host has said")


def of_person(host: Host, model: Model) -> Quota | None:
    """What a person has set: QUEUE_TOKENS_<MODEL>, or ANTHROPIC_QUEUE_REQUESTS and the like. Raises InputError."""
    variable, whole = PREFIX + _shouted(model.alias), _variable(host, "_QUEUE_REQUESTS")
    tokens, requests = _natural(variable), _natural(whole)
    if tokens is None and requests is None:
        return None
    return Quota(tokens, requests, " and ".join([variable] * (tokens is not None) + [whole] * (requests is not None)))


def of_tier(host: Host, model: Model, tier: str = "") -> Quota | None:
    """What the catalog knows of the account's tier: --tier, else OPENAI_TIER and the like. Raises InputError for one it does not know."""
    variable = _variable(host, "_TIER")
    name = (tier or os.environ.get(variable, "")).strip().lower()
    known = [*dict.fromkeys([*host.queue_tokens, *host.queue_requests])]
    if not name:
        return None
    if name not in known:
        where = "--tier" if tier else variable
        raise InputError(f"{where} is {name!r}; " + (f"known of {host.title}: {', '.join(known)}" if known else "no tiers are known here"))
    found = Quota(host.queue_tokens.get(name, {}).get(model.id), host.queue_requests.get(name), f"tier {name}, as of {host.queue_as_of}")
    return found if found.tokens or found.requests else None


def check_person() -> None:
    """Refuse a figure of a model that nobody knows: it would be passed over in silence. Raises InputError."""
    known = {_shouted(name) for model in catalog.models() for name in (model.alias, model.id)}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable.removeprefix(PREFIX) not in known and _natural(variable) is not None:
            raise InputError(f"{variable}: no such model; for gpt-4.1 it is {PREFIX}GPT_4_1")


def _shouted(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper())


def _variable(host: Host, suffix: str) -> str:
    return host.key_variable.replace("_API_KEY", suffix)


def _natural(variable: str) -> int | None:
    """A whole number above 0 that a variable holds, with K, M or B behind it if one likes; None where it is not set."""
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    found = re.fullmatch(r"([0-9][0-9,_]{0,20})\s?([KMB]?)", text, re.IGNORECASE)
    if not found or not (most := int(re.sub("[,_]", "", found[1])) * FACTORS[found[2].upper()]):
        raise InputError(f"{variable} is {text!r}; expected how many may be enqueued at once, such as 900000 or 2M")
    return most
