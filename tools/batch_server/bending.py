"""Owns what is read in more than one object, bent as a fault says: pages of batch lists, and downloads."""

from __future__ import annotations

from starlette.responses import Response

from .delivery import file_answer
from .gate import Caller
from .state import Batch, File


def page_of(caller: Caller, limit: int, after: Batch | None, before: Batch | None = None) -> tuple[list[Batch], bool]:
    """A page of an account's batches and whether there are more: newest first, unless a fault says otherwise."""
    bend = caller.fault.get("list", {})
    ahead, back = ("<", ">") if bend.get("order", "desc") == "desc" else (">", "<")
    where, values = "", ()
    if "lag" in caller.fault:
        where, values = " and json_extract(doc, '$.created') <= ?", (caller.service.engine.clock.now() - caller.fault["lag"],)
    turned = before is not None and after is None
    beyond = "".join(f" and seq {sign} {batch.seq:d}" for sign, batch in ((ahead, after), (back, before)) if batch is not None)
    order = "desc" if (ahead == "<") != turned else "asc"
    limit = min(limit, bend.get("page", limit))
    found = caller.service.state.batches(caller.account, where + beyond, values, order, limit + 1)
    if bend.get("circle") and beyond and not found:
        found = caller.service.state.batches(caller.account, where, values, order, limit + 1)
    more, found = len(found) > limit, found[:limit]
    return (found[::-1] if turned else found), more or bool(bend.get("circle") and found)


def with_odd(caller: Caller, page: dict | list) -> dict | list:
    """A list with the strange objects in front that a fault asks for."""
    odd = caller.fault.get("list", {}).get("odd", [])
    return [*odd, *page] if isinstance(page, list) else {**page, "data": [*odd, *page["data"]]}


def download(caller: Caller, file: File, media_type: str) -> Response:
    """The bytes of a file, or what a fault makes of them."""
    if "rows_of" in caller.fault:
        file = another(caller, file)
    return file_answer(caller.service.state.blob(file.blob), caller.fault, media_type)


def another(caller: Caller, file: File) -> File:
    """The output of the batch that a fault names, or of the newest one that has another; the file itself when there is none."""
    state, wanted = caller.service.state, caller.fault["rows_of"]
    for batch in state.batches(caller.account, "", (), "desc", -1):
        mine = batch.id == wanted or wanted == "another"
        if mine and batch.output_file and batch.output_file != file.id and (other := state.file(caller.account, batch.output_file, 0.0)):
            return other
    return file
