"""The seam: what a batch API must be able to do for us. Pure functions over its words, and single calls.

Everything that only one API knows stands in its provider's file: its words for states, errors, caps and limits. A
provider keeps no state, prints nothing and never repeats a call: patience is retry.py's, order is lifecycle.py's.
Every call raises only the errors of errors.py. What has a default here is what some hosts do not have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from common.errors import Refused
from common.nouns import Ask, Attachment, Batch, Condition, Marks, Model, Result, Shard
from common.providers.checks import costs_unknown

SLACK = 300.0  # seconds that a host's clock may be behind ours
UNLISTED = (403, 404, 405, 501)  # what a host answers that does not list its batches


class Holding(NamedTuple):
    """One thing that a host keeps of a batch."""

    kind: str  # "batch", "input", "output" or "errors"
    ref: str  # its name at the host
    size: int | None = None  # bytes as the host names them; None when it names none
    gone: bool = False  # the host no longer has it
    deletable: bool = True  # the host deletes it when asked, and not along with something else
    raw: bytes = b""  # kind "batch": the object as the API gave it


class Provider(ABC):
    """One batch API. The first half is pure; each method of the second is one conversation with the host."""

    # ---- what its words are

    @abstractmethod
    def encode(self, condition: Condition, ask: Ask) -> tuple[bytes, bytes]:
        """A condition's input line as (what stands before the custom_id, what stands after it), newline included.

        All trials of a condition share both halves.
        """

    @abstractmethod
    def decode(self, line: dict) -> Result:
        """One parsed output line → its Result. Raises ValueError when it is not of this API's shape."""

    @staticmethod
    @abstractmethod
    def claims(line: dict) -> bool:
        """Whether a parsed output line looks like this API's; `decode` says whether it is."""

    @staticmethod
    @abstractmethod
    def with_cap(line: bytes, cap: int) -> bytes:
        """An input line of `encode`, id and all, that asks the same with another max_tokens."""

    takes_marks = False  # whether a request can mark what the host is to keep in its prompt cache

    @staticmethod
    def marked(tail: bytes, marks: Marks) -> bytes:
        """What `encode` puts behind the id, with marks; where the host takes none, as it is."""
        return tail

    @staticmethod
    def line_of(message: str) -> int:
        """The input line, counted from 1, that a refusal's text speaks of; 0 if it names none."""
        return 0

    @staticmethod
    def headers(model: Model) -> dict[str, str]:
        """What the create call of a model's batches must send along."""
        return {}

    @staticmethod
    def endpoint(model: Model) -> str:
        """Where a model's requests go, for `Shard.endpoint`; "" for the usual place."""
        return ""

    # ---- what may be asked: why not, as one line without the place where it stands; "" where nothing is against it

    @staticmethod
    def knows_parameter(name: str) -> bool:
        """Whether a request parameter is one that we can check. Others are sent as they are."""
        return False

    costs_unknown = staticmethod(costs_unknown)

    @staticmethod
    def parameter_problem(name: str, value: object, model: Model, ask: Ask) -> str:
        """Why a model's requests cannot have this parameter; `ask` holds the others."""
        return ""

    @staticmethod
    def temperature_problem(temperature: float, model: Model, ask: Ask) -> str:
        """Why a model's requests cannot have this temperature beside their other parameters."""
        return ""

    @staticmethod
    def attachment_problem(attachment: Attachment, model: Model) -> str:
        """Why a model cannot be shown this image or PDF."""
        return f"{attachment.name}: this host takes text only"

    @staticmethod
    def attachment_tokens(attachment: Attachment, model: Model) -> int:
        """At most so many prompt tokens are an image or PDF to a model; one of unknown size is the largest that there is."""
        return 0

    # ---- what every run does

    @abstractmethod
    def upload(self, shard: Shard) -> str:
        """Bring the input to where `submit` can name it; returns that name. Free, may be repeated.

        Raises InputError when the file is not what was planned, here or in `submit`.
        """

    @abstractmethod
    def submit(self, shard: Shard, model_id: str) -> str:
        """THE call that costs money, sent exactly once. Returns the batch id; raises Unknown if the answer is lost."""

    @abstractmethod
    def find(self, shard: Shard) -> Iterable[Batch]:
        """Batches that a lost `submit` of this shard may have made, the likeliest first, read out of the whole list.

        A batch that certainly is this shard's carries its tag or ref. Where the host shows neither, those of its size are
        given: guesses that only the ids in their rows can prove. Raises Refused or Unknown with a status of UNLISTED where
        the host does not list.
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

    # ---- what is done seldom

    def count_tokens(self, line: bytes, model: Model) -> int:
        """How many prompt tokens an input line has, as a host with `counts_tokens` says; nothing is answered or paid."""
        raise Refused("this host counts no tokens")

    def listing(self) -> Iterable[Batch]:
        """All batches of the account, newest first, page by page; none where the host does not list them."""
        return ()

    def models(self) -> Iterable[str]:
        """The ids of all models that the key may use, as the host lists them. Raises Refused where it lists none."""
        raise Refused("this host does not list its models")

    def stored(self) -> tuple[int, int] | None:
        """How many files the account keeps at the host, and their bytes; None where the host does not tell."""
        return None

    def holdings(self, batch: Batch) -> list[Holding]:
        """What the host keeps of an ended batch: the batch object itself, and its files; nothing where it does not tell."""
        return []

    def remove(self, ref: str) -> None:
        """Delete a holding that is `deletable`. One that is no longer there is no error."""
        raise Refused(f"{ref}: this host deletes nothing")

    def close(self) -> None:  # noqa: B027  most have nothing to close
        """Let go of connections."""
