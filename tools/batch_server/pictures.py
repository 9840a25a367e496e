"""Owns which pictures and documents in requests the APIs take, and in which words they refuse the rest."""

from __future__ import annotations

import base64
import re

from .errors import ApiError
from .sizes import DATA_URL, GIF, JPEG, PNG, WEBP, pages_of, parts_of, size_of, url_of

MB = 1024 * 1024
TYPES = {"image/png": PNG, "image/jpeg": JPEG, "image/gif": GIF, "image/webp": WEBP}
OPENAI_BYTES, OPENAI_PICTURES = 50 * MB, 500
CLAUDE_BYTES, CLAUDE_PICTURES, CLAUDE_PIXELS, CLAUDE_PAGES, CLAUDE_REQUEST = 5 * MB, 100, 8_000, 100, 32 * MB
CHAT_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")
RESPONSE_PARTS = ("input_text", "input_image", "output_text", "refusal", "input_file", "computer_screenshot", "summary_text",
                  "reasoning_text")  # fmt: skip
BLIND = re.compile(r"(?:openai/)?(?:gpt-3\.5|o3-mini|o1-mini|gpt-4(?:-0|$))")


def check_pictures(body: dict, endpoint: str, profile: str, model: str) -> bool:
    """Whether a request shows pictures or documents; raises the ApiError with which its API would refuse one."""
    shown = total = 0
    for where, role, part in parts_of(body):
        if profile == "anthropic":
            size = _claude(part, where.replace("[", ".").replace("]", ""))
        else:
            size = _openai(part, where, role, model, endpoint.endswith("/responses"), strict=profile == "openai")
        shown, total = shown + (size is not None), total + (size or 0)
    if profile == "anthropic" and shown > CLAUDE_PICTURES:
        raise ApiError(400, f"messages: too many images and documents: {shown} > {CLAUDE_PICTURES}")
    if profile == "anthropic" and total > CLAUDE_REQUEST:
        raise ApiError(413, "Request exceeds the maximum size")
    if profile != "anthropic" and (shown > OPENAI_PICTURES or total > OPENAI_BYTES):
        raise _refused(f"Too many images or too much image data: at most {OPENAI_PICTURES} and {OPENAI_BYTES} bytes in a request.",
                       "invalid_value", "messages")  # fmt: skip
    return shown > 0


def _refused(message: str, code: str | None, param: str) -> ApiError:
    return ApiError(400, message, code=code, param=param)


def _openai(part: dict, where: str, role: str, model: str, responses: bool, strict: bool) -> int | None:
    """The bytes of a picture or document in the request (0 for one elsewhere); None for other parts."""
    kind, kinds = part.get("type"), RESPONSE_PARTS if responses else CHAT_PARTS
    if kind not in kinds and strict:
        listed = ", ".join(f"'{one}'" for one in kinds)
        raise _refused(f"Invalid value: '{str(kind)[:40]}'. Supported values are: {listed}.", "invalid_value", f"{where}.type")
    if kind in ("file", "input_file"):
        return _file(part.get("file") if kind == "file" else part, where)
    if kind not in ("image_url", "input_image"):
        return None
    if role != "user" and strict:
        raise _refused(f"Invalid '{where.partition('.')[0]}'. Images are only allowed for messages with role 'user', but this message with "
                       f"role '{role[:20]}' contains one.", "invalid_value", where.partition(".")[0])  # fmt: skip
    if BLIND.match(model):
        raise _refused("Invalid content type. image_url is only supported by certain models.", None, f"{where}.type")
    if kind == "input_image" and part.get("file_id"):
        return 0
    if kind == "image_url" and strict and not isinstance(part.get("image_url"), dict):
        raise _refused(f"Invalid type for '{where}.image_url': expected an object.", "invalid_type", f"{where}.image_url")
    return _address(part, url_of(part), f"{where}.image_url" + (".url" if kind == "image_url" else ""))


