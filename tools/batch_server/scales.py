"""Owns the scales and choices that words name: "from 1 to 7", "0から100まで", "[a|b|c]", "one of: x, y, z", "yes or no"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

# One character to one character, so that a place in the folded text is the same place in the original.
FOLD = str.maketrans(
    {0xFF10 + n: str(n) for n in range(10)}
    | dict.fromkeys((0x2212, 0x2013, 0x2014, 0x2010, 0x2011, 0xFF0D), "-")
    | {0x301C: "~", 0xFF5E: "~", 0xFF0B: "+", 0xFF1D: "=", 0xFF0F: "/", 0xFF5C: "|", 0xFF08: "(", 0xFF09: ")"}
)
_N = r"[-+]?\d{1,6}(?:\.\d{1,3})?"
_GLOSS = r"(?:\s*\([^()\n]{0,80}\)|\s*=\s*[^\n,;=]{1,40}?|「[^」\n]{0,40}」)?"
_TO = r"(?:-|~|\.{2,3}|…|\b(?:to|through|and|bis|und|à|et|hasta|al?)\b|から|到|至|에서|부터)"
RANGE = re.compile(rf"(?<![\d.\-/:])({_N})[点점分]?{_GLOSS}[ \t]*({_TO})[ \t]*({_N})(?![\d/:]|-\d|\.\d)", re.IGNORECASE)
UNIT = re.compile(
    r"\s*(?:sentences?|words?|lines?|paragraphs?|characters?|letters?|"
    r"minutes?|hours?|days?|weeks?|years?|items?|examples?|pages?|people|Sätze|"
    r"文|字|語|行|年|月|日|時|週|秒|個|つ|人|章|歳|ページ|단어|문장|句)",
    re.IGNORECASE,
)
POINTS = re.compile(r"\b(\d{1,2})[- ]point\b|(\d{1,2})\s*(?:段階|件法)|(\d{1,3})点満点|out of (\d{1,3})\b", re.IGNORECASE)
ANCHOR = re.compile(rf"(?<![\d.\-/])({_N})\s*(?:=(?=\s*[^\W\d])|は「|[:\uff1a] ?「)")
BETWEEN = re.compile(r"between|zwischen|entre|de|von", re.IGNORECASE)
SCALE_WORDS = re.compile(
    r"scale|rat(?:e|ing)|scor(?:e|ing)|number|integer|range|likert|grade|how (?:much|strong|likely)|skala|bewert|zahl|échelle|not(?:e|ez)|"
    r"escala|評価|点|数値|数字|整数|尺度|段階|程度|強さ|スコア|값|점|척도|숫자|分数|评分|評分|打分",
    re.IGNORECASE,
)
DECIMALS = re.compile(r"decimal|probabilit|小数|確率|概率|Wahrscheinlichkeit", re.IGNORECASE)
SEVERAL = re.compile(
    r"all that apply|one or more|any (?:number )?of|several|すべて選|全て選|当てはまるもの|複数|所有适用|모두", re.IGNORECASE
)
YES_NO = re.compile(
    r"\b(yes)\b[\"'”]?\s*(?:or|/|\||,)\s*[\"'“]?\b(no)\b|\b(true)\b[\"'”]?\s*(?:or|/|\||,)\s*[\"'“]?\b(false)\b|"
    r"\b(ja)\s*(?:oder|/)\s*(nein)\b|"
    r"\b(oui)\s*(?:ou|/)\s*(non)\b|\b(sí)\s*(?:o|/)\s*(no)\b|(はい)[」\"]?(?:か|または|もしくは|[/|・、,])\s*[「\"]?(いいえ)|"
    r"(是)[」\"]?(?:或|[/|、])\s*[「\"]?(否)|(네|예)\s*(?:또는|[/|,])\s*(아니요|아니오)",
    re.IGNORECASE,
)
WORDS = re.compile(r"reason|explan|sentence|your |text|words?\b|why|comment|e\.g\.|理由|根拠|説明|文|begründ|raison|이유", re.IGNORECASE)
NUMBER_WORDS = re.compile(r"number|integer|score|value|rating|int\b|float|数値|数字|整数|点数|点|スコア|zahl|숫자|점수", re.IGNORECASE)
LEAD = re.compile(
    r"(?:one|any|all|some|which|one or more) of(?: the| these| those)?(?: following)?(?: [a-z]+){0,2}?\s*:|"
    r"exactly one of|\bone of|choose (?:from|between|among)|"
    r"\beither|(?:options?|labels?|categor(?:y|ies)|choices?|classes|selection)(?: are| is)?\s*:|"
    r"(?:answer|reply|respond)(?: only| just)? with\s*:?|(?:classif|label|categori)[a-z]*(?: [^.:\n]{0,60}?)? (?:as|into)\b\s*:?|"
    r"eines von|選択肢\s*[:\uff1a]|次の(?:いずれか|うち|中)[^::\n「]{0,20}[:\uff1a]?",
    re.IGNORECASE,
)
ANSWER_OR = re.compile(
    r"\b(?:answer|reply|respond|say|write)(?: only| just)? ((?:[\w\"'-]+, ?)*[\w\"'-]+,? or [\w\"'-]+)(?=[\s.,]|$)", re.IGNORECASE
)
KA_KA = re.compile(r"([^\s。、,「」\uff1a:はをがで]{1,10})か([^\s。、,「」\uff1a:]{1,10})か(?=で|を|の|、|答え)")
JOINED = re.compile(
    r"\s*(?:[,;|/、・]|\bor\b|\bund\b|\boder\b|\band\b|または|もしくは)\s*(?:(?:or|and|oder|または)\b\s*)?", re.IGNORECASE
)
QUOTED = re.compile(r"[\"“'‘「『`]([^\"”'’」』`\n]{1,40})[\"”'’」』`]")
WHICH_JA = re.compile(
    r"((?:[「『][^」』\n]{1,30}[」』](?:[、,・/]|または|もしくは|か|と)?){2,})|"
    r"(NAME(?:(?:[、,/・]|または)NAME){1,9})(?=の(?:いずれか|どれか|中から|うち))".replace(
        "NAME", r"(?:(?!または)[^\s。、,「」:\uff1a/・]){1,15}"  # without what joins names, or a long row of these takes for ever
    )
)
BULLETS = re.compile(r"\s*(?:\n[ \t]*(?:[-*•・]|\d{1,2}[.)])[ \t]*([^\n]{1,120}))+")
BULLET = re.compile(r"\n[ \t]*(?:[-*•・]|\d{1,2}[.)])[ \t]*([^\n]{1,120})")
EXPLAINED = re.compile(r"\s*(?:[:\uff1a]|\s[-–—]\s|[(\uff08])")
END = re.compile(r"[.。!?](?:\s|$)|\n|[)\uff09\]](?=[.\s]|$)")
OPENINGS = " :\uff1a\t([\uff08"
TAIL = re.compile(r"\s+(?:only|with|in|for|as|and nothing|without)\b.*$|[のでをにから]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """What one answer is to be: a number on a scale, one (or several) of `choices`, or, with `text`, words."""

    low: float = 0
    high: float = 100
    digits: int = 0
    signed: bool = False
    choices: tuple[str, ...] = ()
    several: bool = False
    text: bool = False

    @cached_property
    def whole(self) -> bool:
        """Whether a value is a whole number without a sign before it."""
        return not (self.choices or self.text or self.digits or self.signed)


WORDS_KIND = Kind(text=True)


def scale_in(text: str, ranked: bool = False) -> Kind | None:
    """The scale that a text names; of several the last one that a word such as "rate" stands near. `ranked`: only such a one."""
    folded = text.translate(FOLD)
    best: tuple[int, int, Kind] | None = None
    for match in RANGE.finditer(folded):
        kind = _ranged(match, folded)
        near = folded[max(0, match.start() - 60) : match.end() + 30]
        rank = 1 if kind and (SCALE_WORDS.search(near) or folded[match.start() - 1 : match.start()] in tuple("[<{")) else 0
        if kind and rank >= ranked and (best is None or rank >= best[0]):
            best = (rank, match.start(), kind)
    return best[2] if best else _pointed(folded)


def _ranged(match: re.Match[str], folded: str) -> Kind | None:
    low, word, high = match.groups()
    if UNIT.match(folded, match.end()) or float(low) >= float(high) or float(low) >= 1000:
        return None
    if word.lower() in ("and", "und", "et", "a") and not BETWEEN.search(folded[max(0, match.start() - 12) : match.start()]):
        return None
    digits = max(len(low.partition(".")[2]), len(high.partition(".")[2]))
    if not digits and float(high) == 1 and float(low) == 0 and DECIMALS.search(folded):
        digits = 2
    return Kind(float(low), float(high), digits, signed=high.startswith("+"))


def _pointed(folded: str) -> Kind | None:
    """A scale by its number of points, or by the words at its ends."""
    for match in POINTS.finditer(folded):
        point, grade, full, out_of = match.groups()
        if 2 <= int(point or grade or full or out_of) <= 100:
            return Kind(0 if full else 1, float(point or grade or full or out_of))
    ends = [float(match[1]) for match in ANCHOR.finditer(folded)]
    return Kind(min(ends), max(ends)) if len(set(ends)) > 1 else None


def choices_in(text: str) -> Kind | None:
    """The choices that a sentence names: after words like "one of", in Japanese before のいずれか, yes or no."""
    found: tuple[int, tuple[str, ...]] | None = None
    for match in list(LEAD.finditer(text))[-20:]:  # the last one wins; a prompt that has thousands must not cost seconds
        if len(options := _listed(text, match.end())) > 1:
            found = (match.start(), options)
    for match in ANSWER_OR.finditer(text):
        if len(options := _split(match[1])) > 1:
            found = (match.start(), options)
    for match in KA_KA.finditer(text):
        found = (match.start(), match.groups())
    for match in WHICH_JA.finditer(text):
        options = tuple(QUOTED.findall(match[0])) if match[1] else _split(match[2])
        behind = text[match.end() : match.end() + 12]
        if len(options) > 1 and (match[2] or re.match(r"の(?:いずれ|どれ|中|うち|どちら)|から|で答え|で回答|を選|どちら", behind)):
            found = (match.start(), options)
    for match in YES_NO.finditer(text):
        if found is None or match.start() > found[0] + 80:
            found = (match.start(), tuple(filter(None, match.groups())))
    return Kind(choices=found[1], several=bool(SEVERAL.search(text))) if found else None


def _listed(text: str, at: int) -> tuple[str, ...]:
    """The options that stand behind words like "one of": on the same line, or as a list below."""
    end = END.search(text, at)
    line = text[at : end.start() if end else len(text)].strip(OPENINGS)
    if not line and (bullets := BULLETS.match(text, at)):
        found = [EXPLAINED.split(item, maxsplit=1)[0].strip(" *`\"'「」") for item in BULLET.findall(bullets[0])]
        return tuple(dict.fromkeys(filter(None, found)))
    quoted = QUOTED.findall(line)
    return tuple(dict.fromkeys(quoted)) if len(quoted) > 1 else _split(line)


def _split(words: str) -> tuple[str, ...]:
    """Options out of "a, b or c"; none where these are no short names."""
    options = [part.strip(" \"'“”「」`*.。") for part in JOINED.split(words)]
    if options:
        options[-1] = TAIL.sub("", options[-1])
    options = [option for option in options if option]
    fits = all(len(option) <= 40 and option.count(" ") <= 2 and not WORDS.search(option) for option in options)
    return tuple(dict.fromkeys(options)) if fits and len(options) > 1 else ()


def kind_in(place: str) -> Kind | None:
    """What stands at the place of an answer, `[1-7]`, `[a|b]`, `<reason>`; None where it says nothing."""
    inner = place.strip().strip("[]<>{}\uff3b\uff3d ").strip("\"'“” ")
    if not inner:
        return None
    if (scale := scale_in(inner)) and len(inner) < 60:
        return scale
    for sign in ("|", "\uff5c", "/", "\uff0f", "・"):
        options = [option.strip(" \"'") for option in inner.split(sign)]
        if len(options) > 1 and all(0 < len(option) <= 60 for option in options):
            return Kind(choices=tuple(dict.fromkeys(options)))
    if found := choices_in(inner):
        return found
    if WORDS.search(inner):
        return WORDS_KIND
    options = _split(inner)
    return Kind(choices=options, several=bool(SEVERAL.search(inner))) if options else None
