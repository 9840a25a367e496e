"""Requests of all forms: what stays as it always was, and what the SDKs' own types say of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import get_type_hints

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter, ValidationError

from common import catalog
from common.experiment.schema import schema_of
from common.nouns import Ask, Attachment, Condition, Model, Question
from common.providers import anthropic_requests, openai_requests
from common.providers.asking import for_claude, in_words, is_strict, merged

GPT, O3, PRO = (catalog.find(name, "openai") for name in ("gpt-4.1", "o3", "gpt-5.5-pro"))
OLD = replace(GPT, id="o1-mini", supports_system=False, structured="")
CLAUDE, CLAUDE_3 = (catalog.find(name, "anthropic") for name in ("claude-haiku-4-5", "claude30h"))
CLOSED = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 7}, "why": {"type": "string"}},
    "required": ["score", "why"],
    "additionalProperties": False,
}
PNG = Attachment("a.png", "image/png", data="iVBORw0KGgo=", width=8, height=8)
FAR = Attachment("b.jpg", "image/jpeg", url="https://example.org/b.jpg")
PAPER = Attachment("c.pdf", "application/pdf", data="JVBERi0xLjQ=", pages=2)
FAR_PAPER = Attachment("d.pdf", "application/pdf", url="https://example.org/d.pdf")


def asked(model: Model, ask: Ask | None = None, **more: object) -> dict:
    """The parsed line of a condition."""
    shape = anthropic_requests if model.provider == "anthropic" else openai_requests
    condition = Condition(model, "1", "t1", "You are a reader.", "Read this.", 0.7)._replace(**more)
    return json.loads(b"1".join(shape.encode(condition, ask or Ask(64))))


def body(model: Model, ask: Ask | None = None, **more: object) -> dict:
    """The same without what stands around it."""
    line = asked(model, ask, **more)
    return line.get("params") or line["body"]


# ---- as it always was

LINES = {
    "gpt-4.1": b'{"custom_id":"%b","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4.1","messages":[{"role":"system",'
    b'"content":"You are \xe5\x85\x83."},{"role":"user","content":"Read \\"this\\"."}],"temperature":0.7,"max_tokens":64}}\n',
    "o3": b'{"custom_id":"%b","method":"POST","url":"/v1/chat/completions","body":{"model":"o3","messages":[{"role":"system",'
    b'"content":"You are \xe5\x85\x83."},{"role":"user","content":"Read \\"this\\"."}],"reasoning_effort":"low",'
    b'"max_completion_tokens":64}}\n',
    "o1-mini": b'{"custom_id":"%b","method":"POST","url":"/v1/chat/completions","body":{"model":"o1-mini","messages":[{"role":"user",'
    b'"content":"You are \xe5\x85\x83.\\n\\nRead \\"this\\"."}],"max_completion_tokens":64}}\n',
    "claude-haiku-4-5": b'{"custom_id":"%b","params":{"model":"claude-haiku-4-5-20251001","max_tokens":64,"messages":[{"role":"user",'
    b'"content":"Read \\"this\\"."}],"system":"You are \xe5\x85\x83.","temperature":0.7}}\n',
}


@pytest.mark.parametrize("name", LINES)
def test_a_plain_request_is_the_same_to_the_byte(name: str) -> None:
    """Runs that were planned by earlier versions are made again alike."""
    model = next(m for m in catalog.models() if m.alias == name)
    shape = anthropic_requests if model.provider == "anthropic" else openai_requests
    temperature = 0.7 if model.supports_temperature else None
    effort = "low" if name == "o3" else ""
    halves = shape.encode(Condition(model, "1", "t1", "You are 元.", 'Read "this".', temperature), Ask(64, effort))
    assert b"a".join(halves) == LINES[name] % b"a"


# ---- turns, images, PDFs

TURNS = (("user", "One?"), ("assistant", "Two."))


@pytest.mark.parametrize("model", [GPT, PRO, CLAUDE], ids=lambda model: model.alias)
def test_turns_stand_before_the_prompt(model: Model) -> None:
    """In their order, with the system text apart from them or first."""
    found = body(model, turns=TURNS)
    said = [(turn["role"], turn["content"]) for turn in found.get("messages") or found["input"]]
    system = found.get("system") or found.get("instructions") or said.pop(0)[1]
    assert (system, said) == ("You are a reader.", [*TURNS, ("user", "Read this.")])


def test_parts_of_chat_completions() -> None:
    """Pictures by address or as data, papers as data."""
    text, far, near, paper = body(GPT, attachments=(FAR, PNG, PAPER))["messages"][-1]["content"]
    assert text == {"type": "text", "text": "Read this."}
    assert far["image_url"]["url"] == FAR.url and near["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="
    assert paper == {"type": "file", "file": {"filename": "c.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQ="}}


def test_parts_of_responses() -> None:
    """The same, and papers by address too; a blank prompt is no part."""
    far, near, paper, far_paper = body(PRO, user="", attachments=(FAR, PNG, PAPER, FAR_PAPER))["input"][-1]["content"]
    assert far["image_url"] == FAR.url and near["image_url"].startswith("data:image/png;base64,")
    assert paper["filename"] == "c.pdf" and far_paper == {"type": "input_file", "file_url": FAR_PAPER.url}


def test_blocks_of_messages() -> None:
    """What is shown comes before what is asked."""
    *shown, text = body(CLAUDE, attachments=(FAR, PNG, PAPER, FAR_PAPER))["messages"][-1]["content"]
    assert text == {"type": "text", "text": "Read this."}
    assert [block["type"] for block in shown] == ["image", "image", "document", "document"]
    assert [block["source"]["type"] for block in shown] == ["url", "base64", "base64", "url"]


# ---- forms of answers

OPEN = {"type": "object", "properties": {"score": {"type": "integer"}}}


def test_a_schema_where_the_api_keeps_to_it() -> None:
    """As each endpoint writes it, and not in the prompt."""
    ask = Ask(64, schema=json.dumps(CLOSED))
    form = {"name": "answer", "strict": True, "schema": CLOSED}
    assert body(GPT, ask)["response_format"] == {"type": "json_schema", "json_schema": form}
    assert body(replace(PRO, structured="schema"), ask)["text"]["format"] == {"type": "json_schema", **form}
    claude = body(CLAUDE, ask)
    assert claude["output_config"]["format"]["schema"]["properties"]["score"] == {"type": "integer", "description": "(from 1 to 7)"}
    assert claude["messages"][-1]["content"] == "Read this."
    assert body(GPT, Ask(64, schema=json.dumps(OPEN)))["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    "model", [OLD, PRO, CLAUDE_3, replace(GPT, structured="object")], ids=lambda model: f"{model.alias}{model.structured}"
)
def test_a_schema_in_words(model: Model) -> None:
    """Where the API cannot be bound to it: with a JSON object as the form, where it has that."""
    schema = json.dumps(CLOSED)
    found = body(model, Ask(64, schema=schema), temperature=None)
    said = found["input"] if "input" in found else found["messages"][-1]["content"]
    assert said.endswith(f"Read this.\n\n{in_words(schema)}") and schema in said and "JSON" in said
    assert ("response_format" in found) == (model.structured == "object")
    assert not found.keys() & {"text", "output_config"}


def test_a_list_as_answer_is_asked_for_in_words() -> None:
    """No API takes another form than an object."""
    ask = Ask(64, schema='{"type":"array","items":{"type":"integer"}}')
    for model in (GPT, CLAUDE):
        assert not body(model, ask).keys() & {"response_format", "output_config"}
        assert "Answer with one JSON value" in body(model, ask)["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("change", "strict"),
    [
        ({}, True), ({"additionalProperties": True}, False), ({"required": ["score"]}, False), ({"minProperties": 1}, False),
        ({"type": ["object", "null"]}, False), ({"properties": {}, "required": []}, True),
        ({"properties": {"score": OPEN, "why": {}}}, False),
        ({"properties": {"score": {"type": "array", "items": OPEN}, "why": {}}}, False),
        ({"properties": {"score": {"anyOf": [CLOSED, {"type": "null"}]}, "why": {"type": "string"}}}, True),
        ({"$defs": {"a": OPEN}}, False), ({"properties": {"score": True, "why": {"type": "string"}}}, False),
        ({"properties": {"score": {"type": "null"}, "why": {}}}, False),
    ],
)  # fmt: skip
def test_strict(change: dict, strict: bool) -> None:
    """Only closed objects whose properties are all required, at every depth."""
    assert is_strict(json.dumps({**CLOSED, **change})) is strict


def test_the_schema_of_questions_binds_both() -> None:
    """What an experiment's questions make is kept to the letter by OpenAI, and is a form of Claude's as it is."""
    own = (
        '{"type":"object","properties":{"x":{"$ref":"#/$defs/X"}},"required":["x"],"additionalProperties":false,"$defs":{"X":{"enum":[1]}}}'
    )
    kinds = ("number", "integer", "choice", "choices", "yes_no", "text", "json")
    choices = (("yes", ()), ("no", ()))
    made = schema_of([Question(f"Q{n}", "Joy", type=kind, choices=choices, reason="optional", schema=own) for n, kind in enumerate(kinds)])
    assert is_strict(json.dumps(made))
    claude = body(CLAUDE, Ask(64, schema=json.dumps(made)))["output_config"]["format"]["schema"]
    assert claude["properties"]["Q6"] == made["properties"]["Q6"] and claude["required"] == made["required"]


def test_a_schema_for_claude() -> None:
    """Types become branches, bounds become words, objects are closed; definitions stay."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["integer", "null"], "minimum": 0},
            "b": {"$ref": "#/$defs/B"},
            "c": {"type": "string", "format": "uuid", "maxLength": 9, "description": "A name"},
            "d": {"oneOf": [{"const": 1}, {"enum": ["x"]}]},
            "e": {"type": "array", "items": {"type": "string"}, "minItems": 3},
        },
        "$defs": {"B": {"type": "object", "properties": {"x": {"type": "string"}}}},
    }
    found = body(CLAUDE, Ask(64, schema=json.dumps(schema)))["output_config"]["format"]["schema"]
    assert found["properties"] == {
        "a": {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "(at least 0)"},
        "b": {"$ref": "#/$defs/B"},
        "c": {"type": "string", "format": "uuid", "description": "A name (maxLength: 9)"},
        "d": {"anyOf": [{"const": 1}, {"enum": ["x"]}]},
        "e": {"type": "array", "items": {"type": "string"}, "description": "(minItems: 3)"},
    }
    assert found["additionalProperties"] is found["$defs"]["B"]["additionalProperties"] is False


