"""Images and PDFs: what a model can be shown, and how many tokens it is at most."""

from __future__ import annotations

import pytest

from common import catalog
from common.nouns import Attachment, Model
from common.providers import APIS
from common.providers.anthropic_attachments import LARGEST_IMAGE

MB = 1_000_000


def model(name: str) -> Model:
    """A model of the catalog, by its alias at the first host that has it."""
    return next(m for m in catalog.models() if m.alias == name)


def of(name: str) -> type:
    """The API that asks a model."""
    return APIS["anthropic" if model(name).provider == "anthropic" else "openai"]


def picture(size: int = 3, **more: object) -> Attachment:
    """A picture of so many bytes."""
    return Attachment("a.png", "image/png", "A" * (size * 4 // 3))._replace(**more)


def paper(size: int = 3, **more: object) -> Attachment:
    """A PDF of so many bytes."""
    return picture(size)._replace(name="b.pdf", media_type="application/pdf", **more)


@pytest.mark.parametrize(
    ("name", "attachment", "said"),
    [
        ("gpt-4.1", picture(21 * MB), "a.png has 21.0 MB; at most 20 MB are taken"),
        ("gpt-4.1", paper(51 * MB), "b.pdf has 51.0 MB; at most 50 MB are taken"),
        ("gpt-4.1", picture(media_type="image/tiff"), "a.png is image/tiff; expected PNG, JPEG, GIF, WebP or PDF"),
        ("gpt-4.1", picture(0), "a.png has neither content nor an address that begins with https://"),
        ("gpt-4.1", picture(0, url="file:///etc/passwd"), "nor an address that begins with https://"),
        ("gpt-4.1", paper(0, url="https://example.org/b.pdf"), "gpt-4.1 takes no PDF by its address; save it beside the experiment"),
        ("o3-mini", picture(), "a.png: o3-mini reads text only"),
        ("claude-haiku-4-5", picture(LARGEST_IMAGE + 3), "at most 3.93216 MB are taken"),
        ("claude-haiku-4-5", picture(width=8001, height=10), "a.png is 8001 × 10 pixels; at most 8000 a side are taken"),
        ("claude-haiku-4-5", paper(pages=101), "b.pdf has 101 pages; at most 100 are taken"),
        ("claude-haiku-4-5", paper(26 * MB), "b.pdf has 26.0 MB"),
    ],
)
def test_what_cannot_be_shown(name: str, attachment: Attachment, said: str) -> None:
    """One line with the file's name and what would be taken."""
    found = of(name).attachment_problem(attachment, model(name))
    assert said in found and "\n" not in found


@pytest.mark.parametrize(
    ("name", "attachment"),
    [
        ("gpt-4.1", picture(20 * MB)), ("gpt-4.1", paper(49 * MB)), ("gpt-4.1", picture(0, url="https://example.org/a.png")),
        ("gpt-5.5-pro", paper(0, url="https://example.org/b.pdf")), ("claude-haiku-4-5", picture(LARGEST_IMAGE - 3, width=8000)),
        ("claude-haiku-4-5", paper(0, url="https://example.org/b.pdf")), ("claude-haiku-4-5", paper(pages=100)),
    ],
)  # fmt: skip
def test_what_can_be_shown(name: str, attachment: Attachment) -> None:
    """Nothing is against it."""
    assert of(name).attachment_problem(attachment, model(name)) == ""


@pytest.mark.parametrize(
    ("name", "size", "tokens"),
    [
        # the guide's own examples for tiles, and bills that people have published (2026) for patches and for Claude
        ("gpt-4o", (1024, 1024), 765), ("gpt-4o", (2048, 4096), 1105), ("gpt-4o-mini", (512, 512), 8500),
        ("gpt-6-luna", (256, 256), 77), ("gpt-6-luna", (1024, 1024), 1229), ("gpt-6-luna", (1920, 1080), 2448),
        ("gpt-6-luna", (4032, 3024), 2942), ("gpt-5-mini", (2048, 768), 2488), ("gpt-5-nano", (4000, 4000), 3778),
        ("claude-haiku-4-5", (512, 512), 361), ("claude-haiku-4-5", (1920, 1080), 1600), ("claude-haiku-4-5", (1024, 1024), 1398),
        ("claude-opus-5-5", (1920, 1080), 2765), ("claude-opus-5-5", (4032, 3024), 3928), ("claude-opus-5-5", (256, 256), 100),
    ],
)  # fmt: skip
def test_tokens_are_an_upper_bound(name: str, size: tuple[int, int], tokens: int) -> None:
    """Never below what was billed, and not far above it."""
    found = of(name).attachment_tokens(picture(width=size[0], height=size[1]), model(name))
    assert tokens <= found <= 1.25 * tokens


@pytest.mark.parametrize("name", [m.alias for m in catalog.models() if m.provider in ("openai", "anthropic", "deepinfra")])
def test_an_unknown_size_is_the_largest(name: str) -> None:
    """For pictures and for papers; each page costs its picture and its text."""
    count = of(name).attachment_tokens
    unknown = count(picture(), model(name))
    sizes = [(1, 1), (512, 512), (768, 2048), (2048, 2048), (8000, 8000), (1, 8000)]
    assert max(count(picture(width=w, height=h), model(name)) for w, h in sizes) <= unknown
    assert count(paper(), model(name)) == 100 * count(paper(pages=1), model(name)) > 100 * unknown
