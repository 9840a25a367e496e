"""Bad input, one by one: one clear line, the right exit code, nothing sent, and never a traceback or a key."""

from __future__ import annotations

import fcntl
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common import catalog
from tests.basics import python
from tests.service import KEYS, SECRET, Service
from tests.support import NO_KEY, QUICK, REAL, Commands, End

DATA = {"text": None, "prompt": '{user = "{a}"}', "data": '{file = "d.csv"}'}
INPUT, REFUSED = 2, 3


def refused(end: End, *said: str, code: int = INPUT) -> None:
    """The end of a command that did nothing: its code, and one line that says all of this."""
    assert end.code == code, end.said
    assert all(text in end.error for text in said), end.error


def nothing_was_sent(run: Commands) -> None:
    """By the service's own books: no batch, no attempt, no file."""
    assert run.attempts() == []
    assert not any(run.world.control("health").get(kind) for kind in ("files", "batches"))


# ---- the experiment

MORE = '[{id = "t1", file = "t1.txt"}, {id = "t1", file = "t1.txt"}]'
TWO = '[{id = "1", name = "a"}, {id = "1", name = "b"}]'
TOML = [
    ({"trials": "= ="}, ["not valid TOML", "line 2"]),
    ({"name": None}, ["name: missing", "short name"]),
    ({"name": '"Größe"'}, ["name: is 'Größe'", "a-z, 0-9"]),
    ({"name": '"../up"'}, ["name: is '../up'"]),
    ({"trials": '"ten"'}, ["trials: is 'ten'", "whole number above 0"]),
    ({"trials": "0"}, ["trials: is 0", "whole number above 0"]),
    ({"trials": "true"}, ["trials: is True"]),
    ({"max_tokens": "12.5"}, ["max_tokens: is 12.5"]),
    ({"max_tokens": None}, ["max_tokens: missing"]),
    ({"cut_off_factor": "1"}, ["cut_off_factor: is 1", "above 1"]),
    ({"tirals": "3"}, ["tirals: unknown key", "docs/experiments.md"]),
    ({"prompt": None}, ["prompt: missing", "system and user"]),
    ({"prompt": '{system = "x"}'}, ["prompt.user: missing"]),
    ({"prompt": '{user = "  "}'}, ["prompt.user: is empty"]),
    ({"prompt": '{user = "{txet}"}'}, ["prompt.user: unknown name {txet}", "{text}", "{persona.name}"]),
    ({"prompt": '{user = "x", sytem = "y"}'}, ["prompt.sytem: unknown key"]),
    ({"prompt": '"text"'}, ["prompt: is 'text'", "a table"]),
    ({"persona": None}, ["persona: missing", "[[persona]]"]),
    ({"persona": "[]"}, ["persona: is empty"]),
    ({"persona": "[1]"}, ["persona[1]: expected a table"]),
    ({"persona": '[{id = "1"}]'}, ["persona[1].name: missing"]),
    ({"persona": '[{id = 1, name = "a"}]'}, ["persona[1].id: is 1"]),
    ({"persona": '[{id = "1", name = "a", temperature = 2.5}]'}, ["persona[1].temperature: is 2.5", "0 to 2"]),
    ({"persona": '[{id = "1", name = "a", temperature = nan}]'}, ["persona[1].temperature: is nan"]),
    ({"persona": TWO}, ["persona: id '1' is used twice"]),
    ({"text": None}, ["text: missing"]),
    ({"text": '[{id = "t1", file = "gone.txt"}]'}, ["text[1].file: 'gone.txt' does not exist"]),
    ({"text": '[{id = "t1"}]'}, ["text[1].file: missing"]),
    ({"text": MORE}, ["text: id 't1' is used twice"]),
    ({"text": '[{id = "a\\nb", file = "t1.txt"}]'}, ["text[1].id", "visible characters"]),
    ({"text": '[{id = "t1", file = "t1.txt", modifier = "hot"}]'}, ["text[1].modifier: is 'hot'"]),
    ({"data": '{file = "d.csv"}'}, ["data: stands beside [[text]]"]),
    ({"question": '[{id = "Q1"}]'}, ["question[1].name: missing"]),
    ({"question": '[{id = "Q1", name = "Joy", min = 5, max = 5}]'}, ["question[1].max: is 5"]),
    ({"question": '[{id = "Q1", name = "Joy", mx = 5}]'}, ["question[1].mx: unknown key"]),
]


