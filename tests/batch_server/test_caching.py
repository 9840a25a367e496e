"""Checks prompt caching of Message Batches with the real SDK: what is written, what is read, what is neither, and for how long."""

from __future__ import annotations

import pytest

from tests.batch_server.calls import ended, message_row
from tests.service import Service
from tools.batch_server import caching
from tools.batch_server.contexts import Context
from tools.batch_server.counting import turn

LONG = "The quiet river of words goes on and on. " * 1000  # 4,096 tokens at least
HOUR, MINUTES = {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}


def usage(service: Service, **params: object) -> tuple[int, int, int, int, int]:
    """Of a batch of one request: tokens that were neither, read, written, and of those for five minutes and for an hour."""
    client = service.anthropic()
    batch = ended(client, client.messages.batches.create(requests=[message_row(1, **params)]).id)
    (item,) = client.messages.batches.results(batch.id)
    told = item.result.message.usage
    made = told.cache_creation
    return (told.input_tokens, told.cache_read_input_tokens, told.cache_creation_input_tokens, made.ephemeral_5m_input_tokens,
            made.ephemeral_1h_input_tokens)


def system(mark: dict | None, text: str = LONG) -> list:
    """A system prompt as a block, marked or not."""
    return [{"type": "text", "text": text, **({"cache_control": mark} if mark else {})}]


def test_written_once_then_read_until_it_is_forgotten(service: Service) -> None:
    """The first batch writes, the second reads; a reading keeps it for as long again; after an hour it is written anew."""
    size = turn(LONG, True)
    assert size >= 4096
    whole = sum(usage(service, system=LONG))
    assert usage(service, system=LONG) == (whole, 0, 0, 0, 0)  # nothing is marked
    assert usage(service, system=system(HOUR)) == (whole - size, 0, size, 0, size)
    for _ in range(3):
        service.control("clock", {"advance": 3000})
        assert usage(service, system=system(HOUR)) == (whole - size, size, 0, 0, 0)
    service.control("clock", {"advance": 4000})
    assert usage(service, system=system(MINUTES)) == (whole - size, 0, size, size, 0)
    service.control("clock", {"advance": 301})
    assert usage(service, system=system(HOUR))[1:3] == (0, size)


def test_two_marks_and_the_least(service: Service) -> None:
    """What stands behind the part that is read is written; the last block is marked by one word; below the least nothing happens."""
    size = turn(LONG, True)
    one = {"messages": [{"role": "user", "content": "one"}]}
    assert usage(service, system=system(HOUR), **one)[2] == size
    two = {"messages": [{"role": "user", "content": "two " * 50}]}
    plain, read, written, five, hour = usage(service, system=system(HOUR), cache_control=HOUR, **two)
    assert (read, written, five, hour) == (size, turn("two " * 50, True), 0, written)
    assert plain == 3  # what frames a prompt
    assert usage(service, system=system(HOUR, "short"), **one)[1:] == (0, 0, 0, 0)
    model = "claude-sonnet-5-5"  # 512 at least
    assert usage(service, system=system(HOUR, LONG[:4000]), model=model, **one)[2] == turn(LONG[:4000], True)
    assert usage(service, system=system(HOUR, LONG[:4000]), **one)[2] == 0


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 60, 140), (1.0, 200, 200)])
def test_rows_side_by_side(share: float, low: int, high: int) -> None:
    """Of rows that run beside the one that writes, such a share reads."""
    context = Context("b", "anthropic", "/v1/messages", 0, {"cache": share}, now=100.0)
    body = {"system": system(HOUR), "messages": []}
    ((key, _, _),) = caching.cached_usage(body, "claude-haiku-4-5", 5000, bytes(32), context, lambda key: None)[1]
    dice = [bytes(30) + (n * 327).to_bytes(2, "big") for n in range(200)]
    found = [caching.cached_usage(body, "claude-haiku-4-5", 5000, one, context, {key: (1, 200)}.get)[0] for one in dice]
    assert low <= sum(one["cache_read_input_tokens"] > 0 for one in found) <= high
