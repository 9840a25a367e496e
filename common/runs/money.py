"""Sums of money over batches that keep apart what is known, what is not, and what may still come; and a run's receipt made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from common.nouns import OUT, Shard, State
from common.outcomes import SUCCEEDED
from common.text import usd

NOT_PAID, NOTHING_YET = "simulated: nothing was paid", "nothing yet"


@dataclass(slots=True)
class Money:
    """USD of some batches. `paid`: of answers whose usage was told; `unsure`: what the others can have cost at most.

    Batches of which not even that is known are counted in `boundless`, those whose list price and waste an earlier version
    has not noted in `untold`.
    """

    batches: int = 0
    requests: int = 0  # that were sent; one that was sent twice counts twice
    clean: int = 0  # of them, those with a clean answer
    paid: float = 0.0
    unsure: float = 0.0
    listed: float = 0.0  # what `paid` would have been at the synchronous list price
    wasted: float = 0.0  # of `paid`, what answers cost that are not clean
    in_flight: float = 0.0  # what batches that are out or owed can cost at most
    boundless: int = 0
    untold: int = 0

    def add(self, other: Money) -> None:
        """Add another sum to this one."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def committed(self) -> float:
        """What all of it can have cost at most, as far as there are bounds: what the cap counts."""
        return self.paid + self.unsure + self.in_flight

    def facts(self) -> dict:
        """For JSON and tables; None is unknown. `paid_usd` is known only where all of it is: else it lies between the next two."""
        is_sure = not self.boundless and not self.unsure
        listed = None if self.untold else self.listed
        return {
            "batches": self.batches,
            "requests": self.requests,
            "clean_answers": self.clean,
            "paid_usd": _rounded(self.paid) if is_sure else None,
            "known_usd": _rounded(self.paid),
            "at_most_usd": None if self.boundless else _rounded(self.paid + self.unsure),
            "list_price_usd": None if listed is None else _rounded(listed),
            "saved_usd": None if listed is None else _rounded(listed - self.paid),
            "wasted_usd": None if self.untold else _rounded(self.wasted),
            "per_clean_answer_usd": self.paid / self.clean if self.clean and is_sure else None,
            "in_flight_at_most_usd": _rounded(self.in_flight),
            "batches_at_unknown_price": self.boundless,
            "batches_of_an_earlier_version": self.untold,
        }


_NAMES = [f.name for f in fields(Money)]


def _rounded(amount: float) -> float:
    return round(amount, 9) + 0.0


def of_shard(shard: Shard) -> Money:
    """What the batch of a shard cost or may cost; nothing where it was never sent, was refused, or its answers were taken over."""
    if shard.taken_from or shard.state not in (*OUT, State.COLLECTED):
        return Money()
    found = Money(1, shard.count, shard.tally.get(SUCCEEDED, 0))
    if shard.state in OUT:
        found.clean = 0
        found.in_flight, found.boundless = shard.reserve or 0.0, int(shard.reserve is None)
        return found
    committed = next((amount for amount in (shard.spent, shard.most, shard.reserve) if amount is not None), None)
    found.paid = shard.known if shard.known is not None else shard.spent or 0.0
    found.boundless = int(committed is None)
    found.unsure = max(0.0, (committed or 0.0) - found.paid)
    found.untold = int(shard.listed is None)
    found.listed, found.wasted = shard.listed or 0.0, shard.wasted or 0.0
    return found


def of_shards(shards: Iterable[Shard]) -> Money:
    """The sum of the batches of some shards."""
    found = Money()
    for shard in shards:
        found.add(of_shard(shard))
    return found


def receipt(shards: Iterable[Shard], simulated: bool) -> dict:
    """The receipt of a run, for summary.json."""
    shards = list(shards)
    taken = sum(shard.count for shard in shards if shard.taken_from)
    return {**of_shards(shards).facts(), "taken_over": taken, "simulated": simulated}


def is_receipt(found: object) -> bool:
    """Whether a receipt is whole, or is none because an earlier version has written the summary."""
    return isinstance(found, dict) and (not found or (found.keys() >= _RECEIPT and all(_is_figure(value) for value in found.values())))


_RECEIPT = receipt((), False).keys()


def _is_figure(value: object) -> bool:
    return value is None or type(value) in (int, float, bool)


def receipt_lines(found: dict) -> list[str]:
    """A receipt in few lines; nothing where there is none, or nothing was sent or taken over."""
    if not found or not found["batches"] and not found["taken_over"]:
        return []
    taken = f"; {found['taken_over']:,} answers taken over cost nothing here" if found["taken_over"] else ""
    first, words = f"{NOT_PAID}, as if" if found["simulated"] else "paid:", paid_words(found)
    each, wasted, out = (found[name] for name in ("per_clean_answer_usd", "wasted_usd", "in_flight_at_most_usd"))
    parts = [f"{usd(each)} per clean answer"] if each else []
    parts += [f"wasted {usd(wasted)} on failed or cut-off answers"] if wasted else []
    parts += [f"in flight: at most {usd(out)} more"] if out else []
    told = NOT_PAID if found["simulated"] and words == NOTHING_YET else f"{first} {words}"
    return [f"{told}{_against_list(found)}{taken}", *(["; ".join(parts)] if parts else [])]


def paid_words(found: dict) -> str:
    """What was paid, of a sum's facts; where it is unknown, between which figures it lies."""
    if found["paid_usd"] is not None:
        return usd(found["paid_usd"]) if found["paid_usd"] or not found["in_flight_at_most_usd"] else NOTHING_YET
    if found["at_most_usd"] is None:
        return f"{usd(found['known_usd'])} + unknown" if found["known_usd"] else "unknown"
    return f"{usd(found['known_usd'])} to {usd(found['at_most_usd'])}"


def _against_list(found: dict) -> str:
    listed, saved = found["list_price_usd"], found["saved_usd"]
    if found["paid_usd"] is None:
        return ": not all answers came with a count of tokens, or at a known price, or once only"
    if listed is None or saved is None:
        return "; its list price is unknown: an earlier version has collected some of it"
    if not listed:
        return ""
    if abs(saved) < 1e-9:
        return ", the list price"
    share = f"{100 * saved / listed:.0f} %"
    return f" of {usd(listed)} at list price, " + (f"{share} saved" if found["simulated"] else f"saved {usd(saved)} ({share})")
