"""The custom_id of a request: made here, taken apart here, and checked here before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from common.errors import InputError
from common.experiment.duplicates import Repeats
from common.experiment.experiment import Experiment, Texts
from common.nouns import Model


def id_parts(persona: str, model: str, text: str, levels: Sequence[str] = ()) -> tuple[str, str]:
    """What stands before and after the trial number in the custom_ids of a condition."""
    return f"p{persona}_{model}_n", "_".join(("", text, *levels))


def make_id(persona: str, model: str, trial: int, text: str, levels: Sequence[str] = ()) -> str:
    """The custom_id of a request: `p{persona}_{model}_n{trial}_{text}` and the levels of further factors, e.g. `p1_gpt-4.1_n01_t1`."""
    before, after = id_parts(persona, model, text, levels)
    return f"{before}{trial:02d}{after}"


Parts = tuple[str, str, int, str, tuple[str, ...]]


def id_parser(pairs: Iterable[tuple[str, str]], factors: Iterable[Iterable[str]] = ()) -> Callable[[str], Parts | None]:
    """A function custom_id → (persona, model, trial, text, levels), against the experiment's own (persona, model) pairs and
    the level ids of each further factor.

    It answers None for an id that none of them made. Unambiguous because `check_ids` refuses pairs whose beginnings
    collide, and a factor is refused when one of its levels ends like another.
    """
    starts = {f"p{persona}_{model}_n": (persona, model) for persona, model in pairs}
    matches = re.compile(f"({'|'.join(map(re.escape, starts))})([0-9]+)_{_ending(factors)}", re.DOTALL).fullmatch

    def parse(custom_id: str) -> Parts | None:
        if (found := matches(custom_id)) is None:
            return None
        groups = found.groups()
        persona, model = starts[groups[0]]
        return persona, model, int(groups[1]), groups[2], groups[3:]

    return parse


def text_parser(factors: Iterable[Iterable[str]]) -> Callable[[str], tuple[str, tuple[str, ...]] | None]:
    """A function that takes what stands behind the trial in a custom_id apart into text and levels; None where it has none."""
    matches = re.compile(_ending(factors), re.DOTALL).fullmatch

    def parse(end: str) -> tuple[str, tuple[str, ...]] | None:
        found = matches(end)
        return found and (found[1], found.groups()[1:])

    return parse


def _ending(factors: Iterable[Iterable[str]]) -> str:
    return "(.+)" + "".join(f"_({'|'.join(map(re.escape, ids))})" for ids in factors)


class Ids(NamedTuple):
    """What `check_ids` found: whether some ids may differ in case only (some file systems cannot tell them apart), and how
    many texts are asked about."""

    alike: bool
    texts: int


def check_ids(experiment: Experiment, models: Sequence[Model]) -> Ids:
    """Refuse what could give two requests the same custom_id. Reads a data set once, at flat memory. Raises InputError."""
    starts = sorted(id_parts(p.id, m.alias, "")[0] for p in experiment.personas for m in models)
    for one, other in zip(starts, starts[1:], strict=False):
        if other.startswith(one):
            raise InputError(
                f"{experiment.path}: personas and models make ids that begin alike ({one}…, {other}…); rename one"
            )
    count, alike = _check_texts(experiment.texts, experiment.only_texts or frozenset())
    if alike:
        _complain_of_repeats(experiment.texts, alike)
    levels = [level.id for factor in experiment.factors for level in factor.levels]
    some = bool(alike) or _differ_in_case_only(starts) or _differ_in_case_only(levels) or _ends_alike(levels)
    return Ids(some, len(experiment.only_texts) if experiment.only_texts is not None else count)


def _differ_in_case_only(ids: Sequence[str]) -> bool:
    return len({one.casefold() for one in ids}) < len({*ids})


def _ends_alike(levels: Sequence[str]) -> bool:
    """Whether, but for their case, one of the ids ends like another."""
    return any(one.casefold().endswith(f"_{other.casefold()}") for one in levels for other in levels)


def _check_texts(texts: Texts, only: frozenset[str]) -> tuple[int, set[int]]:
    """How many texts there are, and hashes of ids that may differ in case only. Raises InputError for a bad id, and where one of
    `only` is not among them."""
    folded, count = Repeats(), 0
    seen: set[str] = set()
    rows = texts.rows()
    while block := list(islice(rows, 1000)):
        ids = [row[texts.id_column] for _, row in block]
        if not all(ids) or not "".join(ids).isprintable() or ids != list(map(str.strip, ids)):
            where, bad = next((where, i) for (where, _), i in zip(block, ids) if not i or not i.isprintable() or i != i.strip())
            raise InputError(f"{texts.source}, row {where}: the text id is {bad!r}; expected visible characters")
        folded.add(map(str.casefold, ids))
        count += len(ids)
        seen.update(only.intersection(ids))
    if missing := only - seen:
        raise InputError(f"{texts.source}: no text {', '.join(sorted(missing))}; --text names ids of {_some_ids(texts)}")
    return count, folded.found()


def _some_ids(texts: Texts) -> str:
    ids = [row[texts.id_column] for _, row in islice(texts.rows(), 7)]
    return ", ".join(ids[:6]) + (", …" if len(ids) > 6 else "")


def _complain_of_repeats(texts: Texts, hashes: set[int]) -> None:
    first: dict[str, int] = {}
    for where, row in texts.rows():
        text_id = row[texts.id_column]
        if hash(text_id.casefold()) in hashes:
            if text_id in first:
                raise InputError(f"{texts.source}, row {where}: text id {text_id!r} is also that of row {first[text_id]}")
            first[text_id] = where
