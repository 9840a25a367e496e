"""Owns the words of rehearsal answers: what a prompt asks for is answered in its own form, the same way every time."""

from __future__ import annotations

import orjson

from .asked import Question
from .filled import filled
from .opinions import Mind, number, written
from .phrases import PICTURES, PLAIN, PREFACES, band_of, reasons
from .scales import WORDS_KIND, Kind
from .templates import Template

WIDE = str.maketrans("0123456789:", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff1a")


def answer(mind: Mind, odd_share: float) -> str:
    """The answer to what was asked: the same for the same mind, in the prompt's own format and language."""
    asked, odd = mind.asked, mind.dice[30] * 256 + mind.dice[31] < odd_share * 65536
    if asked.questions:
        return _form(mind, odd)
    if asked.template:
        return _json(asked.template, mind, odd)
    if asked.kind:
        return _alone(asked.kind, mind, odd)
    return (PICTURES[asked.language] if mind.pictures else "") + PLAIN[asked.language].format(number=int.from_bytes(mind.dice[:2], "big"))


def json_of(schema: dict, mind: Mind) -> str:
    """A JSON text that is valid for a schema that was asked for."""
    return orjson.dumps(filled(schema, mind)).decode()


def value_of(kind: Kind, name: str, mind: Mind) -> tuple[str, float]:
    """One value as a model writes it, and how high it is from 0 to 1."""
    if kind.text:
        share = mind.share(name)
        return mind.why(name, share), share
    if kind.choices and kind.several:
        places = mind.some(name, kind.choices)
        return ("、" if mind.asked.language == "ja" else ", ").join(kind.choices[place] for place in places), places[0] / len(kind.choices)
    if kind.choices:
        place = mind.pick(name, kind.choices)
        return kind.choices[place], place / (len(kind.choices) - 1 or 1)
    share = mind.share(name)
    return written(kind, number(kind, share)), share


def _form(mind: Mind, odd: bool) -> str:
    lines, dice = [], mind.dice
    for question, prefix, base, low, span, bands in _sheet(mind):
        if base is not None:
            share = mind.near(base)
            value = str(round(low + share * span))
        else:
            value, share = value_of(question.kind, question.name, mind)
        if prefix:
            lines.append(_odd(question, value, dice[29], mind.asked.language == "ja") if odd else prefix + value)
        if bands:
            lines.append(bands[band_of(share)][dice[mind.drawn % 24] % 3])
    return "\n".join(lines)


def _sheet(mind: Mind) -> list[tuple]:
    """What is the same in each answer of a model to a prompt: of each question its line, its leaning, its scale, its reasons.

    Kept with the prompt: looking it up question by question costs a tenth of the rate.
    """
    asked = mind.asked
    sheet = asked.sheets.get((mind.model, mind.pictures))
    if sheet is None:
        sheet = asked.sheets[mind.model, mind.pictures] = [
            (question, question.value_prefix, mind.leaning(question.name) if question.kind.whole else None, question.kind.low,
             question.kind.high - question.kind.low,
             reasons(asked.language, question.name, mind.pictures, question.reason_prefix) if question.reason_prefix else None)
            for question in asked.questions
        ]  # fmt: skip
    return sheet


def _odd(question: Question, value: str, choice: int, japanese: bool) -> str:
    """A value line in one of the forms that real models slip into."""
    name, label = question.name, question.value_label
    if not label:
        bare = (f"**{name}**: {value}", f"- {name}: {value}", f"[{name}]: {value}", f'"{name}": {value}')
        return bare[choice % len(bare)]
    q, (opening, closing) = f"Q{question.number}.", "\uff08\uff09" if "\uff08" in question.value_prefix else "()"
    forms = (
        f"{q} {name}: {opening}{label}{closing}: {value}",
        f"{q} {name} {label}: {value}",
        f"{q} {name}: {value}",
        f"{name}の評価: {value}" if japanese else f"{name} rating: {value}",
        f"{name}レベル: {value}" if japanese else f"{name} level: {value}",
        f"「{name}」: {value}" if japanese else f'"{name}": {value}',
        f"[{name}]: {value}",
        question.value_prefix.rstrip(": \uff1a") + f":{value}".translate(WIDE),
    )
    return forms[choice % len(forms)]


def _alone(kind: Kind, mind: Mind, odd: bool) -> str:
    """One value, alone or with its reason in the next line."""
    value, share = value_of(kind, "", mind)
    language = mind.asked.language
    if odd:
        forms = (f"{value}.", f"**{value}**", f'"{value}"', f"{value}です。" if language == "ja" else f"Answer: {value}")
        value = forms[mind.dice[29] % len(forms)]
    return f"{value}\n{mind.why('', share)}" if mind.asked.explained else value


def _json(template: Template, mind: Mind, odd: bool) -> str:
    """The template filled in; in an odd form with words around it, or in a fence."""
    made = filled(orjson.loads(template.schema), mind) if template.schema else _node(template, "", mind)
    text = orjson.dumps(made, option=orjson.OPT_INDENT_2 if mind.dice[28] % 2 else 0).decode()
    if not odd:
        return text
    preface = PREFACES.get(mind.asked.language, PREFACES["en"])
    forms = (f"```json\n{text}\n```", f"{preface}{text}", f"{preface}```json\n{text}\n```", f"{text}\n\n(simulated)")
    return forms[mind.dice[29] % len(forms)]


def _node(template: Template, name: str, mind: Mind) -> object:
    if template.fields:
        return {key: _node(inner, key, mind) for key, inner in template.fields}
    if template.items:
        return _items(template.items, name, mind)
    if template.truth:
        return mind.pick(name, (True, False)) == 0
    kind = template.kind or WORDS_KIND
    if kind.text or kind.choices:
        value, _ = value_of(kind, name, mind)
        return int(value) if not template.quoted and value.lstrip("-").isdecimal() else value
    value = number(kind, mind.share(name))
    return value if kind.digits else round(value)


def _items(item: Template, name: str, mind: Mind) -> list:
    if item.kind and item.kind.choices:
        return [item.kind.choices[place] for place in mind.some(name, item.kind.choices)]
    return [_node(item, name, mind) for _ in range(1 + mind.dice[mind.drawn % 24] % 3)]


def tokens(text: str) -> int:
    """About how many tokens a text has: one per wide character, four ASCII characters per token."""
    if text.isascii():
        return (len(text) + 3) // 4
    wide = (len(text.encode("utf-8", "replace")) - len(text)) // 2
    return wide + (max(0, len(text) - wide) + 3) // 4


def cut_to(text: str, limit: int) -> str:
    """The beginning of a text that has about `limit` tokens."""
    whole = tokens(text)
    return text if whole <= limit else text[: len(text) * limit // whole]
