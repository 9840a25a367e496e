"""`where` narrows a data set by a closed little language, and rows that cannot be asked are named or left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.errors import InputError
from common.experiment.data.where import Where
from tests.experiment.test_data import texts
from tests.support import Commands

COLUMNS = ["id", "lang", "stars", "big text", "Ａ"]
ROWS = [["r1", "ja", "3", "x", "1"], ["r2", "en", "10", "", "2"], ["r3", "ja", "", "y", "3"], ["r4", "", "2.50", "z", "4"]]


def kept(source: str) -> list[str]:
    """The ids of the rows that a condition keeps."""
    return [row[0] for _, row in Where(source, COLUMNS, InputError).narrow(enumerate(ROWS, 2))]


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        ("lang == 'ja'", "r1 r3"),
        ("'ja' != lang", "r2 r4"),
        ('lang == "ja" and stars == 3', "r1"),
        ("stars >= 3", "r1 r2"),  # as numbers: 10 is more than 3; a missing value is neither more nor less
        ("stars < 3", "r4"),
        ("3 > stars", "r4"),
        ("2 <= stars < 10", "r1 r4"),
        ("stars == 2.5", "r4"),
        ("stars == '2.5'", ""),
        ("stars != 3", "r2 r3 r4"),
        ("stars >= '3'", "r1"),  # as texts
        ("stars > -1", "r1 r2 r4"),
        ("lang in ('ja', 'en')", "r1 r2 r3"),
        ("stars in (3, 2.5, 'x')", "r1 r4"),
        ("stars not in (3, 10)", "r3 r4"),
        ("lang in ['en']", "r2"),
        ("lang in 'ja'", "r1 r3"),
        ("not lang == 'ja'", "r2 r4"),
        ("not (lang == 'ja' or lang == '')", "r2"),
        ("lang == 'ja' or lang == 'en' and stars > 99", "r1 r3"),  # and binds closer than or
        ("stars != '' and stars <= 3", "r1 r4"),
        ("column('big text') == 'z'", "r4"),
        ("Ａ == 3", "r3"),
        ("lang < id", "r1 r2 r3 r4"),
        (" (\nlang == 'en'\n) ", "r2"),
    ],
)
def test_rows_that_are_kept(source: str, ids: str) -> None:
    """What a condition keeps; numbers are compared as numbers where the condition names a number."""
    if ids:
        assert kept(source) == ids.split()
    else:
        with pytest.raises(InputError, match="leaves none of 4 rows"):
            kept(source)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("language == 'ja'", "no column 'language'; there are id, lang, stars"),
        ("lang == ja", "no column 'ja'"),
        ("column('x y') == 1", "no column 'x y'"),
        ("lang = 'ja'", "one = is written =="),
        ("lang == 'ja", "cannot be read"),
        ("big text == 'x'", 'column("its name")'),
        ("lang", "alone says nothing"),
        ("1 == 1", "no column"),
        ("stars > 2 + 1", "does not know 2 + 1"),
        ("lang.upper() == 'JA'", "does not know lang.upper()"),
        ("__import__('os').system('x') == 0", "does not know"),
        ("lang == None", "does not know None"),
        ("lang == True", "in quotes"),
        ("lang is 'ja'", "does not know lang is 'ja'"),
        ("lang in stars", "values in parentheses"),
        ("lang == -'x'", "does not know"),
        ("lang < 3", "in row 2 lang is 'ja', not a number"),
        ("(" * 300 + "lang == 'ja'" + ")" * 300, "cannot be read"),
        ("not " * 2500 + "lang == 'ja'", "nested too deeply|cannot be read|longer"),
        ("lang == '" + "x" * 10_000 + "'", "longer than 10,000"),
        ("lang == 'de'", "leaves none of 4 rows"),
    ],
)
def test_conditions_that_are_refused(source: str, word: str) -> None:
    """One line, with what is taken instead."""
    with pytest.raises(InputError) as refused:
        kept(source)
    assert any(part in str(refused.value) for part in word.split("|")) and "\n" not in str(refused.value)


def test_where_in_an_experiment(study: Callable) -> None:
    """Ids that are made stay those of the whole file; blanks in a condition begin no new run, another condition does."""
    data = "lang,text\nja,a\nen,b\nja,c\n"
    found = texts(study, "d.csv", data, where="lang == 'ja'")
    assert [(where, row[found.id_column]) for where, row in found.rows()] == [(2, "t1"), (4, "t3")]
    assert texts(study, "d.csv", data, where=" (lang  =='ja')").digest == found.digest
    assert texts(study, "d.csv", data, where="lang != 'ja'").digest != found.digest != texts(study, "d.csv", data).digest
    with pytest.raises(InputError, match=r"experiment.toml: data.where: no column 'x'"):
        texts(study, "d.csv", data, where="x == 1")


BLANK = "id,lang,review\nr1,ja,good\n,ja,fine\nr3,ja,\nr4,,\nr5,en, \nr6,ja,late\n"


def test_rows_that_cannot_be_asked(run: Commands, study: Callable) -> None:
    """All are named in one line; --skip-invalid leaves them out, says so, and asks the others."""
    folder = study({"d.csv": BLANK}, text=None, trials="1", prompt='{user = "Rate {review}"}', data='{file = "d.csv", id = "id"}')
    command = ("openai", "--batch", "--experiment", folder, "--model", "gpt-4.1")
    end = run(*command)
    words = "row 3: the text id is ''", "row 4: nothing stands in review", "row 5: ", "row 6: ", "--skip-invalid leaves them out"
    assert (end.code, [word for word in words if word not in end.said], run.world.billed()) == (2, [], {}), end.said
    end = run(*command, "--skip-invalid")
    assert (end.code, set(run.world.billed())) == (0, {"p1_gpt-4.1_n01_r1", "p1_gpt-4.1_n01_r6"}), end.said
    assert "left out: 4 requests that cannot be sent, e.g. d.csv, row 3" in end.said