@pytest.mark.parametrize(("keys", "said"), TOML, ids=[said[0] for _, said in TOML])
def test_experiment_toml(run: Commands, study: Callable, keys: dict, said: list[str]) -> None:
    """What is wrong in experiment.toml is said with file, key and what was expected."""
    refused(run("openai", "--batch", "--experiment", study(**keys)), "experiment.toml", *said)
    nothing_was_sent(run)


FILES = [
    ({"t1.txt": b"\xff\xfe\x00"}, {}, ["t1.txt", "UTF-8"]),
    ({"t1.txt": b" \n"}, {}, ["t1.txt", "is empty"]),
    ({"d.csv": ""}, DATA, ["d.csv"]),
    ({"d.csv": "a,b\n"}, DATA, ["no request is left"]),
    ({"d.csv": "a,b\n1,2\n3\n"}, DATA, ["d.csv, line 3: 1 cells; expected 2"]),
    ({"d.csv": 'a,b\n"x\ny",2\n1,2,3\n'}, DATA, ["d.csv, line 4: 3 cells; expected 2"]),
    ({"d.csv": "a,a\n1,2\n"}, DATA, ["d.csv, line 1", "different"]),
    ({"d.csv": b"a,b\n1,\xff\n"}, DATA, ["d.csv"]),
    ({"d.csv": "a,b\nx,1\nx,2\n"}, {**DATA, "data": '{file = "d.csv", id = "a"}'}, ["d.csv, row 3: text id 'x' is also that of row 2"]),
    ({"d.csv": "a,b\n,1\n"}, {**DATA, "data": '{file = "d.csv", id = "a"}'}, ["d.csv, row 2: the text id is ''"]),
    ({"d.csv": "a,b\nx,1\n"}, {**DATA, "data": '{file = "d.csv", id = "c"}'}, ["data.id: no column 'c'", "a, b"]),
    ({}, DATA, ["data.file: 'd.csv' does not exist"]),
    ({"d.jsonl": ""}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl", "is empty"]),
    ({"d.jsonl": '{"a":1}\n{"a":\n'}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl, line 2: not valid JSON"]),
    ({"d.jsonl": '{"a":1}\n[1]\n'}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl, line 2: expected a JSON object"]),
    ({"d.jsonl": '{"a":1}\n{"b":1}\n'}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl, line 2: no key 'a'"]),
]


@pytest.mark.parametrize(("files", "keys", "said"), FILES, ids=[said[0] for *_, said in FILES])
def test_text_and_data_files(run: Commands, study: Callable, files: dict, keys: dict, said: list[str]) -> None:
    """What is wrong in a text or a data set is said with file and line."""
    refused(run("openai", "--batch", "--model", "gpt-4.1", "--experiment", study(files, **keys)), *said)
    nothing_was_sent(run)


def test_no_experiment(run: Commands, tmp_path: Path) -> None:
    """A path without an experiment, and a file that is no text."""
    refused(run("openai", "--batch", "--experiment", tmp_path / "none"), "none", "no such experiment")
    (tmp_path / "experiment.toml").write_bytes(b"\xff\x00")
    refused(run("openai", "--batch", "--experiment", tmp_path), "experiment.toml: not UTF-8 text")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--persona", "9"], ["no persona '9'", "1, 2, 3, 4"]),
        (["--text", "t9"], ["no text t9", "t1, t2, t3"]),
        (["--model", "gpt41"], ["unknown model 'gpt41'", "nearest: gpt-4.1"]),
        (["--model", "gpt-4.1-mni"], ["unknown model", "gpt-4.1-mini"]),
        (["--status", "batch_nope"], ["knows no batch 'batch_nope'", "--list"]),
        (["--status", "../../x"], ["knows no batch"]),
        (["--cancel", "batch_nope"], ["batch_nope"]),
        (["--retry-failed", "nope"], ["no run 'nope'"]),
        (["--status", "a", "--cancel", "b"], ["give one of them"]),
    ],
)
def test_names_that_do_not_exist(run: Commands, options: list[str], said: list[str]) -> None:
    """A name that is unknown or cannot be one is said, with those that exist."""
    refused(run("openai", "--batch", *options), *said)
    nothing_was_sent(run)


@pytest.mark.parametrize(
    "options",
    ["--trials 0", "--limit -3", "--limit x", "--max-cost -1", "--max-cost nan", "--poll 0", "--poll inf", "--no", "--model", "--tri 3"],
)
def test_options(run: Commands, options: str) -> None:
    """An option that cannot be is refused with exit code 2, and none is guessed from its beginning."""
    end = run("openai", "--batch", *options.split(), quick=False)
    assert (end.code, "error: " in end.err.splitlines()[-1]) == (2, True)
    nothing_was_sent(run)


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "", "a b", "batch_results", "-x", "x" * 81, "a\x1b[31m", "/tmp/x"])
def test_names_of_runs(run: Commands, study: Callable, name: str) -> None:
    """A run's name is one folder beside the others: no path, and not the folder of the raw files."""
    end = run("openai", "--batch", "--experiment", study(), f"--run={name}", quick=False)
    assert (end.code, "argument --run" in end.err.splitlines()[-1], "\x1b" in end.err) == (2, True, False)
    nothing_was_sent(run)
    assert not run.results.exists()


