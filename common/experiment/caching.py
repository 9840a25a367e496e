"""Prompt caching: which part of a request is marked for the host to keep, in which order it is asked, what that can save and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from common.catalog.prices import MILLION, caching, rates
from common.catalog.tokens import Tokens
from common.experiment.grid import Asked, first_requests
from common.nouns import Marks, Model
from common.providers.caching import OWN
from common.text import many, usd

WAYS = ("off", "on", "primed")
WORTH_TELLING = 0.01  # USD; what saves less at best is not spoken of unasked


@dataclass
class SharedParts:
    """Parts of prompts that several requests share."""

    parts: int = 0
    requests: int = 0
    tokens: int = 0  # of all parts, each once
    asked: int = 0  # of all parts, each as often as it is asked

    def add(self, tokens: int, requests: int, is_new: bool) -> None:
        """Count so many more requests with a part of so many tokens."""
        self.requests += requests
        self.asked += tokens * requests
        if is_new:
            self.parts += 1
            self.tokens += tokens

    @property
    def mean(self) -> int:
        """Tokens of a part."""
        return round(self.tokens / self.parts)


@dataclass
class Caching:
    """What the requests of one model share, for a grid of so many `texts`. `way`: one of `WAYS`; off, it is only reckoned."""

    model: Model
    way: str
    texts: int
    count: Callable[[str], Tokens]
    takes_marks: bool = True
    systems: SharedParts = field(default_factory=SharedParts)
    prompts: SharedParts = field(default_factory=SharedParts)  # what of whole prompts stands behind a marked system prompt, or all of them
    openers: int = 0  # requests that are asked first
    longest: int = 0  # tokens of the longest part that enough requests share

    def __post_init__(self) -> None:
        self._factors = caching(self.model) if self.takes_marks else None
        if self._factors:
            write, read = self._factors
            self._few = (write - read) / (1 - read)  # one writes, the others read: with so many requests or fewer that never pays
            self.share = (write - 1) / (write - read)  # of the tokens must be read, or it costs more than it saves

    def stages(self, conditions: Callable[[], Iterator[Asked]], limit: int | None) -> Iterator[tuple[bool, Iterator[Asked]]]:
        """(whether they fill the cache for those that follow, conditions with their marks): all of them, in one or two parts."""
        if not self._factors:
            yield False, conditions()
        elif self.way == "primed":
            yield True, self._openers(self._reckoned(first_requests(conditions(), limit)))
            yield False, _followers(self._marked(first_requests(conditions(), limit)))
        else:
            yield False, self._reckoned(first_requests(conditions(), limit))

    def _marked(self, conditions: Iterable[Asked]) -> Iterator[Asked]:
        seen: set[tuple[str, bytes]] = set()
        for asked in conditions:
            yield asked if asked.problem else self._with_marks(asked, *self._sizes(asked), seen)

    def _reckoned(self, conditions: Iterable[Asked]) -> Iterator[Asked]:
        """The same, counted on the way."""
        seen: set[tuple[str, bytes]] = set()
        for asked in conditions:
            if asked.problem:
                yield asked
                continue
            system, whole = self._sizes(asked)
            found, requests = self._with_marks(asked, system, whole, seen), len(asked.trials)
            if found.marks and found.marks.system:
                self.systems.add(system, requests, found.opens_system)
            if found.marks and found.marks.whole:
                self.prompts.add(whole - system * found.marks.system, requests, not asked.again)
            yield found if self.way != "off" else asked

    def _openers(self, conditions: Iterable[Asked]) -> Iterator[Asked]:
        for asked in conditions:
            if _opens(asked):
                self.openers += 1
                yield asked._replace(trials=asked.trials[:1])

    def _sizes(self, asked: Asked) -> tuple[int, int]:
        """Tokens of the system prompt, where it is that of all texts, and of the whole prompt."""
        condition = asked.condition
        if 2 * (len(condition.system) + len(condition.user)) < self.model.cache_minimum and not condition.turns:
            return 0, 0  # no need to count it
        system = self.count(condition.system).expected
        whole = system + self.count(condition.user).expected + sum(self.count(text).expected for _, text in condition.turns)
        return system if asked.shared else 0, whole

    def _with_marks(self, asked: Asked, system: int, whole: int, seen: set[tuple[str, bytes]]) -> Asked:
        """`seen`: the marked system prompts of those before it."""
        parameters, trials, least = asked.ask.parameters, len(asked.trials), self.model.cache_minimum
        own = orjson.dumps(parameters) if parameters else b""
        if OWN in own:  # a person marks what is to be kept
            return asked
        of_system, of_whole = self.texts > 1 and self.texts * trials > self._few, trials > self._few
        self.longest = max(self.longest, system * of_system, whole * of_whole)
        marks = Marks(of_system and system >= least, of_whole and whole >= least)
        if not any(marks):
            return asked
        key = (asked.condition.system, own)
        is_new = marks.system and key not in seen
        if is_new:
            seen.add(key)
        return asked._replace(marks=marks, opens_system=is_new)

    def told(self) -> Iterator[str]:
        """What a plan says of it: what is shared, from where on it pays, what it saves at best and costs at worst."""
        name = self.model.alias
        if not self._factors:
            if self.way != "off":
                yield f"{name}: prompt_caching marks nothing here: {self._why_not()}"
            return
        if not (self.systems.parts or self.prompts.parts):
            if self.way != "off":
                long = f"the longest has about {self.longest:,}" if self.longest else "there is none, or a very short one"
                least = f"{self.model.cache_minimum:,} tokens"
                name = f"{name}: prompt_caching marks nothing"
                yield f"{name}: no beginning that enough requests share has {least}, the least to be cached ({long})"
            return
        best, worst = self.money()
        if self.way != "off":
            yield (
                f"{name}, prompt caching: {self._parts()}; pays if more than {100 * self.share:.0f} % of these tokens are read from the "
                f"cache: saves {usd(best)} if all can be, costs {usd(worst)} more if none is (the costs at most contain that)"
            )
            if self.openers:
                yield (
                    f"{name}, prompt caching: {self.openers:,} of its requests are sent first and fill the cache; the others wait until "
                    f"their batch has ended, and find nothing if that takes more than an hour"
                )
        elif best >= WORTH_TELLING:
            yield (
                f"{name}: prompt caching is off; {self._parts()}: with prompt_caching at best {usd(best)} less, at worst {usd(worst)} more "
                f"(docs/money.md)"
            )

    def money(self) -> tuple[float, float]:
        """USD that caching saves if each part is written once and read by all others, and that it costs more if none is ever read."""
        write, read = self._factors
        once = self.systems.tokens + self.prompts.tokens
        every = self.systems.asked + self.prompts.asked
        each = rates(self.model)[0] / MILLION
        return each * ((every - once) * (1 - read) - once * (write - 1)), each * every * (write - 1)

    def _parts(self) -> str:
        systems, prompts = self.systems, self.prompts
        said = []
        if systems.parts:
            said.append(f"{systems.requests:,} requests share {many(systems.parts, 'system prompt')} of about {systems.mean:,} tokens")
        if prompts.parts:
            size = f"about {prompts.mean:,} tokens{' more' if systems.parts else ''}"
            said.append(f"{prompts.requests:,} are trials of {many(prompts.parts, 'whole prompt')} of {size}")
        return ", ".join(said)

    def _why_not(self) -> str:
        if self.model.caches_unasked:
            return "this host caches by itself what prompts have in common at their beginning"
        if not self.takes_marks:
            return "this host takes no marks"
        return "its price, or the least that it caches, is not known"


def _opens(asked: Asked) -> bool:
    """Whether a condition's first trial is the first request with what it marks."""
    return asked.marks is not None and (asked.opens_system or asked.marks.whole and not asked.again)


def _followers(conditions: Iterable[Asked]) -> Iterator[Asked]:
    for asked in conditions:
        left = asked.trials[1:] if _opens(asked) else asked.trials
        if left:
            yield asked._replace(trials=left)
