"""What goes over the wire: input lines exactly as each API wants them, and output lines read without a surprise."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import catalog
from common.errors import InputError
from common.experiment import ids_file, shards
from common.experiment.cut import Cutter
from common.nouns import Ask, Condition, Limits, Model, Result, Shard, Usage
from common.outcomes import POLICY
from common.providers import APIS, anthropic, inline, openai
from common.providers.sealed import BLOCK, Sealed
from tests.basics import asked

WIDE = Limits(requests=None, bytes=None)
STRICT = catalog.hosts()["anthropic"].limits
CLASSES = {"succeeded", *POLICY}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def model(alias: str, host: str = "openai") -> Model:
    """A model of the catalog."""
    return catalog.resolve(alias, host)[0]


def condition(which: Model, temperature: float | None = 0.7, system: str = "文学研究者です。", user: str = "読んでください。") -> Condition:
    """A condition of the grid."""
    return Condition(which, "1", "t1", system, user, temperature)


def line(api: str, one: Condition, cap: int = 1024, effort: str = "") -> dict:
    """The input line of a condition, parsed."""
    head, tail = APIS[api].encode(one, Ask(cap, effort))
    raw = head + b"p1_gpt-4.1_n01_t1" + tail
    assert raw.endswith(b"\n") and raw.count(b"\n") == 1
    return json.loads(raw)


# ---- input lines


def test_openai_line() -> None:
    """The structure of the guide, key by key."""
    assert line("openai", condition(model("gpt-4.1"))) == {
        "custom_id": "p1_gpt-4.1_n01_t1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "gpt-4.1",
            "messages": [{"role": "system", "content": "文学研究者です。"}, {"role": "user", "content": "読んでください。"}],
            "temperature": 0.7,
            "max_tokens": 1024,
        },
    }


@pytest.mark.parametrize("alias", ["o3", "o4-mini", "o3-mini", "gpt-5", "gpt-6.2-sol"])
def test_reasoning_models(alias: str) -> None:
    """A reasoning model gets max_completion_tokens, no max_tokens and no temperature."""
    body = line("openai", condition(model(alias), None), effort="low")["body"]
    assert body["max_completion_tokens"] == 1024
    assert body["reasoning_effort"] == "low"
    assert not {"temperature", "max_tokens"} & body.keys()


def test_no_effort_for_others() -> None:
    """A model that does not reason is not told how hard to."""
    assert "reasoning_effort" not in line("openai", condition(model("gpt-4.1")), effort="low")["body"]


def test_no_system_role() -> None:
    """For o1-mini the system text is merged into the user turn; nothing of it is lost."""
    body = line("openai", condition(model("o1-mini"), None))["body"]
    assert body["messages"] == [{"role": "user", "content": "文学研究者です。\n\n読んでください。"}]


@pytest.mark.parametrize("api", APIS)
def test_without_a_system_text(api: str) -> None:
    """An experiment without a system prompt sends none, not an empty one."""
    row = line(api, condition(model("gpt-4.1"), system=""))
    body = row.get("body") or row["params"]
    assert body["messages"] == [{"role": "user", "content": "読んでください。"}]
    assert "system" not in body


def test_kluster_line() -> None:
    """kluster.ai gets OpenAI's shape with its own model ids."""
    body = line("openai", condition(model("deepseekr1", "kluster")))["body"]
    assert (body["model"], body["temperature"]) == ("deepseek-ai/DeepSeek-R1", 0.7)


def test_anthropic_line() -> None:
    """The system text is on the top level, max_tokens is there, and nothing else."""
    assert line("anthropic", condition(model("claude37s", "anthropic"), 0.4)) == {
        "custom_id": "p1_gpt-4.1_n01_t1",
        "params": {
            "model": "claude-3-7-sonnet-20250219",
            "max_tokens": 1024,
            "messages": [{"role": "user", "content": "読んでください。"}],
            "system": "文学研究者です。",
            "temperature": 0.4,
        },
    }


