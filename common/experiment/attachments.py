"""Images and PDFs that go with a prompt: files beside the experiment, or addresses that the provider fetches."""

from __future__ import annotations

import hashlib
import re
import stat
import unicodedata
from base64 import b64encode
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from common.errors import InputError
from common.experiment.media import media_of
from common.nouns import Attachment
from common.text import one_line, size

LARGEST = 50_000_000  # bytes of a file; no API takes more in one request
KEPT = 64_000_000  # bytes of encoded files that are kept for their next use
WIDEST = 65_535  # pixels; the most that JPEG can say, far beyond what any API takes
_TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
    ".pdf": "application/pdf",
}  # fmt: skip
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*://|data:)")


class Attachments:
    """What references of a data set or an experiment mean; files are relative to `folder`. Of many files few are in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, Attachment] = OrderedDict()
        self._bytes = 0

    def of(self, reference: str) -> Attachment:
        """The attachment that a name of a file or an http(s) address means.

        The type of a file is told by its bytes, that of an address by how its path ends: an image unless it ends in .pdf.
        Raises InputError, in one line that begins with the reference, for what cannot be sent.
        """
        if found := self._kept.get(reference):
            self._kept.move_to_end(reference)
            return found
        found = _linked(reference) if _SCHEME.match(reference) else self._read(reference)
        self._kept[reference] = found
        self._bytes += _weight(reference, found)
        while self._bytes > KEPT:
            self._bytes -= _weight(*self._kept.popitem(last=False))
        return found

    def _read(self, reference: str) -> Attachment:
        try:
            data = self._bytes_of(reference)
        except (OSError, ValueError) as error:  # also a name that is no text
            raise _refused(reference, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
        media = media_of(data)
        if media is None:
            raise _refused(reference, f"is no PNG, JPEG, GIF, WebP or PDF; it begins with {one_line(data[:16].decode('latin-1'))!r}")
        if max(media.width, media.height) > WIDEST:
            raise _refused(reference, f"says that it has {media.width:,} × {media.height:,} pixels; save it again as an image that opens")
        name = PurePosixPath(reference).name
        return Attachment(name, media.type, b64encode(data).decode(), "", media.width, media.height, media.pages)

    def _bytes_of(self, reference: str) -> bytes:
        file = self._file(reference)
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise _refused(reference, "is no file; expected an image or a PDF")
        if not found.st_size:
            raise _refused(reference, "is empty (0 bytes); expected an image or a PDF")
        if found.st_size > LARGEST:
            raise _refused(reference, f"has {size(found.st_size)}; expected at most {size(LARGEST)}: make it smaller, or give its address")
        return file.read_bytes()

    def _file(self, reference: str) -> Path:
        """The file that is meant, whichever way its name's accents or kana are composed: a Mac writes them in parts."""
        path = PurePosixPath(reference)
        if not reference.strip():
            raise InputError("an image or PDF has no name; expected a file or an address that begins with https://")
        if path.is_absolute() or ".." in path.parts:
            raise _refused(reference, f"leads out of {self._folder}; put the file into this folder, and write its name as seen from there")
        alike = (self._folder / name for name in (reference, *(unicodedata.normalize(form, reference) for form in ("NFC", "NFD"))))
        if not (file := next((file for file in alike if file.exists() or file.is_symlink()), None)):
            raise _refused(reference, f"no such file in {self._folder}; expected its name as seen from there, or an https:// address")
        return file


def content_digest(attachment: Attachment) -> str:
    """A hex digest of what is shown: of a file its content, whatever its name; of an address the address."""
    return hashlib.sha256("\n".join((attachment.media_type, attachment.url, attachment.data)).encode("utf-8", "surrogatepass")).hexdigest()


def _linked(url: str) -> Attachment:
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
            raise ValueError
    except ValueError:
        raise _refused(url, "is no address; expected https://… without blanks, or the name of a file") from None
    name = PurePosixPath(unquote(parts.path)).name
    return Attachment(name, _TYPES.get(PurePosixPath(name).suffix.lower(), "image/jpeg"), url=url)


def _refused(reference: str, why: str) -> InputError:
    return InputError(f"{one_line(reference, 120)!r}: {why}")


def _weight(reference: str, attachment: Attachment) -> int:
    return len(attachment.data) + len(attachment.url) + len(reference) + 500  # and what the objects take beside their texts
