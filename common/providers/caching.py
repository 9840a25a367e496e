"""Marks in a request that let its host keep the beginning of the prompt for an hour: put in, and taken out again."""

from __future__ import annotations

import orjson

from common.nouns import Marks

HOUR = {"type": "ephemeral", "ttl": "1h"}
OWN = b'"cache_control":'  # no text of a prompt can hold these bytes: its quotes are escaped
_MARKED = OWN + orjson.dumps(HOUR)
_ID, _PARAMS = b'{"custom_id":"', b'","params":'


def marked(tail: bytes, marks: Marks) -> bytes:
    """What stands behind the id of a Claude request, with those marks; see `Provider.marked`."""
    row = orjson.loads(_ID + tail)
    params = row["params"]
    if marks.system:
        params["system"] = [{"type": "text", "text": params["system"], "cache_control": HOUR}]
    if marks.whole:
        params["cache_control"] = HOUR  # the API puts it at the end of the last message; last here, so that it is known as ours
    return _tail(row)


def unmarked(tail: bytes) -> bytes:
    """The same without the marks of `marked`: what is asked, however it is kept. Lines of other APIs stay as they are."""
    if _MARKED not in tail or not tail.startswith(_PARAMS):
        return tail
    row = orjson.loads(_ID + tail)
    params = row["params"]
    if [*params][-1] == "cache_control":  # one that a person has written stands in front
        del params["cache_control"]
    if isinstance(params.get("system"), list):  # what a person writes is a text
        params["system"] = params["system"][0]["text"]
    return _tail(row)


def _tail(row: dict) -> bytes:
    return orjson.dumps(row)[len(_ID) :] + b"\n"
