"""Checks request parameters, stop sequences, refusals, thoughts, and Responses as a batch endpoint, against what the APIs do."""

from __future__ import annotations

import json

import pytest

from tests.batch_server.calls import chat_row, ended, finished, lines_of, message_row, upload
from tests.service import HEADERS, HTTP, Service
from tools.batch_server.rows import Context, Outcome, answer

SHARES = {"odd": 0.0, "cut": 0.0, "heal": 0.0, "refuse": 0.0}
ENDPOINTS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}


def asked(api: str, number: int = 0, shares: dict | None = None, **body: object) -> Outcome:
    """What became of one request."""
    least = {
        "chat": {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Tell me a word."}]},
        "responses": {"model": "gpt-4.1", "input": "Tell me a word."},
        "messages": {"model": "claude-haiku-4-5", "max_tokens": 3000, "messages": [{"role": "user", "content": "Tell me a word."}]},
    }[api]
    context = Context("batch_tests", "anthropic" if api == "messages" else "openai", ENDPOINTS[api], 7, shares or SHARES, "2023-06-01")
    return answer({**least, **body}, f"row{number}", context, lambda key: None)


TOOL = {"type": "function", "function": {"name": "rate", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("body", [
    {"top_p": 0.9, "seed": 7, "stop": ["\n\n", "END"], "n": 2}, {"logprobs": True, "top_logprobs": 3}, {"service_tier": "flex"},
    {"stop": None, "seed": None, "user": "me", "metadata": {"a": "b"}, "store": False}, {"model": "gpt-5.1", "reasoning_effort": "none"},
    {"model": "o3", "reasoning_effort": "low"}, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "rate"}}},
    {"model": "Qwen/Qwen3-32B", "top_k": 20, "chat_template_kwargs": {"enable_thinking": False}},
])  # fmt: skip
def test_chat_takes(body: dict):
    """Parameters that the API has; models of other hosts may have others."""
    assert asked("chat", **body).status == 200


@pytest.mark.parametrize(("api", "body", "code", "param"), [
    ("chat", {"topp": 0.9}, "unknown_parameter", "topp"), ("chat", {"top_k": 3}, "unknown_parameter", "top_k"),
    ("chat", {"max_output_tokens": 30}, "unknown_parameter", "max_output_tokens"), ("chat", {"seed": "7"}, "invalid_type", "seed"),
    ("chat", {"stop": list("abcde")}, "array_above_max_length", "stop"), ("chat", {"stop": 7}, "invalid_type", "stop"),
    ("chat", {"model": "o3", "stop": "a"}, "unsupported_parameter", "stop"), ("chat", {"logprobs": 3}, "invalid_type", "logprobs"),
    ("chat", {"top_logprobs": 3}, "invalid_value", "top_logprobs"),
    ("chat", {"logprobs": True, "top_logprobs": 21}, "integer_above_max_value", "top_logprobs"),
    ("chat", {"service_tier": "gold"}, "invalid_value", "service_tier"),
    ("chat", {"logit_bias": {"1": 101}}, "invalid_value", "logit_bias"),
    ("chat", {"reasoning_effort": "low"}, "unsupported_parameter", "reasoning_effort"),
    ("chat", {"model": "gpt-5", "reasoning_effort": "deep"}, "invalid_value", "reasoning_effort"),
    ("chat", {"model": "o3", "reasoning_effort": "none"}, "unsupported_value", "reasoning_effort"),
    ("chat", {"model": "gpt-5", "temperature": 0.5}, "unsupported_value", "temperature"),
    ("chat", {"top_p": 1.2}, "decimal_above_max_value", "top_p"),
    ("responses", {"messages": []}, "unsupported_parameter", "messages"),
    ("responses", {"input": None}, "missing_required_parameter", "input"),
    ("responses", {"max_tokens": 5}, "unsupported_parameter", "max_tokens"), ("responses", {"stop": "a"}, "unknown_parameter", "stop"),
    ("responses", {"reasoning": {"effort": "low"}}, "unsupported_parameter", "reasoning.effort"),
    ("responses", {"temperature": 3}, "decimal_above_max_value", "temperature"),
])  # fmt: skip
def test_openai_refuses(api: str, body: dict, code: str, param: str):
    """A wrong name, type or range is a 400 of the row that names the parameter."""
    got = asked(api, **body)
    error = got.body["error"]
    assert (got.status, error["type"], error["code"], error["param"]) == (400, "invalid_request_error", code, param)


