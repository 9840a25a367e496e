"""OpenRouter's shape where it differs from the two others: results inside the batch object, a body in one order, no stopping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import catalog
from common.errors import BatchError, Unknown
from common.nouns import Ask, Attachment, Condition
from common.providers import APIS, connect, elements
from common.providers.account import Account
from common.providers.openai import OpenAIShaped
from common.providers.openrouter import OpenRouter
from tests.basics import wait_for
from tests.service import HTTP
from tests.support import QUICK, Commands

MODEL = "google/gemini-3.8-flash"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
INDENTS = st.none() | st.just(2)
USAGE = {"prompt_tokens": 3, "completion_tokens": 1}
ANSWER = {"model": MODEL, "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}], "usage": USAGE}
ROW = {"id": "r", "custom_id": "a", "response": {"status_code": 200, "request_id": "q", "body": ANSWER}, "error": None}


def parts(raw: bytes, size: int) -> tuple[list[bytes], bytes]:
    """The elements of `results`, and what stands around them, of an object that comes in blocks of so many bytes."""
    rest = bytearray()
    found = [*elements.elements((raw[at : at + size] for at in range(0, len(raw), size)), "results", rest)]
    return found, bytes(rest)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.lists(VALUES, max_size=5), st.integers(1, 50), st.booleans(), INDENTS)
@settings(max_examples=50)
def test_an_object_comes_apart(around: dict, results: list, size: int, plain: bool, indent: int | None) -> None:
    """Wherever its blocks end and however it is written, each element is a line of its own and the rest is the rest."""
    whole = {**around, "results": results, "usage": {"results": [1], "x": "results"}}
    found, rest = parts(json.dumps(whole, ensure_ascii=plain, indent=indent).encode("utf-8", "surrogatepass"), size)
    assert [json.loads(line) for line in found] == results
    assert not any(b"\n" in line for line in found)
    assert json.loads(rest) == {**whole, "results": []}


@given(st.lists(st.sampled_from([*map(bytes, zip(b'{}[]",:\\x\n')), b'"results"']), max_size=60).map(b"".join), st.integers(1, 50))
@settings(max_examples=100)
def test_anything_comes_apart(raw: bytes, size: int) -> None:
    """Bytes of any kind neither break nor change by where they are cut."""
    assert parts(raw, size) == parts(raw, 1000)


def test_a_piece_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An element or a rest that fills the memory is refused."""
    monkeypatch.setattr(elements, "LARGEST_ELEMENT", 100)
    monkeypatch.setattr(elements, "LARGEST_REST", 100)
    for raw in (b'{"results":["' + b"x" * 999, b'{"a":"' + b"x" * 999):
        with pytest.raises(ValueError, match="more than 100 bytes"):
            parts(raw, 64)


def test_a_request_has_no_method() -> None:
    """A line is a custom_id and a body, the create call names endpoint and model before them; a result is read as OpenAI's."""
    assert OpenRouter.decode is OpenAIShaped.decode
    model = catalog.resolve(MODEL, "openrouter")[0]
    halves = OpenRouter.encode(Condition(model, "1", "t", "Be brief.", "悲しみ", 0.5), Ask(64))
    assert json.loads(b"x".join(halves)) == {
        "custom_id": "x",
        "body": {
            "model": MODEL, "temperature": 0.5, "max_tokens": 64,
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "悲しみ"}],
        },
    }  # fmt: skip
    assert list(json.loads(OpenRouter.opening(None, 'a"b') + b"]}")) == ["endpoint", "model", "completion_window", "requests"]


def test_what_is_taken() -> None:
    """Pictures by their address only; reasoning as OpenRouter has it; what chat completions refuse stays refused."""
    model = catalog.resolve(MODEL, "openrouter")[0]
    assert "by their address only" in OpenRouter.attachment_problem(Attachment("a.png", "image/png", "AAAA"), model)
    assert OpenRouter.attachment_problem(Attachment("a.png", "image/png", url="https://example.org/a.png"), model) == ""
    assert OpenRouter.parameter_problem("reasoning", {"max_tokens": 9}, model, Ask(64)) == ""
    assert OpenRouter.parameter_problem("stream", True, model, Ask(64))


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"status": "validating"}, ("validating", False, False, "")),
        ({"status": "cancelling", "request_counts": {"total": 2, "completed": 1}}, ("cancelling", False, False, "")),
        ({"status": "completed"}, ("completed", True, False, "b")),
        ({"status": "expired", "request_counts": {"total": 2, "completed": 1}}, ("expired", True, False, "b")),
        ({"status": "cancelled", "request_counts": {"total": 2}}, ("cancelled", True, False, "")),
        ({"status": "failed", "request_counts": {"total": 2, "failed": 2}, "error": {"message": "no"}}, ("failed", True, True, "")),
        ({"status": "failed", "usage": {"total_tokens": 9}, "request_counts": {"completed": 1}}, ("failed", True, False, "b")),
        ({"status": 7, "request_counts": [], "error": "\x1b[31mred", "results": 5}, ("7", False, False, "")),
    ],
)
def test_a_batch_object(said: dict, seen: tuple) -> None:
    """Its states; one that failed before any answer says why, and a word that nobody knows has not ended."""
    found = OpenRouter.to_batch({"id": "b", **said})
    assert (found.status, found.ended, found.failed, found.output) == seen
    assert found.refusal == ("give up" if found.failed else "")
    assert all("\x1b" not in problem["message"] for problem in found.problems)


