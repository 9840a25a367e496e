"""Rows → one text file per request: a header that says what it is, then the answer; and safe names for them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from common.catalog.prices import rates
from common.files import hashed_name, safe_name
from common.nouns import Model, Usage
from common.results.origin import Meta, Origin
from common.results.rows import Row
from common.text import iso, without_controls

SIMULATED = "SIMULATED — a rehearsal answer, not data\n"
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


def write_texts(rows: Iterable[Row], folder: Path, origin: Origin) -> int:
    """Write one file per row into `folder` and return their number; see `TextFolder`. Raises OSError."""
    with TextFolder(folder, origin.model) as texts:
        for row in rows:
            texts.write(row)
    return texts.count


class TextFolder:
    """A folder of text files, made if need be, that rows are written into one by one.

    Files of the same name are replaced: a folder belongs to one run. Of names that differ only in case, which some
    file systems hold for one, all but the first get a hash.
    """

    def __init__(self, folder: Path, model_of: Callable[[str], Model | None], may_clash: bool = True) -> None:
        """`may_clash`: False when the ids are known to differ by more than case, so that none need be remembered."""
        self.was_there = folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.may_clash = may_clash
        self._headers = _Headers(model_of)
        self._taken: set[str] = set()
        self._handle = os.open(folder, os.O_RDONLY)

    def __enter__(self) -> TextFolder:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._handle)

    def write(self, row: Row) -> None:
        """Write one file. Raises OSError."""
        name = safe_name(row.meta.custom_id)
        if self.may_clash:
            folded = name.casefold()
            if folded in self._taken:
                name = hashed_name(name.removesuffix(".txt"), row.meta.custom_id, ".txt")
                folded = name.casefold()
            self._taken.add(folded)
        _write(name, text_of(row, self._headers), self._handle)
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
    """The part of a header that all trials of a condition share, made once per condition."""

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
        price = "unknown" if into is None else f"{into:g} input, {out:g} output (USD per 1M tokens, as sent)"
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


def _tokens(usage: Usage | None) -> str:
    if usage is None:
        return "unknown"
    return f"{usage.input} input ({usage.cached} cached), {usage.output} output ({usage.reasoning} reasoning)"


def text_of(row: Row, headers: _Headers) -> bytes:
    """The whole content of a row's text file, UTF-8."""
    meta, result, checked = row.meta, row.result, row.checked
    front, back = headers.of(meta, result.model or meta.model_id)
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
        f"{error}Tokens: {_tokens(result.usage)}\n"
        f"Attempts: {row.attempts}\nValidation: {validation}----\n\n{text}\n".encode("utf-8", "replace")
    )
