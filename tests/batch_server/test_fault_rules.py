"""Checks how rules of the plan of faults count, roll dice, choose objects, and are refused."""

from __future__ import annotations

import json

import pytest

from tests.batch_server.calls import chat_row, finished, submit
from tests.service import HEADERS, HTTP, Service


def models(service: Service, calls: int) -> list[int]:
    """The statuses of so many calls."""
    return [HTTP.get(f"{service.base}/v1/models", headers={"authorization": "Bearer k"}).status_code for _ in range(calls)]


@pytest.mark.parametrize(
    ("more", "least", "most"), [({}, 1, 1), ({"times": 1}, 1, 1), ({"times": 3}, 3, 3), ({"times": -1}, 8, 22), ({"times": 0}, 0, 0)]
)
def test_times_hold_with_a_probability_too(service: Service, more: dict, least: int, most: int):
    """Once when nothing is said, as without a probability."""
    service.faults({"call": "models.list", "probability": 0.5, "seed": 4, **more, "action": {"status": 500}})
    assert least <= models(service, 30).count(500) == service.fired() <= most


@pytest.mark.parametrize(("probability", "fired"), [(0, 0), (1, 10), (0.0, 0), (1.0, 10)])
def test_certain_dice(service: Service, probability: float, fired: int):
    """0 is never, 1 is always."""
    service.faults({"call": "models.list", "probability": probability, "times": -1, "action": {"status": 500}})
    assert models(service, 10).count(500) == fired


def test_the_seed_decides_and_is_shown(service: Service):
    """The same seed gives the same calls, another one others, and the control answer says which it is and all defaults."""
    runs = []
    for seed in (4, 4, 5, None):
        rule = {"call": "models.list", "probability": 0.5, "times": -1, "action": {"status": 500}}
        service.faults(rule if seed is None else {**rule, "seed": seed})
        (shown,) = service.control("faults")["rules"]
        assert (shown["seed"], shown["times"], shown["nth"], shown["probability"]) == (seed or 0, -1, 1, 0.5)
        runs.append(models(service, 40))
    assert runs[0] == runs[1] != runs[2] and runs[3] not in runs[:3]


def test_what_is_shown_can_be_given_back(service: Service):
    """The control answer, its counters apart, is a plan."""
    service.faults(
        {"call": "*", "where": {"status": "completed"}, "each": True, "seconds": 1.5, "probability": 0.5, "action": {"object": {"a": 1}}},
        {"call": "batches.list", "action": {"status": 500}},
    )
    rules = service.control("faults")["rules"]
    assert (rules[0]["times"], rules[1]["times"]) == (-1, 1)
    service.faults(*({key: value for key, value in rule.items() if key not in ("seen", "fired")} for rule in rules))
    assert service.control("faults")["rules"] == rules


def test_the_first_rule_wins_and_edits_add_up(service: Service):
    """Two rules for one field: the first; for two fields: both."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(1)]).id)
    service.faults(
        {"call": "batches.retrieve", "action": {"object": {"status": "one", "model": "m"}}},
        {"call": "batches.retrieve", "action": {"object": {"status": "two", "endpoint": "e"}, "without": ["usage"]}},
    )
    body = service.get(f"/batches/{batch.id}").json()
    assert (body["status"], body["model"], body["endpoint"], "usage" in body) == ("one", "m", "e", False)


def test_edits_reach_inwards_and_harm_nothing(service: Service):
    """Dots lead into objects and lists; a path that leads nowhere changes nothing."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(1)]).id)
    service.fault(
        "files.content",
        {
            "object": {
                "response.body.choices.0.finish_reason": "weird",
                "nowhere.at.all": 1,
                "response.body.choices.7": 1,
                "custom_id": {"as": "upper"},
            },
            "without": ["response.body.model", "x.y"],
        },
    )
    (line,) = service.get(f"/files/{batch.output_file_id}/content").text.splitlines()
    row = json.loads(line)
    assert row["response"]["body"]["choices"][0]["finish_reason"] == "weird" and "model" not in row["response"]["body"]
    assert len(row["response"]["body"]["choices"]) == 1 and row["custom_id"].isupper() and "nowhere" not in row


