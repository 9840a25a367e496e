"""What hosts of the OpenAI shape write in other forms: answers, errors, usage, batch objects; nothing paid is lost in reading."""

from __future__ import annotations

import json
import math

import pytest

from common.nouns import Usage
from common.outcomes import POLICY, Policy
from common.providers import anthropic, openai
from common.providers.foreign import as_count, reason, unix

USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}


def body(content: object = "fine", finish: object = "stop", **more: object) -> dict:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion", "created": 1760000000, "model": "m", "choices": [choice], "usage": USAGE, **more}


def row(found: object, status: object = 200, **more: object) -> dict:
    """An output line around a body."""
    return {"custom_id": "a", "response": {"status_code": status, "body": found}, "error": None, **more}


ONE = body()["choices"][0]
PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "no"}]}, {"type": "text", "text": "fi"}, {"type": "reference"}, "ne"]


def response(*items: dict, **more: object) -> dict:
    """An answer of /v1/responses."""
    usage = {"input_tokens": 12, "output_tokens": 7}
    return {"object": "response", "status": "completed", "model": "m", "created_at": 1760000000, "output": [*items], "usage": usage, **more}


def said(*parts: dict) -> dict:
    """A message among its output."""
    return {"type": "message", "role": "assistant", "content": [*parts]}


@pytest.mark.parametrize(
    "line",
    [
        row(body()),
        row(json.dumps(body())),
        row(body(), "200"),
        row(body(), 201),
        {"custom_id": "a", "response": body()},
        {"custom_id": "a", "response": json.dumps(body())},
        {"custom_id": "a", **body()},
        {"custom_id": "a", "status_code": 200, "body": body()},
        row(body(choices=ONE)),
        row(body(choices=[None, ONE])),
        row(body(choices=[{"text": "fine", "finish_reason": "stop"}])),
        row(body(PARTS)),
        row(body({"type": "text", "text": "fine"})),
        row(body(finish="STOP")),
        row(body(finish=None)),
        row(response({"type": "reasoning", "summary": []}, said({"type": "output_text", "text": "fi"}, {"type": "text", "text": "ne"}))),
        {"custom_id": "a", "response": response(said({"type": "output_text", "text": "fine"}))},
    ],
)
def test_an_answer_in_any_form(line: dict) -> None:
    """Text, tokens and time are found wherever they plainly stand; thoughts and references are left out."""
    found = openai.decode(line)
    assert (found.custom_id, found.outcome, found.text, found.usage) == ("a", "succeeded", "fine", Usage(12, 0, 7))
    assert (found.created, found.model, found.message) == (1760000000.0, "m", "")


@pytest.mark.parametrize("number", [7, 7.0])
def test_numbers_as_ids(number: float) -> None:
    """A number is the id that it reads as, in both shapes."""
    assert openai.decode({**row(body()), "custom_id": number}).custom_id == "7"
    assert anthropic.decode({"custom_id": number, "result": {"type": "expired"}}).custom_id == "7"


def test_parts_that_nobody_knows_are_told() -> None:
    """A picture beside a text is named, not lost in silence; a picture alone cannot be read."""
    picture = {"type": "image_url", "image_url": {}}
    found = openai.decode(row(body([{"type": "text", "text": "fine"}, picture])))
    assert (found.outcome, found.text, found.message) == ("succeeded", "fine", "parts left out: image_url")
    assert openai.decode(row(body([picture]))).outcome == "unreadable"


@pytest.mark.parametrize(
    ("finish", "outcome"),
    [
        *((word, "truncated") for word in ("length", "max_tokens", "model_length", "MAX_TOKENS", "max_output_tokens")),
        *((word, "refused") for word in ("content_filter", "SAFETY", "refusal", "RECITATION")),
        *((word, "failed") for word in ("error", "abort", "insufficient_system_resource", "never heard of", 5)),
    ],
)
def test_only_a_known_clean_end_is_a_success(finish: object, outcome: str) -> None:
    """What is not on the list of clean ends is none, text or not."""
    assert openai.decode(row(body(finish=finish))).outcome == outcome