# ---- keys, addresses, money

WIRES = [("openai", "OPENAI"), ("claude", "ANTHROPIC"), ("deepseek", "KLUSTERAI"), ("llama", "KLUSTERAI")]


@pytest.mark.parametrize(("script", "prefix"), WIRES)
def test_no_key(run: Commands, script: str, prefix: str) -> None:
    """Without a key and without --local: one line that says both ways out."""
    refused(run(script, "--batch", env=NO_KEY), f"no {prefix}_API_KEY", ".env", "--local")
    nothing_was_sent(run)


@pytest.mark.parametrize("key", [f"sk {SECRET}", f"sk-{SECRET}\u200b", f'"{SECRET}é"'])
def test_a_key_that_cannot_be(run: Commands, key: str) -> None:
    """A key with spaces or invisible characters is refused without being shown."""
    refused(run("openai", "--batch", env={"OPENAI_API_KEY": key}), "OPENAI_API_KEY", "copy it again")
    nothing_was_sent(run)


@pytest.mark.parametrize(
    ("script", "variable", "key", "title"),
    [("openai", "OPENAI_API_KEY", f"sk-ant-{SECRET}", "Anthropic"), ("claude", "ANTHROPIC_API_KEY", f"sk-{SECRET}", "OpenAI")],
)
def test_another_providers_key(run: Commands, study: Callable, script: str, variable: str, key: str, title: str) -> None:
    """A key that looks like another provider's is a warning, not an error."""
    alias = {"openai": "gpt-4.1", "claude": "claude-haiku-4-5"}[script]
    end = run(script, "--batch", "--experiment", study(), "--model", alias, env={variable: key})
    assert (end.code, f"warning: {variable} looks like a key of {title}" in end.said) == (0, True), end.said


@pytest.fixture
def locked(services: Callable) -> Service:
    """A service that knows one key only."""
    return services(speed=1e6, BATCH_SERVER_KEYS="the-only-one")


@pytest.mark.parametrize(("script", "prefix"), WIRES[:3])
def test_wrong_key(run: Commands, study: Callable, locked: Service, script: str, prefix: str) -> None:
    """A key that the provider does not know: exit 3 at once, its words, and which command goes on."""
    refused(run(script, "--batch", "--experiment", study(), env=locked.addresses), "401", code=REFUSED)
    good = {**locked.addresses, f"{prefix}_API_KEY": "the-only-one"}
    status = run(script, "--status", "batch_nope", env=locked.addresses)
    assert (status.code, "401" in status.error) == (REFUSED, True)
    assert run(script, "--batch", "--experiment", study(), env=good).code == 0  # nothing was ever done with the wrong one


