"""Throws garbage at every route: never a 500, never a shape that the APIs do not have. FUZZ_EXAMPLES=1000 throws more."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.batch_server.calls import chat_row
from tests.service import HEADERS, HTTP, STEADY, Service

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)
PATHS = ("/v1/files", "/v1/batches", "/kluster/v1/batches", "/kluster/v1/files", "/v1/messages", "/v1/messages/batches",
         "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/_control/faults", "/_control/clock")
FUZZ = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "25")),
                deadline=None, derandomize=True, phases=[Phase.generate], database=None,
                suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory):
    """A service of its own, since a fuzzer may put strange things into it."""
    with Service(tmp_path_factory.mktemp("fuzz"), (*STEADY, "--speed", "20000")) as service:
        yield service


def well_shaped(path: str, answer) -> None:
    """Below 500, marked, and an error in the API's own shape."""
    assert answer.status_code < 500, (path, answer.text)
    if answer.status_code >= 400:
        body = answer.json()
        if path.startswith("/v1/messages"):
            assert body["type"] == "error" and {"type", "message"} <= set(body["error"])
        else:
            assert set(body["error"]) == {"message", "type", "param", "code"}


@FUZZ
@given(path=st.sampled_from(PATHS), body=JSON)
def test_any_json_body(target: Service, path: str, body: object):
    """Any JSON where an object with certain keys is expected."""
    well_shaped(path, HTTP.post(target.base + path, content=json.dumps(body).encode(), headers=HEADERS))


@FUZZ
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=300), kind=st.sampled_from(
    ("application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain", "")))
def test_any_bytes(target: Service, path: str, body: bytes, kind: str):
    """Any bytes under any content type, multipart without end included."""
    well_shaped(path, HTTP.post(target.base + path, content=body, headers={**HEADERS, "content-type": kind}))


@FUZZ
@given(method=st.sampled_from(("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD")), tail=st.text(max_size=30),
       head=st.sampled_from(("/v1/files/", "/v1/batches/", "/v1/messages/batches/", "/v1/models/", "/")),
       query=st.dictionaries(st.sampled_from(("limit", "after", "order", "purpose", "after_id", "before_id")), st.text(max_size=9),
                             max_size=2))
def test_any_id_and_query(target: Service, method: str, head: str, tail: str, query: dict):
    """Ids that are paths, NULs or lone surrogates find nothing and harm nothing."""
    tail = tail.encode("utf-8", "surrogatepass").hex(" ").replace(" ", "%")
    url = f"{target.base}{head}{'%' if tail else ''}{tail}"
    answer = HTTP.request(method, url, params=query, headers=HEADERS)
    assert answer.status_code < 500, answer.text


@FUZZ
@given(body=st.dictionaries(st.sampled_from(("model", "messages", "temperature", "max_tokens", "top_p", "stream", "reasoning_effort",
                                             "reasoning", "max_completion_tokens")), JSON, max_size=4))
def test_any_chat_body(target: Service, body: dict):
    """A half sensible body with senseless values."""
    content = json.dumps({**chat_row(1)["body"], **body}).encode()
    well_shaped("/v1/chat/completions", HTTP.post(target.base + "/v1/chat/completions", content=content, headers=HEADERS))


@FUZZ
@given(params=st.dictionaries(st.sampled_from(("model", "messages", "temperature", "max_tokens", "top_p", "top_k", "system", "stream")),
                              JSON, max_size=4))
def test_any_message_params(target: Service, params: dict):
    """The same for Messages."""
    body = {"model": "claude-haiku-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}], **params}
    well_shaped("/v1/messages", HTTP.post(target.base + "/v1/messages", content=json.dumps(body).encode(), headers=HEADERS))