@pytest.mark.parametrize(
    "line",
    [
        row(None), row(""), row("no JSON"), row([]), row({}), row({"usage": USAGE}), row(body(choices=[])), row(body(choices=None)),
        row(body(choices="text")), row({"object": "chat.completion"}), {"custom_id": "a", "response": None, "error": None},
        {"custom_id": "a", "response": "plain"}, {"custom_id": "a", "response": 5}, row(body(42)),
        row({"error": {"code": "rate_limit_exceeded"}, "usage": USAGE}), row({**USAGE, "usage": USAGE}, 500),
    ],
)  # fmt: skip
def test_what_was_answered_and_cannot_be_read_is_never_bought_again(line: dict) -> None:
    """A 200 in any shape, and a usage under any status, is paid: a class of its own, which no policy sends again."""
    found = openai.decode(line)
    assert (found.outcome, POLICY[found.outcome]) == ("unreadable", Policy.NEVER)
    assert found.message and found.usage in (None, Usage(12, 0, 7))


@pytest.mark.parametrize("result", [None, 5, {}, {"type": "new"}, {"type": "succeeded"}, {"type": "succeeded", "message": {"content": 1}}])
def test_the_same_of_message_batches(result: object) -> None:
    """A result that cannot be read is there all the same."""
    found = anthropic.decode({"custom_id": "a", "result": result})
    assert (found.outcome, found.usage) == ("unreadable", None)


@pytest.mark.parametrize(
    ("line", "outcome", "word"),
    [
        ({"custom_id": "a", "error": {"message": "slow", "code": "rate_limit_exceeded"}}, "rate_limited", "slow"),
        (row(None, 400, error="bad url"), "invalid_request", "bad url"),
        (row("bad gateway", 502), "server_error", "bad gateway"),
        (row(None, 400, error={"error": {"message": "too long", "type": "BadRequestError", "code": 400}}), "invalid_request", "too long"),
        (row({"object": "error", "message": "too long", "code": 400}, 400), "invalid_request", "too long"),
        (row({"object": "error", "message": "too long", "code": 400}), "invalid_request", "too long"),
        (row({"detail": [{"loc": ["body"], "msg": "field required"}]}, 422), "invalid_request", "field required"),
        (row({"errors": [{"message": "one"}]}, 400), "invalid_request", "one"),
        (row('{"error": {"message": "as text"}}', 429), "rate_limited", "as text"),
        (row({"error": {"message": "over quota", "code": "insufficient_quota"}}), "quota", "over quota"),
        (row({"error": {"message": "who knows"}}), "failed", "who knows"),
        (row(response(error={"code": "server_error", "message": "broke"}, status="failed", usage=None)), "server_error", "broke"),
    ],
)
def test_an_error_text_in_any_place(line: dict, outcome: str, word: str) -> None:
    """As an object, a text, a list, one within another, beside the response or in it."""
    found = openai.decode(line)
    assert (found.outcome, found.message) == (outcome, word)


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (None, None), ({}, None), ("12", None), ({"prompt_tokens": 12}, None), ({"prompt_tokens": None, "completion_tokens": 7}, None),
        ({"prompt_tokens": math.nan, "completion_tokens": 7}, None), ({"prompt_tokens": -1, "completion_tokens": 7}, None),
        ({"prompt_tokens": 1 << 60, "completion_tokens": 7}, None), ({"prompt_tokens": 12.0, "completion_tokens": "7"}, Usage(12, 0, 7)),
        ({"prompt_tokens": 12, "total_tokens": 19}, Usage(12, 0, 7)), ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
    ],
)  # fmt: skip
def test_an_unknown_usage_is_not_zero(usage: object, read: Usage | None) -> None:
    """What is not told is None, in both shapes; a zero that was told is one."""
    assert openai.decode(row(body(usage=usage))).usage == read
    if read is None:
        message = {"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": usage}
        assert anthropic.decode({"custom_id": "a", "result": {"type": "succeeded", "message": message}}).usage is None


