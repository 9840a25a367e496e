"""Owns the tests of images and PDFs as inputs: what they are by their bytes, what is refused, and that memory stays flat."""

from __future__ import annotations

import os
import struct
import unicodedata
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.experiment import attachments
from common.experiment.attachments import Attachments, content_digest
from common.experiment.media import Media, media_of


def png(wide: int = 3, high: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", wide, high, 8, 2, 0, 0, 0, 0) + b"\0\0\0\0IEND\xaeB`\x82"


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def jpeg(wide: int, high: int) -> bytes:
    """A JPEG whose first segment holds a preview with a frame of its own, and whose frame is progressive."""
    preview = b"Exif\0\0\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 8, 90, 160, 3))
    frame = struct.pack(">BHHB", 8, high, wide, 3) + bytes(9)
    return b"\xff\xd8" + segment(0xE1, preview) + b"\xff" + segment(0xC4, bytes(20)) + segment(0xC2, frame) + b"\xff\xd9"


def webp(kind: bytes, content: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


PDF = b"%PDF-1.7\n1 0 obj <</Type /Pages /Count 2>>\n<< /Type /Page >>\n<</Type/Page/Parent 1 0 R>>\n%%EOF"
FORMS = [
    (png(600, 400), Media("image/png", 600, 400)),
    (jpeg(600, 400), Media("image/jpeg", 600, 400)),
    (b"GIF89a" + struct.pack("<HH", 600, 400) + b"\0\0\0;", Media("image/gif", 600, 400)),
    (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 600, 400)), Media("image/webp", 600, 400)),
    (webp(b"VP8L", b"\x2f" + struct.pack("<I", 599 | 399 << 14)), Media("image/webp", 600, 400)),
    (webp(b"VP8X", bytes(4) + (599).to_bytes(3, "little") + (399).to_bytes(3, "little")), Media("image/webp", 600, 400)),
    (PDF, Media("application/pdf", pages=2)),
    (b"%PDF-1.7\n1 0 obj <</Linearized 1/L 5/N 17/T 4>>\nendobj /Type /Page", Media("application/pdf", pages=17)),
    (b"%PDF-1.5\nall in object streams", Media("application/pdf")),
    (b"\x89PNG\r\n\x1a\n", Media("image/png")),
    (b"\xff\xd8\xff\xe0\0\0\xff", Media("image/jpeg")),
]


@pytest.mark.parametrize(("data", "media"), FORMS)
def test_the_bytes_tell_the_type_and_the_size(data: bytes, media: Media, tmp_path: Path) -> None:
    (tmp_path / "it.bin").write_bytes(data)
    found = Attachments(tmp_path).of("it.bin")
    assert (found.media_type, found.width, found.height, found.pages) == media
    assert b64decode(found.data) == data and found.name == "it.bin" and found.url == ""


@given(st.sampled_from([data[:30] for data, _ in FORMS]), st.binary(max_size=200), st.integers(0, 30))
def test_no_bytes_break_the_look_at_them(start: bytes, rest: bytes, cut: int) -> None:
    found = media_of(start[:cut] + rest)
    assert found is None or min(found[1:]) >= 0


@pytest.mark.parametrize(
    ("url", "media", "name"),
    [
        ("https://example.com/a/cat.PNG?size=2#x", "image/png", "cat.PNG"),
        ("http://example.com/%E7%8C%AB.pdf", "application/pdf", "猫.pdf"),
        ("https://例え.jp/猫.webp", "image/webp", "猫.webp"),
        ("HTTPS://example.com/picture", "image/jpeg", "picture"),
        ("https://example.com", "image/jpeg", ""),
    ],
)
def test_an_address_is_left_to_the_provider(url: str, media: str, name: str, tmp_path: Path) -> None:
    found = Attachments(tmp_path).of(url)
    assert (found.url, found.media_type, found.name, found.data) == (url, media, name, "")


@pytest.mark.parametrize("name", ["猫が.png", "sub folder/ねこ #1.png", "%41.png", "-.png"])
def test_names_of_any_kind_are_found_also_as_a_mac_writes_them(name: str, tmp_path: Path) -> None:
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        folder = tmp_path / form
        file = folder / unicodedata.normalize(form, name)
        file.parent.mkdir(parents=True)
        file.write_bytes(png())
        assert Attachments(folder).of(unicodedata.normalize(other, name)).width == 3


def spoilt(folder: Path) -> None:
    """Files that cannot be sent, each in its own manner."""
    (folder / "folder.png").mkdir()
    (folder / "round.png").symlink_to("round.png")
    (folder / "lost.png").symlink_to("nowhere.png")
    (folder / "page.png").write_bytes(b"<!DOCTYPE html>\x1b[31m<p>404")
    (folder / "empty.png").touch()
    (folder / "endless.png").write_bytes(png(2**32 - 1, 1))
    os.mkfifo(folder / "pipe.png")
    with open(folder / "large.png", "wb") as file:
        file.write(png())
        file.truncate(50_000_001)
    (folder.parent / "outside.png").write_bytes(png())


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("none.png", "no such file in "), ("folder.png", "is no file"), ("round.png", "cannot be read"), ("lost.png", "cannot be read"),
        ("page.png", "is no PNG, JPEG, GIF, WebP or PDF; it begins with '<!DOCTYPE html>"), ("empty.png", "is empty (0 bytes)"),
        ("endless.png", "says that it has 4,294,967,295 × 1 pixels"), ("pipe.png", "is no file"), ("large.png", "expected at most 50.0 MB"),
        ("../outside.png", "leads out of "), ("folder.png/../../outside.png", "leads out of "), ("/etc/passwd", "leads out of "),
        ("page.png/x.png", "no such file"), ("a\0b.png", "no such file"), ("\ud800.png", "no such file"), ("x" * 5_000, "cannot be read"),
        ("", "has no name"), (" ", "has no name"),
        ("ftp://example.com/a.png", "is no address"), ("file:///etc/passwd", "is no address"),
        ("data:image/png;base64,AAAA", "is no address"),
        ("https://", "is no address"), ("https://[::1/a.png", "is no address"), ("https://example.com/a b.png", "is no address"),
        ("https://example.com/a\n.png", "is no address"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_in_one_line(reference: str, why: str, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    spoilt(folder)
    with pytest.raises(InputError) as refusal:
        Attachments(folder).of(reference)
    said = str(refusal.value)
    assert why in said and said.isprintable() and len(said) < 400 + len(str(folder))


def test_many_files_take_the_memory_of_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "KEPT", 10_000)
    for n in range(20):
        (tmp_path / f"{n}.png").write_bytes(png() + bytes(1_500))
    (tmp_path / "often.png").write_bytes(png())
    many = Attachments(tmp_path)
    first = many.of("0.png")
    assert many.of("0.png") is first
    often = many.of("often.png")
    for n in range(1, 20):
        many.of(f"{n}.png")
        assert many.of("often.png") is often
        assert sum(len(kept.data) for kept in many._kept.values()) <= 10_000
    (tmp_path / "0.png").write_bytes(png(7, 7))
    assert many.of("0.png").width == 7  # it had been let go


def test_identity_is_that_of_the_content_not_of_the_name(tmp_path: Path) -> None:
    for name, content in (("a.png", png()), ("b.png", png()), ("c.png", png(4, 4))):
        (tmp_path / name).write_bytes(content)
    one, same, other, linked = map(Attachments(tmp_path).of, ("a.png", "b.png", "c.png", "https://example.com/a.png"))
    assert content_digest(one) == content_digest(same)
    assert len({content_digest(each) for each in (one, other, linked)}) == 3
