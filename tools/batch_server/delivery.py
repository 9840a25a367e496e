"""Owns how an answer leaves: whole, delayed, slowly, cut in the middle, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .edits import edited

PIECE = 1 << 20


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also tells the application how to end the connection."""

    def on_message_begin(self) -> None:
        """Put the connection's own hang-up functions into the scope."""
        super().on_message_begin()
        self.scope["hang_up"] = self.transport.abort
        self.scope["end_early"] = self.transport.close


class FileStream(Response):
    """A file, or a part of it, sent in pieces of a megabyte that are read off the event loop."""

    def __init__(self, path: Path, media_type: str, headers: dict[str, str] | None = None):
        super().__init__(None, media_type=media_type, headers=headers)
        self.path = path
        self.headers["content-length"] = str(path.stat().st_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        with self.path.open("rb") as data:  # opened first: a file deleted meanwhile is still sent whole
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece := await asyncio.to_thread(data.read, PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def file_answer(path: Path, fault: dict, media_type: str) -> Response:
    """A download, whole or with the lines that a fault asks for; see `_bent` and `_edited`."""
    if fault.keys().isdisjoint(("lines", "object", "without")):
        return FileStream(path, media_type)
    return StreamingResponse(_in_thread(lines_of(path, fault)), media_type=media_type)


def lines_of(path: Path, fault: dict) -> Iterable[bytes]:
    """The lines of a file, those that a fault asks for."""
    return _edited(_bent(path, fault.get("lines", {})), fault)


def _edited(lines: Iterable[bytes], fault: dict) -> Iterable[bytes]:
    """The lines with the objects of the first `rows` of them edited: all, when nothing is said."""
    for number, line in enumerate(lines):
        if number < fault.get("rows", number + 1) and not fault.keys().isdisjoint(("object", "without")):
            with suppress(orjson.JSONDecodeError):
                line = orjson.dumps(edited(orjson.loads(line), fault), option=orjson.OPT_APPEND_NEWLINE)
        yield line


def _bent(path: Path, bend: dict) -> Iterable[bytes]:
    """The lines of a file without the first `missing`, the next `duplicate` of them twice, then strangers and broken ones."""
    with path.open("rb") as lines:
        last = b""
        for number, line in enumerate(lines):
            last = line
            if number < bend.get("missing", 0):
                continue
            yield line
            if number < bend.get("missing", 0) + bend.get("duplicate", 0):
                yield line
    for number in range(bend.get("foreign", 0)):
        yield b'{"custom_id":"foreign-%d","id":"batch_req_sim_foreign_%d",%s' % (number, number, _without_ids(last))
    for _ in range(bend.get("malformed", 0)):
        yield last[: len(last) // 2].rstrip(b"\n") + b"\n"


def _without_ids(line: bytes) -> bytes:
    place = max(line.find(b'"response":'), line.find(b'"result":'))
    return line[place:] if place >= 0 else b'"response":null}\n'


async def _in_thread(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def deliver(response: Response, fault: dict, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer as the fault in force says."""
    if "truncate" in fault:
        send = _truncating(fault["truncate"], scope, send)
    if "slow" in fault:
        send = _slow(fault["slow"], send)
    try:
        await response(scope, receive, send)
    except _Cut:
        await hang_up(scope["end_early"], receive)


async def hang_up(end: Callable[[], None], receive: Receive) -> None:
    """End the connection, and stay until it has ended: uvicorn complains of answers that just stop."""
    end()
    while (await receive())["type"] != "http.disconnect":
        pass


class _Cut(Exception):
    """Enough of the body has been sent."""


def _truncating(limit: float, scope: Scope, send: Send) -> Send:
    """Pass on a part of the body: a share of it when below 1, else so many bytes."""
    left = -1.0

    async def cut(message: dict) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            left = limit if limit >= 1 else _length(message) * limit
            await send(message)
            return
        body = message.get("body", b"")
        await send({"type": "http.response.body", "body": body[: int(left)], "more_body": True})
        left -= len(body)
        if left <= 0 or not message.get("more_body"):
            raise _Cut
    return cut


def _length(message: dict) -> int:
    for name, value in message["headers"]:
        if name.lower() == b"content-length":
            return int(value)
    return 1024


def _slow(rate: float, send: Send) -> Send:
    """Pass on the body at so many bytes per second."""
    step = max(1, int(rate / 10))

    async def trickle(message: dict) -> None:
        body = message.get("body", b"")
        for at in range(0, max(0, len(body) - step), step):
            await send({**message, "body": body[at:at + step], "more_body": True})
            await asyncio.sleep(step / rate)
        rest = body[len(body) - (len(body) - 1) % step - 1:] if body else b""
        await send({**message, "body": rest} if message["type"] == "http.response.body" else message)
    return trickle

