"""A command that cannot be read is told in one line with what to type, whichever it is; all options are for who asks."""

from __future__ import annotations

import pytest

from common import cli
from common.cli import options, tool_options
from common.cli.options import Parser

PARSERS = {
    **{script.name: options.parser(script) for script in cli.SCRIPTS.values()},
    **{tool.converter: tool_options.converter_options(tool) for tool in cli.TOOLS.values()},
    **{tool.cleanup: tool_options.cleanup_options(tool) for tool in cli.TOOLS.values()},
    **{name: tool_options.target(name) for name in tool_options.TARGETS},
    "study": options.study_options(), "collect": options.collect_options(),
}  # fmt: skip


def refused(parser: Parser, capsys: pytest.CaptureFixture, *words: str) -> str:
    """The one line that a command gets."""
    with pytest.raises(SystemExit) as end:
        parser.parse_args(words)
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert (end.value.code, said.out) == (2, "") and line.startswith("error: ")
    return line


@pytest.mark.parametrize("name", PARSERS)
def test_an_option_that_there_is_not(name: str, capsys: pytest.CaptureFixture) -> None:
    """One line, which says how to see those that there are, or what the command lacks besides."""
    line = refused(PARSERS[name], capsys, "--no-such-thing")
    assert line.endswith("--help lists all options") or line.startswith("error: which ")


@pytest.mark.parametrize("name", ["browse", "export", "forget", "rescore"])
def test_no_run_is_named(name: str, capsys: pytest.CaptureFixture) -> None:
    """What to type."""
    assert refused(PARSERS[name], capsys) == f"error: which runs? type: make {name} RUN=NAME; make status lists the runs"


def test_what_was_perhaps_meant(capsys: pytest.CaptureFixture) -> None:
    """Options that are written nearly so are named, each once; a word behind them is none, and nothing is guessed from afar."""
    line = refused(PARSERS["openai_example.py"], capsys, "--batch", "--modle", "gpt-4.1", "--trails=3", "--modle", "a\nb", "--zzzzzz")
    assert line == (
        "error: unrecognized arguments: --modle gpt-4.1 --trails=3 --modle a b --zzzzzz; did you mean --model --trials? "
        "python openai_example.py --help lists all options"
    )


def test_a_file_and_an_experiment_are_missing(capsys: pytest.CaptureFixture) -> None:
    """The whole command stands there."""
    deepseek = next(tool for tool in cli.TOOLS.values() if "deepseek" in tool.runs)
    line = refused(PARSERS[deepseek.converter], capsys)
    assert line == f"error: which file? type: python {deepseek.converter} results/deepseek/batch_results/BATCH_ID_output.jsonl"
    assert refused(PARSERS["study"], capsys).startswith("error: which experiment? type: python tools/study.py experiments/literary ")