def test_zero_is_a_temperature() -> None:
    """A temperature of 0 is sent; only None is left out."""
    assert line("openai", condition(model("gpt-4.1"), 0.0))["body"]["temperature"] == 0.0
    assert line("anthropic", condition(model("claude35h", "anthropic"), 0.0))["params"]["temperature"] == 0.0


@pytest.mark.parametrize("api", APIS)
@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"), min_size=1))
def test_prompts_arrive_letter_by_letter(api: str, system: str, user: str) -> None:
    """Any text, newlines and quotes included, is one line that reads back as it was, in raw UTF-8."""
    row = line(api, condition(model("gpt-4.1"), system=system, user=user))
    body = row.get("body") or row["params"]
    assert body["messages"][-1]["content"] == user
    raw = b"".join(APIS[api].encode(condition(model("gpt-4.1"), user="悲しみ"), Ask(10)))
    assert "悲しみ".encode() in raw


# ---- shards


def plan(folder: Path, api: str, limits: Limits) -> Cutter:
    """A plan that writes into a folder."""
    folder.mkdir(exist_ok=True)
    return Cutter(run="x/r", folder=folder, limits=limits, provider=APIS[api])


def cut(made: Cutter, conditions: list[Condition], at_most: int | None = None, trials: int = 1) -> list[Shard]:
    """All shards of some conditions."""
    return list(made.cut(asked(conditions, trials), 64, 1, at_most))


def names(shard: Shard) -> list[str]:
    """The ids in a shard's lines."""
    return [json.loads(row)["custom_id"] for row in shard.path.read_bytes().splitlines()]


def test_limits_by_count_and_by_bytes(tmp_path: Path) -> None:
    """A shard never holds more requests or bytes than one batch may; nothing is lost at the seams."""
    conditions = [condition(model("gpt-4.1"))._replace(text=f"t{n}", user="あ" * (1 + n % 7)) for n in range(40)]
    by_count = cut(plan(tmp_path / "a", "openai", Limits(requests=7, bytes=None)), conditions, trials=2)
    by_bytes = cut(plan(tmp_path / "b", "openai", Limits(requests=None, bytes=2000)), conditions, trials=2)
    assert [s.count for s in by_count] == [7] * 11 + [3]
    assert all(s.path.stat().st_size == s.bytes <= 2000 for s in by_bytes)
    wanted = [f"p1_gpt-4.1_n{trial:02d}_t{n}" for n in range(40) for trial in (1, 2)]
    assert [name for s in by_count for name in names(s)] == wanted == [name for s in by_bytes for name in names(s)]
    assert [s.n for s in by_count] == list(range(1, 13))


def test_an_oversized_request_is_reported_by_id(tmp_path: Path) -> None:
    """One request beyond the limit is named with its size; the others are planned all the same."""
    short, long = condition(model("gpt-4.1")), condition(model("gpt-4.1"), user="長" * 1000)
    made = plan(tmp_path / "s", "openai", Limits(requests=None, bytes=2000))
    (shard,) = cut(made, [short, long._replace(text="t2"), short._replace(text="t3")], trials=2)
    assert [custom_id for custom_id, _ in made.invalid] == ["p1_gpt-4.1_n01_t2", "p1_gpt-4.1_n02_t2"]
    assert all("one batch may hold 2,000" in why for _, why in made.invalid)
    assert (made.skipped, names(shard)) == (2, ["p1_gpt-4.1_n01_t1", "p1_gpt-4.1_n02_t1", "p1_gpt-4.1_n01_t3", "p1_gpt-4.1_n02_t3"])


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6, 99])
def test_at_most_so_many(tmp_path: Path, most: int) -> None:
    """--limit cuts in the middle of a condition's trials, never one more."""
    one = condition(model("gpt-4.1"))
    made = cut(plan(tmp_path / "s", "openai", WIDE), [one, one._replace(text="t2")], most, trials=3)
    assert sum(s.count for s in made) == min(most, 6)


