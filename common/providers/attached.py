"""What both API shapes ask of images and PDFs alike."""

from __future__ import annotations

from common.nouns import Attachment

MB = 1_000_000
PDF = "application/pdf"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def common_problem(attachment: Attachment, largest_image: int, largest_pdf: int) -> str:
    """Why neither API takes this image or PDF, or not one so large (bytes of the file itself); "" if nothing is against it."""
    kind, name = attachment.media_type, attachment.name
    if kind != PDF and kind not in IMAGES:
        return f"{name} is {kind or 'of an unknown kind'}; expected PNG, JPEG, GIF, WebP or PDF"
    if not attachment.data and not attachment.url.startswith(("https://", "http://")):
        return f"{name} has neither content nor an address that begins with https://"
    largest = largest_pdf if kind == PDF else largest_image
    size = len(attachment.data) * 3 // 4
    return f"{name} has {size / MB:.1f} MB; at most {largest / MB:g} MB are taken" if size > largest else ""


def patches(width: int, height: int, side: int) -> int:
    """Squares of so many pixels a side that cover a picture; 0 where its size is unknown."""
    return -(-width // side) * -(-height // side)
