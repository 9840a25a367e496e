"""Requests of all forms through the local batch service and back: what was asked for is what is answered."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema_rs import is_valid

from common import catalog
from common.nouns import Ask, Attachment, Condition, Result, Shard
from common.providers import connect
from common.providers.account import Account
from common.providers.base import Provider
from tests.basics import wait_for
from tests.providers.test_parameters import RIGHT
from tests.support import World

MODELS = {  # where they are asked → a model, and its endpoint as we note it
    "openai": ("gpt-4.1", ""),
    "responses": ("gpt-5.2-pro", "/v1/responses"),
    "anthropic": ("claude-haiku-4-5", ""),
}
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 7}, "word": {"enum": ["yes", "no"]}},
    "required": ["score", "word"],
    "additionalProperties": False,
}
Asked = Callable[..., list[Result]]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEAD = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
PIXELS = chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * 8) * 8))
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + HEAD + PIXELS + chunk(b"IEND", b"")).decode()
PICTURES = (Attachment("a.png", "image/png", PNG, width=8, height=8), Attachment("b", "image/jpeg", url="https://example.org/b.jpg"))
PAPER = Attachment("c.pdf", "application/pdf", base64.b64encode(b"%PDF-1.4 /Type /Page").decode(), pages=1)


@pytest.fixture(params=MODELS)
def place(request: pytest.FixtureRequest) -> str:
    """Each endpoint in turn."""
    return request.param


@pytest.fixture
def provider(place: str, calm: World) -> Iterator[Provider]:
    """A provider for that endpoint, at a service that answers every row."""
    calm.reset()
    host = catalog.hosts()["anthropic" if place == "anthropic" else "openai"]
    account = Account(replace(host, requests_per_minute=None), calm.service.facts[f"{host.name}_base_url"], "sk-key")
    with closing(connect(account)) as found:
        yield found


@pytest.fixture
def ask(place: str, provider: Provider, tmp_path: Path) -> Asked:
    """`ask(Ask(…), turns=…)`: three prompts asked like that, in one batch; the results in their order."""
    name, endpoint = MODELS[place]
    model = catalog.find(name, provider.host.name)
    assert provider.endpoint(model) == endpoint

    def one(how: Ask, structured: str = "schema", **more: object) -> list[Result]:
        of = replace(model, structured=structured)
        prompts = [f"Read text {n}." for n in range(3)]
        halves = [provider.encode(Condition(of, "1", "t", "You are a reader.", user, None)._replace(**more), how) for user in prompts]
        path = tmp_path / "shard.jsonl"
        path.write_bytes(b"".join(head + b"r%d" % n + tail for n, (head, tail) in enumerate(halves)))
        rows = collected(provider, shard_of(path, model.alias, provider.endpoint(model)), model.id)
        return [rows[f"r{n}"] for n in range(3)]

    return one


def shard_of(path: Path, model: str, endpoint: str) -> Shard:
    """A shard around a file."""
    data = path.read_bytes()
    sha256, lines = hashlib.sha256(data).hexdigest(), data.count(b"\n")
    return Shard("x/r", 1, 1, 1, path, sha256, lines, len(data), 0, None, model, 64, sha256, endpoint=endpoint)


def collected(provider: Provider, shard: Shard, model_id: str) -> dict[str, Result]:
    """The results of a shard that is sent, waited for and found again in the list."""
    shard = replace(shard, ref=provider.upload(shard))
    batch_id = provider.submit(shard, model_id)
    batch = wait_for(lambda: next((b for b in provider.status([batch_id]) if b.ended), None))
    assert [found.id for found in provider.find(shard)] == [batch_id]
    files = provider.download(batch, shard.path.with_name("o"), shard.path.with_name("e"))
    return {found.custom_id: found for file in files for found in map(provider.decode, map(json.loads, file.read_bytes().splitlines()))}


def good(results: list[Result]) -> list[str]:
    """The texts of results that must all be clean."""
    assert {(result.outcome, result.message) for result in results} == {("succeeded", "")}
    return [result.text for result in results]


@pytest.mark.parametrize("structured", ["schema", "object", ""])
def test_answers_fit_the_schema(ask: Asked, structured: str) -> None:
    """Bound to it they all do; told it they are its object, perhaps among words."""
    texts = good(ask(Ask(300, schema=json.dumps(SCHEMA)), structured))
    found = [json.loads(text[text.index("{") : text.rindex("}") + 1]) for text in texts]
    if structured == "schema":
        assert all(is_valid(SCHEMA, one) for one in found) and [json.loads(text) for text in texts] == found
    assert structured == "object" or all(one.keys() == {"score", "word"} for one in found)


TOOLS = {
    "openai": {
        "tools": [{"type": "function", "function": {"name": "note", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "note"}},
    },
    "responses": {
        "tools": [{"type": "function", "name": "note", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "note"},
    },
    "anthropic": {"tools": [{"name": "note", "input_schema": SCHEMA}], "tool_choice": {"type": "tool", "name": "note"}},
}


def test_a_forced_call_is_the_answer(ask: Asked, place: str) -> None:
    """What the tool was called with, as JSON."""
    how = Ask(300, parameters=TOOLS[place])
    assert all(is_valid(SCHEMA, json.loads(text)) for text in good(ask(how)))


def test_turns_and_parameters(ask: Asked, place: str) -> None:
    """Earlier turns show the form; a stop ends the answer."""
    turns = (("user", "Read text 7."), ("assistant", "Q1. Joy (value): 3"), ("user", "Read text 8."), ("assistant", "Q1. Joy (value): 5"))
    assert all("Joy (value)" in text for text in good(ask(Ask(300), turns=turns)))
    if place != "responses":  # which has no stop
        stop = {"openai": {"stop": ["Joy"]}, "anthropic": {"stop_sequences": ["Joy"]}}[place]
        assert not any("Joy" in text for text in good(ask(Ask(300, parameters=stop), turns=turns)))


def test_pictures_and_papers_are_seen(ask: Asked) -> None:
    """The service says so, and counts them; our bound on their tokens holds."""
    plain = ask(Ask(300))
    shown = ask(Ask(300), attachments=PICTURES)
    assert all("picture" in text for text in good(shown))
    assert all(after.usage.input > before.usage.input for before, after in zip(plain, shown))
    assert good(ask(Ask(300), attachments=(PAPER,)))


def test_a_nameless_batch_is_known_by_its_endpoint(calm: World, tmp_path: Path) -> None:
    """Where a host shows neither tag nor file, one that calls another endpoint is not ours."""
    calm.reset()
    account = Account(catalog.hosts()["openai"], calm.service.facts["openai_base_url"], "sk-key")
    with closing(connect(account)) as provider:
        made = {}
        for name, endpoint in (MODELS["openai"], MODELS["responses"]):
            head, tail = provider.encode(Condition(catalog.find(name, "openai"), "1", "t", "", "Read.", None), Ask(64))
            path = tmp_path / f"{name}.jsonl"
            path.write_bytes(head + b"a" + tail)
            shard = shard_of(path, name, endpoint)
            shard = replace(shard, ref=provider.upload(shard))
            made[provider.submit(shard, name)] = shard
        calm.service.fault("*", {"without": ["metadata", "input_file_id"]})
        assert [[batch.id for batch in provider.find(shard)] for shard in made.values()] == [[batch_id] for batch_id in made]


@pytest.mark.parametrize("of", sorted({name for name, *_ in RIGHT} - {"some/model-7", "deepseekv4-flash"}))
def test_parameters_that_we_let_through_are_taken(calm: World, tmp_path: Path, of: str) -> None:
    """The service, which knows the APIs' rules by its own tables, refuses none of them."""
    calm.reset()
    model = next(m for m in catalog.models() if m.alias == of)
    account = Account(catalog.hosts()[model.provider], calm.service.facts[f"{model.provider}_base_url"], "sk-key")
    with closing(connect(account)) as provider:
        lines = []
        for n, (_, name, value, beside) in enumerate(one for one in RIGHT if one[0] == of and one[1] != "nobody_knows"):
            more = dict(beside)
            more.pop("schema", None)
            ask = Ask(2000, more.pop("effort", ""), parameters={**more, name: value})
            head, tail = provider.encode(Condition(model, "1", "t", "", "Read this as JSON.", None), ask)
            lines.append(head + b"r%d" % n + tail)
        path = tmp_path / "shard.jsonl"
        path.write_bytes(b"".join(lines))
        shard = replace(shard_of(path, of, provider.endpoint(model)), headers=provider.headers(model))
        found = collected(provider, shard, model.id).values()
    assert len(found) == len(lines) and {(row.outcome, row.message) for row in found} == {("succeeded", "")}