def test_ids_come_back(tmp_path: Path) -> None:
    """Where the API takes few characters the ids are mapped, legal, and read back with their temperature."""
    texts = ["t1", "物語", "a b", "x" * 200, "物語 ", "a/b", "a.b"]
    conditions = [condition(model("claude-haiku-4-5", "anthropic"), 0.1)._replace(text=text) for text in texts]
    (shard,) = cut(plan(tmp_path / "s", "anthropic", STRICT), conditions, trials=2)
    found = ids_file.ids(shard)
    request_ids = names(shard)
    assert list(found) == request_ids and len(set(request_ids)) == 14
    back = [(found[w].partition("\t")[0] or w, found[w].partition("\t")[2]) for w in request_ids]
    assert back == [(f"p1_claude-haiku-4-5_n{trial:02d}_{text}", "0.1") for text in texts for trial in (1, 2)]
    assert ids_file.id_at_line(shard, 3) == "p1_claude-haiku-4-5_n01_物語"
    assert ids_file.id_at_line(shard, 99) == ""


@pytest.mark.parametrize("most", [1, 3, 64, 65, 99])
def test_marks_in_a_plan(tmp_path: Path, most: int) -> None:
    """With a run's secret each shard's ids end in its own mark, whatever the seams, and lead back to the same custom_ids."""
    texts = [f"t{n}" for n in range(30)] + ["物語", "x" * 44, "x" * 45, "x" * 200, "a-0123abcd"]
    conditions = [condition(model("claude-haiku-4-5", "anthropic"), 0.1)._replace(text=text) for text in texts]
    made = cut(replace(plan(tmp_path / "s", "anthropic", replace(STRICT, requests=most)), secret="s"), conditions, trials=4)
    assert len({s.mark for s in made}) == len(made) > 1
    back = []
    for shard in made:
        found = ids_file.ids(shard)
        assert list(found) == names(shard) and all(len(sent) <= 64 and sent.endswith(f"-{shard.mark}") for sent in found)
        back += [ids_file.custom_id(shard, sent, rest) for sent, rest in found.items()]
        assert shard.bytes == shard.path.stat().st_size
    assert back == [f"p1_claude-haiku-4-5_n{trial:02d}_{text}" for text in texts for trial in range(1, 5)]


def test_the_version_that_keeps_a_temperature(tmp_path: Path) -> None:
    """Claude models that take a temperature are asked under the API version that accepts it; others send no header."""
    takes = model("claude-haiku-4-5", "anthropic")
    without = replace(takes, supports_temperature=False)
    assert anthropic.Anthropic.headers(takes) == {"anthropic-version": "2023-06-01"}
    assert anthropic.Anthropic.headers(without) == openai.OpenAIShaped.headers(model("gpt-4.1")) == {}
    (shard,) = cut(plan(tmp_path / "s", "anthropic", STRICT), [condition(takes)])
    assert shard.headers == {"anthropic-version": "2023-06-01"}


def sent(shard: Shard) -> bytes:
    """A shard's bytes as they are read for sending."""
    with Sealed(shard, 100) as file:
        return b"".join(iter(file.read, b""))


