"""The custom_id of a request: made here, taken apart here, and checked here before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from common.errors import Usage
from common.experiment import Experiment, Texts
from common.records import Model
from common.unique import Repeats


def id_parts(persona: str, model: str, text: str) -> tuple[str, str]:
    """What stands before and after the trial number in the custom_ids of a cell."""
    return f"p{persona}_{model}_n", f"_{text}"


def make_id(persona: str, model: str, trial: int, text: str) -> str:
    """The custom_id of a request: `p{persona}_{model}_n{trial}_{text}`, e.g. `p1_gpt-4.1_n01_t1`."""
    before, after = id_parts(persona, model, text)
    return f"{before}{trial:02d}{after}"


def parse_id(custom_id: str, pairs: Iterable[tuple[str, str]]) -> tuple[str, str, int, str] | None:
    """A custom_id → (persona, model, trial, text), against the experiment's own (persona, model) pairs.

    None for an id that none of them made. Unambiguous because `check_ids` refuses pairs whose beginnings collide.
    """
    for persona, model in pairs:
        before = f"p{persona}_{model}_n"
        if custom_id.startswith(before):
            trial, _, text = custom_id[len(before) :].partition("_")
            if trial.isascii() and trial.isdigit() and text:
                return persona, model, int(trial), text
    return None


def check_ids(experiment: Experiment, models: Sequence[Model]) -> bool:
    """Refuse what could give two requests the same custom_id. Reads a data set once, at flat memory. Raises Usage.

    Returns whether some ids may differ in case only, which some file systems cannot tell apart.
    """
    starts = sorted(id_parts(p.id, m.alias, "")[0] for p in experiment.personas for m in models)
    for one, other in zip(starts, starts[1:], strict=False):
        if other.startswith(one):
            raise Usage(
                f"{experiment.path}: personas and models make ids that begin alike ({one}…, {other}…); rename one"
            )
    repeats, alike, texts = Repeats(), Repeats(), experiment.texts
    seen: set[str] = set()
    for where, row in texts.rows():
        text_id = row[texts.id_column]
        if not text_id or not text_id.isprintable() or text_id != text_id.strip():
            raise Usage(f"{texts.source}, row {where}: the text id is {text_id!r}; expected visible characters")
        repeats.add(text_id)
        alike.add(text_id.casefold())
        if experiment.only_texts and text_id in experiment.only_texts:
            seen.add(text_id)
    if missing := (experiment.only_texts or frozenset()) - seen:
        raise Usage(f"{texts.source}: no text {', '.join(sorted(missing))}; --text names ids of {_some_ids(texts)}")
    if hashes := repeats.found():
        _complain_of_repeats(texts, hashes)
    folded = [start.casefold() for start in starts]
    return bool(alike.found()) or len(set(folded)) < len(folded)


def _some_ids(texts: Texts) -> str:
    ids = [row[texts.id_column] for _, row in islice(texts.rows(), 7)]
    return ", ".join(ids[:6]) + (", …" if len(ids) > 6 else "")


def _complain_of_repeats(texts: Texts, hashes: set[int]) -> None:
    first: dict[str, int] = {}
    for where, row in texts.rows():
        text_id = row[texts.id_column]
        if hash(text_id) in hashes:
            if text_id in first:
                raise Usage(f"{texts.source}, row {where}: text id {text_id!r} is also that of row {first[text_id]}")
            first[text_id] = where
