"""The text of a file: packed or not, in the encoding that its mark or its owner says; a failure names line and likely encoding."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO

from common.errors import InputError
from common.experiment.data.guess import likely
from common.experiment.data.reader import Fail

_BLOCK = 1 << 20
_SAMPLE = 1 << 16  # bytes of lines that are no UTF-8, from which their encoding is guessed
_MARKS = (  # the longer first: UTF-32's begins as UTF-16's
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
UTF8 = ("utf-8", "utf-8-sig")


class TextFile:
    """A file of text. `encoding` is "utf-8-sig" (UTF-8 with or without a mark) unless its mark or [data] says another."""

    def __init__(self, file: Path, encoding: str, fail: Fail) -> None:
        self.file, self._packed = file, file.suffix.lower() == ".gz"
        with self.raw() as content:
            start = content.read(4)
        marked = next((name for mark, name in _MARKS if start.startswith(mark)), "")
        said = _codec(encoding, fail) if encoding else ""
        family = marked.removesuffix("-sig")
        if marked and said and not said.startswith(family):
            raise fail("encoding", f"is {encoding!r}, but {file} begins with the mark of {family.upper()}; leave it out")
        self.encoding = marked or ("utf-8-sig" if said in ("", *UTF8) else said)

    @contextmanager
    def raw(self) -> Iterator[BinaryIO]:
        """The bytes, unpacked. Raises InputError when they cannot be had."""
        try:
            with gzip.open(self.file, "rb") if self._packed else open(self.file, "rb") as content:
                yield content
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self.file}: cannot be unpacked: is it a whole .gz file? ({error})") from None
        except OSError as error:
            raise InputError(f"{self.file}: {error.strerror or error}") from None

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """The text with its line ends as they are. Raises InputError, with line and likely encoding where it cannot be decoded."""
        with self.raw() as content:
            try:
                yield io.TextIOWrapper(content, self.encoding, newline="")
            except UnicodeError:
                self.complain()

    def blocks(self) -> Iterator[bytes]:
        """The text as UTF-8 without a mark, a block at a time; what is no UTF-8 but should be is left for the reading to say."""
        if self.encoding == "utf-8-sig":
            with self.raw() as content:
                yield content.read(_BLOCK).removeprefix(codecs.BOM_UTF8)
                while block := content.read(_BLOCK):
                    yield block
            return
        with self.text() as content:
            while block := content.read(_BLOCK):
                yield block.encode("utf-8", "surrogatepass")

    def lines(self) -> Iterator[bytes]:
        """The lines as UTF-8 without a mark."""
        if self.encoding != "utf-8-sig":
            with self.text() as content:
                yield from (line.encode("utf-8", "surrogatepass") for line in content)
            return
        with self.raw() as content:
            yield content.readline().removeprefix(codecs.BOM_UTF8)
            yield from content

    def complain(self) -> NoReturn:
        """Say which line is not in the file's encoding, and which encoding it may be. Raises InputError."""
        where, bad = "", b""
        with self.raw() as content:
            for number, line in enumerate(content if self.encoding[:5] not in ("utf-1", "utf-3") else (), 1):
                try:
                    line.decode(self.encoding)
                except UnicodeError:
                    where = where or f", line {number}"
                    bad += line[:_SAMPLE]
                    if len(bad) >= _SAMPLE:
                        break
        if self.encoding in UTF8:
            raise InputError(f'{self.file}{where}: not UTF-8 text; if it is {likely(bad)}, say encoding = "{likely(bad)}" under [data]')
        guess = f" (is it {likely(bad)}?)" if bad else ""
        raise InputError(f"{self.file}{where}: not {self.encoding} text; expected another encoding under [data]{guess}")


def _codec(encoding: str, fail: Fail) -> str:
    """The codec's own name of an encoding of texts."""
    try:
        "".encode(encoding)  # refuses codecs that make no bytes of text
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        expected = "utf-8, utf-16, cp932, shift_jis, euc_jp, latin-1, cp1252, …"
        raise fail("encoding", f"is {encoding!r}; expected one of {expected}") from None
