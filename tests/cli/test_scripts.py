"""The four scripts as people use them: every documented command, literally, and what it leaves behind, by the service's books."""

from __future__ import annotations

import csv
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.basics import ROOT, SCRIPTS, wait_for
from tests.service import HTTP
from tests.support import NO_KEY, QUICK, REAL, Commands, End, later
from tests.torture.world import World

FILE = {name: f"{module}.py" for name, module in SCRIPTS.items()}
MODEL = {"openai": "gpt-4.1", "claude": "claude-haiku-4-5", "deepseek": "deepseekv3", "llama": "llama4-scout"}
CREATE_CALL = {"openai": "batches.create", "claude": "messages.batches.create"}
OK, UNFINISHED, INPUT, REFUSED, DETACHED = 0, 1, 2, 3, 130


def table(folder: Path) -> list[dict]:
    """The rows of a run's table."""
    with open(folder / "results.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def only_run(results: Path, script: str) -> Path:
    """The folder of a script's only run."""
    (folder,) = [path for path in (results / script).iterdir() if path.name != "batch_results"]
    return folder


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
    converted = run.shell(f"python tools/openai/batch_result_converter.py {raw}/{batch_id}_output.jsonl")
    assert converted.code == OK, converted.said
    unattended = run.shell(f"python tools/openai/batch_cleanup.py --batch-id {batch_id}")
    assert (unattended.code, "--yes" in unattended.said) == (INPUT, True)
    cleaned = run.shell(f"python tools/openai/batch_cleanup.py --batch-id {batch_id} --yes")
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


# ---- in steps


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_wait_then_status_then_the_same_command(still: Commands, study: Callable, script: str) -> None:
    """--no-wait submits and returns; --status looks, by batch and by run, before and after the end; the command collects."""
    command = (script, "--batch", "--experiment", study(), "--model", MODEL[script])
    begun = still(*command, "--no-wait")
    assert (begun.code, "not finished: 2 requests" in begun.out) == (UNFINISHED, True), begun.said
    (batch,) = still.creates()
    name = only_run(still.results, script).name
    for wanted in (batch["batch_id"], name):
        seen = still(script, "--status", wanted, "--json")
        (row,) = seen.json["batches"]
        assert (seen.code, row["state"], row["batch_id"], row["requests"]) == (UNFINISHED, "submitted", batch["batch_id"], 2)
        assert row["age_seconds"] >= 0 and row["seconds_left"] > 80_000
    assert still(*command, "--no-wait").code == UNFINISHED
    later(still)
    ended = still(script, "--status", batch["batch_id"], "--json")  # collects
    assert (ended.code, ended.json["batches"][0]["state"], ended.json["summary"]["outcomes"]) == (OK, "collected", {"succeeded": 2})
    assert still(script, "--status", name).code == OK
    done = still(*command)
    assert (done.code, "2 planned = 2 succeeded" in done.out) == (OK, True)
    assert len(still.attempts()) == 1


def test_status_in_words(still: Commands, study: Callable) -> None:
    """--status names batch, counts, age and time left; of a batch that the provider refused it shows why, with its id."""
    fate = {"fail": {"code": "mismatched_model", "message": "no two models", "line": 2}}
    still.world.control("faults", [{"call": "batches.create", "action": {"fate": fate}, "times": 1}])
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "o3")
    assert still(*command, "--no-wait").code == UNFINISHED
    later(still)
    (name,) = [path.name for path in (still.results / "openai").iterdir() if path.name.startswith("small")]
    seen = still("openai", "--status", name)
    assert (seen.code, "mismatched_model" in seen.out, "no two models" in seen.out) == (UNFINISHED, True, True), seen.said
    assert "p1_gpt-4.1_n02_t1" in seen.out
    assert "0/2" in seen.out


