"""Owns the way of request bodies to disk: multipart uploads and plain bodies, piece by piece, never whole in memory."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from .errors import ApiError
from .state import sync_file

FIELD_BYTES = 64 * 1024
MAX_FIELDS = 32
JSON_BYTES = 4 * 1024 * 1024
DRAIN_BYTES = 1 << 30


class Sink:
    """A file that is being written, with its size and checksum; removed again unless it is kept."""

    def __init__(self, path: Path):
        self.path, self.size, self.digest = path, 0, sha256()
        self._out = path.open("wb", buffering=1 << 20)

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        self._out.write(piece)
        self.digest.update(piece)
        self.size += len(piece)

    def flush(self) -> None:
        """Let others read what has been written."""
        self._out.flush()

    async def keep(self, place: Path) -> None:
        """Put the whole file, synced, in its place."""
        self._out.close()
        await asyncio.to_thread(sync_file, self.path)
        self.path.replace(place)
        await asyncio.to_thread(sync_file, place)

    def close(self) -> None:
        """Remove what was not kept."""
        self._out.close()
        self.path.unlink(missing_ok=True)


@dataclass
class Form:
    """An upload: its small fields, and the file part if there was one."""

    sink: Sink
    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None


class _Reader:
    """Callbacks of the multipart parser: the part named `file` goes to the sink, the others are short texts."""

    def __init__(self, sink: Sink, max_bytes: int):
        self.form, self.max_bytes, self.too_big, self.done = Form(sink), max_bytes, False, False
        self._header, self._value, self._headers = b"", b"", {}
        self._name, self._text = "", bytearray()

    def on_part_begin(self) -> None:
        self._headers, self._text, self._name = {}, bytearray(), ""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) > FIELD_BYTES:
            raise ApiError(400, "A header of a form part is too long.")

    def on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name == "file" and self.form.filename is None:
            self.form.filename = _filename(options)
        elif len(self.form.fields) >= MAX_FIELDS:
            raise ApiError(400, "The form has too many fields.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            if self.form.sink.size + end - start > self.max_bytes:
                self.too_big = True
            else:
                self.form.sink.write(data[start:end])
        elif len(self._text) + end - start > FIELD_BYTES:
            raise ApiError(400, f"The form field '{self._name[:60]}' is too long.")
        else:
            self._text += data[start:end]

    def on_part_end(self) -> None:
        if self._name != "file":
            self.form.fields[self._name] = self._text.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.done = True

    def callbacks(self) -> dict:
        """The parser's own names of the methods above."""
        return {name: getattr(self, name) for name in dir(self) if name.startswith("on_")}


def _filename(options: dict[bytes, bytes]) -> str | None:
    if b"filename*" in options:
        return unquote(options[b"filename*"].split(b"''")[-1].decode("utf-8", "replace"))
    name = options.get(b"filename")
    return None if name is None else name.decode("utf-8", "replace")


async def read_form(request: Request, folder: Path, max_bytes: int) -> Form:
    """Read a multipart upload. The caller keeps or closes `form.sink`."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        await drain(request)
        raise ApiError(400, "Expected a multipart/form-data body with a boundary.")
    reader = _Reader(Sink(folder / secrets.token_hex(8)), max_bytes)
    parser = MultipartParser(options[b"boundary"], reader.callbacks())
    try:
        async for piece in request.stream():
            parser.write(piece)
        parser.finalize()
        if not reader.done:
            raise ApiError(400, "The multipart body ended before its closing boundary.")
        if reader.too_big:
            raise ApiError(413, f"The upload exceeded the maximum size of {max_bytes} bytes.")
    except FormParserError:
        reader.form.sink.close()
        await drain(request)
        raise ApiError(400, "Could not parse multipart form.") from None
    except (ApiError, ClientDisconnect, OSError):
        reader.form.sink.close()
        await drain(request)
        raise
    return reader.form


async def read_to_disk(request: Request, folder: Path, max_bytes: int) -> Sink:
    """Read a plain body to a file; 413 when it is too long."""
    sink = Sink(folder / secrets.token_hex(8))
    try:
        async for piece in request.stream():
            if sink.size + len(piece) > max_bytes:
                raise ApiError(413, "Request exceeds the maximum size")
            sink.write(piece)
    except (ApiError, ClientDisconnect, OSError):
        sink.close()
        await drain(request)
        raise
    return sink


@asynccontextmanager
async def unpacking(request: Request, folder: Path, max_bytes: int) -> AsyncIterator[tuple[Sink, Path]]:
    """A body on disk, and a place for the rows that are cut out of it; what is left of either is removed in the end."""
    body = await read_to_disk(request, folder, max_bytes)
    rows = folder / secrets.token_hex(8)
    try:
        body.flush()
        yield body, rows
    finally:
        body.close()
        rows.unlink(missing_ok=True)


def keep(rows: Path, place: Path) -> None:
    """Put a whole file, synced, in its place."""
    sync_file(rows)
    rows.replace(place)
    sync_file(place)


async def read_json(request: Request, limit: int = JSON_BYTES) -> dict:
    """Read a small JSON object."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            await drain(request)
            raise ApiError(413, "Request exceeds the maximum size")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ApiError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(value, dict):
        raise ApiError(400, "The body of the request must be a JSON object.")
    return value


class BodyEnd:
    """A `receive` that knows when the body has ended: asking once more would wait for the client to hang up."""

    def __init__(self, receive: Receive):
        self._receive, self.reached = receive, False

    async def __call__(self) -> Message:
        """Pass on one message."""
        message = await self._receive()
        self.reached = self.reached or not message.get("more_body", False)
        return message


async def drain(request: Request) -> None:
    """Read and forget the rest of a body, so that the client can hear the answer; within reason."""
    size = 0
    while not request.receive.reached and size < DRAIN_BYTES:
        size += len((await request.receive()).get("body", b""))
