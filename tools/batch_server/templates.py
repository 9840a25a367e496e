"""Owns the JSON that a prompt shows as a template, `{"label": "a|b", "score": 1-7}`, or a schema in its words."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from .scales import NUMBER_WORDS, WORDS_KIND, Kind, choices_in, kind_in, scale_in

JSON_WORD = re.compile(r"json", re.IGNORECASE)
KEY = re.compile(r'\{\s*["“]')
KEYS = re.compile(
    r"(?:keys?\b|fields?\b|properties|キー|フィールド|項目|Schlüssel)[^\n\"`:\uff1a]{0,30}[:\uff1a]?\s*([^\n]{3,400})", re.IGNORECASE
)
NAMED = re.compile(r"[\"`“「]([A-Za-z_][\w.\-]{0,60})[\"`”」]\s*(?:[(\uff08]([^()\uff08\uff09\n]{1,120})[)\uff09])?")
LISTED = re.compile(r"\b([a-z_][\w]{0,40})\b\s*(?:\(([^()\n]{1,120})\))?\s*(?:,|;|\band\b|$|\.)")
DEEPEST = 12
TRIED = 20  # of the places at which a template may begin


@dataclass(frozen=True)
class Template:
    """A JSON value to be filled in: `schema` when words hold a JSON Schema; else fields, or items, or the kind of a leaf."""

    fields: tuple[tuple[str, Template], ...] = ()
    items: Template | None = None
    kind: Kind | None = None
    truth: bool = False
    schema: bytes = b""
    quoted: bool = False


class _Broken(ValueError):
    """What looked like a template is none."""


class _Reader:
    """Reads a template that is nearly JSON: values may be bare words, ranges, or several joined by |."""

    def __init__(self, text: str, at: int, words: str) -> None:
        self.text, self.at, self.words = text, at, words

    def node(self, name: str, depth: int = 0) -> Template:
        """The value that begins here."""
        self._blank()
        sign = self.text[self.at : self.at + 1]
        if depth > DEEPEST or not sign:
            raise _Broken
        if sign == "{" and KEY.match(self.text, self.at):
            return self._object(depth)
        if sign == "[" and self.text[self.at + 1 : self.at + 40].lstrip()[:1] in ("{", '"', "[", "."):
            return self._array(name, depth)
        return self._leaf(name)

    def _blank(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def _object(self, depth: int) -> Template:
        fields: dict[str, Template] = {}
        self.at += 1
        while True:
            self._blank()
            if self.text.startswith("}", self.at):
                self.at += 1
                return Template(tuple(fields.items()))
            if match := re.compile(r"\.{3}|…").match(self.text, self.at):
                self.at = match.end()
                continue
            match = re.compile(r'["“]([^"”\n]{1,80})["”]\s*[:\uff1a]').match(self.text, self.at)
            if not match:
                raise _Broken
            self.at = match.end()
            fields[match[1]] = self.node(match[1], depth + 1)
            self._comma("}")

    def _array(self, name: str, depth: int) -> Template:
        self.at += 1
        items: list[Template] = []
        while True:
            self._blank()
            if self.text.startswith("]", self.at):
                self.at += 1
                return Template(items=items[0] if items else Template(kind=WORDS_KIND, quoted=True))
            if match := re.compile(r"\.{3}|…").match(self.text, self.at):
                self.at = match.end()
                continue
            items.append(self.node(name, depth + 1))
            self._comma("]")

    def _comma(self, end: str) -> None:
        self._blank()
        if self.text.startswith(",", self.at):
            self.at += 1
        elif not self.text.startswith(("//", "#", end, "...", "…"), self.at):
            raise _Broken
        if match := re.compile(r"[ \t]*(?://|#)[^\n]*").match(self.text, self.at):
            self.at = match.end()

    def _leaf(self, name: str) -> Template:
        if match := re.compile(r'"([^"\n]{0,300})"((?:\s*\|\s*"[^"\n]{0,80}")*)').match(self.text, self.at):
            self.at = match.end()
            options = [match[1], *re.findall(r'"([^"\n]*)"', match[2])]
            if len(options) > 1:
                return Template(kind=Kind(choices=tuple(options)), quoted=True)
            return Template(kind=self._kind(name, match[1], quoted=True), quoted=True)
        match = re.compile(r"<[^>\n]{0,200}>|\[[^\]\n]{0,200}\]|\([^)\n]{0,200}\)|[^,}\]\n]{1,200}").match(self.text, self.at)
        if not match:
            raise _Broken
        self.at = match.end()
        raw = match[0].strip()
        truth = bool(re.fullmatch(r"<?(?:true|false|bool(?:ean)?)(?:\s*(?:\||/|or)\s*(?:true|false))?>?", raw, re.IGNORECASE))
        return Template(truth=truth, kind=self._kind(name, raw, quoted=False), quoted=raw[:1] not in "<[(" and not _numeric(raw))

    def _kind(self, name: str, raw: str, quoted: bool) -> Kind:
        if kind := kind_in(raw):
            return kind
        if re.fullmatch(r"0?\.\d+", raw):
            return Kind(0, 1, 2)
        said = [line for line in re.split(r"\n|(?<=[.。!?;])\s", self.words) if f'"{name}":' not in line and name in line]
        for line in said:
            kind = scale_in(line) or choices_in(line)
            if kind and not (quoted and not kind.choices):
                return kind
        if not quoted and _numeric(raw):
            return scale_in(self.words) or Kind()
        kind = choices_in(self.words)
        return kind if kind and raw in kind.choices else WORDS_KIND


def _numeric(raw: str) -> bool:
    return bool(re.search(r"\d", raw) or NUMBER_WORDS.search(raw))


def template_in(words: str) -> Template | None:
    """The template that stands in a prompt which speaks of JSON; None where there is none."""
    if not JSON_WORD.search(words):
        return None
    described = '"properties"' in words
    for place in [match.start() for match in KEY.finditer(words)][:TRIED]:
        if described and (schema := _schema(words, place)):
            return Template(schema=schema)
        try:
            found = _Reader(words, place, words).node("")
        except _Broken:
            continue
        if found.fields:
            return found
    return _named(words)


def _schema(words: str, place: int) -> bytes:
    """A whole JSON Schema that begins here, as JSON text; empty where none does."""
    depth = 0
    for at in range(place, min(len(words), place + 20_000)):
        depth += {"{": 1, "}": -1}.get(words[at], 0)
        if depth == 0:
            try:
                found = orjson.loads(words[place : at + 1])
            except ValueError:
                return b""
            return orjson.dumps(found) if isinstance(found.get("properties"), dict) and found.get("type", "object") == "object" else b""
    return b""


def _named(words: str) -> Template | None:
    """The keys that a sentence names: with the keys "label" (a/b) and "score" (1-7)."""
    for match in KEYS.finditer(words):
        names = NAMED.findall(match[0]) or LISTED.findall(match[1])
        names = [(name, said) for name, said in names if name not in ("json", "and", "the", "no", "other", "following")]
        if names:
            return Template(tuple((name, _field(name, said, words)) for name, said in names))
    return None


def _field(name: str, said: str, words: str) -> Template:
    if re.fullmatch(r"true(?:/| or |\|)false|bool(?:ean)?", said.strip(), re.IGNORECASE):
        return Template(truth=True, kind=WORDS_KIND)
    kind = kind_in(said)
    if kind is None and (NUMBER_WORDS.search(said) or NUMBER_WORDS.search(name)):
        kind = scale_in(words) or Kind()
    return Template(kind=kind or WORDS_KIND, quoted=not kind or bool(kind.choices) or kind.text)
