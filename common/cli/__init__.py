"""The command lines: what the entry files call. Each call passes the door and the guard before it imports anything else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from common.cli import door, options, tool_options
from common.cli.scripts import SCRIPTS, TOOLS, Script, Tool

Work = Callable[[argparse.Namespace, Sequence[str]], int]


def main(script: Script, argv: Sequence[str] | None = None) -> int:
    """One of the scripts; returns the exit code. No traceback leaves it unless DEBUG is set."""

    def work(args: argparse.Namespace, arguments: Sequence[str]) -> int:
        from common.cli.commands import command

        return command(script, args, arguments)

    is_live = not {"--live", "--host"}.isdisjoint(sys.argv if argv is None else argv)
    said = "stopped: what is in the air comes back and is kept" if is_live else "detached: submitted batches go on at the provider"
    return _run(f"python {script.name}", options.parser(script), argv, work, said)


def converter(name: str, argv: Sequence[str] | None = None) -> int:
    """The batch_result_converter.py of a folder of tools/; returns the exit code."""
    tool = TOOLS[name]

    def work(args: argparse.Namespace, arguments: Sequence[str]) -> int:
        from common.cli.convert import command

        return command(tool, args)

    return _run(
        f"python {tool.converter}", tool_options.converter_options(tool), argv, work,
        "interrupted: no table is left half written", "No table is left half written; choose another place with --out DIR",
    )  # fmt: skip


def cleanup(name: str, argv: Sequence[str] | None = None) -> int:
    """The batch_cleanup.py of a folder of tools/; returns the exit code."""
    tool = TOOLS[name]

    def work(args: argparse.Namespace, arguments: Sequence[str]) -> int:
        from common.cli.clean import command

        return command(tool, args)

    return _run(
        f"python {tool.cleanup}", tool_options.cleanup_options(tool), argv, work,
        "interrupted: what was deleted is in results/backups, the rest is still at the provider",
        "Nothing was deleted that is not in results/backups",
    )  # fmt: skip


def study(argv: Sequence[str] | None = None) -> int:
    """tools/study.py; returns the exit code."""

    def work(args: argparse.Namespace, arguments: Sequence[str]) -> int:
        from common.cli.several import command

        return command(args, arguments)

    said = "detached: submitted batches go on at their providers"
    return _run("python tools/study.py", options.study_options(), argv, work, said)


def collect(argv: Sequence[str] | None = None) -> int:
    """tools/collect.py; returns the exit code."""

    def work(args: argparse.Namespace, arguments: Sequence[str]) -> int:
        from common.cli.rounds import command

        return command(args)

    return _run("python tools/collect.py", options.collect_options(), argv, work, "stopped")


def make(target: str, argv: Sequence[str] | None = None) -> int:
    """What stands behind a make target that looks at the results folder (see tool_options.TARGETS); returns the exit code."""

    def work(args: argparse.Namespace, arguments: Sequence[str]) -> int:
        from common.cli.tool import TARGETS

        return TARGETS[target](args)

    typed = f"python tools/{target}.py" if target in tool_options.WITH_WORDS else f"make {target}"
    return _run(typed, tool_options.target(target), argv, work, "stopped")


def _run(
    typed: str, parser: argparse.ArgumentParser, argv: Sequence[str] | None, work: Work,
    interrupted: str, nothing_lost: str = "Nothing is lost",
) -> int:  # fmt: skip
    """Read the options and do the work, behind the door and the guard."""
    door.enter()
    from common.cli.exits import again, guarded

    arguments = list(sys.argv[1:] if argv is None else argv)
    go_on = typed if typed.startswith("make ") else again(typed, arguments)
    return guarded(lambda: work(parser.parse_args(arguments), arguments), go_on, interrupted, nothing_lost)


__all__ = ["SCRIPTS", "TOOLS", "Script", "Tool", "cleanup", "collect", "converter", "main", "make", "study"]