@pytest.mark.parametrize(("body", "begins"), [
    ({"n": 2}, "n: Extra inputs"), ({"stop": ["a"]}, "stop: Extra inputs"), ({"reasoning_effort": "low"}, "reasoning_effort: Extra inputs"),
    ({"stop_sequences": "a"}, "stop_sequences: Input should be"), ({"stop_sequences": [" "]}, "stop_sequences: each"),
    ({"service_tier": "flex"}, "service_tier: "), ({"top_k": -1}, "top_k: "),
    ({"output_config": {"effort": "none"}}, "output_config.effort: "),
    ({"thinking": {"type": "on"}}, "thinking: Input tag 'on'"),
    ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field"),
    ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "thinking.enabled.budget_tokens: Input should be greater"),
    ({"thinking": {"type": "enabled", "budget_tokens": 3000}}, "`max_tokens` must be greater"),
    ({"thinking": {"type": "adaptive"}}, "thinking.type: 'adaptive'"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 0.5}, "`temperature` may only be set to 1"),
    ({"model": "claude-opus-5", "thinking": {"type": "enabled", "budget_tokens": 1024}}, '"thinking.type.enabled" is not supported'),
])  # fmt: skip
def test_anthropic_refuses(body: dict, begins: str):
    """The same in the words of the other API."""
    got = asked("messages", **body)
    assert got.status == 400 and got.body["error"]["type"] == "invalid_request_error"
    assert got.body["error"]["message"].startswith(begins), got.body


def test_stop_ends_an_answer():
    """At the earliest stop sequence, which is not part of it; Anthropic says which one it was."""
    whole = asked("chat").body["choices"][0]["message"]["content"]
    got = asked("chat", stop=["nowhere", whole[30:36], whole[10:14]]).body
    assert got["choices"][0]["message"]["content"] == whole[: whole.index(whole[10:14])] and got["choices"][0]["finish_reason"] == "stop"
    assert got["usage"]["completion_tokens"] < asked("chat").body["usage"]["completion_tokens"]
    got = asked("messages", stop_sequences=["answer"]).body
    assert (got["stop_reason"], got["stop_sequence"]) == ("stop_sequence", "answer") and "answer" not in got["content"][0]["text"]
    assert asked("messages", stop_sequences=["nowhere"]).body["stop_reason"] == "end_turn"


def test_refusals():
    """A share of answers: words like any others, but said in the field for it where a schema was asked for."""
    shares, schema = {**SHARES, "refuse": 1.0}, {"type": "object", "properties": {"a": {"type": "string"}}}
    assert "can't help" in asked("chat", shares=shares).body["choices"][0]["message"]["content"]
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    message = asked("chat", shares=shares, response_format=wanted).body["choices"][0]["message"]
    assert message["content"] is None and "can't help" in message["refusal"]
    got = asked("responses", shares=shares, text={"format": {"type": "json_schema", "name": "a", "schema": schema}}).body
    assert got["output"][0]["content"][0]["type"] == "refusal"
    assert asked("messages", shares=shares).body["stop_reason"] == "refusal"
    some = [asked("messages", n, shares={**SHARES, "refuse": 0.2}).body["stop_reason"] for n in range(200)]
    assert 20 < some.count("refusal") < 65


