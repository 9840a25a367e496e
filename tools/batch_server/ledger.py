"""Owns the account of what was accepted and billed, so that a test can see what a client's mistakes would have cost."""

from __future__ import annotations

from pathlib import Path

import orjson

from .state import Batch, State


def whole(state: State) -> dict:
    """Every accepted batch and every attempt to create one, oldest first."""
    creates = [_entry(batch) for batch in reversed(state.all_batches())]
    return {
        "creates": creates, "attempts": state.attempts(), "most_enqueued": state.most_enqueued(),
        "billed": {key: sum(entry[key] for entry in creates)
                   for key in ("billed_rows", "billed_input_tokens", "billed_output_tokens")},
    }


def of_batch(state: State, batch_id: str) -> dict | None:
    """One accepted batch with its billed rows: [{"custom_id", "input_tokens", "output_tokens"}]."""
    batch = next((b for b in state.all_batches() if b.id == batch_id), None)
    if batch is None:
        return None
    rows = []
    for part in _billed_parts(state, batch):
        for line in part.read_bytes().splitlines():
            custom_id, tokens_in, tokens_out = orjson.loads(line)
            rows.append({"custom_id": custom_id, "input_tokens": tokens_in, "output_tokens": tokens_out})
    return {**_entry(batch), "rows": rows}


def _billed_parts(state: State, batch: Batch) -> list[Path]:
    whole_file = state.blob(f"billed-{batch.id}")
    if whole_file.exists():
        return [whole_file]
    folder = state.folder / "work" / batch.id
    return [path for first, last in state.chunks(batch) if (path := folder / f"{first:09d}-{last:09d}.ids").exists()]


def _entry(batch: Batch) -> dict:
    return {
        "batch_id": batch.id, "profile": batch.profile, "account": batch.account, "time": batch.created_real,
        "created_at": batch.created, "status": batch.status, "deleted": batch.gone,
        "input_file_id": batch.input_file, "input_sha256": batch.sha256, "requests": batch.total, "metadata": batch.metadata,
        "prompt_tokens": batch.prompt_tokens, "model": batch.model, "times": batch.times,
        "succeeded": batch.ok, "failed": batch.failed, "billed_rows": batch.ok,
        "billed_input_tokens": batch.usage.get("tokens_in", 0), "billed_output_tokens": batch.usage.get("tokens_out", 0),
    }
