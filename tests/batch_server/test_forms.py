"""Checks answers in a form that was asked for: schemas, JSON objects, forced tool calls, several choices; and what is refused."""

from __future__ import annotations

import json

import jsonschema
import pytest

from tests.batch_server.calls import chat_row, ended, finished, lines_of, message_row, submit
from tests.service import HEADERS, HTTP, Service

NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["name", "children", "next"],
    "additionalProperties": False,
}
SCHEMAS = {
    "nested": {
        "type": "object",
        "properties": {
            "score": {"type": "integer", "minimum": 3, "maximum": 5},
            "why": {"type": "string", "minLength": 40},
            "ok": {"type": "boolean"},
            "kind": {"enum": ["a", 7, None]},
            "v": {"const": 1.5},
        },
        "required": ["score", "why", "ok", "kind", "v"],
        "additionalProperties": False,
    },
    "lists": {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "string"}, "minItems": 4, "maxItems": 4},
            "b": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
            "c": {"type": "array", "prefixItems": [{"type": "null"}, {"type": "integer"}], "items": False},
        },
    },
    "numbers": {
        "type": "object",
        "properties": {
            "a": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "b": {"type": "integer", "multipleOf": 7, "minimum": 10},
            "c": {"type": "integer", "maximum": -5},
            "d": {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6},
            "e": {"type": "number", "minimum": 2.5, "maximum": 2.5},
            "f": {"type": "number", "minimum": 1000},
        },
    },
    "branches": {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
            "b": {"type": ["null", "integer"]},
            "c": {"oneOf": [{"type": "array", "maxItems": 0}]},
            "d": {"allOf": [{"properties": {"x": {"type": "integer"}}, "required": ["x"]}, {"type": "object", "required": ["y"]}]},
        },
        "required": ["a", "b", "c", "d"],
    },
    "recursive": {**NODE, "$defs": {"node": NODE}},
    "whole recursive": {"type": "object", "properties": {"more": {"type": "array", "items": {"$ref": "#"}}}, "required": ["more"]},
    "root ref": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "formats": {
        "type": "object",
        "properties": {f: {"type": "string", "format": f} for f in ("date", "date-time", "email", "ipv4", "uuid")},
    },
    "free": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2, "required": ["q"]},
}


def one(service: Service, **body: object) -> tuple[dict | None, dict | None]:
    """The output and the error line of a batch of one row."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(1, **body)]).id)
    return tuple(next(iter(lines_of(client, file)), None) for file in (batch.output_file_id, batch.error_file_id))


def single(service: Service, path: str, body: dict) -> HTTP:
    """A synchronous call."""
    return HTTP.post(f"{service.base}/v1{path}", json=body, headers=HEADERS)


def valid(text: str, schema: dict) -> None:
    """Raise where a JSON text is not as its schema says."""
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(json.loads(text))


def wanted(schema: dict, **more: object) -> dict:
    """A response format."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_kept_by_all_apis(service: Service, name: str):
    """Chat rows, Responses and Messages; other rows get other values, the same row the same."""
    schema, texts = SCHEMAS[name], []
    for n in range(5):
        body = {**chat_row(1)["body"], "messages": [{"role": "user", "content": f"question {n}"}], "response_format": wanted(schema)}
        choice = single(service, "/chat/completions", body).json()["choices"][0]
        valid(choice["message"]["content"], schema)
        texts.append(choice["message"]["content"])
        assert choice["finish_reason"] == "stop" and single(service, "/chat/completions", body).json()["choices"][0] == choice
    reply = single(
        service,
        "/responses",
        {"model": "gpt-4.1", "input": "x", "text": {"format": {"type": "json_schema", "name": "a", "schema": schema}}},
    )
    valid(reply.json()["output"][0]["content"][0]["text"], schema)
    for more in (
        {"output_config": {"format": {"type": "json_schema", "schema": schema}}},
        {"output_format": {"type": "json_schema", "schema": schema}},
    ):
        valid(single(service, "/messages", {**message_row(1)["params"], **more}).json()["content"][0]["text"], schema)
    assert len(set(texts)) > 1 or name == "formats"