def test_a_shard_that_was_touched(tmp_path: Path) -> None:
    """A planned file that was changed or removed is never sent whole."""
    (shard,) = cut(plan(tmp_path / "s", "openai", WIDE), [condition(model("gpt-4.1"))])
    shards.check(shard)
    assert sent(shard) == shard.path.read_bytes()
    before = shard.path.stat()
    shard.path.write_bytes(shard.path.read_bytes().replace(b"gpt", b"GPT"))
    os.utime(shard.path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as long and as old as it was
    with pytest.raises(InputError, match="was changed after planning"):
        sent(shard)
    shard.path.write_bytes(shard.path.read_bytes() + b"\n")
    for look in (shards.check, sent):
        with pytest.raises(InputError, match="was changed after planning"):
            look(shard)
    shard.path.unlink()
    for look in (shards.check, sent):
        with pytest.raises(InputError, match="is gone"):
            look(shard)


def test_a_file_is_read_from_its_beginning_as_often_as_asked(tmp_path: Path) -> None:
    """What reads a file twice (an SDK seeks first) gets it twice, and hashed anew."""
    (shard,) = cut(plan(tmp_path / "s", "openai", WIDE), [condition(model("gpt-4.1"))])
    with Sealed(shard) as file:
        for _ in range(2):
            assert (file.read(), file.read(), file.tell(), file.seek(0)) == (shard.path.read_bytes(), b"", shard.bytes, 0)


@pytest.mark.parametrize(("api", "alias", "key"), [("openai", "gpt-4.1", "max_tokens"), ("openai", "o3", "max_completion_tokens")])
def test_a_higher_cap(tmp_path: Path, api: str, alias: str, key: str) -> None:
    """Rows that were cut off are copied with a higher cap, and with nothing else changed."""
    one = condition(model(alias), None)
    (shard,) = cut(plan(tmp_path / "s", api, WIDE), [one], trials=3)
    new = shards.retry(shard, 2, {names(shard)[1]}, attempt=2, longer=128, with_cap=APIS[api].with_cap)
    before, after = (json.loads(path.read_bytes().splitlines()[n]) for path, n in ((shard.path, 1), (new.path, 0)))
    assert (before["body"].pop(key), after["body"].pop(key)) == (64, 128)
    assert before == after
    assert (new.count, new.attempt, new.root, new.max_tokens, new.reserve > shard.reserve / 3) == (1, 2, 1, 128, True)
    assert shards.retry(shard, 3, set(), attempt=2) is None
    assert sorted(p.name for p in shard.path.parent.iterdir()) == sorted(f"shard-0000{n}.{end}" for n in (1, 2) for end in ("ids", "jsonl"))


LINES = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), max_size=3), min_size=1, max_size=8)


def create_body(path: Path, block: int = BLOCK) -> bytes:
    """The body of Anthropic's create call for a file."""
    content = path.read_bytes()
    shard = Shard("r", 1, 1, 1, path, hashlib.sha256(content).hexdigest(), 1, len(content), 1, 0.0, "m", 9, "tag")
    with Sealed(shard, block) as file:
        body = b"".join(inline.body_of(file, anthropic.OPEN))
    assert len(body) == len(content) - 1 + len(b'{"requests":[') + len(b"]}")
    return body


@given(LINES, st.integers(1, 40))
@settings(max_examples=60)
def test_the_create_body(tmp_path_factory: pytest.TempPathFactory, rows: list[dict], block: int) -> None:
    """The body of Anthropic's create call is the JSON of the shard's lines, wherever the blocks of reading end."""
    path = tmp_path_factory.mktemp("b") / "shard.jsonl"
    path.write_bytes(b"".join(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for row in rows))
    assert json.loads(create_body(path, block)) == {"requests": [json.loads(row) for row in path.read_bytes().splitlines()]}


@pytest.mark.parametrize("short", range(-3, 4))
def test_the_create_body_at_a_blocks_end(tmp_path: Path, short: int) -> None:
    """A file that ends just at, before or after a block's end has no comma too many."""
    path = tmp_path / "shard.jsonl"
    first = b'{"a":"b"}\n'
    path.write_bytes(first + b'{"x":"' + b"y" * (BLOCK - len(first) - 9 + short) + b'"}\n')
    assert path.stat().st_size == BLOCK + short
    body = create_body(path)
    assert [*json.loads(body)] == ["requests"] and len(json.loads(body)["requests"]) == 2


def test_a_block_may_end_at_a_newline(tmp_path: Path) -> None:
    """A request that ends where a block ends is followed by its comma."""
    path = tmp_path / "shard.jsonl"
    first = b'{"x":"' + b"y" * (BLOCK - 9) + b'"}\n'
    assert len(first) == BLOCK
    path.write_bytes(first + b'{"a":"b"}\n')
    assert len(json.loads(create_body(path))["requests"]) == 2


# ---- output lines