def test_thoughts_and_log_probabilities():
    """What a model thought stands before its answer and is paid; probabilities spell the answer."""
    got = asked("messages", thinking={"type": "enabled", "budget_tokens": 1024}).body
    plain = asked("messages").body
    assert [block["type"] for block in got["content"]] == ["thinking", "text"]
    assert got["usage"]["output_tokens"] > plain["usage"]["output_tokens"]
    kinds = {len(asked("messages", n, model="claude-opus-5", thinking={"type": "adaptive"}).body["content"]) for n in range(20)}
    assert kinds == {1, 2}
    choice = asked("chat", logprobs=True).body["choices"][0]
    assert "".join(one["token"] for one in choice["logprobs"]["content"]) == choice["message"]["content"]
    output = asked("responses", model="o3", max_output_tokens=20).body
    assert output["status"] == "incomplete" and [item["type"] for item in output["output"]] == ["reasoning"]


def test_responses_are_a_batch_endpoint(service: Service):
    """Rows of /v1/responses: a Response as the SDK's own type reads it; a row with another url is refused as a whole file."""
    from openai.types.responses import Response
    client = service.openai()
    form = [{"role": "user", "content": "Q1. Joy(value): [1-7]"}]
    parts = [{"role": "user", "content": [{"type": "input_text", "text": "Go on and on."}]}]
    bodies = [
        {"model": "gpt-4.1", "input": "Answer yes or no."},
        {"model": "gpt-4.1", "instructions": "Rate from 1 to 7.", "input": form, "temperature": 0},
        {"model": "gpt-4.1", "input": parts, "max_output_tokens": 16},
    ]
    rows = [{"custom_id": f"r{n}", "method": "POST", "url": "/v1/responses", "body": body} for n, body in enumerate(bodies)]
    create = {"endpoint": "/v1/responses", "completion_window": "24h"}
    batch = finished(client, client.batches.create(input_file_id=upload(client, rows), **create).id)
    found = {row["custom_id"]: row["response"]["body"] for row in lines_of(client, batch.output_file_id)}
    responses = {name: Response.model_validate(body, strict=True) for name, body in found.items()}
    assert responses["r0"].output_text in ("yes", "no") and responses["r1"].output_text in {f"Q1. Joy(value): {n}" for n in range(1, 8)}
    assert responses["r2"].status == "incomplete" and responses["r2"].incomplete_details.reason == "max_output_tokens"
    assert responses["r1"].temperature == 0 and responses["r1"].instructions == "Rate from 1 to 7."
    usage = responses["r2"].usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens and batch.usage.output_tokens > 0
    mixed = finished(client, client.batches.create(input_file_id=upload(client, [*rows, chat_row(1, "gpt-4.1")]), **create).id)
    assert mixed.status == "failed" and {(error.code, error.line) for error in mixed.errors.data} == {("invalid_url", 4)}
    single = HTTP.post(f"{service.base}/v1/responses", json=bodies[1], headers=HEADERS).json()
    assert single["output"][0]["content"][0]["text"].startswith("Q1. Joy(value): ")


def test_streams_of_thoughts(service: Service):
    """The SDKs put thoughts and answers together again."""
    params = {**message_row(1)["params"], "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    with service.anthropic().messages.stream(**params) as stream:
        assert [block.type for block in stream.get_final_message().content] == ["thinking", "text"]
    with service.openai().responses.stream(model="o3", input="x") as events:
        assert [item.type for item in events.get_final_response().output] == ["reasoning", "message"]


def test_few_shot_rows_of_message_batches(service: Service):
    """Turns of the assistant are taken; the last turn is answered as the first ones were."""
    turns = [("user", "Great!"), ("assistant", "positive"), ("user", "Awful."), ("assistant", "negative"), ("user", "It came.")]
    client = service.anthropic()
    batch = client.messages.batches.create(requests=[message_row(1, messages=[{"role": r, "content": c} for r, c in turns])])
    ended(client, batch.id)
    (item,) = client.messages.batches.results(batch.id)
    assert item.result.message.content[0].text in ("positive", "negative"), json.dumps(item.model_dump(), default=str)