def test_foreign_text_is_short_and_clean() -> None:
    """No control character, no key and no flood gets out of a line or a batch object."""
    flood = "\x1b]0;owned\x07" + "x" * 100_000
    found = openai.decode(row({"error": {"code": flood, "message": f"{flood}", "type": flood}}, 400))
    assert len(found.message) <= 1000 and len(found.code) <= 80 and (found.message + found.code).isprintable()
    why = {"code": flood, "message": flood, "param": [flood], "line": "3"}
    batch = openai.to_batch({"id": "b", "status": flood, "errors": {"data": [why]}})
    (problem,) = batch.problems
    assert len(batch.status) <= 80 and batch.status.isprintable() and len(problem["message"]) <= 1000 and problem["line"] == 3
    assert reason("bad key sk-proj-0123456789abcdefgh") == "bad key sk-…"


# ---- batch objects


def batch(**more: object) -> dict:
    """A batch object of the OpenAI shape."""
    return {"id": "batch_1", "status": "completed", "request_counts": {"total": 2, "completed": 2, "failed": 0}, **more}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        *((word, "completed") for word in ("complete", "SUCCEEDED", "success", "Done", "finished", "ended", "JOB_STATE_SUCCEEDED")),
        *((word, "cancelled") for word in ("canceled", "Cancelled", "JOB_STATE_CANCELLED")),
        ("timeout_exceeded", "expired"),
    ],
)
def test_final_states_in_other_words(said: str, status: str) -> None:
    """A final state ends the watching, and is one of few words for those who judge by it."""
    found = openai.to_batch(batch(status=said))
    assert (found.ended, found.status, found.failed) == (True, status, False)


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({}, True), ({"request_counts": None}, True), ({"output_file_id": "file-1"}, False), ({"error_file_id": "file-2"}, False),
        ({"request_counts": {"total": 2, "completed": "1"}}, False), ({"usage": {"total_tokens": 9}}, False),
    ],
)  # fmt: skip
def test_a_failed_batch_that_was_tried(more: dict, failed: bool) -> None:
    """With a file, or a count of answers or tokens, it has ended and is collected."""
    found = openai.to_batch({**batch(status="failed", request_counts={"total": 2, "completed": 0, "failed": 2}), **more})
    assert (found.ended, found.failed) == (True, failed)


@pytest.mark.parametrize("counts", [None, [], "text", *({"total": one} for one in (None, -1, True, "9" * 400, math.inf))])
def test_unknown_counts(counts: object) -> None:
    """Counts of any kind are a number, 0 where they tell none."""
    assert openai.to_batch(batch(request_counts=counts)).total == 0
    assert anthropic.to_batch({"id": "b", "processing_status": "ended", "request_counts": counts}).total == 0


@pytest.mark.parametrize("value", ["9" * 400, 10**400, math.nan, math.inf, -5, [], {}, "yesterday", True, "", "9999999999999999"])
def test_times_that_no_calendar_has(value: object) -> None:
    """They are 0, and nothing is raised."""
    assert unix(value) == 0.0
    assert openai.to_batch(batch(created_at=value, expires_at=value)).expires_at == 0.0
    assert anthropic.to_batch({"id": "b", "created_at": value}).created_at == 0.0


def test_milliseconds() -> None:
    """A time in milliseconds is the same time."""
    assert unix(1_760_000_000_000) == unix("1760000000") == 1_760_000_000.0


@pytest.mark.parametrize("made", [{}, {"id": None}, {"id": "a\x1b[2J"}, {"id": "x" * 300}, {"id": []}])
def test_a_batch_without_an_id(made: dict) -> None:
    """It is no batch."""
    for api in (openai, anthropic):
        with pytest.raises(ValueError, match="id"):
            api.to_batch(made)


WHY = {"message": "no such file"}


@pytest.mark.parametrize("errors", [None, [], "no such file", WHY, [WHY], {"data": [WHY]}, {"data": "no such file"}])
def test_validation_errors_in_any_form(errors: object) -> None:
    """A text, an object or a list of them."""
    found = openai.to_batch(batch(status="failed", request_counts={}, errors=errors)).problems
    assert [problem["message"] for problem in found] == ["no such file"] * bool(errors)


@pytest.mark.parametrize(
    ("found", "read"), [(5, 5), (5.9, 5), ("5", 5), ("5.0", 5), *((no, None) for no in (True, "", "x", -1, None, [], math.nan))]
)
def test_counts(found: object, read: int | None) -> None:
    """Numbers in the forms that hosts use."""
    assert as_count(found) == read
