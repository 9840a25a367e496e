"""The converter scripts as a person runs them: messages, exit codes, files."""

import gzip
import json
from pathlib import Path

import orjson
import pytest

from common import cli
from tests.basics import ROOT, python

LITERARY = ROOT / "experiments" / "literary"
NAMES = ("面白さ", "驚き", "悲しみ", "怒り")
ANSWER = "\n".join(f"Q{n}. {name}(数値): {n}0\nQ{n}. {name}(理由): 理由です。" for n, name in enumerate(NAMES, 1))


def convert(*arguments, script="openai", cwd=None):
    done = python(ROOT / "tools" / script / "batch_result_converter.py", *arguments, cwd=cwd)
    assert "Traceback" not in done.stderr
    return done


def line(custom_id, text=ANSWER):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 5}
    body = {"created": 1790000000, "model": "gpt-4.1-2025-04-14", "choices": [choice], "usage": usage}
    return orjson.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}) + b"\n"


@pytest.fixture
def raw(tmp_path):
    """A raw output file with its error file, and a bad line."""
    path = tmp_path / "batch_1_output.jsonl"
    path.write_bytes(line("p1_gpt-4.1_n01_t1") + b"{bad\x1b[31m\n" + line("../../x"))
    error = {"custom_id": "p2_gpt-4.1_n01_t1", "response": None, "error": {"code": "batch_expired", "message": "late"}}
    path.with_name("batch_1_errors.jsonl").write_bytes(orjson.dumps(error) + b"\n")
    return path


def test_texts_beside_the_file(raw):
    """Without options there is one text file per request beside the raw file, and the report says all of it."""
    done = convert(raw)
    assert done.returncode == 0
    folder = raw.with_name("batch_1_output_texts")
    assert len(list(folder.iterdir())) == 3
    assert (folder / "p1_gpt-4.1_n01_t1.txt").is_file()
    assert "3 rows" in done.stdout
    assert "batch_1_errors.jsonl" in done.stdout
    assert "line 2: malformed" in done.stdout
    assert "\x1b" not in done.stdout
    assert sorted(p.name for p in raw.parent.iterdir()) == ["batch_1_errors.jsonl", raw.name, folder.name]


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_tables_with_answers_checked(raw, tmp_path, form):
    """A table is written where --out says; an experiment has the answers checked; --json tells programs."""
    done = convert(raw, "--format", form, "--out", tmp_path / "new" / "out", "--experiment", LITERARY, "--json")
    report = json.loads(done.stdout)["files"][0]
    assert done.returncode == 0
    assert Path(report["target"]).parent == tmp_path / "new" / "out"
    assert Path(report["target"]).stat().st_size > 0
    assert report["rows"] == 3
    assert report["validation"] == {"success": 2, "failed": 1}
    assert report["problems"][0]["line"] == 2


def test_several_files_at_once(raw, tmp_path):
    """With --jobs, files are converted in processes of their own; an error file named too is not read twice."""
    other = tmp_path / "batch_2_output.jsonl"
    other.write_bytes(line("a"))
    done = convert(raw, raw.with_name("batch_1_errors.jsonl"), other, "--jobs", "2", "--out", tmp_path / "o")
    assert done.returncode == 0
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["batch_1_output_texts", "batch_2_output_texts"]


