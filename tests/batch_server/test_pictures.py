"""Checks pictures and documents in all three shapes of requests: taken, counted, mentioned, refused as the APIs do."""

from __future__ import annotations

import base64
import struct

import pytest

from tests.batch_server.test_parameters import asked


def png(wide: int = 600, high: int = 400, more: int = 0) -> str:
    """The beginning of a PNG of a size, in base64; nobody here looks at its pixels."""
    header = struct.pack(">I4sIIBBBBB", 13, b"IHDR", wide, high, 8, 2, 0, 0, 0)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + header + bytes(more)).decode()


JPEG = base64.b64encode(b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x01\x90\x02\x58\x03" + bytes(9)).decode()  # 600 × 400
PDF = base64.b64encode(b"%PDF-1.7 /Type /Pages /Type /Page /Type/Page").decode()  # two pages
URL = "https://example.com/a.png"


def shown(api: str, *parts: dict, **more: object):
    """A request that shows parts and asks about them."""
    text = {"type": "input_text" if api == "responses" else "text", "text": "Rate it.\n\nQ1. Joy(value): [1-7]\nQ1. Joy(reason): [reason]"}
    turns = [{"role": "user", "content": [*parts, text]}]
    return asked(api, **({"input": turns} if api == "responses" else {"messages": turns}), **more)


def chat(url: str, **more: str) -> dict:
    """An image part of chat completions."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def block(data: str, media: str = "image/png", kind: str = "image") -> dict:
    """A block of Anthropic's."""
    return {"type": kind, "source": {"type": "base64", "media_type": media, "data": data}}


TAKEN = [
    ("chat", chat(URL), 765), ("chat", chat(f"data:image/png;base64,{png()}"), 425), ("chat", chat(f"data:image/jpeg;base64,{JPEG}"), 425),
    ("chat", chat(URL, detail="low"), 85), ("chat", chat(f"data:image/png;base64,{png(4000, 1000)}"), 85 + 170 * 4),
    ("chat", {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}, 4_000),
    ("responses", {"type": "input_image", "image_url": URL}, 765), ("responses", {"type": "input_image", "file_id": "file-1"}, 765),
    ("responses", {"type": "input_file", "file_url": "https://example.com/a.pdf"}, 2_000),
    ("messages", block(png()), 320), ("messages", block(JPEG, "image/jpeg"), 320), ("messages", block(png(4000, 4000)), 1_600),
    ("messages", {"type": "image", "source": {"type": "url", "url": URL}}, 1_398),
    ("messages", block(PDF, "application/pdf", "document"), 4_000),
    ("messages", {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}, 2_000),
]  # fmt: skip


@pytest.mark.parametrize(("api", "part", "tokens"), TAKEN)
def test_taken_counted_and_mentioned(api: str, part: dict, tokens: int):
    """Each adds its tokens to the prompt's, and the answer speaks of it; the form is kept."""
    got, without = shown(api, part), shown(api)
    assert got.status == 200, got.body
    assert got.tokens_in - without.tokens_in == tokens
    assert "In the picture" in str(got.body) and "In the picture" not in str(without.body) and "Q1. Joy(value): " in str(got.body)


def test_the_words_of_a_text_document_are_read():
    """They are part of the prompt, not of the pictures."""
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Answer yes or no."}}
    assert shown("messages", document).status == 200


@pytest.mark.parametrize(("api", "part", "code"), [
    ("chat", chat("data:image/tiff;base64,AAAA"), "invalid_image_format"), ("chat", chat("data:image/png;base64,A*"), "invalid_base64"),
    ("chat", chat("data:image/png;base64,AAAA"), "invalid_image_format"), ("chat", chat("photo.png"), "invalid_value"),
    ("chat", chat(""), "missing_required_parameter"), ("chat", chat(URL, detail="huge"), "invalid_value"),
    ("chat", chat("https://example.com/no-such-image.png"), "invalid_image_url"),
    ("chat", {"type": "image_url", "image_url": URL}, "invalid_type"),
    ("chat", {"type": "image"}, "invalid_value"), ("chat", {"type": "input_image", "image_url": URL}, "invalid_value"),
    ("chat", {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}, "invalid_value"),
    ("chat", {"type": "file"}, "missing_required_parameter"),
    ("responses", chat(URL), "invalid_value"), ("responses", {"type": "input_image"}, "missing_required_parameter"),
])  # fmt: skip
def test_openai_refuses(api: str, part: dict, code: str):
    """A 400 of the row that names the place."""
    got = shown(api, part)
    assert (got.status, got.body["error"]["code"]) == (400, code), got.body
    assert got.body["error"]["param"].startswith(("messages[0].content[0]", "input[0].content[0]"))


def test_models_and_roles_that_show_none():
    """A model without eyes, a turn that is not the user's, too much at once."""
    assert shown("chat", chat(URL), model="o3-mini").status == 400
    assert asked("chat", messages=[{"role": "system", "content": [chat(URL)]}, {"role": "user", "content": "x"}]).status == 400
    assert shown("chat", *[chat(URL)] * 501).status == 400 and shown("chat", *[chat(URL)] * 500).status == 200
    assert shown("messages", *[block(png())] * 101).status == 400 and shown("messages", *[block(png())] * 100).status == 200
    assert shown("messages", *[block(png(more=3_600_000))] * 8).status == 413


@pytest.mark.parametrize(("part", "says"), [
    (block(png(), "image/tiff"), "image.source.base64.media_type: Input should be"),
    (block("A*"), "image.source.base64.data: Input should be"),
    (block("AAAA"), "image.source.base64.data: Could not process image"),
    (block(JPEG), "image.source.base64.data: The image was specified using"),
    (block(png(9000, 10)), "image.source.base64.data: At least one"),
    (block(png(more=4_000_000)), "image.source.base64: image exceeds 5 MB maximum"),
    (block(PDF, "text/html", "document"), "document.source.base64.media_type: "),
    (block("AAAA", "application/pdf", "document"), "document.source.base64.data"),
    ({"type": "image"}, "image.source: Field required"),
    ({"type": "image", "source": {"type": "url", "url": "a.png"}}, "image.source.url.url: "),
    ({"type": "image", "source": {"type": "path"}}, "image.source: Input tag 'path'"),
])  # fmt: skip
def test_anthropic_refuses(part: dict, says: str):
    """An invalid_request_error that names the place."""
    got = shown("messages", part)
    assert got.status == 400 and got.body["error"]["message"].startswith(f"messages.0.content.0.{says}"), got.body
