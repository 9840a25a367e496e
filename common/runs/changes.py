"""What an edited experiment asks otherwise than its run before: what two runs noted of themselves, compared in plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import orjson

from common.nouns import Run
from common.results.origin import RunOrigin
from common.results.scoring import differences
from common.text import one_line

SHOWN = 5  # names of one kind
_NUMBERS = ("trials", "max_tokens", "reasoning_max_tokens", "cut_off_factor", "reasoning_effort", "limit", "sample")
_WORDS = {
    "system": "system prompt changed", "user": "prompt changed", "turns": "messages changed", "files": "attached files changed",
    "prompt_caching": "prompt caching changed – asks the same",
    "only": "only changed", "skip": "skip changed", "columns": "columns of the table changed – asks the same",
}  # fmt: skip


def changes(old: Run, new: Run) -> list[str]:
    """What differs between what two runs ask, a line for each kind; nothing where one of them has no record that can be read."""
    try:
        earlier, later = _noted(old), _noted(new)
        was, now = earlier["asked"], later["asked"]
        found = chain(
            _models(earlier["models"], later["models"]),
            _texts(earlier, later),
            (f"{name} {_shown(was[name])} → {_shown(now[name])}" for name in _NUMBERS if was[name] != now[name]),
            (told for name, told in _WORDS.items() if was[name] != now[name]),
            _named("personas", _by(was["personas"], "id"), _by(now["personas"], "id")),
            _factors(_by(was["factors"], "name"), _by(now["factors"], "name")),
            (["request parameters changed"] if was["parameters"] != now["parameters"] else ()),
            _questions(old, new, now),
        )
        return [one_line(line, 300) for line in found]
    except (OSError, ValueError, TypeError, LookupError, AttributeError):  # of an earlier version, or garbled
        return []


def _noted(run: Run) -> dict:
    """A run's record, with the number of its texts."""
    found = orjson.loads((run.folder / "record/record.json").read_bytes())
    grid = orjson.loads((run.folder / "run.json").read_bytes()).get("grid", {})
    found["asked"].setdefault("prompt_caching", "off")  # of an earlier version
    return {**found, "rows": next((size for name, size in grid.get("factors", ()) if name == "texts"), None)}


def _by(rows: Sequence[Mapping], key: str) -> dict[str, Mapping]:
    return {str(row[key]): row for row in rows}


def _shown(value: object) -> str:
    return "none" if value in (None, "") else f"{value:,}" if isinstance(value, int) else str(value)


def _models(old: Sequence[Mapping], new: Sequence[Mapping]) -> Iterator[str]:
    was, now = ({row["alias"]: row["id"] for row in rows} for rows in (old, new))
    told = [f"+ {alias}" for alias in now if alias not in was] + [f"− {alias}" for alias in was if alias not in now]
    told += [f"{alias} is {now[alias]}, no longer {was[alias]}" for alias in now if was.get(alias, now[alias]) != now[alias]]
    if told:
        yield f"models: {', '.join(told)}"


def _texts(old: Mapping, new: Mapping) -> Iterator[str]:
    was, now = old["texts"], new["texts"]
    if was.get("each") and now.get("each"):
        yield from _named("texts", was["each"], now["each"])
    elif was["digest"] != now["digest"]:
        rows = "" if None in (old["rows"], new["rows"]) else f" ({old['rows']:,} → {new['rows']:,} rows)"
        yield f"texts: the data changed{rows}"
    elif old["asked"]["only_texts"] != new["asked"]["only_texts"]:
        yield "texts: others are chosen"


def _named(what: str, old: Mapping, new: Mapping) -> Iterator[str]:
    """Of things with ids: which changed, which are new, which are gone."""
    changed = [f"{name}{_keys(old[name], new[name])}" for name in new if name in old and old[name] != new[name]]
    fresh, gone = [name for name in new if name not in old], [name for name in old if name not in new]
    told = [f"{_some(changed)} changed"] * bool(changed)
    told += [f"{_some(names)} {'are' if len(names) > 1 else 'is'} {how}" for names, how in ((fresh, "new"), (gone, "gone")) if names]
    if told:
        yield f"{what}: {', '.join(told)}"


def _keys(old: object, new: object) -> str:
    """Which keys of a persona or level differ."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return ""
    was, now = ({**one, **one["keys"]} for one in (old, new))
    names = [name for name in {**was, **now} if name != "keys" and was.get(name) != now.get(name)]
    return f" ({', '.join(names)})"


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _factors(old: Mapping, new: Mapping) -> Iterator[str]:
    yield from _named("factors", dict.fromkeys(old), dict.fromkeys(new))
    for name in new:
        if name in old:
            yield from _named(f"factor {name}", _by(old[name]["levels"], "id"), _by(new[name]["levels"], "id"))


def _questions(old: Run, new: Run, asked: Mapping) -> Iterator[str]:
    questions = RunOrigin(new).questions
    told = "; ".join(differences(RunOrigin(old).questions, questions))
    sent = "{questions}" in str(asked) or any(question.form == "json" for question in questions)
    if told:
        yield f"questions: {told}" + " – scoring only, asks the same" * (not sent)
