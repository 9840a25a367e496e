"""The options of all commands, each declared once."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from common.cli.scripts import Script
from common.cli.values import amount, by, count, number, run_name, seconds
from common.results.formats import MOST_TEXTS
from common.text import one_line
from common.version import version

EXPERIMENT = Path(__file__).resolve().parents[2] / "experiments/literary"


class Option(NamedTuple):
    """One argument of argparse."""

    name: str
    help: str
    more: dict[str, Any]


def option(name: str, help: str, **more: Any) -> Option:
    """An option that takes a value, or an argument without dashes."""
    return Option(name, help, more)


def flag(name: str, help: str) -> Option:
    """An option that is there or not."""
    return Option(name, help, {"action": "store_true"})


def several(name: str, metavar: str, help: str) -> Option:
    """An option that takes values, and more of them each time."""
    return Option(name, help, {"nargs": "+", "action": "extend", "metavar": metavar})


class _Version(argparse.Action):
    """Says which version this is, read only when somebody asks."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"batch-experiments {version()}")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command in one line, and what was perhaps meant; all options are for who asks.

    `wanted`: what is said of a command that lacks what it cannot do without.
    """

    def __init__(self, prog: str, description: str, epilog: str | None = None, wanted: str = "") -> None:
        super().__init__(prog=prog, description=description, epilog=epilog, allow_abbrev=False)
        self.add_argument("--version", action=_Version, help="which version of the project this is")
        self._wanted = wanted

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        if self._wanted and re.search(r"(are|is) required", message):
            message = self._wanted
        else:
            message = f"{message}; {self._meant(message)}{self.prog} --help lists all options"
        self.exit(2, f"error: {one_line(message, 1500)}\n")

    def _meant(self, message: str) -> str:
        """The options that are written nearly like those which nobody knows."""
        unknown = re.findall(r"(--[a-z][\w-]*)", message) if message.startswith("unrecognized arguments") else []
        known = [name for name in self._option_string_actions if name.startswith("--")]
        near = dict.fromkeys(one for name in unknown for one in get_close_matches(name, known, 1, cutoff=0.75))
        return f"did you mean {' '.join(near)}? " if near else ""


def add(to: argparse._ActionsContainer, *options: Option) -> None:
    for name, text, more in options:
        to.add_argument(name, help=text, **more)


# ---- options that several commands have

LOCAL = flag("--local", "rehearse on the local batch service: no key, no cost, simulated answers")
HOST = option("--host", "which host answers (make hosts lists them); default: the usual one, or that whose key is set", metavar="NAME")
RESULTS = option("--results", "where results are (RESULTS_DIR, else results/)", metavar="DIR")
JSON = flag("--json", "print one JSON object instead of text")


def patience(default: float) -> Option:
    """How long a command waits by itself."""
    text = f"how long an unreachable provider is waited for (default {default:g})"
    return option("--patience", text, type=seconds, default=default, metavar="S")


# ---- the scripts

DO = (
    flag("--dry-run", "check, write the shards, show counts and price; send nothing"),
    flag("--exact-tokens", "let the provider count the prompt tokens first: costs nothing, but sends it the prompts"),
    flag("--no-wait", "submit and return; the same command collects later"),
    option("--status", "a batch id or a run: where it stands; collects what has ended", metavar="ID"),
    option("--cancel", "a batch id or a run: stop it; finished rows are kept", metavar="ID"),
    flag("--list", "all runs of this provider, and the account's batches if a key is there"),
    option("--retry-failed", "send every row of a run without a clean answer once more", metavar="RUN"),
    option("--max-tokens", "with --retry-failed: only answers that were cut off, with this cap on tokens", type=count, metavar="N"),
    option("--give-up", "a batch id or a run: close what is owed; rows that have not come count as paid", metavar="ID"),
)
ASK = (
    option(
        "--experiment",
        "a folder with an experiment.toml (default: experiments/literary)",
        type=Path,
        default=EXPERIMENT,
        metavar="PATH",
    ),  # fmt: skip
    option("--trials", "trials of each condition instead of the experiment's", type=count, metavar="N"),
    option("--limit", "at most N requests in all, shared evenly among the models", type=count, metavar="N"),
    option("--sample", "N requests, chosen at random and evenly over all factors", type=count, metavar="N"),
    option("--seed", "with --sample: another choice (default 1)", metavar="S"),
    several("--persona", "ID", "only these personas"),
    several("--text", "ID", "only these texts"),
    flag("--prime-cache", "Claude: of requests that share a long beginning, ask one first; the others then read it from the prompt cache"),
    flag("--fresh", "ask everything anew, also what the results folder has answers to already"),
    flag("--reuse", "with --run: take over answers that are there already, as runs without a name of their own do"),
    option("--run", "a name of your own; a new one repeats the experiment afresh", type=run_name, metavar="NAME"),
)
HOW = (
    LOCAL,
    HOST,
    option("--window", "how long batches may take, such as 1h or 72h, where the host sells that (default: its usual)", metavar="TIME"),
    option("--max-cost", "spending cap of the run (MAX_COST_USD, else 10; with --local none unless given)", type=amount, metavar="USD"),
    option("--parallel", "batches in flight at once (default 8)", type=count, default=8, metavar="N"),
    option(
        "--poll",
        "first interval between two looks (default 15; 0.2 on this machine); grows to 20 times that",
        type=seconds,
        metavar="S",
    ),  # fmt: skip
    option("--retries", "how often a row that failed for a passing reason is sent again (default 3)", type=number, default=3, metavar="N"),
    option("--grace", "how long a batch whose creation went unanswered is looked for (default 60)", type=seconds, metavar="S"),
    patience(3600.0),
    flag("--skip-invalid", "leave out requests that cannot be sent and go on with the others"),
    flag("--allow-retired", "send to a model that is known to be retired"),
    flag("--allow-unknown-price", "send although no price is known, so no cap can hold"),
    flag("--allow-simulated", "send questions about an earlier run's answers although those are simulated"),
    option(
        "--texts", f"one text file per answer beside the table (default: for at most {MOST_TEXTS:,} requests)",
        action=argparse.BooleanOptionalAction,
    ),  # fmt: skip
    RESULTS,
    option("--speed", "with --local: simulated seconds per second (default 3600)", type=seconds, metavar="X"),
    JSON,
)


LIVE = (
    flag("--live", "ask row by row, now, at the full price instead of in batches (standard processing); goes on where it stopped"),
    option("--by", "when it is needed: 18:00 (the next), or 2026-12-01T18:00; the plan says if that is likely", type=by, metavar="TIME"),
    Option(
        "--rescue", "with --by: so long before (30 minutes) cancel what is unanswered, and ask it row by row at the full price",
        {"nargs": "?", "const": 30.0, "type": seconds, "metavar": "MINUTES"},
    ),
    option("--slots", "with --live: at most N questions in the air at once; adapts below that (default 32)", type=count, metavar="N"),
    Option(
        "--answers", "with --host local: take answers from files that vllm run-batch has made of the run's shards; asks nothing",
        {"nargs": "+", "type": Path, "metavar": "FILE"},
    ),
    option("--base-url", "with --host local: its address, such as http://127.0.0.1:8000/v1 (LOCAL_BASE_URL)", metavar="URL"),
)


EXIT_CODES = (
    "Exit codes: 0 every request has an answer (with --no-wait: is sent); 1 not finished, or rows failed for good; 2 your input; "
    "3 the provider refused (key, quota); 130 detached."
)


def parser(script: Script) -> argparse.ArgumentParser:
    """All options of a script."""
    tier = option("--tier", "the account's usage tier, which says how much its queue holds (OPENAI_TIER, ANTHROPIC_TIER)", metavar="NAME")
    p = Parser(
        prog=f"python {script.name}",
        description="Run an experiment through a batch API at batch price; the same command again goes on where it stopped.",
        epilog=EXIT_CODES,
    )
    batch = flag("--batch", "submit, watch and collect" + ("" if script.needs_batch else " (the default here)"))
    usual = f"default: those alive of {', '.join(script.group)}" if script.group else "models by alias or id; make models lists them"
    model = several("--model", "ALIAS", usual)
    add(p.add_argument_group("what to do"), batch, LIVE[0], *DO)
    add(p.add_argument_group("what to ask"), model, *ASK)
    add(p.add_argument_group("how"), *LIVE[1:], *HOW, tier)
    p.set_defaults(model=[])
    return p


def study_options() -> argparse.ArgumentParser:
    """All options of a study at several providers."""
    p = Parser(
        prog="python tools/study.py",
        description="Ask one experiment of models at several providers: one plan, one price, one cap; each model goes to its host.",
        epilog=EXIT_CODES + " Of several, the worst.",
        wanted="which experiment? type: python tools/study.py experiments/literary --model gpt-4.1 claude-haiku-4-5",
    )
    add(
        p.add_argument_group("what to do"), flag("--batch", "submit, watch and collect (without it: the plan only)"),
        *(one for one in DO if one.name in ("--dry-run", "--exact-tokens", "--no-wait")),
    )  # fmt: skip
    add(
        p.add_argument_group("what to ask"),
        option("experiment", "a folder with an experiment.toml", type=Path, metavar="EXPERIMENT"),
        several("--model", "ALIAS", "models of any provider; each is sent to its own"),
        *(one for one in ASK if one.name != "--experiment"),
    )
    add(p.add_argument_group("how"), *HOW)
    p.set_defaults(model=[])
    return p


def collect_options() -> argparse.ArgumentParser:
    """All options of a look at every open run."""
    p = Parser(
        prog="python tools/collect.py",
        description="One look at every open run of every provider: collects what has ended, sends what its run was told to send, "
        "says what is left. Says nothing where nothing is open.",
        epilog="Exit codes: 0 nothing needs you; 1 a run waits for you, or rows failed for good; 2 your input; 3 a provider refused.",
    )
    kept = ("--poll", "--grace", "--skip-invalid", "--texts", "--speed")
    add(
        p, option("--max-cost", "spending cap of each run or study (else the one that it was sent with)", type=amount, metavar="USD"),
        flag("--quiet", "say nothing of a run to which nothing has happened: for cron, which mails whatever is said"),
        patience(60.0), RESULTS, JSON, *(one for one in HOW if one.name in kept),
    )  # fmt: skip
    return p
