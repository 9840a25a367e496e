"""Owns the check of an OpenAI input file: every line is read once, errors are listed, and an index in shuffled order is left."""

from __future__ import annotations

import random
from array import array
from pathlib import Path

import orjson

from .rows import prompt_tokens, texts
from .rules import known_model

MAX_ERRORS = 100


class _Found:
    """What a check has found so far."""

    def __init__(self) -> None:
        self.errors: list[dict] = []
        self.ids: set[str] = set()
        self.model: str | None = None
        self.tokens = 0
        self.places = array("Q")

    def error(self, code: str, message: str, line: int | None, param: str | None = None) -> None:
        """Note an error; beyond the first hundred nobody reads on."""
        if len(self.errors) < MAX_ERRORS:
            self.errors.append({"code": code, "message": message, "param": param, "line": line})


def check_file(path: Path, index: Path, seed: str, endpoint: str, one_model: bool, max_rows: int) -> dict:
    """Check an input file and write `index`: pairs of (offset, length), shuffled by `seed`.

    Returns {"total", "tokens", "model", "errors": [{code, message, param, line}]}.
    """
    found, number, offset = _Found(), 0, 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                found.places.extend((offset, len(line)))
                _check_line(line, number, endpoint, one_model, found)
            offset += len(line)
    total = len(found.places) // 2
    if total == 0:
        found.error("empty_file", "The input file is empty: a batch needs at least one request.", None)
    if total > max_rows:
        found.error("too_many_tasks", f"The batch input file contains more requests than the maximum of {max_rows} (it has {total}).",
                    None)
    if not found.errors:
        write_index(index, found.places, seed)
    return {"total": total, "tokens": found.tokens, "model": found.model, "errors": found.errors}


def write_index(index: Path, places: array, seed: str) -> None:
    """Write pairs of (offset, length) in an order that only depends on `seed`: the order of the output."""
    order = list(range(len(places) // 2))
    random.Random(seed).shuffle(order)
    shuffled = array("Q", bytes(16 * len(order)))
    for place, row in enumerate(order):
        shuffled[2 * place], shuffled[2 * place + 1] = places[2 * row], places[2 * row + 1]
    with index.open("wb") as out:
        shuffled.tofile(out)


def _check_line(line: bytes, number: int, endpoint: str, one_model: bool, found: _Found) -> None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        found.error("invalid_json_line", "This line is not parseable as valid JSON.", number)
        return
    if not isinstance(row, dict):
        found.error("invalid_json_line", "Each line must be a JSON object.", number)
        return
    for name in ("custom_id", "method", "url", "body"):
        if row.get(name) is None:
            found.error("missing_required_parameter", f"Missing required parameter: '{name}'.", number, name)
            return
    custom_id, body = row["custom_id"], row["body"]
    if not isinstance(custom_id, str):
        found.error("invalid_type", "Invalid type for 'custom_id': expected a string.", number, "custom_id")
        return
    if custom_id in found.ids:
        found.error("duplicate_custom_id", f"The custom_id '{custom_id[:100]}' is used more than once in this file.", number, "custom_id")
    found.ids.add(custom_id)
    if row["method"] != "POST":
        found.error("invalid_method", f"The method must be POST, but is {str(row['method'])[:20]!r}.", number, "method")
    if row["url"] != endpoint:
        found.error("invalid_url", "The URL provided for this request does not match the batch endpoint.", number, "url")
    if not isinstance(body, dict):
        found.error("invalid_request", "The body of a request must be a JSON object.", number, "body")
        return
    _check_body(body, number, endpoint, one_model, found)


def _check_body(body: dict, number: int, endpoint: str, one_model: bool, found: _Found) -> None:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        found.error("invalid_request", "Missing required parameter: 'model'.", number, "body.model")
        return
    if endpoint == "/v1/chat/completions" and "messages" not in body:
        found.error("invalid_request", "Missing required parameter: 'messages'.", number, "body.messages")
        return
    if body.get("stream"):
        found.error("streaming_unsupported", "Streaming is not supported in the Batch API.", number, "body.stream")
    if not known_model(model):
        found.error("model_not_found", f"The provided model '{model[:100]}' is not supported by the Batch API.", number, "body.model")
    if one_model and found.model is not None and model != found.model:
        found.error("mismatched_model", f"The model '{model[:100]}' differs from '{found.model[:100]}', the model of the first line: "
                    "a batch may have one model only.", number, "body.model")
    found.model = found.model or model
    found.tokens += prompt_tokens(texts(body, endpoint), body)
