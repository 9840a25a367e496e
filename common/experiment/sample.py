"""Which requests of a grid a stratified random sample asks: every way of asking and every text as evenly as they allow.

A way is a combination of model, persona and levels of further factors. Texts are kept by the smallest hashes of their ids,
so that one pass at flat memory chooses the same whatever the order of rows, ways or names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

_LAST = b"\xff" * 9  # behind every hash
_FEW = 4096  # texts that are kept without a second thought


class Chosen:
    """A sample: which trials of a way and a text are asked; its length is the number of its requests."""

    def __init__(self, counts: Sequence[Mapping[str, int]]) -> None:
        self._counts = counts

    def trials(self, way: int, text_id: str) -> range:
        """The numbers of the trials that are asked of a pair; empty when it was not chosen."""
        return range(1, self._counts[way].get(text_id, 0) + 1)

    def __len__(self) -> int:
        return sum(sum(of_way.values()) for of_way in self._counts)


class _Text(NamedTuple):
    """A text that may be chosen; texts are in the order of their hashes."""

    hash: bytes
    id: str
    ways: tuple[int, ...]


def choose(pairs: Iterable[tuple[str, Sequence[int]]], names: Sequence[str], trials: int, n: int, seed: str) -> Chosen:
    """A sample of `n` requests, or all where there are not more. Memory goes with `n`, not with the number of texts.

    `pairs` yields each text's id, once, with the indices of the ways that may ask it; `names` are the ways' own names, which
    with ids and seed decide alone. Ways have the same number of requests, give or take one, as far as their texts and trials
    reach; each way asks further trials of a text when it has asked all its texts once. A larger sample by the same seed
    holds the smaller one, or nearly so.
    """
    key = blake2b(seed.encode("utf-8", "surrogatepass")).digest()
    order = sorted(range(len(names)), key=lambda way: (_hash(names[way], key), names[way]))
    texts, seen = _candidates(pairs, len(names), trials, n, key)
    quotas = _quotas([count * trials for count in seen], order, n)
    whole = [quota // count if count else 0 for quota, count in zip(quotas, seen)]  # trials that a way asks of all its texts
    rest = [quota % count if count else 0 for quota, count in zip(quotas, seen)]
    loads = [sum(whole[way] for way in text.ways) for text in texts]
    dealt = _deal(texts, loads, rest, [way for way in order if rest[way]])
    while max(loads, default=0) - min(loads, default=0) > 1 and any(_levelled(texts, loads, way, mine) for way, mine in dealt.items()):
        pass
    counts: list[dict[str, int]] = [{} for _ in names]
    for at, text in enumerate(texts):
        for way in text.ways:
            if count := whole[way] + (way in dealt and at in dealt[way]):
                counts[way][text.id] = count
    return Chosen(counts)


def _hash(text: str, key: bytes) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()


def _quotas(available: Sequence[int], order: Sequence[int], n: int) -> list[int]:
    """How many of `n` requests each way has: the same for all that have enough; what is left goes to the first of `order`."""
    left, quotas = min(n, sum(available)), [0] * len(available)
    poor = sorted(order, key=available.__getitem__)
    for at, way in enumerate(poor):
        share, more = divmod(left, len(poor) - at)
        if available[way] > share:
            rich = set(poor[at:])
            for rank, other in enumerate(way for way in order if way in rich):
                quotas[other] = share + (rank < more)
            break
        quotas[way] = available[way]
        left -= available[way]
    return quotas


class _HashLimits(dict):
    """By the ways that a text has: the last hash that may still be chosen of it."""

    def __init__(self, by_way: Sequence[bytes]) -> None:
        self._by_way = by_way

    def __missing__(self, ways: tuple[int, ...]) -> bytes:
        self[ways] = limit = max((self._by_way[way] for way in ways), default=b"")
        return limit


def _candidates(pairs: Iterable[tuple[str, Sequence[int]]], ways: int, trials: int, n: int, key: bytes) -> tuple[list[_Text], list[int]]:
    """The texts of which a sample can be made, in their order, and how many texts each way has in all."""
    kept: list[_Text] = []
    alike: defaultdict[tuple[int, ...], int] = defaultdict(int)
    limits, full = _HashLimits([_LAST] * ways), max(2 * n, _FEW)
    for text_id, allowed in pairs:
        allowed = tuple(allowed)
        alike[allowed] += 1
        if (found := _hash(text_id, key)) <= limits[allowed]:
            kept.append(_Text(found, text_id, allowed))
            if len(kept) > full:
                kept, limits = _pruned(kept, _seen(alike, ways), trials, n)
                full = max(2 * len(kept), _FEW)
    seen = _seen(alike, ways)
    return _pruned(kept, seen, trials, n)[0], seen


def _seen(alike: Mapping[tuple[int, ...], int], ways: int) -> list[int]:
    seen = [0] * ways
    for allowed, count in alike.items():
        for way in allowed:
            seen[way] += count
    return seen


def _pruned(texts: list[_Text], seen: Sequence[int], trials: int, n: int) -> tuple[list[_Text], _HashLimits]:
    """The texts that can be needed: quotas only become smaller as more texts are seen.

    A text of three ways will serve about one of them, so each counts a third of it; no way has fewer texts than its quota.
    """
    need = max(_quotas([count * trials for count in seen], range(len(seen)), n), default=0) + 1
    texts.sort()
    kept, found, limits = [], [0.0] * len(seen), [_LAST] * len(seen)
    for text in texts:
        short = [way for way in text.ways if found[way] < need]
        for way in short:
            found[way] += 1 / len(text.ways)
            if found[way] >= need:
                limits[way] = text.hash
        if short:
            kept.append(text)
    return kept, _HashLimits(limits)


def _deal(texts: Sequence[_Text], loads: list[int], rest: Sequence[int], order: Sequence[int]) -> dict[int, set[int]]:
    """By way, `rest[way]` of its texts (as indices): in turns, each takes one of the texts that were chosen least till now."""
    allowed = [frozenset(text.ways) for text in texts]
    by_load: defaultdict[int, list[int]] = defaultdict(list)
    for at, load in enumerate(loads):
        by_load[load].append(at)
    dealt: dict[int, set[int]] = {way: set() for way in order}

    def turns(way: int) -> Iterator[int]:
        load = min(by_load)
        while True:  # what a way has gone past once it cannot take later either
            shelf, at = by_load[load], 0
            while at < len(shelf):
                text, at = shelf[at], at + 1
                if loads[text] == load and way in allowed[text] and text not in dealt[way]:
                    yield text
            load += 1

    hands = {way: turns(way) for way in order}
    for turn in range(max(rest, default=0)):
        for way in order:
            if turn < rest[way]:
                text = next(hands[way])
                dealt[way].add(text)
                loads[text] += 1
                by_load[loads[text]].append(text)
    return dealt


def _levelled(texts: Sequence[_Text], loads: list[int], way: int, mine: set[int]) -> bool:
    """Let a way change its most used texts for ones that are used less by two or more; whether it did."""
    others = [at for at, text in enumerate(texts) if way in text.ways and at not in mine]
    swaps = [
        (one, other)
        for one, other in zip(sorted(mine, key=loads.__getitem__, reverse=True), sorted(others, key=loads.__getitem__))
        if loads[one] - loads[other] > 1
    ]
    for one, other in swaps:
        loads[one] -= 1
        loads[other] += 1
    mine.difference_update(one for one, _ in swaps)
    mine.update(other for _, other in swaps)
    return bool(swaps)