def test_rows_of_batches_in_a_form(service: Service):
    """In both APIs, with strict schemas, JSON objects and forced calls."""
    schema = SCHEMAS["nested"]
    valid(one(service, response_format=wanted(schema, strict=True))[0]["response"]["body"]["choices"][0]["message"]["content"], schema)
    asked = [{"role": "user", "content": "Answer as JSON"}]
    body = one(service, messages=asked, response_format={"type": "json_object"})[0]["response"]["body"]
    assert isinstance(json.loads(body["choices"][0]["message"]["content"]), dict)
    client = service.anthropic()
    tool = {"name": "rate", "input_schema": schema}
    batch = client.messages.batches.create(requests=[message_row(1, tools=[tool], tool_choice={"type": "tool", "name": "rate"})])
    ended(client, batch.id)
    (item,) = client.messages.batches.results(batch.id)
    (block,) = item.result.message.content
    assert (item.result.message.stop_reason, block.type, block.name) == ("tool_use", "tool_use", "rate")
    valid(json.dumps(block.input), schema)


FUNCTIONS = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMAS[schema]}} for name, schema in (("a", "lists"), ("b", "nested"))
]


@pytest.mark.parametrize(
    ("choice", "name", "schema"), [("required", "a", "lists"), ({"type": "function", "function": {"name": "b"}}, "b", "nested")]
)
def test_forced_calls(service: Service, choice: object, name: str, schema: str):
    """Arguments are valid for the tool's parameters; the model may not talk instead."""
    (got,) = one(service, tools=FUNCTIONS, tool_choice=choice)[0]["response"]["body"]["choices"]
    (call,) = got["message"]["tool_calls"]
    assert (got["finish_reason"], got["message"]["content"], call["type"], call["function"]["name"]) == (
        "tool_calls",
        None,
        "function",
        name,
    )
    valid(call["function"]["arguments"], SCHEMAS[schema])


def test_forced_calls_of_responses_and_any(service: Service):
    """Responses has a function_call item; Anthropic's "any" takes the first tool; "auto" may talk."""
    tool = {"type": "function", "name": "a", "parameters": SCHEMAS["nested"]}
    reply = single(
        service, "/responses", {"model": "gpt-4.1", "input": "x", "tools": [tool], "tool_choice": {"type": "function", "name": "a"}}
    )
    assert (reply.json()["output"][0]["type"], reply.json()["output"][0]["name"]) == ("function_call", "a")
    valid(reply.json()["output"][0]["arguments"], SCHEMAS["nested"])
    tools = [{"name": "first", "input_schema": SCHEMAS["lists"]}, {"name": "second", "input_schema": {"type": "object"}}]
    for kind, block in (("any", "tool_use"), ("auto", "text"), ("none", "text")):
        body = single(service, "/messages", {**message_row(1)["params"], "tools": tools, "tool_choice": {"type": kind}}).json()
        assert body["content"][0]["type"] == block
    assert one(service, tools=FUNCTIONS, tool_choice="auto")[0]["response"]["body"]["choices"][0]["message"]["content"]


def test_several_choices(service: Service):
    """n of them, each with an index and words of its own, all paid."""
    body = one(service, n=3)[0]["response"]["body"]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in body["choices"]}) == 3
    alone = one(service, n=1)[0]["response"]["body"]
    assert alone["choices"] == body["choices"][:1] and body["usage"]["completion_tokens"] > alone["usage"]["completion_tokens"]
    assert body["usage"]["prompt_tokens"] == alone["usage"]["prompt_tokens"]


def test_a_form_is_cut_as_words_are(service: Service):
    """Too small a cap leaves half a JSON text, and says so."""
    (choice,) = one(service, response_format=wanted(SCHEMAS["nested"]), max_tokens=4)[0]["response"]["body"]["choices"]
    assert choice["finish_reason"] == "length"
    with pytest.raises(ValueError):
        json.loads(choice["message"]["content"])


OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
        ({"response_format": {}}, "missing_required_parameter", "response_format.type"),
        ({"response_format": "json"}, "invalid_type", "response_format"),
        ({"response_format": {"type": "json_object"}}, None, "messages"),
        ({"response_format": {"type": "json_schema"}}, "missing_required_parameter", "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": OBJECT}}},
            "missing_required_parameter",
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": OBJECT}}},
            "invalid_value",
            "response_format.json_schema.name",
        ),
        ({"response_format": wanted(OBJECT, strict=True)}, None, "response_format"),
        ({"response_format": wanted({**OBJECT, "additionalProperties": False}, strict=True)}, None, "response_format"),
        ({"response_format": wanted({"type": "array"}, strict=True)}, None, "response_format"),
        ({"response_format": wanted({"type": "thing"})}, None, "response_format"),
        ({"response_format": wanted({"$ref": "#/nowhere"})}, None, "response_format"),
        ({"response_format": wanted({"$ref": "#"})}, None, "response_format"),
        ({"response_format": wanted({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})}, None, "response_format"),
        ({"response_format": wanted({"type": "array", "minItems": 10**12})}, None, "response_format"),
        ({"response_format": wanted({"properties": 7})}, None, "response_format"),
        ({"n": 0}, "integer_below_min_value", "n"),
        ({"n": 129}, "integer_above_max_value", "n"),
        ({"n": "2"}, "invalid_type", "n"),
        ({"tool_choice": "required"}, None, "tool_choice"),
        ({"tools": FUNCTIONS, "tool_choice": "always"}, "invalid_value", "tool_choice"),
        ({"tools": FUNCTIONS, "tool_choice": {"type": "function", "function": {"name": "z"}}}, None, "tool_choice"),
        ({"tools": 7, "tool_choice": "required"}, "invalid_type", "tools"),
    ],
)
def test_openai_refuses(service: Service, body: dict, code: str | None, param: str):
    """A row of the error file with 400, as the single call answers."""
    answer = single(service, "/chat/completions", {**chat_row(1)["body"], **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"], error["param"]) == (400, "invalid_request_error", code, param)
    line = one(service, **body)[1]
    assert line["response"]["status_code"] == 400 and line["response"]["body"]["error"] == error


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format.type"),
        ({"output_config": 7}, "output_config"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_format": {"type": "json_schema", "schema": {"type": "thing"}}}, "output_format.schema"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tool_choice": {"type": "some"}}, "tool_choice"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tools": [{"name": "a", "input_schema": {}}], "tool_choice": {"type": "tool", "name": "b"}}, "tool_choice"),
        ({"tools": [{"name": "a", "input_schema": {"type": 7}}], "tool_choice": {"type": "any"}}, "tools.0"),
    ],
)
def test_anthropic_refuses(service: Service, params: dict, where: str):
    """An invalid_request_error that names the place."""
    answer = single(service, "/messages", {**message_row(1)["params"], **params})
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["message"].startswith(where)


def test_forms_in_streams(service: Service):
    """The SDKs put the events together again."""
    tool = {"name": "rate", "input_schema": SCHEMAS["nested"]}
    with service.anthropic().messages.stream(**message_row(1)["params"], tools=[tool], tool_choice={"type": "any"}) as stream:
        valid(json.dumps(stream.get_final_message().content[0].input), SCHEMAS["nested"])
    pieces = service.openai().chat.completions.create(**chat_row(1)["body"], tools=FUNCTIONS, tool_choice="required", stream=True)
    calls = [call for piece in pieces for choice in piece.choices for call in choice.delta.tool_calls or []]
    assert calls[0].function.name == "a"
    valid("".join(call.function.arguments for call in calls), SCHEMAS["lists"])
    tool = {"type": "function", "name": "a", "parameters": SCHEMAS["nested"]}
    with service.openai().responses.stream(model="gpt-4.1", input="x", tools=[tool], tool_choice="required") as events:
        valid(events.get_final_response().output[0].arguments, SCHEMAS["nested"])