def _address(part: dict, url: object, where: str) -> int:
    inner = part.get("image_url") if isinstance(part.get("image_url"), dict) else part
    if inner.get("detail") not in (None, "auto", "low", "high", "original"):
        raise _refused(f"Invalid value: '{str(inner['detail'])[:40]}'. Supported values are: 'low', 'high', and 'auto'.", "invalid_value",
                       where.removesuffix("url") + "detail")  # fmt: skip
    if not isinstance(url, str) or not url:
        raise _refused(f"Missing required parameter: '{where}'.", "missing_required_parameter", where)
    if url.startswith(("http://", "https://")):
        if "no-such-image" in url:
            raise _refused(f"Error while downloading {url[:200]}. Upstream status code: 404.", "invalid_image_url", where)
        return 0
    if not url.startswith("data:"):
        raise _refused(f"Invalid '{where}'. Expected a valid URL, but got a value with an invalid format.", "invalid_value", where)
    match = DATA_URL.match(url)
    if not match or match[1] not in TYPES:
        raise _refused("You uploaded an unsupported image. Please make sure your image has of one the following formats: "
                       "['png', 'jpeg', 'gif', 'webp'].", "invalid_image_format", where)  # fmt: skip
    raw = _decoded(url[match.end() :])
    if raw is None:
        raise _refused("Invalid base64 image_url.", "invalid_base64", where)
    if not raw.startswith(tuple(TYPES.values())):
        raise _refused("You uploaded an unsupported image. Please make sure your image is valid.", "invalid_image_format", where)
    return len(url)


def _decoded(data: str) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True) or None
    except ValueError:
        return None


def _file(file: object, where: str) -> int:
    if not isinstance(file, dict) or not any(isinstance(file.get(name), str) for name in ("file_data", "file_id", "file_url")):
        raise _refused(f"Missing required parameter: '{where}.file_data'.", "missing_required_parameter", f"{where}.file_data")
    data = file.get("file_data")
    if not isinstance(data, str):
        return 0
    match = DATA_URL.match(data)
    raw = _decoded(data[match.end() :]) if match else None
    if raw is None:
        raise _refused(f"Invalid '{where}.file_data': expected a base64-encoded data URL with a MIME type.", "invalid_value", where)
    if match[1] == "application/pdf" and not raw.startswith(b"%PDF-"):
        raise _refused("The file could not be read: it is not a valid PDF.", "invalid_value", where)
    return len(data)


def _claude(part: dict, where: str) -> int | None:
    """The bytes of a block's picture or document in the request (0 for one elsewhere); None for other blocks."""
    kind, source = part.get("type"), part.get("source")
    if kind not in ("image", "document"):
        return None
    at = f"{where}.{kind}.source"
    if not isinstance(source, dict):
        raise ApiError(400, f"{at}: {'Field required' if source is None else 'Input should be a valid dictionary'}")
    way = source.get("type")
    if way == "url":
        if not isinstance(source.get("url"), str) or not source["url"].startswith(("https://", "http://")):
            raise ApiError(400, f"{at}.url.url: Only HTTP and HTTPS URLs are supported.")
        return 0
    if way == "file" or kind == "document" and way in ("text", "content"):
        return 0
    if way != "base64":
        raise ApiError(400, f"{at}: Input tag '{str(way)[:40]}' found using 'type' does not match any of the expected tags: "
                       + ("'base64', 'url'" if kind == "image" else "'base64', 'content', 'text', 'url'"))  # fmt: skip
    return _inside(kind, source, f"{at}.base64")


def _inside(kind: str, source: dict, at: str) -> int:
    media, data = source.get("media_type"), source.get("data")
    if media not in TYPES and kind == "image":
        raise ApiError(400, f"{at}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'")
    if kind == "document" and media != "application/pdf":
        raise ApiError(400, f"{at}.media_type: Input should be 'application/pdf'")
    raw = _decoded(data) if isinstance(data, str) else None
    if raw is None:
        raise ApiError(400, f"{at}.data: Input should be valid base64")
    if kind == "document":
        if not raw.startswith(b"%PDF-"):
            raise ApiError(400, f"{at}.data: The PDF specified was not valid.")
        if pages_of(data) > CLAUDE_PAGES:
            raise ApiError(400, f"{at}.data: A maximum of {CLAUDE_PAGES} PDF pages may be provided.")
        return len(data)
    if len(data) > CLAUDE_BYTES:
        raise ApiError(400, f"{at}: image exceeds 5 MB maximum: {len(data)} bytes > {CLAUDE_BYTES} bytes")
    real = next((name for name, start in TYPES.items() if raw.startswith(start)), None)
    if real is None:
        raise ApiError(400, f"{at}.data: Could not process image")
    if real != media:
        raise ApiError(400, f"{at}.data: The image was specified using the {media} media type, but the image appears to be a {real} image")
    if max(size_of(data)) > CLAUDE_PIXELS:
        raise ApiError(400, f"{at}.data: At least one of the image dimensions exceed max allowed size: {CLAUDE_PIXELS} pixels")
    return len(data)