def test_a_creation_is_edited_and_the_ledger_is_not(service: Service):
    """The answer lies, the books do not."""
    service.faults({"call": "batches.create", "action": {"object": {"id": "batch_other", "status": "completed"}}})
    made = submit(service.openai(), [chat_row(1)])
    assert (made.id, made.status) == ("batch_other", "completed")
    assert service.creates()[0]["batch_id"] == service.attempts()[0]["batch_id"] != "batch_other"


@pytest.mark.parametrize(
    "rule",
    [
        {"call": "*", "times": 1.5},
        {"call": "*", "times": -2},
        {"call": "*", "times": True},
        {"call": "*", "nth": 0},
        {"call": ["*"]},
        {"call": None},
        {"call": "*", "probability": 1.1},
        {"call": "*", "probability": -0.1},
        {"call": "*", "probability": True},
        {"call": "*", "seed": "x"},
        {"call": "*", "profile": "nowhere"},
        {"call": "*", "seconds": -1},
        {"call": "*", "each": 1},
        {"call": "*", "where": []},
        {"call": "batches.list", "each": True, "action": {"status": 500}},
        {"call": "*", "action": {"object": []}},
        {"call": "*", "action": {"object": {"a": {"as": "octal"}}}},
        {"call": "*", "action": {"without": "a"}},
        {"call": "*", "action": {"rows": -1}},
        {"call": "*", "action": {"rows_of": 7}},
        {"call": "*", "action": {"list": {"order": "up"}}},
        {"call": "*", "action": {"list": {"page": 0}}},
        {"call": "*", "action": {"list": {"odd": 1}}},
        {"call": "*", "action": {"list": {"x": 1}}},
        {"call": "*", "action": {"status": 200.5}},
    ],
)
def test_mistakes_are_refused_in_words(service: Service, rule: dict):
    """The plan before stays in force."""
    service.fault("models.list", {"status": 503})
    answer = HTTP.post(f"{service.base}/_control/faults", json=[{"action": {}, **rule}])
    assert answer.status_code == 400 and answer.json()["error"]["message"].startswith("faults[0]")
    assert models(service, 1) == [503]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "kind"),
    [
        ("GET", "/v1/messages/none/x/y", HEADERS, 404, "not_found_error"),
        ("GET", "/v1/messages", HEADERS, 405, "invalid_request_error"),
        ("PUT", "/v1/messages/batches", HEADERS, 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches/x", HEADERS, 405, "invalid_request_error"),
        ("DELETE", "/v1/models", {"x-api-key": "k"}, 405, "invalid_request_error"),
        ("GET", "/v1/models", {"x-api-key": "k"}, 400, "invalid_request_error"),
        ("GET", "/v1/complete", {"x-api-key": "k"}, 404, "not_found_error"),
        ("GET", "/v1/files", {"x-api-key": "k"}, 404, "not_found_error"),
        ("POST", "/v1/batches", {"x-api-key": "k", "anthropic-version": "2023-06-01"}, 404, "not_found_error"),
        ("GET", "/v1/messages/batches", {}, 401, "authentication_error"),
        ("GET", "/v1/messages/batches/nope", HEADERS, 404, "not_found_error"),
    ],
)
def test_anthropic_errors_are_anthropics_on_every_route(service: Service, method: str, path: str, headers: dict, status: int, kind: str):
    """Whoever can only mean Anthropic hears Anthropic's words, with the request id in body and header."""
    answer = HTTP.request(method, service.base + path, headers=headers)
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert body["request_id"] == answer.headers["request-id"] and answer.headers["x-simulated"] == "true"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
        (502, "api_error"),
    ],
)
def test_anthropic_faults_have_its_types(service: Service, status: int, kind: str):
    """Demanded statuses too."""
    service.fault("messages.batches.list", {"status": status})
    answer = service.get("/messages/batches", "anthropic")
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


def test_a_body_too_big_for_anthropic(service: Service):
    """413 in its words."""
    answer = HTTP.post(f"{service.base}/v1/messages", content=b" " * (33 * 1024 * 1024), headers=HEADERS)
    assert answer.status_code == 413 and answer.json()["error"]["type"] == "request_too_large"
