"""Which images and PDFs Anthropic's API takes, and how many prompt tokens they are at most."""

from __future__ import annotations

from common.nouns import Attachment, Model
from common.providers.attached import PDF, common_problem, patches

# https://platform.claude.com/docs/en/build-with-claude/vision: 5 MB an image as base64, 8,000 pixels a side;
# …/pdf-support: 32 MB a request, 100 pages. Both read 2026-11-28.
LARGEST_IMAGE, LARGEST_PDF = 5 * 1024 * 1024 * 3 // 4, 32 * 1024 * 1024 * 3 // 4
LARGEST_SIDE, MOST_PAGES = 8000, 100
PAGE_TEXT = 3000  # tokens of a page's text, the upper end of what pdf-support names
# A picture of 1,568 pixels on its longer side is about 1,600 tokens; from Claude 4.7 on pictures are read up to 2,576.
MOST, MOST_NOW = 1600, 4784


def attachment_problem(attachment: Attachment, model: Model) -> str:
    """Why a model cannot be shown this image or PDF; see `Provider.attachment_problem`."""
    if max(attachment.width, attachment.height) > LARGEST_SIDE:
        return f"{attachment.name} is {attachment.width} × {attachment.height} pixels; at most {LARGEST_SIDE} a side are taken"
    if attachment.pages > MOST_PAGES:
        return f"{attachment.name} has {attachment.pages} pages; at most {MOST_PAGES} are taken"
    return common_problem(attachment, LARGEST_IMAGE, LARGEST_PDF)


def attachment_tokens(attachment: Attachment, model: Model) -> int:
    """Tokens at most, by Anthropic's guides vision and pdf-support: width × height / 750, in whole squares of 28 pixels.

    A PDF is the text and a picture of each page. A model that we do not know is taken for one of the newest.
    """
    most = MOST if model.source and model.supports_temperature else MOST_NOW
    if attachment.media_type == PDF:
        return (attachment.pages or MOST_PAGES) * (PAGE_TEXT + most)
    width, height = attachment.width, attachment.height
    return min(most, max(patches(width, height, 28), -(-width * height // 750)) or most)
