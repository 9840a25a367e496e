"""The seam: what a batch API must be able to do for us. Two pure functions and nine single calls.

A provider keeps no state, prints nothing and never repeats a call: patience is retry.py's, order is lifecycle.py's.
Every call raises only the errors of errors.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from common.nouns import Batch, Condition, Result, Shard


class Holding(NamedTuple):
    """One thing that a host keeps of a batch."""

    kind: str  # "batch", "input", "output" or "errors"
    ref: str  # its name at the host
    size: int | None = None  # bytes as the host names them; None when it names none
    gone: bool = False  # the host no longer has it
    deletable: bool = True  # the host deletes it when asked, and not along with something else
    raw: bytes = b""  # kind "batch": the object as the API gave it


class Provider(ABC):
    """One batch API. `encode` and `decode` are pure; each other method is one conversation with the host."""

    @abstractmethod
    def encode(self, condition: Condition, max_tokens: int, effort: str = "") -> tuple[bytes, bytes]:
        """A condition's input line as (what stands before the custom_id, what stands after it), newline included.

        All trials of a condition share both halves. `effort` is the reasoning effort for models that reason, "" = default.
        """

    @abstractmethod
    def decode(self, line: dict) -> Result:
        """One parsed output line → its Result. Raises ValueError when it is not of this API's shape."""

    @abstractmethod
    def upload(self, shard: Shard) -> str:
        """Bring the input to where `submit` can name it; returns that name. Free, may be repeated."""

    @abstractmethod
    def submit(self, shard: Shard) -> str:
        """THE call that costs money, sent exactly once. Returns the batch id; raises Unknown if the answer is lost."""

    @abstractmethod
    def find(self, shard: Shard) -> Iterable[Batch]:
        """Batches that a lost `submit` of this shard may have made since `shard.intent_at`, oldest first.

        A batch that certainly is this shard's carries its tag or ref; others are guesses that only
        the ids in their rows can prove.
        """

    @abstractmethod
    def status(self, batch_ids: Iterable[str]) -> Iterable[Batch]:
        """A look at many batches with few calls. A batch that the host does not know is left out."""

    @abstractmethod
    def cancel(self, batch_id: str) -> None:
        """Ask the host to stop a batch; what is finished stays finished and paid."""

    @abstractmethod
    def download(self, batch: Batch, output: Path, errors: Path) -> dict[Path, str]:
        """Stream the ended batch's raw rows into the given files; returns those that exist, with their sha256 as received."""

    @abstractmethod
    def listing(self) -> Iterable[Batch]:
        """All batches of the account, newest first, page by page."""

    @abstractmethod
    def holdings(self, batch: Batch) -> list[Holding]:
        """What the host keeps of an ended batch: the batch object itself, and its files."""

    def close(self) -> None:  # noqa: B027  most have nothing to close
        """Let go of connections."""

    @abstractmethod
    def remove(self, ref: str) -> None:
        """Delete a holding that is `deletable`. One that is no longer there is no error."""


def table(of: Mapping, key: str) -> dict:
    """The object under a key of a foreign object; {} where there is none, or something else."""
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def natural(found: object) -> int:
    """A count as a foreign object gives it; 0 where there is none, or something that is no count."""
    return found if type(found) is int and found > 0 else 0