def test_another_accounts_key(run: Commands, study: Callable) -> None:
    """A run that was submitted with one key is not continued with another."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert run(*command, "--no-wait").code == 1
    made = run.attempts()
    refused(run(*command, env={"OPENAI_API_KEY": "sk-of-somebody-else"}), "submitted with another key", "--run NAME")
    assert run.attempts() == made


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://198.51.100.7/v1", ["plain http to 198.51.100.7", "https"]),
        ("http://localhost.example.org/v1", ["plain http to localhost.example.org"]),
        (f"https://me:{SECRET}@198.51.100.7/v1", ["user name or password", "OPENAI_API_KEY"]),
        (f"ftp://me:{SECRET}@198.51.100.7/v1", ["OPENAI_BASE_URL", "https://api.openai.com/v1"]),
        ("api.openai.com/v1", ["OPENAI_BASE_URL is 'api.openai.com/v1'"]),
        ("https://", ["OPENAI_BASE_URL"]),
        ("https://[bad", ["OPENAI_BASE_URL is 'https://[bad'"]),
        ("https://example.org:99999999/v1", ["OPENAI_BASE_URL is"]),
        (f"https://me:{SECRET}@[bad", ["OPENAI_BASE_URL is '[bad'"]),
    ],
)
def test_addresses(run: Commands, url: str, said: list[str]) -> None:
    """An address that would show the key, or is none, is refused before anything is sent."""
    for command in (["--batch"], ["--list"], ["--status", "x"]):
        refused(run("openai", *command, env={"OPENAI_BASE_URL": url}), *said)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"https://[{SECRET}", "no message was sent to NOTIFY_URL"),
        (f"http://198.51.100.7/{SECRET}", "NOTIFY_URL is not https"),
        (f"http://127.0.0.1:9/{SECRET}", "no message was sent to NOTIFY_URL"),
    ],
)
def test_an_address_for_messages(run: Commands, study: Callable, url: str, said: str) -> None:
    """A message that can't be sent is a warning that does not show the address, and never changes how a run ends."""
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", env={"NOTIFY_URL": url})
    assert (end.code, said in end.said) == (0, True), end.said


@pytest.fixture
def trap() -> Iterator[tuple[dict[str, str], list]]:
    """An environment in which every connection to the outside lands here, and those that did."""
    caught: list = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def watch() -> None:
            while True:
                connection, address = door.accept()
                with connection:
                    if address[1] in leaving:
                        return
                    caught.append(address)

        leaving: set[int] = set()
        watcher = threading.Thread(target=watch)
        watcher.start()
        proxy = f"http://127.0.0.1:{door.getsockname()[1]}"
        yield {**REAL, "HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": ""}, caught
        with socket.socket() as last:
            last.bind(("127.0.0.1", 0))
            leaving.add(last.getsockname()[1])
            last.connect(door.getsockname())
            watcher.join(10)


CLOSED = [
    ("openai", "gpt-4.1-nano", ["gpt-4.1-nano was retired on 2026-10-23", "gpt-5.6-luna", "--allow-retired"]),
    ("claude", "claude37s", ["claude37s was retired on 2026-02-19", "--allow-retired"]),
    ("deepseek", "deepseekv3", ["kluster.ai is closed", "2026-06-09", "KLUSTERAI_BASE_URL", "--local"]),
    ("llama", "llama4-scout", ["kluster.ai is closed", "--local"]),
]


@pytest.mark.parametrize(("script", "alias", "said"), CLOSED)
def test_what_has_ended(run: Commands, study: Callable, trap: tuple, script: str, alias: str, said: list[str]) -> None:
    """A retired model or a closed host is refused before any connection is made, with what to do instead."""
    env, caught = trap
    refused(run(script, "--batch", "--experiment", study(), "--model", alias, env=env), *said)
    assert caught == []


def test_the_trap_catches(run: Commands, study: Callable, trap: tuple) -> None:
    """--allow-retired does send, and the trap of these tests notices it."""
    env, caught = trap
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1-nano", "--allow-retired", "--patience", "0.1")
    end = run(*command, env=env, quick=False)
    assert (end.code, len(caught) > 0) == (1, True), end.said


def test_only_the_living_of_a_group(run: Commands, study: Callable, trap: tuple) -> None:
    """Without --model a script asks its group's models that are still alive."""
    env, caught = trap
    end = run("openai", "--dry-run", "--json", "--experiment", study(), env=env)
    assert "gpt-4.1-nano" not in end.json["models"]
    assert [*end.json["models"]]
    assert caught == []


def test_a_lent_name_is_not_closed(run: Commands, study: Callable) -> None:
    """With KLUSTERAI_BASE_URL the same script and the same aliases run on another host of the shape."""
    assert run("deepseek", "--experiment", study(), "--model", "deepseekv3").code == 0


def test_unknown_price(run: Commands, study: Callable, trap: tuple) -> None:
    """Where no price is known no cap can be kept: refused at a real host, allowed where nothing is paid."""
    env, caught = trap
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-7.5-turbo")
    refused(run(*command, env=env), "price of gpt-7.5-turbo is unknown", "--allow-unknown-price")
    assert caught == []
    assert "raw model id" in run("openai", "--dry-run", "--experiment", study(), "--model", "gpt-7.5-turbo").said