@pytest.mark.parametrize(
    "inner",
    [{"type": "object"}, {"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": {}},
     {"$ref": "#"}, {"$ref": "#/$defs/A"},
     {"$ref": "https://example.org/s"}, True, {"type": ["object", "null"]}, {"type": ["array", "null"], "items": {}},
     {"properties": {"a": {}}}, {}],
)  # fmt: skip
def test_what_claude_cannot_be_bound_to(inner: object) -> None:
    """Open objects, and definitions without end, are asked for in words."""
    schema = {"type": "object", "properties": {"a": inner}, "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}}
    assert for_claude(json.dumps(schema)) is None
    assert "JSON Schema" in body(CLAUDE, Ask(64, schema=json.dumps(schema)))["messages"][-1]["content"]


# ---- parameters


def test_parameters_go_along() -> None:
    """Beside our own keys, table by table; never in their place."""
    ask = Ask(64, "low", json.dumps(CLOSED), {"text": {"verbosity": "low"}, "reasoning": {"summary": "auto"}, "max_output_tokens": 9})
    found = body(replace(PRO, structured="schema"), ask)
    assert found["text"].keys() == {"format", "verbosity"} and found["reasoning"] == {"effort": "low", "summary": "auto"}
    assert found["max_output_tokens"] == 64
    claude = body(CLAUDE, Ask(64, schema=json.dumps(CLOSED), parameters={"output_config": {"effort": "low"}, "model": "x"}))
    assert claude["output_config"].keys() == {"format", "effort"} and claude["model"] == CLAUDE.id
    assert body(GPT, Ask(64, parameters={"seed": 7}))["seed"] == 7
    assert merged({"a": 1, "b": {"c": 1}}, {"a": 2, "b": {"d": 2}}) == {"a": 2, "b": {"c": 1, "d": 2}}


@pytest.mark.parametrize("model", [GPT, O3, PRO, CLAUDE], ids=lambda model: model.alias)
def test_another_cap(model: Model) -> None:
    """It replaces the one that is there, and nothing else."""
    shape = anthropic_requests if model.provider == "anthropic" else openai_requests
    line = json.dumps(asked(model)).encode() + b"\n"
    assert json.loads(shape.with_cap(line, 64)) == json.loads(line) != json.loads(shape.with_cap(line, 65))
    assert b"65" in shape.with_cap(line, 65)


# ---- any of it, as the SDKs have it


def whole(found: object) -> None:
    """Read all of it: pydantic looks at what stands in an Iterable only when that is read."""
    if isinstance(found, dict):
        found = found.values()
    if not isinstance(found, (str, bytes)) and isinstance(found, Iterable):
        for one in found:
            whole(one)


def typed(params: type) -> Callable[[dict], object]:
    """A check that a body is what an SDK's types say, with no key beside them."""
    known, adapter = get_type_hints(params), TypeAdapter(params)

    def check(found: dict) -> None:
        # Claude's SDK no longer has it, while its API does in the older version that we ask for
        found = {key: value for key, value in found.items() if key != "temperature" or "temperature" in known}
        try:
            whole(adapter.validate_python(found, extra="forbid"))
        except ValidationError as error:
            raise AssertionError(f"{error.errors()[:3]}") from None

    return check


CHECKS = {
    "chat": (typed(CompletionCreateParamsNonStreaming), {"top_p": 0.5, "seed": 7, "stop": ["."], "logit_bias": {"1": 2}}),
    "responses": (typed(ResponseCreateParamsNonStreaming), {"top_p": 0.5, "truncation": "auto", "text": {"verbosity": "low"}}),
    "claude": (typed(MessageCreateParamsNonStreaming), {"stop_sequences": ["."], "output_config": {"effort": "low"}}),
}
WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
LEAVES = st.sampled_from(
    [{"type": "string"}, {"type": "integer", "minimum": 1, "maximum": 7}, {"enum": ["a", "b"]}, {"type": ["number", "null"]}]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.dictionaries(WORDS, inner, max_size=3).map(lambda fields: {"type": "object", "properties": fields, "required": [*fields]}),
    ),
    max_leaves=5,
)


