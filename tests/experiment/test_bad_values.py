"""What an experiment's files may not say: figures that are none, quotes that are never closed, holes that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from common.experiment.read import load

TOML = """name = "tea"
max_tokens = 100
{more}
[prompt]
user = "{user}"
[data]
file = "data.csv"
id = "id"
[[persona]]
id = "1"
name = "a reader"
{persona}
[[question]]
id = "q1"
name = "taste"
{question}
"""


def written(folder: Path, data: bytes = b"id,review\nr1,fine\nr2,late\n", user: str = "Rate {review}", **parts: str) -> Path:
    """An experiment with one thing changed."""
    text = TOML.format(user=user, **{"more": "", "persona": "", "question": ""} | parts)
    if parts.get("more", "").startswith("max_tokens"):
        text = text.replace("max_tokens = 100\n", "", 1)
    (folder / "experiment.toml").write_text(text)
    (folder / "data.csv").write_bytes(data)
    return folder


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e300", "9" * 25, "9" * 5000, "true", "[]"])
@pytest.mark.parametrize(
    ("part", "key"),
    [("more", "max_tokens"), ("more", "trials"), ("more", "reasoning_max_tokens"), ("more", "cut_off_factor"),
     ("persona", "temperature"), ("question", "min"), ("question", "max")],
)  # fmt: skip
def test_figures_are_finite(tmp_path: Path, part: str, key: str, value: str) -> None:
    """A figure that is none, or beyond all measure, is refused with the file and mostly the key; never a traceback."""
    with pytest.raises(InputError, match="experiment.toml") as refused:
        load(written(tmp_path, **{part: f"{key} = {value}"}))
    assert len(value) > 4000 or key in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [b'id,review\nr1,"fine\nr2,late\nr3,ok\n', b'id,review\nr1,"fine\nr2,late\nr3,"ok"\n', b'id,review\nr0,a\nr1,"fine" tea\n'],
)
def test_open_quote(tmp_path: Path, data: bytes) -> None:
    """A quote that is never closed takes no rows with it: refused with the line that its row begins in."""
    texts = load(written(tmp_path, data)).texts
    with pytest.raises(InputError, match=r"data.csv, line [23]: a quote is not closed"):
        list(texts.rows())


def test_doubled_braces(tmp_path: Path) -> None:
    """{{column}} asks the same of every row; braces around what is no column stay literal."""
    with pytest.raises(InputError, match="one brace"):
        load(written(tmp_path, user="Rate {{ review }}"))
    assert load(written(tmp_path, user="Rate {review} as {{score}}"))


def test_line_ends_do_not_count(tmp_path: Path) -> None:
    """The same rows with other line ends are the same data; the digest of then stays known beside it."""
    data = b"id,review\n" + b"".join(b"r%d,late\n" % n for n in range(200_000))  # more than one block
    one = load(written(tmp_path, data)).texts
    other = load(written(tmp_path, data.replace(b"\n", b"\r\n"))).texts
    assert {*one.former_digests} == {one.digest} == {other.digest} < {*other.former_digests}


def test_parameters_of_a_model_that_there_is_not(study: object) -> None:
    """They would never be sent, and nobody would know."""
    with pytest.raises(InputError, match=r"request\.model\.gpt-4\.11: no model has this alias; expected .*gpt-4\.1"):
        load(study(request='{model = {"gpt-4.11" = {seed = 1}}}'))
    assert load(study(request='{model = {"gpt-4.1" = {seed = 1}}}')).parameters.models == {"gpt-4.1": {"seed": 1}}