@pytest.mark.parametrize(("options", "env"), [(["--max-cost", "0.001"], {}), ([], {"MAX_COST_USD": "0.001"})])
def test_above_the_cap(run: Commands, options: list[str], env: dict) -> None:
    """A command that could cost more than the cap stops before sending and says what raises it."""
    refused(run("openai", "--batch", *options, env=env), "above the cap of $0.0010", "--max-cost USD raises it")
    nothing_was_sent(run)


def test_a_cap_that_is_none(run: Commands) -> None:
    """A cap that is no amount is not taken for no cap."""
    refused(run("openai", "--batch", env={"MAX_COST_USD": "ten"}), "MAX_COST_USD is 'ten'")
    nothing_was_sent(run)


def test_a_plan_that_does_not_exist(run: Commands) -> None:
    """KLUSTERAI_PLAN names one of the plans; the trial plan's limit is kept."""
    refused(run("deepseek", env={"KLUSTERAI_PLAN": "gold"}), "KLUSTERAI_PLAN is 'gold'", "trial")
    end = run("deepseek", "--dry-run", "--json", "--model", "deepseekv3", "--trials", "90", env={"KLUSTERAI_PLAN": "trial"})
    assert [s["requests"] for s in end.json["shards"]] == [1000, 80]


def test_an_oversized_request(run: Commands, study: Callable) -> None:
    """One request that no batch can hold is named by id; --skip-invalid sends the others."""
    assert catalog.hosts()["kluster"].limits.bytes == 100_000_000
    long = study({"big.txt": "x" * 100_000_100}, trials="1", text='[{id = "t1", file = "t1.txt"}, {id = "big", file = "big.txt"}]')
    command = ("deepseek", "--experiment", long, "--model", "deepseekv3", "--max-cost", "1000")
    refused(run(*command), "1 requests are beyond the limits", "p1_deepseekv3_n01_big", "--skip-invalid")
    nothing_was_sent(run)
    end = run(*command, "--skip-invalid")
    assert (end.code, "left out: 1 requests" in end.said, set(run.world.billed())) == (0, True, {"p1_deepseekv3_n01_t1"}), end.said


# ---- disk, journal, processes


@pytest.mark.parametrize("command", [["--batch"], ["--batch", "--local"], ["--dry-run"], ["--list"]])
def test_results_folder_that_cannot_be_written(run: Commands, tmp_path: Path, command: list[str]) -> None:
    """A file in the folder's place (root may write anywhere else): one line that names it and --results."""
    (tmp_path / "taken").write_text("a file")
    refused(run("openai", *command, "--results", tmp_path / "taken"), str(tmp_path / "taken"), "--results")
    nothing_was_sent(run)


def limited(run: Commands, blocks: int, line: str) -> End:
    """A command that can't write files longer than so many kB: to it the disk is full."""
    return run.shell(f"bash -c {shlex.quote(f'trap {chr(34)*2} XFSZ; ulimit -f {blocks}; exec {sys.executable} {line}')}")


def test_full_disk_while_planning(run: Commands) -> None:
    """A disk that is full while shards are written: one line, exit 2, nothing sent; with room the same command finishes."""
    line = f"openai_example.py --batch --limit 60 {' '.join(QUICK)}"
    end = limited(run, 100, line)
    refused(end, "File too large", "go on with: python openai_example.py --batch --limit 60")
    nothing_was_sent(run)
    assert run("openai", "--batch", "--limit", "60").code == 0
    assert run.requests() >= 60


@pytest.mark.parametrize(("blocks", "said"), [(100, "disk I/O error"), (220, "File too large")])
def test_full_disk_on_the_way(run: Commands, study: Callable, blocks: int, said: str) -> None:
    """A disk that is full while the journal or the answers are written: with room the same command buys nothing twice."""
    folder = study(trials="400", prompt='{user = "Q1. Joy(value): [0-100] {text}"}')
    line = f"openai_example.py --batch --model gpt-4.1 --experiment {folder} {' '.join(QUICK)}"
    refused(limited(run, blocks, line), said, "Nothing is lost", "go on with: ")
    assert run("openai", *shlex.split(line)[1 : -len(QUICK)]).code == 0
    assert run.world.billed() == {f"p1_gpt-4.1_n{trial:02d}_t1": 1 for trial in range(1, 401)}


