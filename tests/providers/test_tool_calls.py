"""Answers that are tool calls: what the tool was called with is the text, where there is no other."""

from __future__ import annotations

import json

import pytest

from common.nouns import Result
from common.providers import anthropic, openai

CALL = {"id": "c", "type": "function", "function": {"name": "note", "arguments": '{"a": "é"}'}}
ITEM = {"type": "function_call", "name": "note", "arguments": '{"a": "é"}'}
USE = {"type": "tool_use", "id": "t", "name": "note", "input": {"a": "é"}}
SAID = {"type": "message", "content": [{"type": "output_text", "text": "fine"}]}
USAGE = {"input_tokens": 1, "output_tokens": 1}


def chat(finish: str = "tool_calls", **message: object) -> Result:
    """A chat completion's result."""
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    return openai.decode({"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [choice], "usage": USAGE}}})


def response(*items: dict) -> Result:
    """The result of an answer of /v1/responses."""
    body = {"object": "response", "status": "completed", "output": [*items], "usage": USAGE}
    return openai.decode({"custom_id": "a", "response": {"status_code": 200, "body": body}})


def message(*blocks: dict, stop: str = "tool_use") -> Result:
    """A message's result."""
    found = {"content": [*blocks], "stop_reason": stop, "usage": USAGE}
    return anthropic.decode({"custom_id": "a", "result": {"type": "succeeded", "message": found}})


@pytest.mark.parametrize(
    "found",
    [
        chat(tool_calls=[CALL]), chat("stop", tool_calls=[CALL]), chat(tool_calls=CALL),
        chat("function_call", function_call=CALL["function"]),
        chat(tool_calls=[{"type": "function", "function": {"name": "note", "arguments": {"a": "é"}}}]),
        chat(tool_calls=[{"type": "custom", "custom": {"name": "note", "input": '{"a": "é"}'}}]),
        response({"type": "reasoning", "summary": []}, ITEM), response({**ITEM, "type": "custom_tool_call"}),
        message({"type": "thinking", "thinking": "hm"}, USE),
    ],
)  # fmt: skip
def test_a_call_is_the_answer(found: Result) -> None:
    """In every form that the APIs write it, as JSON, and clean."""
    assert (found.outcome, json.loads(found.text), found.message) == ("succeeded", {"a": "é"}, "") and "é" in found.text


@pytest.mark.parametrize("found", [chat(tool_calls=[CALL, CALL]), response(ITEM, ITEM), message(USE, USE)])
def test_of_several_calls_the_first_counts(found: Result) -> None:
    """The others are told."""
    assert (found.outcome, json.loads(found.text)) == ("succeeded", {"a": "é"}) and "further tool calls" in found.message


@pytest.mark.parametrize(
    "found", [chat(content="fine", tool_calls=[CALL]), response(SAID, ITEM), message({"type": "text", "text": "fine"}, USE)]
)
def test_a_text_beside_a_call(found: Result) -> None:
    """It is the answer."""
    assert (found.outcome, found.text, found.message) == ("succeeded", "fine", "")


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (chat("length", tool_calls=[CALL]), "truncated"), (message({**USE, "input": {}}, stop="max_tokens"), "truncated"),
        (chat(tool_calls=[]), "empty"), (chat(tool_calls=[{"function": {"arguments": ""}}, None, 7]), "empty"),
        (chat(tool_calls=7), "empty"),
        (message({**USE, "input": None}), "empty"), (response({"type": "function_call"}), "empty"),
        (chat(refusal="no", tool_calls=[CALL]), "refused"),
    ],
)  # fmt: skip
def test_calls_that_are_no_clean_answer(found: Result, outcome: str) -> None:
    """Cut off, without arguments, or beside a refusal."""
    assert found.outcome == outcome
