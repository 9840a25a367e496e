"""The page: what it says, that it needs nothing beside itself, and that nothing foreign in it is ever more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.nouns import Question
from common.reports.apart import farthest
from common.reports.facts import Facts
from common.reports.page import BANNER, VIEWS, page
from common.reports.reliability import icc_raters, icc_repeats
from common.results.origin import Meta
from tests.reports.made import COLOUR, JOY, Golden, answer, facts_of, row
from tests.reports.test_reliability import sums

TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "p", "nav", "a", "main", "section", "div",
    "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "small", "b", "i", "bdi", "br", "code", "pre",
    "svg", "line", "circle", "rect", "ol", "li", "span",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "class", "role", "id", "href", "scope", "tabindex", "aria-label",
    "aria-hidden", "dir", "style", "open", "height", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width",
}  # fmt: skip
VOID = {"meta", "br"}
HOSTILE = [
    "<script>alert(1)</script>", "</td></table><img src=x onerror=alert(1)>", '" onmouseover="alert(1)', "' style='position:fixed",
    "</pre></style><style>body{display:none}",
    '=HYPERLINK("http://evil")', "\x1b[31mred\x1b[0m", "\u202egnp.exe", "\ud800", "\0", "{0} {evil} $title",
    "${links}", "<!-- ", "]]>", "&lt;b&gt;", "javascript:alert(1)", "a" * 3_000, "\u200f", "+1+1", "@SUM(1)",
]  # fmt: skip


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.words, self.cells, self.open = set(), [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open[-1:] != ["pre"]:  # a prompt is shown as it was sent
            self.cells.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


def checked(facts: Facts) -> tuple[str, Seen]:
    """A page that is whole, and of which nothing can act or reach out."""
    text = page(facts).decode("utf-8")
    seen = Seen(text)
    assert seen.open == [] and seen.tags <= TAGS, seen.tags - TAGS
    assert {name for name, _ in seen.attributes} <= ATTRIBUTES
    assert all(re.fullmatch(r"--v:[01]\.[0-9]{2}", value) for name, value in seen.attributes if name == "style")
    assert {value for name, value in seen.attributes if name == "href"} == {f"#{key}" for key, _ in VIEWS}
    assert {value for name, value in seen.attributes if name == "id"} == {key for key, _ in VIEWS}
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style and text.count("<style>") == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    return text, seen


def grid(models: str = "ab", personas: str = "12", texts: tuple = ("t1", "t2"), trials: int = 3, simulated: bool = False) -> list:
    """Rows in which model b is 4 higher on t2, and else 1."""
    found = []
    for model, persona, text, trial in product(models, personas, texts, range(1, trials + 1)):
        joy = (2 + trial + int(persona)) / 2 + (model == "b") * (4 if text == "t2" else 1)
        meta = Meta(f"p{persona}_{model}_n{trial}_{text}", model, model, persona, f"reader {persona}", trial, text, f"Title {text}")
        found.append(row(meta, answer(joy, "red" if model == "a" else "blue", f"reason of {model}"), [JOY, COLOUR], simulated=simulated))
    return found


def words(seen: Seen) -> str:
    """All text, its blanks made one."""
    return " ".join("".join(seen.words).split())


def test_what_it_says() -> None:
    """Sum, means, agreement, differences, who is farthest apart, time: as one can work them out by hand."""
    facts = facts_of(grid())
    text, seen = checked(facts)
    said = words(seen)
    assert [m[1] for m in re.finditer(r'<section id="(\w+)"', text)] == [key for key, _ in VIEWS]
    assert "24 requests were asked, 24 of them (100.0%) were answered" in said and "the sum adds up" in said
    cube = facts.parts["study",].cube
    assert (5 + cube.by(0, "model")["b",].mean, cube.by(1, "model")["b",].counts) == (pytest.approx(2.75 + 2.5), {"blue": 12})
    assert "a5.25" not in said and re.search(r"b.{0,20}5\.25", said)
    first = farthest(facts.parts["study",])[0]
    assert (first.place, first.spread, first.n) in [(("t2",), pytest.approx(0.5), 1), (("t1",), pytest.approx(0.5), 1)]
    assert "reason of b" in said and "p1_a_n1_t1" in said
    assert re.search(r"a − b.{0,80}−2\.50.{0,60}4", said)
    assert re.search(r"batch_1openai/studystudy24.{0,40}2 min50 s3 min", said)
    assert BANNER not in text and 'class="banner"' not in text


def test_coefficients_of_complete_data() -> None:
    """ICC of numbers and kappa of choices as the table of means gives them, over the conditions that all models answered."""
    whole = grid()
    facts = facts_of([*whole, *grid(("a",), ("9",), ("t1",))])  # one more condition, of one model
    said = words(checked(facts)[1]).split("kappa of choices")[-1].split("Differences")[0]
    joy = [[2 + persona / 2 + more for more in (0, 4 if text == 2 else 1)] for persona in (1, 2) for text in (1, 2)]
    assert f"between models{icc_raters(joy):.3f} ICC(2,1): 4 of 5".replace("-", "−") in said
    assert "0.000 Cohen: 4 of 5" in said  # a always says red and b always blue: no more than chance
    repeats = icc_repeats(sums([2 + trial / 2 + persona / 2 for trial in range(3)]) for persona in (1, 1, 2, 2, 9))
    assert f"trials of a{repeats:.3f} ICC(1,1): 5 of 5–" in said
    alone = words(checked(facts_of(grid(("a",))))[1])
    assert "between models– –" in alone and "Cohen:" not in alone


def test_failures_with_an_example() -> None:
    """By class, with the words of one; and answers in which something is missing."""
    rows = [
        row(Meta("id1", "m"), "", [JOY, COLOUR], "expired", "too <late>"), row(Meta("id2", "m"), "", [JOY, COLOUR], "expired", "later"),
        row(Meta("id3", "m"), "Q1. Joy(value): 99\nnothing else", [JOY, COLOUR]), row(Meta("id4", "m"), answer(3, "red"), [JOY, COLOUR]),
    ]  # fmt: skip
    said = words(checked(facts_of(rows))[1])
    assert "expired2id1 too <late>" in said
    assert re.search(r"value outside 0–10\s?1id3", said)


def test_what_is_to_come_is_no_failure() -> None:
    """Pending requests are told as such, and a question without values has a line and no empty tables."""
    text, seen = checked(facts_of([row(Meta(f"id{n}", "m"), "", [JOY, COLOUR], "pending", "no answer in batch b") for n in range(3)]))
    said = words(seen)
    assert "0 of them (0.0%) were answered. 3 are still to come." in said and "FailuresNone." in said and "no answer in batch" not in said
    assert said.count("No value was found yet.") == 2 and "distribution" not in said
    assert "still to come" not in words(checked(facts_of(grid()))[1])


def test_nothing_answered_nothing_asked() -> None:
    """Without answers, or without questions, the page says so."""
    assert "None." not in words(checked(facts_of([row(Meta("id", "m"), "", [JOY, COLOUR], "expired")]))[1])
    assert "have no questions" in words(checked(facts_of([row(Meta("id", "m"), "x", [])], []))[1])
    free = Question("Q1", "Why", type="text")
    assert "No question has numbers or choices" in words(checked(facts_of([row(Meta("id", "m"), "x", [free])], [free]))[1])


def test_a_rehearsal_cannot_be_missed() -> None:
    """A banner before everything, and a mark at each view."""
    text, seen = checked(facts_of(grid(simulated=True)))
    assert text.index(BANNER) < text.index("<h1>") and text.count('class="mark"') == len(VIEWS)
    assert "as if $" in words(seen)
    assert 'class="banner"' in checked(facts_of(grid(), address="local"))[0]


def test_beside_gold() -> None:
    """Answers against the right ones, in any of their spellings: the share, and what was taken for what."""
    asked = [Golden(*[getattr(COLOUR, name) for name in Question.__dataclass_fields__ if name != "gold"], gold="truth")]
    said = [("Crimson", "red"), ("red", "blue"), ("blue", "blue"), ("", "blue"), ("blue", "?")]
    rows = [row(Meta(f"id{n}", "m", kept=(gold,)), f"Q2. Colour(value): {word}", asked) for n, (gold, word) in enumerate(said)]
    facts = facts_of(rows, asked, [("truth", "truth", "data")])
    (pairs,) = facts.parts["study",].gold.values()
    assert pairs == {("red", "red"): 1, ("red", "blue"): 1, ("blue", "blue"): 1, ("blue", ""): 1}
    assert "m: 2 of 4 as in gold (50.0%)" in words(checked(facts)[1])


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(HOSTILE) | st.text(max_size=40))
@example("<script>alert(1)</script>")
@example("\ud800\x1b[2J\u202e")
def test_hostile_words_everywhere(evil: str) -> None:
    """In every name, answer, reason, error and record: still a page in which nothing acts."""
    asked = [Question(evil, evil, 0.0, 10.0), Question("Q2", evil, type="choice", choices=((evil + "1", ()), ("blue", ())), reason="no")]
    rows = []
    for model, trial in product((evil, "b"), (1, 2)):
        meta = Meta(evil + str(trial), model, evil, evil, evil, trial, evil, evil, kept=(evil,))
        made = row(meta, evil, asked, message=evil)
        checks = made.checked._replace(values=(3.0 if model == evil else 4.0, evil + "1"), reasons=(evil, evil), problems=(evil,))
        rows += [made._replace(checked=checks), row(meta, evil, asked, evil, evil)]
    record = {"versions": {evil: evil}, "files": [{"name": evil}, evil], "asked": {"user": evil, "turns": [[evil]], evil: {evil: evil}},
              "models": [{"alias": evil, "id": evil, "ids_reported": [evil]}, evil]}  # fmt: skip
    text, seen = checked(facts_of(rows, asked, [(evil, evil, "factor")], evil, record, evil))
    assert len(text) < 400_000
    assert not [word for word in seen.cells if word.lstrip()[:1] in tuple("=@＝＠")]
    for tag in ("<script", "<img", "onerror=alert(1)>"):
        assert tag not in text


def test_a_very_long_answer() -> None:
    """A megabyte in one cell, or in the record, is cut."""
    long = "long <b> " * 120_000
    rows = [row(Meta("i1", "m"), answer(1, "red", long), [JOY, COLOUR]), row(Meta("i2", "n"), answer(9, "red", long), [JOY, COLOUR])]
    rows.append(row(Meta("i3", "m"), "", [JOY, COLOUR], "expired", long))
    text, _ = checked(facts_of(rows, record={"asked": {"user": long}}))
    assert len(text) < 60_000 and "more characters" in text


def test_the_size_is_bounded() -> None:
    """Many models, personas, texts and questions: a page that still opens."""
    asked = [Question(f"Q{n}", f"Question {n}", reason="no") for n in range(8)]
    said = ["\n".join(f"{q.id}. {q.name}(value): {n}" for q in asked) for n in range(97)]
    rows = [row(Meta(f"i{n}", f"m{n % 7}", persona=f"p{n % 3}", text=f"t{n % 61}"), said[n % 97], asked) for n in range(1300)]
    assert len(page(facts_of(rows, asked))) < 5_000_000
