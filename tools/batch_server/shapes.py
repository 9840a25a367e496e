"""Owns how files and batches look on the wire in each profile."""

from __future__ import annotations

from datetime import UTC, datetime

from .settings import Profile
from .state import FINAL, Batch, File

MAX_INT = 9223372036854775807
STAGES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
RESULTS_KEPT = 29 * 86400


def _time(profile: Profile, at: float | None) -> int | str | None:
    if at is None:
        return None
    if "iso_times" in profile.quirks:
        return rfc3339(at)
    return str(int(at)) if "string_times" in profile.quirks else int(at)


def _word(profile: Profile, status: str) -> str:
    said = profile.words.get(status, status)
    return said.upper() if "capitals" in profile.quirks else said


def file_object(file: File, profile: Profile) -> dict:
    """A File object."""
    body = {
        "id": file.id, "object": "file", "bytes": file.bytes, "created_at": _time(profile, file.created),
        "expires_at": _time(profile, file.expires), "filename": file.filename, "purpose": file.purpose,
        "status": "processed", "status_details": None,
    }
    if "no_file_status" in profile.quirks:
        del body["status"], body["status_details"], body["expires_at"]
    return body


def batch_object(batch: Batch, profile: Profile, lie: dict | None = None) -> dict:
    """An OpenAI-shaped Batch object; `lie` overrides parts of it when a fault asks for that."""
    counts = {"total": batch.total, "completed": batch.ok, "failed": batch.failed}
    body = {
        "id": batch.id, "object": "batch", "endpoint": batch.endpoint, "model": batch.model,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": batch.input_file, "completion_window": batch.window_name, "status": _word(profile, batch.status),
        "output_file_id": batch.output_file, "error_file_id": batch.error_file,
        "created_at": _time(profile, batch.created), "expires_at": _time(profile, batch.created + batch.window),
        **{f"{stage}_at": _time(profile, batch.times.get(stage)) for stage in STAGES},
        "request_counts": counts, "usage": _usage(batch), "metadata": batch.metadata,
    }
    if "empty_metadata" in profile.quirks:
        body["metadata"] = batch.metadata or {}
        body["errors"] = body["errors"] or {"object": "list", "data": []}
        del body["model"], body["usage"]
    if "job_object" in profile.quirks:
        body = {key: body[key] for key in ("id", "input_file_id", "status", "created_at", "endpoint", "output_file_id", "error_file_id")}
        body |= {"progress": 100.0 * (batch.ok + batch.failed) / (batch.total or 1), "model_id": batch.model, "error": _said(batch)}
    if batch.asked_again:
        body["asked_again"] = batch.asked_again
    lie = lie or {}
    counts.update(lie.get("counts", {}))
    if lie.get("hide_output"):
        body["output_file_id"] = None
    return body


def _said(batch: Batch) -> str | None:
    return "; ".join(str(error["message"]) for error in batch.errors) if batch.errors else None


def _usage(batch: Batch) -> dict | None:
    if batch.status not in FINAL or not batch.usage:
        return None
    used = batch.usage
    return {"input_tokens": used["tokens_in"], "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": used["tokens_out"], "output_tokens_details": {"reasoning_tokens": used["reasoning"]},
            "total_tokens": used["tokens_in"] + used["tokens_out"]}


def page(items: list[dict], more: bool, profile: Profile) -> dict | list:
    """A list of the OpenAI family."""
    if "bare_list" in profile.quirks:
        return items
    body = {"object": "list", "data": items, "first_id": items[0]["id"] if items else None,
            "last_id": items[-1]["id"] if items else None, "has_more": more}
    if "list_pages" in profile.quirks:
        body |= {"count": len(items), "page": 1, "page_count": 1, "items_per_page": MAX_INT}
    return body


def inline_batch(batch: Batch, lie: dict | None = None) -> dict:
    """OpenRouter's batch object, without its results: how many requests it has is told once it is validated."""
    used = batch.usage if batch.status in FINAL else {}
    counts = {"total": batch.total, "completed": batch.ok, "failed": batch.failed} | (lie or {}).get("counts", {})
    return {
        "id": batch.id, "object": "batch", "endpoint": batch.endpoint, "model": batch.metadata["model"], "provider": None,
        "completion_window": batch.window_name, "status": batch.status, "created_at": int(batch.created),
        "expires_at": None, "finalized_at": int(batch.times[batch.status]) if batch.status in FINAL else None,
        "request_counts": counts, "error": {"message": batch.errors[0]["message"]} if batch.errors else None,
        "usage": {"prompt_tokens": used["tokens_in"], "completion_tokens": used["tokens_out"],
                  "total_tokens": used["tokens_in"] + used["tokens_out"], "cost": 0.0, "is_byok": False} if used else None,
        "results": None,
    }


def rfc3339(at: float | None) -> str | None:
    """2024-08-20T18:37:24.100435Z"""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def message_batch(batch: Batch, base_url: str, now: float, lie: dict | None = None) -> dict:
    """A MessageBatch object; results are kept for 29 days after creation."""
    ended, canceling = batch.status in FINAL, batch.status == "cancelling"
    archived = batch.created + RESULTS_KEPT if now >= batch.created + RESULTS_KEPT else None
    counts = {"processing": batch.total, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    if ended:
        rest = batch.total - batch.ok - batch.failed
        counts = {"processing": 0, "succeeded": batch.ok, "errored": batch.failed,
                  "canceled": rest if batch.status == "cancelled" else 0, "expired": rest if batch.status == "expired" else 0}
    counts.update((lie or {}).get("counts", {}))
    shown = ended and archived is None and not (lie or {}).get("hide_output")
    return {
        "id": batch.id, "type": "message_batch",
        "processing_status": "ended" if ended else "canceling" if canceling else "in_progress",
        "request_counts": counts, "created_at": rfc3339(batch.created), "expires_at": rfc3339(batch.created + batch.window),
        "ended_at": rfc3339(batch.times.get(batch.status)) if ended else None,
        "cancel_initiated_at": rfc3339(batch.times.get("cancelling")), "archived_at": rfc3339(archived),
        "results_url": f"{base_url}/v1/messages/batches/{batch.id}/results" if shown else None,
        **({"asked_again": batch.asked_again} if batch.asked_again else {}),
    }