def chat(text: object = "Q1. 面白さ(数値): 80", finish: str = "stop", **more: object) -> dict:
    """An output line of the OpenAI shape."""
    message = {"role": "assistant", "content": text, "refusal": None, **more}
    usage = {
        "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 2},
    }  # fmt: skip
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1790000000, "model": "gpt-4.1-2025-04-14",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage,
    }  # fmt: skip
    return {"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "request_id": "r", "body": body}, "error": None}


def failed(status: int, **error: object) -> dict:
    """A line of an error file: an HTTP failure sits in the response, and the top-level error is null."""
    return {"id": "b", "custom_id": "a", "response": {"status_code": status, "request_id": "r", "body": {"error": error}}, "error": None}


def test_openai_answer() -> None:
    """An answer with all that is told of it."""
    assert openai.decode(chat()) == Result(
        "a", "succeeded", "Q1. 面白さ(数値): 80", "gpt-4.1-2025-04-14", "stop", Usage(10, 3, 5, 2), created=1790000000.0
    )


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (chat(finish="length"), "truncated"),
        (chat("", finish="length"), "truncated"),
        (chat(None, finish="stop"), "empty"),
        (chat("", finish="stop"), "empty"),
        (chat(None, refusal="I can't"), "refused"),
        (chat("", finish="content_filter"), "refused"),
        (failed(400, message="m", type="invalid_request_error", code="unsupported_parameter", param="temperature"), "invalid_request"),
        (failed(401, message="m", type="invalid_request_error", code="invalid_api_key"), "authentication"),
        (failed(404, message="m", type="invalid_request_error", code="model_not_found"), "unsupported_model"),
        (failed(429, message="m", type="requests", code="rate_limit_exceeded"), "rate_limited"),
        (failed(429, message="m", type="insufficient_quota", code="insufficient_quota"), "quota"),
        (failed(500, message="m", type="server_error", code=None), "server_error"),
        (failed(503, message="m", type="service_unavailable", code=None), "overloaded"),
        (failed(400, message="m", type="invalid_request_error", code="content_policy_violation"), "refused"),
        ({"custom_id": "a", "response": None, "error": {"code": "batch_expired", "message": "m"}}, "expired"),
        ({"custom_id": "a", "response": None, "error": {"code": "batch_cancelled", "message": "m"}}, "cancelled"),
        ({"custom_id": "a", "response": {"status_code": 0, "body": None}, "error": {"message": "m"}}, "connection"),
        ({"custom_id": "a", "response": {"status_code": 200, "body": {}}, "error": None}, "unreadable"),
    ],
)
def test_openai_rows_that_are_no_clean_success(row: dict, outcome: str) -> None:
    """Cut off, refused, empty or failed: each has its class, and a message."""
    found = openai.decode(row)
    assert found.outcome == outcome
    assert found.message


def test_a_missing_error_key() -> None:
    """Hosts of the shape leave the error key out."""
    row = chat()
    del row["error"]
    assert openai.decode(row).outcome == "succeeded"


