"""Which images and PDFs the OpenAI shape takes, and how many prompt tokens they are at most."""

from __future__ import annotations

import re

from common.nouns import Attachment, Model
from common.providers.attached import MB, PDF, common_problem, patches

# https://developers.openai.com/api/docs/guides/images-vision: 20 MB an image; …/guides/file-inputs: 50 MB a file, PDFs by
# address at /v1/responses only. Both read 2026-11-28.
LARGEST_IMAGE, LARGEST_PDF = 20 * MB, 50 * MB
# Models whose hosts name no picture among what they read: litellm 1.110.2 (supports_vision), 2026-11-28.
BLIND = re.compile(r"o3-mini|o1-mini|DeepSeek-(?:R1|V3|V4-Pro)|Llama-3\.3")
# (pattern of ids, tokens of a picture, tokens of each tile of it), then (pattern, tokens a patch, most patches), at detail
# "high"; images-vision, "Calculating costs". Where bills have been lower than that page, it is the page that counts.
TILES = (
    (r"gpt-4o-mini", 2833, 5667),
    (r"gpt-4o|gpt-4\.1(?!-mini|-nano)", 85, 170),
    (r"gpt-5(?!-mini|-nano|-pro|\.[2-9])", 70, 140),
    (r"o[13](?!-mini)", 75, 150),
)
PATCHES = (
    (r"gpt-(?:4\.1|5)-mini", 1.62, 1536),
    (r"gpt-(?:4\.1|5)-nano", 2.46, 1536),
    (r"o4-mini", 1.72, 1536),
    (r"gpt-5\.4-mini", 1.62, 2500),
    (r"gpt-5\.4-nano", 2.46, 2500),
    (r"gpt-(?:5\.[2-9]|5-pro|[6-9])", 1.2, 2500),
)
DEAREST = (2.46, 2500)  # of a model with no published rule
PAGE_TEXT, PAGES = 3000, 100  # tokens of a dense page's own text; pages of a PDF that nobody has counted


def attachment_problem(attachment: Attachment, model: Model) -> str:
    """Why a model cannot be shown this image or PDF; see `Provider.attachment_problem`."""
    if BLIND.search(model.id):
        return f"{attachment.name}: {model.alias} reads text only"
    if attachment.media_type == PDF and not attachment.data and not model.endpoint:
        return f"{attachment.name}: {model.alias} takes no PDF by its address; save it beside the experiment and name the file"
    return common_problem(attachment, LARGEST_IMAGE, LARGEST_PDF)


def attachment_tokens(attachment: Attachment, model: Model) -> int:
    """Tokens at most, by OpenAI's guides images-vision and file-inputs: tiles of 512 pixels or patches of 32, as the model has it.

    A PDF is the text and a picture of each page. For models of others the dearest of OpenAI's rules stands in.
    """
    if attachment.media_type == PDF:
        return (attachment.pages or PAGES) * (PAGE_TEXT + _image(0, 0, model.id))
    return _image(attachment.width, attachment.height, model.id)


def _image(width: int, height: int, model_id: str) -> int:
    for pattern, base, tile in TILES:
        if re.match(pattern, model_id):
            return base + tile * _tiles(width, height)
    times, most = next(((times, most) for pattern, times, most in PATCHES if re.match(pattern, model_id)), DEAREST)
    return int(times * min(most, patches(width, height, 32) or most)) + 1


def _tiles(width: int, height: int) -> int:
    """Tiles of 512 pixels once the picture is fitted into 2,048 × 2,048, then its shorter side into 768; 8 at most."""
    if not width or not height:
        return 8
    shrink = min(1.0, 2048 / max(width, height), 768 / min(width, height))
    return -int(-width * shrink // 512) * -int(-height * shrink // 512)