@pytest.fixture
def answering(run: Commands) -> Callable[[object], OpenRouter]:
    """A provider whose looks at a single batch are all answered with this body."""
    made = []

    def answer(body: object) -> OpenRouter:
        run.world.control("faults", [{"call": "batches.retrieve", "times": -1, "action": {"status": 200, "body": body}}])
        made.append(connect(Account(catalog.hosts()["openrouter"], run.world.service.facts["openrouter_base_url"], "sk-or-a-key")))
        return made[-1]

    yield answer
    for provider in made:
        provider.close()


def batch(**said: object) -> dict:
    """A completed batch object."""
    return {"id": "b", "object": "batch", "status": "completed", "request_counts": {"total": 1, "completed": 1, "failed": 0}, **said}


def test_results_are_kept_as_they_came(answering: Callable, tmp_path: Path) -> None:
    """Each result is a line, hostile ones too; a look at the batch alone holds none of them."""
    bad = '{"custom_id":"../../x\\u001b","response":{"body":' + "[" * 3000 + "]" * 3000 + "}}"
    provider = answering(json.dumps(batch(results=[ROW, None]))[:-2] + f",{bad}]" + "}")
    (seen,) = provider.status(["b"])
    assert list(provider.download(seen, tmp_path / "o", tmp_path / "e")) == [tmp_path / "o"]
    lines = (tmp_path / "o").read_bytes().splitlines()
    assert [orjson.loads(line) for line in lines[:2]] == [ROW, None]
    assert lines[2] == bad.encode()
    assert OpenRouter.decode(orjson.loads(lines[0])).text == "yes"
    assert b'"r"' not in provider.holdings(seen)[0].raw


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(batch(results=[ROW]))[:-1], json.dumps(batch(results=[ROW]))[:-40], json.dumps(batch(results=None)),
        json.dumps(batch(results=[ROW], status="finalizing")), json.dumps([ROW]), "<html>", "", json.dumps(batch(id=None, results=[ROW])),
    ],
)  # fmt: skip
def test_what_is_no_result(answering: Callable, tmp_path: Path, body: str) -> None:
    """An answer that is cut, has no results yet, or is none leaves no file."""
    provider = answering(body)
    with pytest.raises(Unknown):
        provider.download(OpenRouter.to_batch(batch()), tmp_path / "o", tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


def test_the_service_refuses_what_the_api_would(run: Commands) -> None:
    """Requests before the model, another model inside, ids too long or twice: 400. Base64 is found out later."""
    url, headers = run.world.service.facts["openrouter_base_url"] + "/batches", {"authorization": "Bearer k"}
    request = {"custom_id": "a", "body": {"messages": [{"role": "user", "content": "Hi"}]}}
    good = {"endpoint": "/v1/chat/completions", "model": MODEL, "requests": [request]}
    wrong = [
        dict(reversed(good.items())), {**good, "model": "no-maker"}, {**good, "endpoint": "/v1/images"}, {**good, "requests": []},
        {**good, "requests": [request, request]}, {**good, "requests": [{**request, "custom_id": "x" * 65}]},
        {**good, "requests": [{**request, "body": {"model": "x/y"}}]}, {**good, "requests": [request] * 2}, {"x": 1, **good},
    ]  # fmt: skip
    assert [HTTP.post(url, json=body, headers=headers).status_code for body in wrong] == [400] * len(wrong)
    assert HTTP.post(url, content=b"{", headers=headers).status_code == 400
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    shown = {**good, "requests": [{**request, "body": {"messages": [{"role": "user", "content": [picture]}]}}]}
    made = [HTTP.post(url, json=body, headers=headers) for body in (good, shown)]
    assert [(one.status_code, one.json()["status"]) for one in made] == [(202, "validating")] * 2
    ids = [one.json()["id"] for one in made]
    with_end = [wait_for(lambda one=one: (o := HTTP.get(f"{url}/{one}", headers=headers).json())["finalized_at"] and o) for one in ids]
    assert [(o["status"], bool(o["error"]), len(o["results"] or ())) for o in with_end] == [("completed", False, 1), ("failed", True, 0)]


def test_a_batch_that_fails_whole(run: Commands) -> None:
    """Its reason is shown, nothing of it is sent again, and the shards beside it have their rows."""
    run.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"fate": {"fail": {"message": "p1 is not text"}}}}])
    argv = ["--batch", "--model", "gemini-3.8-flash", "mistral-small-2603", "--limit", "4", *QUICK, "--json"]
    end = run.world.zygote.run(script="tools.openrouter.run", argv=argv, env=run.env)
    assert end["code"] == 1 and "p1 is not text" in end["err"] + end["out"], end["err"]
    assert len(run.attempts()) == 2
    assert json.loads(end["out"])["outcomes"] == {"not_accepted": 2, "succeeded": 2}


def test_a_study_sends_it_there(run: Commands) -> None:
    """tools/study.py asks a model by its id or alias at OpenRouter, beside another provider's."""
    more = ["--batch", "--limit", "4", *QUICK, "--no-texts", "--json"]
    end = run.tool("study", "experiments/literary", "--model", MODEL, "gpt-4.1-mini", *more)
    assert end.code == 0, end.said
    assert {one["provider"] for one in end.json["runs"]} == {"openrouter", "openai"}
    assert [path.name.startswith("batch-") for path in (run.results / "openrouter/batch_results").iterdir()] == [True]


def test_only_errors_of_ours(answering: Callable) -> None:
    """Whatever stands at a batch, a look is a Batch or an error of ours."""
    assert "openrouter" in APIS
    for body in ("[]", "{}", '{"id":[]}', '"x"', '{"id":"b","status":{"results":[1]}}', '{"results":{"id":"b"}}'):
        provider = answering(body)
        try:
            assert all(not one.ended for one in provider.status(["b"]))
        except BatchError:
            continue
