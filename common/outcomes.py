"""The outcome of a single request inside a batch: its classes, how each is recognised, and what each class's policy is."""

from __future__ import annotations

import re
from enum import Enum


class Policy(Enum):
    """What to do with a row that has no clean answer."""

    RETRY = "retry"  # a passing trouble: once more in a new shard
    LONGER = "longer"  # cut off: once more with a higher cap, if the experiment allows it
    NEVER = "never"  # the same request would fail again
    PAUSE = "pause"  # money: the whole run waits for a person


SUCCEEDED = "succeeded"
UNREADABLE = "unreadable"  # answered, so paid, in a form that cannot be read: kept raw, shown, never bought again by itself
PENDING = "pending"  # a row whose batch has not been collected yet
OWED = "owed"  # a row that may have been answered and paid, but has not been had yet


# The single table of row classes. "missing" is a row that no file of an ended batch mentions.
POLICY: dict[str, Policy] = {
    "expired": Policy.RETRY,
    "cancelled": Policy.NEVER,  # somebody wanted it stopped: only a command brings it back
    "not_accepted": Policy.NEVER,  # its whole batch was refused
    "server_error": Policy.RETRY,
    "overloaded": Policy.RETRY,
    "rate_limited": Policy.RETRY,
    "connection": Policy.RETRY,
    "missing": Policy.RETRY,
    OWED: Policy.NEVER,
    "unreadable": Policy.NEVER,  # answered and paid, in a shape that we cannot read: kept raw
    "given_up": Policy.NEVER,  # owed, until a person gave it up
    "malformed": Policy.RETRY,
    "truncated": Policy.LONGER,
    "refused": Policy.NEVER,
    "empty": Policy.NEVER,
    UNREADABLE: Policy.NEVER,
    "invalid_request": Policy.NEVER,
    "unsupported_model": Policy.NEVER,
    "authentication": Policy.NEVER,
    "failed": Policy.NEVER,
    "quota": Policy.PAUSE,
}


PAID = ("unreadable", OWED, "given_up")  # answered, or perhaps: no command that we propose buys them again

_BY_CODE = {
    "batch_expired": "expired",
    "batch_cancelled": "cancelled",
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_error": "quota",
    "enforced_spend_limit_reached": "quota",
    "insufficient_balance": "quota",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "overloaded_error": "overloaded",
    "api_error": "server_error",
    "server_error": "server_error",
    "timeout_error": "server_error",
    "model_not_found": "unsupported_model",
    "not_found_error": "unsupported_model",
    "invalid_api_key": "authentication",
    "authentication_error": "authentication",
    "permission_error": "authentication",
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "invalid_request_error": "invalid_request",
    # as other hosts write them
    "bad_request": "invalid_request",
    "badrequesterror": "invalid_request",
    "validation_error": "invalid_request",
    "context_length_exceeded": "invalid_request",
    "ratelimiterror": "rate_limited",
    "rate_limit": "rate_limited",
    "rate_limited": "rate_limited",
    "too_many_requests": "rate_limited",
    "overloaded": "overloaded",
    "service_unavailable": "overloaded",
    "internal_error": "server_error",
    "internal_server_error": "server_error",
    "internalservererror": "server_error",
    "timeout": "server_error",
    "request_timeout": "server_error",
    "expired": "expired",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "content_filtered": "refused",
    "model_not_supported": "unsupported_model",
}


# How an answer ends, in the words of several APIs, in small letters. What is in none of these sets is no clean end.
_CLEAN = {"", "stop", "end_turn", "stop_sequence", "eos", "eos_token", "end", "complete", "completed", "finished", "done",
          "tool_calls", "function_call", "tool_use"}  # fmt: skip
_CUT = {"length", "max_tokens", "model_length", "max_output_tokens", "max_completion_tokens", "max_length", "max_new_tokens",
        "token_limit", "model_context_window_exceeded", "context_length", "context_length_exceeded", "incomplete"}  # fmt: skip
_DECLINED = {"content_filter", "content_filtered", "refusal", "refused", "safety", "recitation", "blocklist", "blocked", "spii",
             "prohibited_content", "guardrail_intervened", "moderation", "image_safety", "error_toxic"}  # fmt: skip


def finish_class(finish: str, text: bool, refusal: bool = False) -> str:
    """The row class of an answer, by its finish reason and by whether it has text or a refusal."""
    finish = finish.lower()
    if refusal or finish in _DECLINED:
        return "refused"
    if finish in _CUT:
        return "truncated"
    if finish in _CLEAN:
        return SUCCEEDED if text else "empty"
    return "failed"


# The final states of a batch, in the words of several hosts → in one word each.
_FINAL = {
    "completed": "completed complete succeeded success successful done finished ended processed partially_completed "
    "partially_succeeded partial_success completed_with_errors completed_with_failures",
    "failed": "failed fail failure error errored",
    "expired": "expired timeout timeout_exceeded timed_out",
    "cancelled": "cancelled canceled aborted stopped terminated",
}
_WORDS = {said: word for word, them in _FINAL.items() for said in them.split()}
_PREFIX = re.compile(r"^(job|batch)?_?(state|status)?_")


def final_word(status: str) -> str:
    """A batch's final state in one word: completed, failed, expired or cancelled; "" while it has not ended."""
    plain = re.sub(r"[\s-]+", "_", status.strip().lower())
    return _WORDS.get(plain) or _WORDS.get(_PREFIX.sub("", plain), "")


_NOT_YET = re.compile(
    r"not (yet )?(been )?(fully )?(ready|processed|validated|finished)|not (yet )?in an? [\w-]+ state"
    r"|still (being |in )?(process|pending|upload|validat|import|scan|queued|running)"
    r"|being (processed|validated|uploaded|scanned|imported)"
    r"|(is|status|state)\W+((is|was)\W+)?(currently |now )?(pending|processing|uploading|validating|importing|queued)\b"
    r"|file_?(is_?)?(still_?)?(not_?(yet_?)?(ready|processed)|pending|processing)",
    re.IGNORECASE,
)
_FOR_GOOD = re.compile(
    r"because|due to|malformed|corrupt|unsupported|could not be|can ?not be processed|expired|deleted|not valid|line \d", re.IGNORECASE
)


def is_unready(said: str) -> bool:
    """Whether a refusal says that the input file is not processed yet, so that the same file may be taken a little later."""
    return "file" in said.lower() and bool(_NOT_YET.search(said)) and not _FOR_GOOD.search(said)


def row_class(status: int | None, *codes: str | None) -> str:
    """The row class of a failure: its code or type decides first, its HTTP status (None or 0 if none) second.

    Sources of the codes: the error tables of OpenAI and Anthropic (docs/providers.md).
    """
    for code in codes:
        code = code and code.lower()
        if code in _BY_CODE:
            # OpenAI's "invalid_request_error" is the type of nearly all of its errors: the status knows better.
            if code == "invalid_request_error" and status and status not in (400, 413, 422):
                continue
            return _BY_CODE[code]
    if not status:
        return "connection"
    if status in (401, 403):
        return "authentication"
    if status == 402:
        return "quota"
    if status == 404:
        return "unsupported_model"
    if status == 429:
        return "rate_limited"
    if status in (503, 529):
        return "overloaded"
    if status >= 500 or status in (408, 409):
        return "server_error"
    return "invalid_request"
