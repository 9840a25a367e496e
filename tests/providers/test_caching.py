"""Marks for the prompt cache: what was put in is taken out to the byte, and nothing else is."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from common.nouns import Ask, Condition, Marks, Model
from common.providers import anthropic_requests, openai_requests
from common.providers.caching import HOUR, marked, unmarked

CLAUDE = Model("claude", "claude-haiku-4-5", "anthropic")
HOSTILE = '","cache_control":{"type":"ephemeral","ttl":"1h"}}}\n'
WORDS = st.one_of(st.text(max_size=30), st.just(HOSTILE), st.just('"system":[{"type":"text","text":"'))
EXAMPLE = {"system": [{"type": "text", "text": "x", "cache_control": HOUR}]}
TOOL = {"name": "rate", "input_schema": {"type": "object"}, "input_examples": [EXAMPLE]}
PARAMETERS = st.sampled_from([{}, {"top_k": 3}, {"tools": [TOOL]}, {"cache_control": HOUR}, {"tools": [TOOL], "cache_control": HOUR}])


@given(WORDS.filter(bool), WORDS, PARAMETERS, st.booleans(), st.booleans(), st.sampled_from([None, 0.3]))
def test_marks_leave_no_trace(system: str, user: str, parameters: dict, of_system: bool, of_whole: bool, heat: float | None) -> None:
    """Marks of ours are in the request, and taken out they leave the bytes of before; a person's own stay, whatever the words say."""
    condition = Condition(CLAUDE, "1", "t", system, user, heat, turns=(("user", HOSTILE), ("assistant", "ok")))
    _, tail = anthropic_requests.encode(condition, Ask(64, parameters=parameters))
    assert unmarked(tail) == tail
    if "cache_control" in parameters:
        return  # such a request is not marked
    changed = marked(tail, Marks(of_system, of_whole))
    assert unmarked(changed) == tail
    params = orjson.loads(b'{"custom_id":"' + changed)["params"]
    assert params.get("cache_control") == (HOUR if of_whole else None)
    assert params["system"] == ([{"type": "text", "text": system, "cache_control": HOUR}] if of_system else system)


def test_lines_of_other_apis_stay() -> None:
    """A line of the OpenAI shape is never taken apart, also where a host there takes such marks."""
    asked = Ask(64, parameters={"cache_control": HOUR})
    _, tail = openai_requests.encode(Condition(Model("m", "m", "openai"), "1", "t", "s", "u", None), asked)
    assert b'"cache_control":{"type":"ephemeral","ttl":"1h"}' in tail
    assert unmarked(tail) == tail
