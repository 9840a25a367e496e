"""Owns what the vendors' request tests find on the service: a pytest plugin that lays out their fixed ids before each test.

SEED_URL is the service's control route. With NO_MOCKS=1 the few tests that mock their answers ask the service instead.
"""

from __future__ import annotations

import json
import os
import urllib.request
from unittest.mock import MagicMock

import pytest

CANCELED = {"custom_id": "my-custom-id-1", "result": {"type": "canceled"}}


def plan(test: str) -> dict:
    """The objects that a test of this name takes for granted."""
    raw_lines = "test_method_results" in test
    ended = any(word in test for word in ("delete", "results"))
    lines = [{"foo": "bar"}, {"bar": "baz"}] if raw_lines else [CANCELED]
    messages = [{"id": name, "profile": "anthropic", "status": "completed" if ended else "in_progress",
                 **({"lines": lines} if ended else {})} for name in ("message_batch_id", "after_id", "before_id")]
    return {
        "files": [{"id": name, "purpose": "assistants", "content": json.dumps({"foo": "bar"})} for name in ("file_id", "after")],
        "batches": [{"id": name, "status": "in_progress"} for name in ("batch_id", "after")] + messages,
    }


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Lay out the ids anew, since the test before may have deleted or cancelled them."""
    body = json.dumps(plan(item.name)).encode()
    with urllib.request.urlopen(os.environ["SEED_URL"], body, timeout=20) as answer:
        answer.read()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request) -> object:
    """Hand a mock router that mocks nothing to tests that ask for one."""
    if os.environ.get("NO_MOCKS") != "1" or fixturedef.argname not in ("respx_mock", "respx2_mock"):
        return None
    fixturedef.cached_result = (MagicMock(), fixturedef.cache_key(request), None)
    return fixturedef.cached_result[0]
