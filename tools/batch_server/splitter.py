"""Owns the reading of a Message Batch body `{"requests": [...]}` from disk, request by request, with bounded memory."""

from __future__ import annotations

import codecs
import json
import re
from array import array
from collections.abc import Iterator
from pathlib import Path

import orjson

from .errors import ApiError
from .rows import prompt_tokens, texts

CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SPACE = re.compile(r"[ \t\n\r]*")
STEP = 1 << 18


class Text:
    """A sliding window of text over a file of UTF-8 bytes."""

    def __init__(self, path: Path):
        self.file = path.open("rb")
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.json = json.JSONDecoder(parse_constant=_no_constant)
        self.text, self.at, self.ended = "", 0, False

    def more(self) -> None:
        """Read on; what was taken is let go."""
        piece = self.file.read(max(STEP, len(self.text) - self.at))  # grows with a big value, so that retries stay few
        self.ended = not piece
        self.text, self.at = self.text[self.at:] + self.decoder.decode(piece, final=not piece), 0

    def peek(self) -> str:
        """The next character that is not space, or "" at the end."""
        while True:
            self.at = SPACE.match(self.text, self.at).end()
            if self.at < len(self.text) or self.ended:
                return self.text[self.at:self.at + 1]
            self.more()

    def take(self, expected: str) -> None:
        """Step over one expected character."""
        if self.peek() != expected:
            raise ValueError(f"expected {expected!r}")
        self.at += 1

    def value(self) -> object:
        """The next whole JSON value."""
        self.peek()
        while True:
            try:
                value, end = self.json.raw_decode(self.text, self.at)
                if end < len(self.text) or self.ended:  # a number may go on in the next piece
                    self.at = end
                    return value
            except json.JSONDecodeError:
                if self.ended:
                    raise
            self.more()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def requests_of(path: Path) -> Iterator[object]:
    """Yield the members of `requests`; raises ApiError 400 where the body is not what the API takes."""
    text = Text(path)
    try:
        yield from _members(text)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).split(":")[0]
        raise ApiError(400, f"The request body is not valid JSON: {reason}") from None
    finally:
        text.file.close()


def _members(text: Text) -> Iterator[object]:
    if text.peek() != "{":
        raise ApiError(400, "The request body must be a JSON object.")
    text.take("{")
    seen = False
    while text.peek() != "}":
        key = text.value()
        text.take(":")
        if key == "requests":
            seen = True
            yield from array_of(text)
        elif isinstance(key, str):
            text.value()
            raise ApiError(400, f"{key[:60]}: Extra inputs are not permitted")
        else:
            raise ValueError("a key must be a string")
        if text.peek() != ",":
            break
        text.take(",")
    text.take("}")
    if text.peek():
        raise ValueError("something follows the object")
    if not seen:
        raise ApiError(400, "requests: Field required")


def array_of(text: Text) -> Iterator[object]:
    if text.peek() != "[":
        raise ApiError(400, "requests: Input should be a valid list")
    text.take("[")
    while text.peek() != "]":
        yield text.value()
        if text.peek() != ",":
            break
        text.take(",")
    text.take("]")


def split(path: Path, rows: Path, max_rows: int) -> dict:
    """Write one JSON line per request to `rows`; returns {"total", "tokens", "places": array} or raises ApiError."""
    ids: set[str] = set()
    places, offset, tokens, number = array("Q"), 0, 0, -1
    with rows.open("wb") as out:
        for number, request in enumerate(requests_of(path)):
            if number >= max_rows:
                raise ApiError(400, f"requests: List should have at most {max_rows} items after validation")
            custom_id = _check(request, number, ids)
            try:
                line = orjson.dumps({"custom_id": custom_id, "params": request["params"]}, option=orjson.OPT_APPEND_NEWLINE)
            except (orjson.JSONEncodeError, RecursionError):  # lone surrogates, numbers beyond 64 bits
                raise ApiError(400, f"requests.{number}.params: not valid JSON text") from None
            out.write(line)
            places.extend((offset, len(line)))
            offset += len(line)
            tokens += prompt_tokens(texts(request["params"], "/v1/messages"), request["params"], "anthropic")
    if number < 0:
        raise ApiError(400, "requests: List should have at least 1 item after validation, not 0")
    return {"total": number + 1, "tokens": tokens, "places": places}


def _check(request: object, number: int, ids: set[str]) -> str:
    where = f"requests.{number}"
    if not isinstance(request, dict):
        raise ApiError(400, f"{where}: Input should be a valid dictionary")
    custom_id = request.get("custom_id")
    if custom_id is None:
        raise ApiError(400, f"{where}.custom_id: Field required")
    if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
        raise ApiError(400, f"{where}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if custom_id in ids:
        raise ApiError(400, f"requests: custom_id must be unique within a batch, but '{custom_id}' is used more than once")
    ids.add(custom_id)
    if "params" not in request:
        raise ApiError(400, f"{where}.params: Field required")
    if not isinstance(request["params"], dict):
        raise ApiError(400, f"{where}.params: Input should be a valid dictionary")
    extra = next((key for key in request if key not in ("custom_id", "params")), None)
    if extra is not None:
        raise ApiError(400, f"{where}.{extra[:60]}: Extra inputs are not permitted")
    return custom_id