@pytest.mark.parametrize("script", ["claude", "kluster"])
def test_the_other_providers(script, tmp_path):
    """The same for the other two scripts."""
    message = {"model": "m", "content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn", "usage": {"output_tokens": 1}}
    claude = orjson.dumps({"custom_id": "c", "result": {"type": "succeeded", "message": message}})
    path = tmp_path / "x.jsonl"
    path.write_bytes(claude if script == "claude" else line("c"))
    assert convert(path, script=script).returncode == 0
    assert (tmp_path / "x_texts" / "c.txt").is_file()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b" \r\n\n"), "is empty"),
        (lambda path: path.write_bytes(bytes(range(256)) * 9), "binary"),
        (lambda path: path.write_bytes(b"\x89PNG\0\0" * 20_000), "binary"),
        (lambda path: path.write_bytes(gzip.compress(bytes(range(256)) * 9)), "binary"),
        (lambda path: path.write_bytes(gzip.compress(b"")), "nothing in it can be unpacked"),
        (lambda path: path.write_bytes(gzip.compress(b"{}")[:9]), "nothing in it can be unpacked"),
    ],
)
def test_what_cannot_be_converted(make, told, tmp_path):
    """A file that is none gets one clear line and exit code 2."""
    path = tmp_path / "x.jsonl"
    make(path)
    done = convert(path)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


LINES = line("p1_gpt-4.1_n01_t1") + line("p1_gpt-4.1_n02_t1")
FORMS = [
    gzip.compress(LINES), gzip.compress(LINES) + b"\0garbage", gzip.compress(LINES.decode().encode("utf-16")), b"\xef\xbb\xbf" + LINES,
    *(LINES.decode().encode(code) for code in ("utf-16", "utf-16-le", "utf-16-be")), b"[" + LINES.strip().replace(b"\n", b",") + b"]",
]  # fmt: skip


@pytest.mark.parametrize("content", FORMS, ids=range(len(FORMS)))
def test_other_forms_of_a_file(content, tmp_path, capsys):
    """Packed, in UTF-16 or with a mark: what the reader reads is not refused at the door."""
    path = tmp_path / "b_output.jsonl"
    path.write_bytes(content)
    assert cli.converter("openai", [str(path), "--format", "csv"]) == 0
    assert ": 2 rows" in capsys.readouterr().out


def test_one_of_several_cannot_be_converted(raw, tmp_path, capsys):
    """It is named with why, the others are converted, and the exit code is 1; also in processes of their own."""
    bad = tmp_path / "batch_0_output.jsonl"
    bad.write_bytes(b"")
    for jobs in ("1", "2"):
        assert cli.converter("openai", [str(bad), str(raw), "--format", "csv", "--jobs", jobs]) == 1
        said = capsys.readouterr()
        assert (f"not converted: {bad} is empty" in said.out, "3 rows" in said.out, said.err) == (True, True, "")
    assert cli.converter("openai", [str(bad), str(raw), "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)["files"]
    assert ("is empty" in first["error"], first["target"], second["rows"], "error" in second) == (True, None, 3, False)


def test_no_row_at_all(tmp_path):
    """A text of another kind: its lines are listed, at most 20, nothing is made, exit code 1."""
    path = tmp_path / "notes.txt"
    path.write_text("hello\n" * 50)
    done = convert(path, "--format", "csv")
    assert done.returncode == 1
    assert done.stdout.count("malformed: not JSON") == 20
    assert "and 30 more" in done.stdout
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_that_cannot_be_written(raw, tmp_path):
    """A file in the place of the output folder: one clear line and exit code 2."""
    (tmp_path / "taken").write_text("")
    for form in ("text", "csv"):
        done = convert(raw, "--format", form, "--out", tmp_path / "taken")
        assert done.returncode == 2
        assert "--out" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_same_names_would_replace_each_other(raw, tmp_path):
    """Two files of one name and one --out: refused before anything is written."""
    other = tmp_path / "other" / raw.name
    other.parent.mkdir()
    other.write_bytes(raw.read_bytes())
    done = convert(raw, other, "--out", tmp_path / "o")
    assert done.returncode == 2
    assert not (tmp_path / "o").exists()


def test_help_and_bad_options(raw):
    """--help names the options; an option that cannot be is refused."""
    assert "--experiment" in convert("--help").stdout
    assert convert(raw, "--format", "docx").returncode == 2
    assert convert(raw, "--jobs", "0").returncode == 2
    assert "no such experiment" in convert(raw, "--experiment", "nowhere").stderr
