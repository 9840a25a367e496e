"""The four scripts as people use them: every documented command, literally, and what it leaves behind, by the service's books."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.basics import ROOT, SCRIPTS
from tests.cli.scripts import INPUT, MODEL, OK, only_run, table
from tests.service import HTTP
from tests.support import NO_KEY, REAL, Commands
from tests.torture.world import World


@dataclass
class Local:
    """The embedded service, kept by a lease for all tests of --local, and a results folder that they share."""

    commands: Commands
    base_url: str

    def creates(self) -> list[dict]:
        """Every batch that was made."""
        return HTTP.get(f"{self.base_url}/_control/ledger").json()["creates"]


HOLD = """
import sys
from pathlib import Path
from common.providers import local
with local.account("openai", Path(sys.argv[1])) as account:
    print(account.base_url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def rehearsal(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """Commands with --local: no keys, the providers' own addresses in the environment."""
    results = tmp_path_factory.mktemp("rehearsal") / "results"
    command = [sys.executable, "-c", HOLD, str(results)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        commands = Commands(world, results)
        commands.env |= {**NO_KEY, **REAL}
        yield Local(commands, holder.stdout.readline().strip().removesuffix("/v1"))
        holder.communicate("let go\n", timeout=20)


# ---- the documented commands

DOCUMENTED = [
    ("openai", "python openai_example.py --batch", 240),
    ("openai", "python openai_example.py --batch --model gpt-4.1 gpt-4.1-mini", 240),
    ("claude", "python claude_example.py --batch", 240),
    ("claude", "python claude_example.py --batch --model claude37s claude35s", 240),
    ("deepseek", "python deepseek_batch_example.py --model deepseekr1 deepseekv3", 240),
    ("llama", "python llama_batch_example.py --model llama4-maveric llama4-scout", 240),
]


@pytest.mark.parametrize(("script", "line", "count"), DOCUMENTED, ids=[line for _, line, _ in DOCUMENTED])
def test_documented_commands(run: Commands, script: str, line: str, count: int) -> None:
    """Each line of the guide, as it stands there, against a server that the environment names: all rows have answers."""
    end = run.typed(line, env={"ANTHROPIC_RPM": ""})
    assert (end.code, f"sum: {count} planned = {count} succeeded" in end.out) == (OK, True), end.said
    rows = table(only_run(run.results, script))
    assert len({row["custom_id"] for row in rows}) == len(rows) == count
    assert max(run.world.billed().values()) == 1


def test_documented_commands_with_local(rehearsal: Local) -> None:
    """The guide's line with --local: a process of its own, no key, no address, the embedded service."""
    end = rehearsal.commands.shell("python claude_example.py --batch --model claude37s claude35s --local")
    assert end.code == OK, end.said
    assert "240 planned" in end.out and "SIMULATED" in end.out and "as if" in end.out
    assert "claude37s was retired on 2026-02-19" in end.out  # said, but on the local service it runs


def test_the_documented_session(run: Commands, study: Callable) -> None:
    """Submit, look, cancel too late, convert, clean up: the guide from top to bottom, with the ids that it printed."""
    done = run.shell(f"python openai_example.py --batch --experiment {study()} --model gpt-4.1")
    assert done.code == OK, done.said
    raw = run.results / "openai" / "batch_results"
    batch_id = re.search(r"batch (\S+): collected", done.said)[1]
    assert (raw / f"{batch_id}_output.jsonl").exists()
    status = run.typed(f"python openai_example.py --status {batch_id}")
    assert (status.code, batch_id in status.out) == (OK, True), status.said
    cancel = run.typed(f"python openai_example.py --cancel {batch_id}")
    assert (cancel.code, batch_id in cancel.error) == (INPUT, True)
    converted = run.typed(f"python tools/openai/batch_result_converter.py {raw}/{batch_id}_output.jsonl")
    assert converted.code == OK, converted.said
    unattended = run.typed(f"python tools/openai/batch_cleanup.py --batch-id {batch_id}")
    assert (unattended.code, "--yes" in unattended.said) == (INPUT, True)
    cleaned = run.typed(f"python tools/openai/batch_cleanup.py --batch-id {batch_id} --yes")
    assert cleaned.code == OK, cleaned.said
    assert list((run.results / "backups").rglob("*")) != []


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script: str, run: Commands) -> None:
    """Each script tells its options and exit codes."""
    end = run(script, "--help", quick=False)
    told = ["--batch", "--dry-run", "--no-wait", "--status", "--cancel", "--list", "--retry-failed", "--local", "--json", "--max-cost"]
    told += ["130 detached"]
    assert (end.code, [option for option in told if option not in " ".join(end.out.split())]) == (OK, [])


# ---- each script, both ways


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_run_and_the_same_command_again(run: Commands, study: Callable, script: str) -> None:
    """A finished run is not sent again: the second time the same command shows the same and buys nothing."""
    command = (script, "--batch", "--experiment", study(), "--model", MODEL[script])
    first = run(*command)
    assert first.code == OK, first.said
    made, billed = run.creates(), run.world.billed()
    assert set(billed.values()) == {1}
    folder = only_run(run.results, script)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    again = run(*command)
    assert (again.code, again.out.splitlines()[-8:]) == (OK, first.out.splitlines()[-8:])
    assert run.creates() == made
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


@pytest.mark.parametrize("script", SCRIPTS)
def test_local(rehearsal: Local, study: Callable, script: str) -> None:
    """With --local no key is needed, everything is marked, and the same command again sends nothing more."""
    command = (script, "--batch", "--local", "--experiment", study(), "--run", f"own-{script}", "--model", MODEL[script])
    first = rehearsal.commands(*command)
    assert (first.code, "SIMULATED" in first.out, "as if " in first.out) == (OK, True, True), first.said
    made = rehearsal.creates()
    assert rehearsal.commands(*command).code == OK
    assert rehearsal.creates() == made
    folder = rehearsal.commands.results / script / f"own-{script}"
    assert {row["simulated"] for row in table(folder)} == {"true"}
    assert rehearsal.commands(script, "--status", f"own-{script}", "--local").code == OK


@pytest.mark.parametrize("script", ["openai", "claude"])
def test_without_batch_nothing_is_sent(run: Commands, study: Callable, script: str) -> None:
    """The two scripts that have a synchronous sister show the plan and the price and say what to add."""
    end = run(script, "--experiment", study(), "--model", MODEL[script])
    assert (end.code, "nothing was sent; add --batch to submit" in end.out, "costs at most $" in end.out) == (OK, True, True)
    assert run.attempts() == []


@pytest.mark.parametrize("script", ["deepseek", "llama"])
def test_batch_scripts_need_no_batch(run: Commands, study: Callable, script: str) -> None:
    """The two *_batch_example.py send without --batch, and take it all the same."""
    command = (script, "--experiment", study(), "--model", MODEL[script])
    assert run(*command).code == OK
    made = run.creates()
    assert run(*command, "--batch").code == OK
    assert (len(made) > 0, run.creates()) == (True, made)


@pytest.mark.parametrize("script", SCRIPTS)
def test_dry_run(run: Commands, study: Callable, script: str) -> None:
    """--dry-run needs no key and sends nothing; its shards are what the run then sends, byte for byte."""
    command = (script, "--batch", "--experiment", study(), "--model", MODEL[script])
    end = run(*command, "--dry-run", "--json", env=NO_KEY)
    assert end.code == OK, end.said
    plan = end.json
    assert (plan["sent"], plan["requests"], plan["new"]) == (False, 2, True)
    assert plan["bytes"] == sum(Path(shard["path"]).stat().st_size for shard in plan["shards"])
    assert plan["max_cost_usd"] > 0 and plan["estimated_prompt_tokens"] > 0
    assert run.attempts() == []
    text = run(*command, "--dry-run", env=NO_KEY)
    assert (text.code, "nothing was sent" in text.out) == (OK, True)
    assert run(*command).code == OK
    (create,) = [create for create in run.creates() if create["requests"] == 2]
    if script != "claude":  # whose requests travel inside the create call
        assert create["input_sha256"] == plan["shards"][0]["sha256"]


# ---- what is asked


@pytest.mark.parametrize(
    ("options", "count", "pattern"),
    [
        ("--trials 3", 4 * 3 * 3 * 2, r"p[1234]_.*_n0[123]_t[123]"),
        ("--limit 7", 7, r"p[1234]_.*_n(0[1-9]|10)_t[123]"),
        ("--persona 1 3", 2 * 3 * 10 * 2, r"p[13]_.*"),
        ("--sample 9", 9, r"p[1234]_.*_n(0[1-9]|10)_t[123]"),
        ("--sample 9 --seed 2 --text t2", 9, r"p[1234]_.*_n(0[1-9]|10)_t2"),
        ("--text t2", 4 * 10 * 2, r".*_t2"),
        ("--persona 4 --text t1 t3 --trials 1", 2 * 2, r"p4_.*_n01_t[13]"),
        ("--persona 1 --persona 2 --trials 1", 2 * 3 * 2, r"p[12]_.*_n01_.*"),
    ],
)
def test_narrowing(run: Commands, options: str, count: int, pattern: str) -> None:
    """--trials, --limit, --persona and --text ask for less, each in a run of its own."""
    plan = run("openai", "--dry-run", "--json", "--model", "gpt-4.1", "gpt-4.1-mini", *options.split()).json
    whole = run("openai", "--dry-run", "--json", "--model", "gpt-4.1", "gpt-4.1-mini").json
    assert (plan["requests"], whole["requests"]) == (count, 240)
    assert plan["run"] != whole["run"]
    ids = [json.loads(line)["custom_id"] for s in plan["shards"] for line in Path(s["path"]).read_bytes().splitlines()]
    assert len(set(ids)) == count
    assert all(re.fullmatch(pattern, custom_id) for custom_id in ids)


def test_the_other_experiment(run: Commands) -> None:
    """Rows of a data set are asked like any text; their column is the text id."""
    end = run("claude", "--batch", "--experiment", "experiments/reviews", "--model", "claude-haiku-4-5", "--limit", "12")
    assert end.code == OK, end.said
    rows = table(only_run(run.results, "claude"))
    assert {row["text"] for row in rows} == {"r01", "r02"}
    assert all(row["validation"] for row in rows) and "Q1_Helpfulness" in rows[0]


def test_temperatures_are_kept_and_left_out(run: Commands) -> None:
    """Old Claude models keep their temperature (the service refuses it under the newer API version), new ones get none."""
    models = ("claude-haiku-4-5", "claude-sonnet-5")
    end = run("claude", "--batch", "--model", *models, "--trials", "1", "--text", "t3")
    assert end.code == OK, end.said
    sent = {(row["model"], row["persona"]): row["temperature"] for row in table(only_run(run.results, "claude"))}
    assert {key: float(t) for key, t in sent.items() if t} == {(models[0], p): t for p, t in zip("1234", (0.8, 0.5, 1.0, 0.2))}
    assert [temperature for (model, _), temperature in sent.items() if model == models[1]] == [""] * 4


def test_a_run_of_ones_own_name(run: Commands, study: Callable) -> None:
    """--run NAME asks everything afresh, beside the first run; nothing of that is touched."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert run(*command).code == OK
    first = only_run(run.results, "openai")
    before, made = {path: path.read_bytes() for path in first.rglob("*.*")}, run.requests()
    assert run(*command, "--run", "second").code == OK
    assert run.requests() >= made + 2
    assert {path: path.read_bytes() for path in first.rglob("*.*")} == before
    made = run.requests()
    assert run(*command, "--run", "second").code == OK
    assert run.requests() == made
    assert [row["custom_id"] for row in table(run.results / "openai" / "second")]


def test_a_changed_experiment_is_another_run(run: Commands, study: Callable) -> None:
    """An edited text never continues the old run."""
    command = ("openai", "--batch", "--model", "gpt-4.1", "--experiment")
    assert run(*command, study()).code == OK
    assert run(*command, study({"t1.txt": "Another text."})).code == OK
    folders = [path.name for path in (run.results / "openai").iterdir() if path.name.startswith("small-")]
    assert len(folders) == 2


# ---- what is left behind


def test_layout_and_marks(run: Commands) -> None:
    """Raw files as received, a folder per run with texts, table and summary; each of them says that it is simulated."""
    end = run("openai", "--batch", "--model", "gpt-4.1", "o3", "--trials", "1")
    assert end.code == OK, end.said
    folder = only_run(run.results, "openai")
    summary = json.loads((folder / "summary.json").read_bytes())
    raw = run.results / "openai" / "batch_results"
    assert {batch["batch_id"] for batch in summary["batches"]} == {path.name.rpartition("_")[0] for path in raw.iterdir()}
    assert {path.name.rpartition("_")[2] for path in raw.iterdir()} <= {"output.jsonl", "errors.jsonl"}
    rows = {row["custom_id"]: row for row in table(folder)}
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "texts").iterdir()}
    assert texts.keys() == rows.keys() and len(rows) == 24
    assert (summary["simulated"], summary["simulated_rows"], summary["adds_up"]) == (True, 24, True)
    for name, text in texts.items():
        head, _, answer = text.partition("----\n\n")
        row = rows[name]
        lines = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        assert head.startswith("SIMULATED")
        assert (row["simulated"], row["outcome"], row["answer"]) == ("true", "succeeded", answer.rstrip("\n"))
        assert lines["Request"] == name
        assert (lines["Temperature"] == "None") == (row["temperature"] == "") == (row["model"] == "o3")
        assert not row["temperature"] or float(lines["Temperature"]) == float(row["temperature"])
        for key in ("Timestamp", "Text", "Model", "Persona", "Trial", "Finish reason", "Tokens", "Price rates", "Validation"):
            assert lines[key] not in ("", "unknown"), (name, key)
    assert "SIMULATED" in end.out and "as if" in end.out
    assert not list(run.results.rglob("*.part"))


def test_raw_files_are_as_received(run: Commands, study: Callable) -> None:
    """The raw output is what the service gave out, byte for byte."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1").code == OK
    for path in (run.results / "openai" / "batch_results").glob("*_output.jsonl"):
        batch_id = path.name.removesuffix("_output.jsonl")
        file_id = run.world.service.get(f"/batches/{batch_id}").json()["output_file_id"]
        assert run.world.service.get(f"/files/{file_id}/content").content == path.read_bytes()


def test_no_texts(run: Commands, study: Callable) -> None:
    """--no-texts leaves the text files out; the same command without it makes them, and sends nothing."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert run(*command, "--no-texts").code == OK
    folder = only_run(run.results, "openai")
    assert not (folder / "texts").exists() and (folder / "results.csv").exists()
