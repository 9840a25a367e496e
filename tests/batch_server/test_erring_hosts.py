"""Checks that the service plays hosts that err: each recipe of the documentation, seen as a client sees it over HTTP."""

from __future__ import annotations

import json
import re
import time

import openai
import pytest

from tests.basics import ROOT
from tests.batch_server.calls import chat_row, ended, finished, lines_of, message_row, submit, upload
from tests.service import HEADERS, HTTP, Service

SECTION = (ROOT / "docs" / "batch-server.md").read_text().split("### Hosts that err")[1].split("## Control routes")[0]
RECIPES = {what.strip(): json.loads(plan) for what, plan in re.findall(r"^\| (.+?) \| `(\[.+\])` \|$", SECTION, re.MULTILINE)}
DONE = {"status": "completed"}


def recipe(service: Service, start: str) -> None:
    """Put the one recipe in force whose name starts so."""
    (plan,) = (plan for what, plan in RECIPES.items() if what.startswith(start))
    service.faults(*plan)


def done(service: Service, rows: int = 3) -> dict:
    """A completed batch as it is seen before any fault."""
    client = service.openai()
    return finished(client, submit(client, [chat_row(n) for n in range(rows)], metadata={"run": "r"}).id).model_dump()


def look(service: Service, batch: dict, key: str = "") -> object:
    """The batch now, or one field of it."""
    body = service.get(f"/batches/{batch['id']}").json()
    return body.get(key) if key else body


def content(service: Service, batch: dict) -> HTTP:
    """The answer of the output's address."""
    return service.get(f"/files/{batch['output_file_id']}/content")


@pytest.mark.parametrize("what", RECIPES)
def test_every_recipe_is_a_plan(service: Service, what: str):
    """Each is taken as it stands."""
    service.faults(*RECIPES[what])
    assert len(service.control("faults")["rules"]) == len(RECIPES[what])


def test_file_ids_come_late_for_each_batch(service: Service):
    """Three looks at each, whatever is done with the others; looks before the end do not count."""
    one, two = done(service), done(service)
    recipe(service, "file id late")
    seen = [[look(service, batch, "output_file_id") is None for _ in range(4)] for batch in (one, two)]
    assert seen == [[True, True, True, False]] * 2
    assert service.fired() == 6


def test_late_by_seconds_in_lists_too(service: Service):
    """The seconds begin with the first look, for each batch by itself."""
    one, two = done(service), done(service)
    service.faults({"call": "*", "each": True, "where": DONE, "seconds": 0.4, "action": {"object": {"output_file_id": None}}})
    assert look(service, one, "output_file_id") is None
    time.sleep(0.45)
    listed = {b["id"]: b["output_file_id"] for b in service.get("/batches").json()["data"]}
    assert (listed[one["id"]], listed[two["id"]]) == (one["output_file_id"], None)


def test_results_url_comes_late(service: Service):
    """The same in Anthropic's words."""
    client = service.anthropic()
    batch = ended(client, client.messages.batches.create(requests=[message_row(1)]).id)
    recipe(service, "results address late")
    assert [client.messages.batches.retrieve(batch.id).results_url is None for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("status", [404, 409, 410, 423, 425, 500, 503])
def test_content_refuses_for_a_while(service: Service, status: int):
    """Each file so often, in the API's words; then it is whole."""
    batch = done(service)
    service.faults({"call": "files.content", "each": True, "times": 2, "action": {"status": status}})
    answers = [content(service, batch) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].json()["error"]["message"] and len(answers[2].text.splitlines()) == 3


def test_content_is_something_else(service: Service):
    """HTML, nothing, an error with 200, and another batch's rows."""
    batch, other = done(service), done(service, rows=5)
    recipe(service, "content is HTML")
    answer = content(service, batch)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, "text/html", "<html>Sign in</html>")
    recipe(service, "content is empty")
    answer = content(service, batch)
    assert (answer.status_code, answer.content) == (204, b"")
    recipe(service, "content is an error")
    assert content(service, batch).json()["error"]["message"] == "try later" and content(service, batch).status_code == 200
    assert len(content(service, batch).text.splitlines()) == 3
    recipe(service, "content is another batch's")
    assert len(content(service, batch).text.splitlines()) == 5
    service.faults({"call": "files.content", "times": -1, "action": {"rows_of": batch["id"]}})
    assert len(content(service, other).text.splitlines()) == 3


def test_results_are_something_else(service: Service):
    """An Anthropic results stream: not yet, then another batch's."""
    client = service.anthropic()
    one, _ = (ended(client, client.messages.batches.create(requests=[message_row(n) for n in range(rows)]).id) for rows in (2, 4))
    service.faults(
        {"call": "messages.batches.results", "action": {"status": 425}},
        {"call": "messages.batches.results", "nth": 2, "action": {"rows_of": "another"}},
    )
    assert HTTP.get(one.results_url, headers=HEADERS).json()["type"] == "error"
    assert [len(list(client.messages.batches.results(one.id))) for _ in range(2)] == [4, 2]


def test_counts_that_are_null_or_contradict(service: Service):
    """Null for three looks; then other numbers for ever, in lists too."""
    batch = done(service)
    recipe(service, "counts null")
    assert [look(service, batch, "request_counts") for _ in range(4)] == [None, None, None, batch["request_counts"]]
    recipe(service, "counts zero")
    lie = {"total": 0, "completed": 7, "failed": 0}
    assert (
        [look(service, batch, "request_counts")] * 2
        == [lie] * 2
        == [b["request_counts"] for b in service.get("/batches").json()["data"]] * 2
    )