def message(**more: object) -> dict:
    """A line of Anthropic's results stream."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 3, "output_tokens": 5}
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Q1. "}, {"type": "text", "text": "80"}]
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001", "content": content,
            "stop_reason": "end_turn", "usage": usage, **more}  # fmt: skip
    return {"custom_id": "a", "result": {"type": "succeeded", "message": body}}


def errored(kind: str, **more: object) -> dict:
    """An errored result."""
    error = {"type": kind, "message": "m", **more}
    return {"custom_id": "a", "result": {"type": "errored", "error": {"type": "error", "error": error, "request_id": "req_1"}}}


def test_anthropic_answer() -> None:
    """Text blocks are joined, thoughts are not; cached tokens are part of the input."""
    assert anthropic.decode(message()) == Result("a", "succeeded", "Q1. 80", "claude-haiku-4-5-20251001", "end_turn", Usage(17, 3, 5, 0, 4))


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (message(stop_reason="max_tokens"), "truncated"),
        (message(stop_reason="model_context_window_exceeded"), "truncated"),
        (message(stop_reason="refusal"), "refused"),
        (message(content=[]), "empty"),
        (errored("invalid_request_error"), "invalid_request"),
        (errored("authentication_error"), "authentication"),
        (errored("billing_error"), "quota"),
        (errored("not_found_error"), "unsupported_model"),
        (errored("rate_limit_error"), "rate_limited"),
        (errored("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}), "quota"),
        (errored("api_error"), "server_error"),
        (errored("timeout_error"), "server_error"),
        (errored("overloaded_error"), "overloaded"),
        ({"custom_id": "a", "result": {"type": "canceled"}}, "cancelled"),
        ({"custom_id": "a", "result": {"type": "expired"}}, "expired"),
    ],
)
def test_anthropic_rows_that_are_no_clean_success(row: dict, outcome: str) -> None:
    """Each result type and each error type has its class, and a message."""
    found = anthropic.decode(row)
    assert found.outcome == outcome
    assert found.message


def spoiled(row: object, value: object) -> Iterator[object]:
    """A valid line with one of its parts, at any depth, replaced."""
    if isinstance(row, (dict, list)):
        for key in row if isinstance(row, dict) else range(len(row)):
            for inner in (value, *spoiled(row[key], value)):
                copy = dict(row) if isinstance(row, dict) else list(row)
                copy[key] = inner
                yield copy


LATE = {"custom_id": "a", "response": None, "error": {"code": "batch_expired"}}
EXPIRED = {"custom_id": "a", "result": {"type": "expired"}}
EXAMPLES = {  # of each shape of lines; OpenRouter's are OpenAI's
    "openai": [chat(), failed(429, message="m", type="t", code="c"), LATE],
    "anthropic": [message(), errored("api_error", details={"error_code": "x"}), EXPIRED],
}


def survives(api: str, row: dict) -> None:
    """A line is a Result of a known class, or a ValueError."""
    try:
        found = APIS[api].decode(row)
    except ValueError:
        return
    assert found.outcome in CLASSES
    parts = (found.custom_id, found.text, found.model, found.finish_reason, found.code, found.message)
    assert all(isinstance(part, str) for part in parts)
    assert all(isinstance(count, int) for count in found.usage or ())
    assert isinstance(found.created, float)


@pytest.mark.parametrize("api", EXAMPLES)
@given(value=anything)
@settings(max_examples=60, deadline=None)
def test_any_part_of_a_line_may_be_anything(api: str, value: object) -> None:
    """Whatever stands where, reading a line gives a result or a ValueError, nothing else."""
    for example in EXAMPLES[api]:
        for row in spoiled(example, value):
            survives(api, row)


@pytest.mark.parametrize("api", EXAMPLES)
@given(row=st.dictionaries(st.sampled_from(["custom_id", "response", "error", "result"]) | st.text(max_size=5), anything, max_size=4))
def test_any_object_is_read_or_refused(api: str, row: dict) -> None:
    """Any JSON object is a result or a ValueError."""
    survives(api, row)


@pytest.mark.parametrize("api", EXAMPLES)
def test_the_other_apis_lines_are_refused(api: str) -> None:
    """A line of the other shape is not taken for one's own."""
    other = message() if api == "openai" else chat()
    with pytest.raises(ValueError, match="not a"):
        APIS[api].decode(other)


def test_statuses() -> None:
    """Every final word of the OpenAI shape ends the watching, in any case; any other does not."""
    raw = {"id": "b", "request_counts": {}, "created_at": 1}
    for word in ("completed", "failed", "expired", "cancelled", "COMPLETED", "TIMEOUT_EXCEEDED"):
        assert openai.to_batch({**raw, "status": word}).ended, word
    for word in ("validating", "in_progress", "finalizing", "cancelling", "QUEUED", "something new"):
        assert not openai.to_batch({**raw, "status": word}).ended, word
    for word in ("in_progress", "canceling"):
        assert not anthropic.to_batch({**raw, "processing_status": word, "created_at": None}).ended
    assert anthropic.to_batch({**raw, "processing_status": "ended", "created_at": "2026-01-01T00:00:00Z"}).ended


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(1790000000, 1.79e9), ("1790000000", 1.79e9), ("2026-09-21T13:33:20+00:00", 1789997600.0), (None, 0.0), ("soon", 0.0), ([], 0.0)],
)
def test_times_in_any_form(value: object, seconds: float) -> None:
    """Hosts write their times as numbers, as text or as dates."""
    assert openai.unix(value) == seconds


def test_a_snapshot_is_sent_by_its_own_id() -> None:
    """What a person typed is what is sent."""
    assert line("openai", condition(model("gpt-4.1-2025-04-14")))["body"]["model"] == "gpt-4.1-2025-04-14"