TRY = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
MAY_MOUNT = bool(shutil.which("unshare")) and subprocess.run(TRY, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not MAY_MOUNT, reason="this system lets nobody mount a small disk")
@pytest.mark.parametrize(("size", "said"), [("400k", "No space left on device"), ("2m", "MB needed for the results")])
def test_a_small_disk(run: Commands, size: str, said: str) -> None:
    """A real disk that is too small: for the shards it is full; for the results that will come, that is said before."""
    run.results.mkdir()
    mount = f"mount -t tmpfs -o size={size} tmpfs {run.results}"
    command = f"{mount} && exec {sys.executable} openai_example.py --batch {' '.join(QUICK)}"
    refused(run.shell(f"unshare -rm sh -c {shlex.quote(command)}"), said)
    nothing_was_sent(run)


def test_journal_of_a_newer_version(run: Commands) -> None:
    """A journal that a newer program wrote is left alone."""
    run.results.mkdir()
    db = sqlite3.connect(run.results / "journal.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    refused(run("openai", "--batch"), "journal.db", "newer version", "schema 99", "update the program")
    nothing_was_sent(run)


def test_a_journal_that_is_none(run: Commands) -> None:
    """A file that is no journal is neither read nor replaced."""
    run.results.mkdir()
    (run.results / "journal.db").write_bytes(b"precious" * 1000)
    refused(run("openai", "--batch"), "journal.db", "cannot be opened")
    assert (run.results / "journal.db").read_bytes() == b"precious" * 1000


def test_a_run_in_work(run: Commands, study: Callable) -> None:
    """A run that another process works on is left to it; the message names the process."""
    command = ("openai", "--experiment", study(), "--model", "gpt-4.1")
    planned = run(*command, "--dry-run", "--json").json
    with open(Path(planned["folder"]) / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(run(*command, "--batch"), f"run {planned['run']} is in work by another process", "pid")
        refused(run("openai", "--retry-failed", planned["run"]), "another process")
    nothing_was_sent(run)
    assert run(*command, "--batch").code == 0


def test_a_run_of_another_experiment(run: Commands, study: Callable) -> None:
    """A name belongs to what it was given to first."""
    command = ("openai", "--experiment", study(), "--model", "gpt-4.1", "--run", "mine")
    assert run(*command, "--batch").code == 0
    made = run.attempts()
    refused(run(*command, "--batch", "--trials", "5"), "run mine belongs to another experiment", "--run name")
    assert run.attempts() == made


def test_a_run_that_lives_elsewhere(run: Commands, study: Callable) -> None:
    """A run of one address is not looked for at another."""
    planned = run("openai", "--dry-run", "--json", "--experiment", study()).json
    env = {"OPENAI_BASE_URL": "https://198.51.100.7/v1"}
    refused(run("openai", "--status", planned["run"], env=env), "lives elsewhere", "OPENAI_BASE_URL")


def test_a_shard_that_was_edited(run: Commands, study: Callable) -> None:
    """A planned file that was changed by hand is not sent."""
    command = ("openai", "--experiment", study(), "--model", "gpt-4.1")
    shard = Path(run(*command, "--dry-run", "--json").json["shards"][0]["path"])
    shard.write_bytes(shard.read_bytes().replace(b"small", b"large") + b"{}\n")
    refused(run(*command, "--batch"), "was changed after planning", "--run NAME")
    nothing_was_sent(run)


def test_port_taken(tmp_path: Path) -> None:
    """make serve on a port that is taken: one line that says so, exit 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = python("-m", "tools.batch_server", "--port", port, "--state", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("made", [b"", b"\x00\xff\xfe\x89PNG" * 50])
def test_the_converter(tmp_path: Path, made: bytes) -> None:
    """An empty or a binary file: one clear line, exit 2 or 1, no traceback."""
    (tmp_path / "x_output.jsonl").write_bytes(made)
    done = python("tools/openai/batch_result_converter.py", tmp_path / "x_output.jsonl")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr and "x_output.jsonl" in done.stdout + done.stderr


def test_keys_are_in_no_file(run: Commands, study: Callable) -> None:
    """After a whole run no file of the results folder has a key in it, the journal included."""
    assert run("openai", "--batch", "--experiment", study()).code == 0
    files = [path for path in run.results.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if any(key.encode() in path.read_bytes() for key in KEYS.values())] == []
