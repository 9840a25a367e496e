"""Owns the settings of one service process, as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MB = 1_000_000  # the vendors do not say which megabyte they mean: with the smaller one, what passes here passes there


@dataclass(frozen=True)
class Settings:
    """Everything that a person can turn on the command line; sizes in bytes, times in simulated seconds."""

    state: Path
    host: str = "127.0.0.1"
    port: int = 8790
    allow_host: tuple[str, ...] = ()
    speed: float = 1.0
    keys: frozenset[str] = frozenset()
    lease: Path | None = None
    faults: Path | None = None
    quiet: bool = False
    workers: int = 2
    backend: str = "rehearsal"
    backend_url: str = ""
    backend_concurrency: int = 16
    backend_tries: int = 6
    backend_wait: float = 120.0
    backend_timeout: float = 600.0
    odd_share: float = 0.06
    cut_share: float = 0.01
    heal_share: float = 0.01
    cache_share: float = 0.5  # the vendor names 30 to 98 % for one batch
    refuse_share: float = 0.0  # a rehearsal of a whole study is to end well; --refuse-share rehearses refusals
    kluster_plan: str = "core"
    queue_limit: dict[str, int] = field(default_factory=dict)  # enqueued prompt tokens by model; "" is any other
    queued_requests: int = 0
    creation_rate: int = 0
    storage_bytes: int = 0
    file_bytes: int = 512 * MB
    batch_file_bytes: int = 200 * MB
    message_batch_bytes: int = 256 * MB
    chunk_rows: int = 4000
    # Simulated seconds of each stage, after what people see on an idle account.
    validating: float = 10.0
    working: float = 30.0
    working_per_row: float = 0.005
    finalizing: float = 5.0
    cancelling: float = 8.0

    @property
    def shares(self) -> dict[str, float]:
        """The shares that the rehearsal answers with, as the workers take them."""
        return {"odd": self.odd_share, "cut": self.cut_share, "heal": self.heal_share, "refuse": self.refuse_share,
                "cache": self.cache_share}


@dataclass(frozen=True)
class Profile:
    """One API as its clients see it: limits, accepted values and quirks."""

    name: str
    prefix: str
    max_rows: int
    max_bytes: int
    one_model: bool = True
    windows: tuple[str, ...] = ("24h",)
    endpoints: tuple[str, ...] = ()
    quirks: frozenset[str] = field(default_factory=frozenset)


OPENAI_ENDPOINTS = (
    "/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations",
    "/v1/images/generations", "/v1/images/edits", "/v1/videos",
)
KLUSTER_ROWS = {"trial": 1_000, "core": 100_000, "scale": 500_000}


def profiles(settings: Settings) -> dict[str, Profile]:
    """The three profiles; figures from the vendors' documentation (kluster.ai: its plans of July 2025)."""
    return {
        "openai": Profile("openai", "/v1", 50_000, settings.batch_file_bytes, endpoints=OPENAI_ENDPOINTS),
        "kluster": Profile(
            "kluster", "/kluster/v1", KLUSTER_ROWS[settings.kluster_plan], 100 * MB, one_model=False,
            windows=("24h", "48h", "72h"), endpoints=("/v1/chat/completions",),
            quirks=frozenset({"string_times", "list_pages", "empty_metadata", "no_error_key", "no_file_status"}),
        ),
        "anthropic": Profile("anthropic", "/v1", 100_000, settings.message_batch_bytes, one_model=False),
    }