@settings(max_examples=120, deadline=None)
@given(
    which=st.sampled_from(["chat", "responses", "claude"]),
    model=st.sampled_from(["schema", "object", ""]),
    texts=st.tuples(WORDS, WORDS),
    turns=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), WORDS), max_size=3),
    attachments=st.lists(st.sampled_from([PNG, FAR, PAPER]), max_size=3),
    schema=st.none() | SCHEMAS,
    parameters=st.booleans(),
)
def test_any_request_is_one_that_the_sdk_could_send(
    which: str, model: str, texts: tuple[str, str], turns: list, attachments: list, schema: dict | None, parameters: bool
) -> None:
    """Whatever is asked in whatever form, the body has the SDK's types and says what was to be said."""
    check, further = CHECKS[which]
    of = replace({"chat": GPT, "responses": PRO, "claude": CLAUDE}[which], structured=model)
    system, user = texts
    ask = Ask(64, schema="" if schema is None else json.dumps(schema), parameters=further if parameters else {})
    found = body(of, ask, system=system, user=user, turns=tuple(turns), attachments=tuple(attachments), temperature=None)
    check(found)
    said = json.dumps(found, ensure_ascii=False)
    assert all(json.dumps(text, ensure_ascii=False)[1:-1] in said for text in (*texts, *(text for _, text in turns)))
    assert not parameters or further.keys() <= found.keys()
    assert schema is None or "schema" in said.lower()