def test_a_replica_lags(service: Service):
    """A batch that was made is not found, and not listed, for a while; the ledger knows it."""
    service.faults(
        {"call": "batches.retrieve", "each": True, "seconds": 0.3, "action": {"status": 404}},
        {"call": "batches.list", "times": -1, "action": {"lag": 0.3}},
    )
    client = service.openai()
    batch = submit(client, [chat_row(1)])
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve(batch.id)
    assert list(client.batches.list()) == [] and len(service.creates()) == 1
    time.sleep(0.35)
    assert client.batches.retrieve(batch.id).id == batch.id == next(iter(client.batches.list())).id


@pytest.mark.parametrize("word", ["complete", "SUCCEEDED", "done", "failed", "cancelled"])
def test_other_words_for_the_end(service: Service, word: str):
    """In looks and in lists, files and all."""
    batch = done(service)
    service.faults({"call": "*", "times": -1, "where": DONE, "action": {"object": {"status": word}}})
    seen = [look(service, batch), *service.get("/batches").json()["data"]]
    assert [(b["status"], b["output_file_id"]) for b in seen] == [(word, batch["output_file_id"])] * 2


def test_a_status_goes_backwards(service: Service):
    """completed, in_progress, completed."""
    batch = done(service)
    recipe(service, "a status that goes backwards")
    assert [look(service, batch, "status") for _ in range(3)] == ["completed", "in_progress", "completed"]


def walked(service: Service, kind: str, most: int = 9) -> list[str]:
    """The ids of a list, page by page, as a client walks it, at most so many pages."""
    path, after, ids = {"openai": ("/batches", "after"), "anthropic": ("/messages/batches", "after_id")}[kind], "", []
    for _ in range(most):
        page = service.get(f"{path[0]}?{path[1]}={after}" if after else path[0], kind).json()
        ids += [b["id"] for b in page["data"] if isinstance(b, dict) and b.get("id")]
        after = page["last_id"]
        if not page["has_more"]:
            break
    return ids


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_lists_in_another_order_in_circles_and_with_odd_things(service: Service, kind: str):
    """Oldest first by pages of two; round and round; with strangers in front of each page."""
    claude, client = service.anthropic(), service.openai()
    made = [
        (submit(client, [chat_row(1)]) if kind == "openai" else claude.messages.batches.create(requests=[message_row(1)])).id
        for _ in range(5)
    ]
    call = "batches.list" if kind == "openai" else "messages.batches.list"
    service.fault(call, {"list": {"order": "asc", "page": 2}})
    assert walked(service, kind) == made
    service.fault(call, {"list": {"page": 2, "circle": True}})
    assert walked(service, kind, 4) == [*made[::-1], *made[:2:-1]]
    odd = [None, "text", 7, [], {}, {"id": None}]
    service.fault(call, {"list": {"odd": odd}})
    assert service.batches(kind)[:6] == odd and walked(service, kind) == made[::-1]


@pytest.mark.parametrize("status", [404, 405, 403, 501])
def test_lists_are_not_to_be_had(service: Service, status: int):
    """Single looks go on."""
    batch = done(service)
    service.fault("batches.list", {"status": status})
    assert service.get("/batches").status_code == status and look(service, batch, "status") == "completed"


def test_data_is_null(service: Service):
    """A list whose data is null."""
    recipe(service, "`data: null`")
    assert service.get("/batches").json() == {"object": "list", "data": None, "has_more": False}


def test_answers_without_metadata_and_input_file(service: Service):
    """Gone from every answer, kept in the ledger."""
    recipe(service, "no metadata")
    made = done(service)
    for body in (look(service, made), *service.get("/batches").json()["data"]):
        assert "metadata" not in body and "input_file_id" not in body
    assert service.creates()[0]["metadata"] == {"run": "r"}


def test_usage_is_absent_or_of_another_kind(service: Service):
    """Of the batch and of its rows."""
    batch = done(service)
    recipe(service, "usage absent")
    assert "usage" not in look(service, batch)
    used = [row["response"]["body"]["usage"]["prompt_tokens"] for row in map(json.loads, content(service, batch).text.splitlines())]
    assert used and all(isinstance(value, float) for value in used)
    for edit, wanted in (({"object": {"response.body.usage": None}}, None), ({"object": {"response.body.usage": 1.5}}, 1.5)):
        service.fault("files.content", edit)
        assert [json.loads(line)["response"]["body"]["usage"] for line in content(service, batch).text.splitlines()] == [wanted] * 3


def test_ids_are_numbers(service: Service):
    """Such a host is walked by its numbers from upload to download."""
    recipe(service, "ids as numbers")
    upload(service.openai(), [chat_row(1)])
    file = service.get("/files").json()["data"][0]
    body = {"input_file_id": str(file["id"]), "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = HTTP.post(f"{service.base}/v1/batches", json=body, headers=HEADERS).json()
    assert isinstance(file["id"], int) and isinstance(made["id"], int)
    for _ in range(200):
        if (now := look(service, made))["status"] == "completed":
            break
        time.sleep(0.02)
    assert (now["id"], isinstance(now["output_file_id"], int)) == (made["id"], True)
    assert len(content(service, now).text.splitlines()) == 1


def test_rows_without_response(service: Service):
    """The first two only."""
    batch = done(service)
    recipe(service, "rows without response")
    assert ["response" in json.loads(line) for line in content(service, batch).text.splitlines()] == [False, False, True]


def test_ids_are_given_again(service: Service):
    """After such a reset a host counts anew; after a plain one it does not."""
    first = done(service)
    service.control("reset", {"reuse_ids": True})
    again = done(service)
    assert (again["id"], again["input_file_id"], again["output_file_id"]) == (first["id"], first["input_file_id"], first["output_file_id"])
    assert lines_of(service.openai(), again["output_file_id"])
    service.reset()
    assert done(service)["id"] != first["id"]