def test_a_foreign_batch(run: Commands, study: Callable, tmp_path: Path) -> None:
    """A batch that another program or folder made can be looked at and is collected raw."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1").code == OK
    batch_id = run.creates()[0]["batch_id"]
    elsewhere = {"RESULTS_DIR": str(tmp_path / "elsewhere")}
    seen = run("openai", "--status", batch_id, env=elsewhere)
    assert (seen.code, "no run here made it" in seen.out) == (OK, True), seen.said
    assert (tmp_path / "elsewhere/openai/batch_results" / f"{batch_id}_output.jsonl").exists()
    listed = run("openai", "--list", "--json", env=elsewhere).json
    assert batch_id in [batch["batch_id"] for batch in listed["batches"]]


@pytest.mark.parametrize("script", SCRIPTS)
def test_cancel_a_run(still: Commands, study: Callable, script: str) -> None:
    """--cancel RUN stops its batches; the same command then says so, and --retry-failed takes it up again."""
    command = (script, "--batch", "--experiment", study(), "--model", MODEL[script])
    still(*command, "--no-wait")
    name = only_run(still.results, script).name
    stopped = still(script, "--cancel", name, "--json")
    assert (stopped.code, stopped.json["run"], len(stopped.json["cancelling"])) == (OK, name, 1)
    later(still)
    outcomes = still(script, "--status", name, "--json").json["summary"]["outcomes"]
    assert outcomes["cancelled"] == 2 - outcomes.get("succeeded", 0) > 0  # what was answered before is kept
    assert still(*command).code == UNFINISHED
    assert len(still.attempts()) == 1
    assert still(script, "--retry-failed", name, "--no-wait").code == UNFINISHED
    later(still)
    assert still(script, "--retry-failed", name).code == OK
    assert len(still.attempts()) == 2
    assert set(still.world.billed().values()) == {1}


def test_cancel_a_batch(still: Commands, study: Callable) -> None:
    """--cancel BATCH stops one batch of a run; the other goes on."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "gpt-4.1-mini")
    still(*command, "--no-wait")
    victim = still.creates()[0]["batch_id"]
    assert still("openai", "--cancel", victim).code == OK
    later(still)
    end = still(*command)
    assert (end.code, "2 cancelled" in end.out, "2 succeeded" in end.out) == (UNFINISHED, True, True), end.said
    assert len(still.attempts()) == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_list(run: Commands, study: Callable, script: str) -> None:
    """--list shows the runs of this folder and the account's batches; without a key only the runs."""
    empty = run(script, "--list")
    assert empty.code == OK, empty.said
    assert run(script, "--batch", "--experiment", study(), "--model", MODEL[script]).code == OK
    name = only_run(run.results, script).name
    listed = run(script, "--list", "--json").json
    assert [r["run"] for r in listed["runs"]] == [name]
    assert {b["batch_id"]: b["run"] for b in listed["batches"]} == dict.fromkeys((c["batch_id"] for c in run.creates()), name)
    text = run(script, "--list")
    assert name in text.out and run.creates()[0]["batch_id"] in text.out
    keyless = run(script, "--list", "--json", env=NO_KEY)
    assert (keyless.code, len(keyless.json["runs"]), keyless.json["batches"]) == (OK, 1, [])


def test_retry_failed(run: Commands, study: Callable) -> None:
    """Rows that failed for good are exit 1 and named; --retry-failed sends those rows once more, and only those."""
    rows = {"share": 0.3, "status": 400, "code": "content_policy_violation", "message": "no", "times": -1}
    run.world.control("faults", [{"call": "batches.create", "times": -1, "action": {"fate": {"rows": rows}}}])
    command = ("openai", "--batch", "--experiment", study(trials="40"), "--model", "gpt-4.1")
    end = run(*command)
    name = only_run(run.results, "openai").name
    assert (end.code, f"--retry-failed {name}" in end.out) == (UNFINISHED, True), end.said
    failed = {row["custom_id"] for row in table(run.results / "openai" / name) if row["outcome"] != "succeeded"}
    assert 0 < len(failed) < 40
    made = run.creates()
    assert run(*command).code == UNFINISHED
    assert run.creates() == made
    run.world.control("faults", [])
    again = run("openai", "--retry-failed", name)
    assert (again.code, f"{len(failed)} rows of run {name} are sent once more" in again.said) == (OK, True), again.said
    assert [create["requests"] for create in run.creates() if create not in made][0] == len(failed)
    assert set(run.world.billed().values()) == {1}


# ---- for programs


def test_json_everywhere(still: Commands, study: Callable) -> None:
    """With --json stdout is one object, whatever the command and however it stands."""
    base = ("openai", "--experiment", study(), "--model", "gpt-4.1", "--json")
    assert still(*base).json["to_send_add"] == "--batch"
    assert still(*base, "--dry-run").json["sent"] is False
    assert still(*base, "--batch", "--no-wait").json["outcomes"] == {"pending": 2}
    (batch,) = still.creates()
    name = still("openai", "--list", "--json").json["runs"][0]["run"]
    assert still("openai", "--status", name, "--json").json["run"] == name
    assert still("openai", "--status", batch["batch_id"], "--json").json["states"] == {"submitted": 1}
    later(still)
    assert still(*base, "--batch").json["outcomes"] == {"succeeded": 2}
    assert still("openai", "--retry-failed", name, "--json").json["adds_up"] is True
    foreign = still("openai", "--status", batch["batch_id"], "--json", env={"RESULTS_DIR": str(still.results / "x")})
    assert foreign.json["batch_id"] == batch["batch_id"]


