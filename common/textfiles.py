"""Records → one text file per request: a header that says what it is, then the answer; and safe names for them."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from common.costs import rates
from common.records import Model
from common.rows import Meta, Record, iso
from common.tables import without_controls

SIMULATED = "SIMULATED — a rehearsal answer, not data\n"
_LONGEST = 200  # bytes of a name; file systems take 255, archives and backups less
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,149}")
_HASHED = re.compile(r"-[0-9a-fA-F]{16}\Z")
_UNSAFE = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])[ ]*(?:\.|\Z)", re.IGNORECASE)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


def safe_name(custom_id: str, suffix: str = ".txt") -> str:
    """A file name for an id: the id itself where every file system takes it, else a likeness and a hash of the id.

    Different ids have different names (those that differ in case only: see `TextFolder`); no name is a path.
    """
    if _PLAIN.fullmatch(custom_id) and not _RESERVED.match(custom_id) and not _HASHED.search(custom_id):
        return custom_id + suffix
    name = unicodedata.normalize("NFC", custom_id)
    name = "".join(c if c.isprintable() else "_" for c in _UNSAFE.sub("_", name))
    name = "_" + name[1:] if name[:1] in ("", ".", "-", " ", "~") else name
    name = "_" + name if _RESERVED.match(name) else name
    if name == custom_id and len((name + suffix).encode()) <= _LONGEST and not _HASHED.search(name):
        return name + suffix
    return hashed_name(name, custom_id, suffix)


def hashed_name(name: str, custom_id: str, suffix: str) -> str:
    """As much of `name` as fits, and 16 hex digits of the id's SHA-256 that tell it from all others."""
    end = "-" + hashlib.sha256(custom_id.encode("utf-8", "surrogatepass")).hexdigest()[:16] + suffix
    return name.encode("utf-8", "replace")[: _LONGEST - len(end.encode())].decode("utf-8", "ignore") + end


def write_texts(records: Iterable[Record], folder: Path, model_of: Callable[[str], Model | None]) -> int:
    """Write one file per record into `folder` and return their number; see `TextFolder`. Raises OSError."""
    with TextFolder(folder, model_of) as texts:
        for record in records:
            texts.write(record)
    return texts.count


class TextFolder:
    """A folder of text files, made if need be, that records are written into one by one.

    Files of the same name are replaced: a folder belongs to one run. Of names that differ only in case, which some
    file systems hold for one, all but the first get a hash.
    """

    def __init__(self, folder: Path, model_of: Callable[[str], Model | None], may_clash: bool = True) -> None:
        """`may_clash`: False when the ids are known to differ by more than case, so that none need be remembered."""
        folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self._may_clash = may_clash
        self._headers = _Headers(model_of)
        self._taken: set[str] = set()
        self._handle = os.open(folder, os.O_RDONLY)

    def __enter__(self) -> TextFolder:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._handle)

    def write(self, record: Record) -> None:
        """Write one file. Raises OSError."""
        name = safe_name(record.meta.custom_id)
        if self._may_clash:
            folded = name.casefold()
            if folded in self._taken:
                name = hashed_name(name.removesuffix(".txt"), record.meta.custom_id, ".txt")
                folded = name.casefold()
            self._taken.add(folded)
        _write(name, text_of(record, self._headers), self._handle)
        self.count += 1


def _write(name: str, data: bytes, folder: int) -> None:
    # Not through a .part and a rename: that doubles the time, and these files can be made again at any time.
    file = os.open(name, _FLAGS, 0o666, dir_fd=folder)
    try:
        written = os.write(file, data)
        while written < len(data):
            written += os.write(file, data[written:])
    finally:
        os.close(file)


class _Headers:
    """The part of a header that all trials of a cell share, made once per cell."""

    def __init__(self, model_of: Callable[[str], Model | None]) -> None:
        self._model_of = model_of
        self._made: dict[tuple, tuple[str, str]] = {}

    def of(self, meta: Meta, model_id: str) -> tuple[str, str]:
        """(text, model and persona lines; temperature and price lines)."""
        key = (meta.model, model_id, meta.persona, meta.text, meta.temperature)
        made = self._made.get(key)
        if made is None:
            if len(self._made) > 10_000:  # a data set may have a million texts
                self._made.clear()
            made = self._made[key] = self._make(meta, model_id)
        return made

    def _make(self, meta: Meta, model_id: str) -> tuple[str, str]:
        model = self._model_of(meta.model or model_id) or self._model_of(model_id)
        into, _, out = rates(model) if model else (None, None, None)
        price = "unknown" if into is None else f"{into:g} input, {out:g} output (USD per 1M tokens in a batch)"
        front = (
            f"Text: {_one_line(meta.text, meta.text_title)}\n"
            f"Model: {_one_line(meta.model or model_id, model_id if model_id != meta.model else '')}\n"
            f"Persona: {_one_line(meta.persona, meta.persona_name)}\n"
        )
        return front, f"Temperature: {meta.temperature}\nPrice rates: {price}\n"


def _one_line(text: str, more: str = "") -> str:
    """A header's value: one printable line, with something more in brackets if there is more."""
    text = f"{text} ({more})" if text and more else text or more or "unknown"
    return text if text.isprintable() else " ".join("".join(c if c.isprintable() else " " for c in text).split())


@lru_cache(1024)
def _validation(status: str, patterns: tuple[str, ...]) -> str:
    return f"{status} ({', '.join(p or '-' for p in patterns)})\n"


def text_of(record: Record, headers: _Headers) -> bytes:
    """The whole content of a record's text file, UTF-8."""
    meta, result, checked = record.meta, record.result, record.checked
    front, back = headers.of(meta, result.model or meta.model_id)
    usage = result.usage
    if checked is None:
        validation = "not checked\n"
    else:
        validation = _validation(checked.status, checked.patterns)
        if checked.problems:
            validation += f"Problems: {_one_line('; '.join(checked.problems))}\n"
    error = "" if result.outcome == "succeeded" else f"Error: {_one_line(result.code, result.message)}\n"
    trial = "unknown" if meta.trial is None else meta.trial
    text = result.text
    if "\x1b" in text or "\x9b" in text:
        text = _ESCAPE.sub("", text)
    return without_controls(
        f"{SIMULATED if result.simulated else ''}"
        f"Timestamp: {iso(result.created) or 'unknown'}\nRequest: {_one_line(meta.custom_id)}\n{front}Trial: {trial}\n{back}"
        f"Outcome: {result.outcome}\nFinish reason: {_one_line(result.finish_reason) if result.finish_reason else 'none'}\n"
        f"{error}Tokens: {usage.input} input ({usage.cached} cached), {usage.output} output ({usage.reasoning} reasoning)\n"
        f"Attempts: {record.attempts}\nValidation: {validation}----\n\n{text}\n".encode("utf-8", "replace")
    )