# ---- interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_detach_while_watching(still: Commands, study: Callable, number: int) -> None:
    """A signal while batches run: exit 130 and the command that goes on; that very command finishes, buying nothing twice."""
    line = f"python openai_example.py --batch --experiment {study()} --model gpt-4.1 gpt-4.1-mini {' '.join(QUICK)}"
    started = still.start(line)
    wait_for(lambda: len(still.creates()) == 2)
    end = started.signalled(number)
    assert (end.code, "batches go on at the provider" in end.err) == (DETACHED, True), end.said
    assert (only_run(still.results, "openai") / "summary.json").exists()
    later(still)
    done = still.typed(go_on(end))
    assert (done.code, "4 planned = 4 succeeded" in done.out) == (OK, True), done.said
    assert sorted(still.world.billed().values()) == [1] * 4


def go_on(end: End) -> str:
    """The command that an end named."""
    return re.search(r"Go on with: (python .*)", end.err)[1]


@pytest.mark.parametrize("script", ["openai", "claude"])
def test_detach_in_the_middle_of_the_create(run: Commands, study: Callable, script: str) -> None:
    """Ctrl-C while the answer of the call that costs money is on its way: the batch is found again, not bought again."""
    run.world.control("faults", [{"call": CREATE_CALL[script], "action": {"slow": 100}}])
    line = f"python {FILE[script]} --batch --experiment {study()} --model {MODEL[script]} {' '.join(QUICK)}"
    started = run.start(line)
    (made,) = wait_for(run.creates)
    end = started.signalled(signal.SIGINT)
    assert end.code == DETACHED, end.said
    run.world.control("faults", [])
    done = run.typed(go_on(end))
    assert (done.code, "found again after its answer was lost" in done.err) == (OK, True), done.said
    assert [create["batch_id"] for create in run.creates() if create["requests"] == 2] == [made["batch_id"]]
    assert list(run.world.billed().values()) == [1, 1]


def test_detach_while_waiting_for_the_provider(run: Commands, study: Callable) -> None:
    """Ctrl-C during a long Retry-After ends at once."""
    rule = {"call": "files.create", "times": -1, "action": {"status": 429, "headers": {"retry-after": "600"}}}
    run.world.control("faults", [rule])
    line = f"python openai_example.py --batch --experiment {study()} --model gpt-4.1 --poll 0.02"
    started = run.start(line)
    wait_for(lambda: run.world.control("faults")["rules"][0]["fired"])
    end = started.signalled(signal.SIGINT)
    assert (end.code, run.attempts()) == (DETACHED, [])
    run.world.control("faults", [])
    assert run.typed(go_on(end)).code == OK
    assert set(run.world.billed().values()) == {1}


def test_two_at_once(still: Commands, study: Callable) -> None:
    """The same command twice at the same time: one works, the other says who does and sends nothing."""
    line = f"python openai_example.py --batch --experiment {study()} --model gpt-4.1 {' '.join(QUICK)}"
    started = still.start(line)
    wait_for(still.creates)
    second = still.typed(line)
    assert (second.code, "in work by another process" in second.error) == (INPUT, True)
    looked = still("openai", "--status", only_run(still.results, "openai").name)
    assert looked.code == UNFINISHED
    assert started.signalled(signal.SIGTERM).code == DETACHED
    assert len(still.attempts()) == 1


# ---- exit codes


def test_money_pauses_the_run(run: Commands, study: Callable) -> None:
    """Without quota the run pauses with exit 3; once that is settled the same command goes on."""
    body = {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your current quota"}}
    run.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"status": 429, "body": body}}])
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    end = run(*command)
    assert (end.code, "quota" in end.error) == (REFUSED, True)
    assert run.creates() == []
    assert run(*command).code == OK


def test_an_unreachable_provider(run: Commands, study: Callable) -> None:
    """Nobody listens there: exit 1 after the patience, nothing lost, and which command goes on."""
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--patience", "0.2", quick=False, env=env)
    assert (end.code, "could not be reached" in end.error, "go on with: python openai_example.py" in end.error) == (UNFINISHED, True, True)


def test_from_another_folder(run: Commands, study: Callable, tmp_path: Path) -> None:
    """The scripts work from any folder."""
    line = f"cd {tmp_path} && exec {sys.executable} {ROOT}/llama_batch_example.py --dry-run --experiment study --json"
    study()
    end = run.shell(f"bash -c {shlex.quote(line)}")
    assert (end.code, end.json["requests"]) == (OK, 6)
