"""Clean-up against a real batch service over HTTP: what is deleted is on disk before, and what is not stays."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import orjson
import pytest

import claude_example
import deepseek_batch_example
import openai_example
from common import cli
from common.providers import local
from common.runs.journal import Journal
from tests.basics import ROOT, python, wait_for
from tests.service import KEYS, SECRET, Service

OPENAI, CLAUDE, KLUSTER, _ = cli.TOOLS
STUCK = {"fate": {"stuck": True}}


@pytest.fixture
def service(services: Callable, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service, wiped, and the environment that leads to it."""
    found = services(speed=400)
    found.reset()
    for name, value in {**found.addresses, **KEYS}.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder, which the commands of this test use."""
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "results"))
    return tmp_path / "results"


def run(script: cli.Script, model: str, *more: str) -> int:
    """One of the scripts, in this process."""
    first = ["--batch"] if script.needs_batch else []
    arguments = ["--model", model, "--limit", "3", "--trials", "1", "--poll", "0.03", "--no-texts", "--json", *more]
    return cli.main(script, first + arguments)


def clean(tool: str, *arguments: str) -> int:
    """One of the tools, in this process."""
    return cli.cleanup(tool, [*arguments, "--patience", "0.1"])


def backups(folder: Path) -> dict[str, Path]:
    """Complete copies by batch id."""
    found = (folder / "backups").glob("*/*/*/manifest.json") if (folder / "backups").is_dir() else ()
    return {json.loads(path.read_text())["batch_id"]: path.parent for path in found}


def foreign(service: Service, rows: int = 2, name: str = "in.jsonl") -> str:
    """A batch that no run of ours has made; its id, once it has ended."""
    body = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "Q1. 面白さ(数値): [0-100]"}]}
    lines = [{"custom_id": f"x{n}", "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(rows)]
    return create(service, upload(service, b"".join(orjson.dumps(line) + b"\n" for line in lines), name))


def message_batch(service: Service, rows: int = 3) -> str:
    """A Message Batch that no run of ours has made; its id at once."""
    params = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Q1. 面白さ(数値): [0-100]"}]}
    return service.anthropic().messages.batches.create(requests=[{"custom_id": f"x{n}", "params": params} for n in range(rows)]).id


def upload(service: Service, data: bytes, name: str = "in.jsonl") -> str:
    """A file of the account; its id."""
    return service.openai().files.create(file=(name, data), purpose="batch").id


def create(service: Service, file_id: str, wait: bool = True) -> str:
    """A batch of a file; its id, once it has ended."""
    made = service.openai().batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")
    wait_for(lambda: not wait or service.get(f"/batches/{made.id}").json()["status"] == "completed")
    return made.id


def command(tool: str, *arguments: str, stdin: object = subprocess.DEVNULL) -> subprocess.CompletedProcess:
    """A tool as a person starts it, from another folder."""
    return python(ROOT / "tools" / tool / "batch_cleanup.py", *arguments, cwd="/", stdin=stdin)


# ---- what is saved and deleted ---------------------------------------------------------------------------------------


def test_backup_equals_remote(service: Service, folder: Path) -> None:
    """The files of a batch of ours are in the backup byte for byte, and gone at the provider; nothing else is."""
    other = upload(service, b'{"custom_id":"mine"}\n')
    assert run(openai_example.SCRIPT, "gpt-4.1-mini") == 0
    batch, before = service.batches()[0], service.files()
    assert clean(OPENAI, "--all", "--yes") == 0
    copy = backups(folder)[batch["id"]]
    assert (copy / "input.jsonl").read_bytes() == before[batch["input_file_id"]]
    assert (copy / "output.jsonl").read_bytes() == before[batch["output_file_id"]]
    assert json.loads((copy / "batch.json").read_text()) == batch
    assert service.files().keys() == {other}


def test_manifest_tells_the_truth(service: Service, folder: Path) -> None:
    """Each file is in the manifest with its size and digest, and what was deleted is exactly what was saved."""
    batch_id = foreign(service)
    before = service.files()
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 0
    copy = backups(folder)[batch_id]
    manifest = json.loads((copy / "manifest.json").read_text())
    for entry in manifest["files"]:
        data = (copy / entry["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
        assert entry["kind"] == "batch" or data == before[entry["ref"]]
    assert set(manifest["deleted"]) == {e["ref"] for e in manifest["files"] if e["kind"] != "batch"} == before.keys()


def test_local_copy_that_was_changed_is_not_trusted(service: Service, folder: Path) -> None:
    """A raw file that was edited here is not taken for the provider's: the backup holds the provider's bytes."""
    assert run(openai_example.SCRIPT, "gpt-4.1-mini") == 0
    batch, before = service.batches()[0], service.files()
    raw = next((folder / "openai/batch_results").glob("*_output.jsonl"))
    raw.write_bytes(raw.read_bytes().replace(b"0", b"9"))
    assert clean(OPENAI, "--all", "--yes") == 0
    assert (backups(folder)[batch["id"]] / "output.jsonl").read_bytes() == before[batch["output_file_id"]]


def test_clean_twice(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """OpenAI keeps batch objects for ever: one without files is already clean, and does not use up the limit."""
    first, second = foreign(service), foreign(service)
    everything = ("--all", "--everything-in-account", "--yes", "--limit", "1")
    assert clean(OPENAI, *everything) == clean(OPENAI, *everything) == 0
    assert backups(folder).keys() == {first, second}
    capsys.readouterr()
    assert clean(OPENAI, *everything) == 0
    assert "2 batches already clean" in capsys.readouterr().out


def test_anthropic(service: Service, folder: Path) -> None:
    """Of Anthropic's batches the results are saved, with the requests from this disk; then the batch is deleted."""
    assert run(claude_example.SCRIPT, "claude-haiku-4-5") == 0
    batch, = service.batches("anthropic")
    results = service.get(f"/messages/batches/{batch['id']}/results", "anthropic").content
    shard = next((folder / "claude").glob("*/shards/*.jsonl")).read_bytes()
    assert clean(CLAUDE, "--all", "--yes") == 0
    copy = backups(folder)[batch["id"]]
    assert (copy / "output.jsonl").read_bytes() == results
    assert (copy / "input.jsonl").read_bytes() == shard
    assert service.batches("anthropic") == []


def test_kluster(service: Service, folder: Path) -> None:
    """The kluster tool finds the runs in deepseek/ and llama/."""
    assert run(deepseek_batch_example.SCRIPT, "deepseekv3") == 0
    assert len(service.files("kluster")) == 2
    assert clean(KLUSTER, "--all", "--yes") == 0
    assert len(backups(folder)) == 1
    assert service.files("kluster") == {}


# ---- what is left alone ----------------------------------------------------------------------------------------------


def test_uncollected_is_never_deleted(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """A batch of ours that has ended but was not collected stays whatever is said, and the command that collects is named."""
    run(openai_example.SCRIPT, "gpt-4.1-mini", "--no-wait")
    wait_for(lambda: service.batches()[0]["status"] == "completed")
    batch, before = service.batches()[0], service.files()
    capsys.readouterr()
    assert clean(OPENAI, "--all", "--everything-in-account", "--cancel-running", "--yes") == 0
    assert clean(OPENAI, "--batch-id", batch["id"], "--yes") == 1
    assert f"python openai_example.py --status {batch['id']}" in capsys.readouterr().out
    assert service.files() == before
    assert backups(folder) == {}


def test_batch_of_a_lost_answer_is_never_deleted(service: Service, folder: Path) -> None:
    """A batch whose creation went unanswered is in no journal; it is known by its tag and left alone."""
    lost = {"call": "batches.create", "action": {"drop": "after"}}
    service.faults(lost, {"call": "batches.list", "action": {"status": 500}, "times": -1})
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "openai_example.py"), "--batch", "--limit", "1", "--model", "gpt-4.1-mini", "--poll", "30"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: service.fired(1))
    child.kill()
    child.wait()
    service.faults()
    wait_for(lambda: service.batches()[0]["status"] == "completed")
    journal = Journal(folder)
    known, = journal.runs()
    state = next(iter(journal.states(known)))
    journal.close()
    before = service.files()
    assert clean(OPENAI, "--all", "--everything-in-account", "--yes") == 0
    assert state == "submitting"
    assert service.files() == before


def test_foreign_are_left_and_counted(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """--all takes what this folder's journal knows; it says how many others there are and what takes them."""
    foreign(service)
    before = service.files()
    assert clean(OPENAI, "--all", "--yes") == 0
    said = capsys.readouterr().out
    assert "knows none of the account's batches; 1 batches not made here are left alone; --everything-in-account" in said
    assert service.files() == before


def test_shared_input_is_kept(service: Service, folder: Path) -> None:
    """An input file that a running batch lives on is kept when an ended batch of the same file is cleaned."""
    batch_id = foreign(service)
    shared = service.get(f"/batches/{batch_id}").json()["input_file_id"]
    service.fault("batches.create", STUCK)
    create(service, shared, wait=False)
    assert clean(OPENAI, "--all", "--everything-in-account", "--yes") == 0
    assert service.files().keys() == {shared}
    assert (backups(folder)[batch_id] / "input.jsonl").read_bytes() == service.files()[shared]


def test_shared_input_goes_with_the_last(service: Service, folder: Path) -> None:
    """Two ended batches of one input file: both have it in their backup, then it is deleted."""
    first = foreign(service)
    second = create(service, service.get(f"/batches/{first}").json()["input_file_id"])
    assert clean(OPENAI, "--all", "--everything-in-account", "--yes") == 0
    assert service.files() == {}
    assert all((backups(folder)[batch_id] / "input.jsonl").stat().st_size for batch_id in (first, second))


def test_running_anthropic_batch_is_left(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """A running batch is left alone without --cancel-running; with it, it is stopped, saved and deleted."""
    service.fault("messages.batches.create", STUCK)
    batch_id = message_batch(service)
    assert clean(CLAUDE, "--all", "--everything-in-account", "--yes") == 0
    assert [b["processing_status"] for b in service.batches("anthropic")] == ["in_progress"]
    assert "--cancel-running" in capsys.readouterr().out
    assert clean(CLAUDE, "--all", "--everything-in-account", "--yes", "--cancel-running") == 0
    assert service.batches("anthropic") == []
    assert len((backups(folder)[batch_id] / "output.jsonl").read_bytes().splitlines()) == 3


def test_running_batch_of_ours_is_collected_first(service: Service, folder: Path) -> None:
    """--cancel-running stops a batch of ours through its run: the journal has its rows before anything is deleted."""
    service.fault("batches.create", STUCK)
    run(openai_example.SCRIPT, "gpt-4.1-mini", "--no-wait")
    batch_id = service.batches()[0]["id"]
    assert clean(OPENAI, "--all", "--yes", "--cancel-running") == 0
    journal = Journal(folder)
    _, shard = journal.owner(batch_id)
    journal.close()
    assert (shard.state, shard.stopped, sum(shard.tally.values())) == ("collected", True, 3)
    assert service.files() == {}
    assert (folder / "openai/batch_results").is_dir() and backups(folder).keys() == {batch_id}


def test_running_foreign_batch_is_cancelled_when_told(service: Service, folder: Path) -> None:
    """A running batch that was not made here is cancelled only when told so, then saved and deleted."""
    service.fault("batches.create", STUCK)
    batch_id = create(service, upload(service, b'{"custom_id":"x","method":"POST","url":"/v1/chat/completions",'
                                      b'"body":{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"a"}]}}\n'), wait=False)
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 1
    assert len(service.files()) == 1
    assert clean(OPENAI, "--batch-id", batch_id, "--yes", "--cancel-running") == 0
    assert service.get(f"/batches/{batch_id}").json()["status"] == "cancelled"
    assert service.files() == {}


# ---- when something fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [{"truncate": 0.5}, {"lines": {"missing": 1}}, {"status": 500}, {"drop": "before"}])
def test_failed_download_deletes_nothing(service: Service, folder: Path, action: dict, capsys: pytest.CaptureFixture) -> None:
    """A download that is cut, short, refused or dropped is a failed backup: the batch stays, exit 1, no half copy."""
    batch_id = foreign(service)
    before = service.files()
    service.fault("files.content", action)
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 1
    assert "FAILED" in capsys.readouterr().out
    service.faults()
    assert service.files() == before
    assert not list((folder / "backups/openai").iterdir())


def test_copy_that_the_disk_spoils(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """A copy that no longer holds the received bytes when it is read again deletes nothing."""
    batch_id = foreign(service)
    before = service.files()
    service.faults({"call": "files.content", "nth": 2, "action": {"delay": 0.5}})  # time to spoil the first

    def spoil() -> None:
        wait_for(lambda: service.fired(0))
        copy, = (folder / "backups").glob("*/*/*/input.jsonl")
        copy.write_bytes(copy.read_bytes()[:-2] + b"X\n")

    thread = threading.Thread(target=spoil)
    thread.start()
    code = clean(OPENAI, "--batch-id", batch_id, "--yes")
    thread.join()
    assert (code, "does not hold what was received" in capsys.readouterr().out) == (1, True)
    assert service.files() == before
    assert backups(folder) == {}


def test_interrupted(service: Service, folder: Path) -> None:
    """Ctrl-C in the middle of a download: exit 130, the command that goes on, no half copy, nothing deleted."""
    batch_id = foreign(service)
    before = service.files()
    service.fault("files.content", {"delay": 3}, times=1)
    tool = ROOT / "tools/openai/batch_cleanup.py"
    command = [sys.executable, str(tool), "--batch-id", batch_id, "--yes"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    wait_for(lambda: list((folder / "backups").glob("*/*/*/batch.json")))
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=20)[1]
    service.faults()
    assert (child.returncode, said.count("\n")) == (130, 1)
    assert f"python tools/openai/batch_cleanup.py --batch-id {batch_id} --yes" in said
    assert service.files() == before
    assert not list((folder / "backups/openai").iterdir())


def test_the_others_go_on(service: Service, folder: Path) -> None:
    """One batch that cannot be saved does not keep the others from being cleaned."""
    first, second = foreign(service), foreign(service)
    kept = {service.get(f"/batches/{first}").json()[f"{kind}_file_id"] for kind in ("input", "output")}
    service.fault("files.content", {"status": 500}, times=1)
    assert cli.cleanup(OPENAI, ["--all", "--everything-in-account", "--yes", "--patience", "0.000001"]) == 1
    assert backups(folder).keys() == {second}
    assert service.files().keys() == kept


@pytest.mark.parametrize("action", [{"truncate": 0.5}, {"lines": {"missing": 1}}, {"hide_output": True}])
def test_failed_anthropic_download_deletes_nothing(service: Service, folder: Path, action: dict) -> None:
    """Results that come cut, with a row less than counted, or not at all leave the batch where it is."""
    message_batch(service)
    wait_for(lambda: service.batches("anthropic")[0]["processing_status"] == "ended")
    service.fault("*" if "hide_output" in action else "messages.batches.results", action)
    assert clean(CLAUDE, "--all", "--everything-in-account", "--yes") == 1
    service.faults()
    assert len(service.batches("anthropic")) == 1
    assert backups(folder) == {}


def test_no_place_for_the_backup(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """Where the backup cannot be written nothing is deleted, and one line says why."""
    batch_id = foreign(service)
    before = service.files()
    folder.mkdir()
    (folder / "backups").write_text("not a folder")
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 1
    assert "Not a directory" in capsys.readouterr().out
    assert service.files() == before


def test_full_disk(service: Service, folder: Path) -> None:
    """A disk that is full in the middle of a file deletes nothing and leaves no half copy."""
    batch_id = foreign(service, rows=300)
    before = service.files()
    limited = f"ulimit -f 20; exec {sys.executable} {ROOT}/tools/openai/batch_cleanup.py --batch-id {batch_id} --yes"
    done = subprocess.run(["bash", "-c", f"trap '' XFSZ; {limited}"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "File too large" in done.stdout, done.stderr) == (1, True, "")
    assert service.files() == before
    assert backups(folder) == {}


def test_failed_deletion_is_said(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """When the provider does not delete, the copy stays, the command fails, and another one finishes the work."""
    batch_id = foreign(service)
    service.fault("files.delete", {"status": 500})
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 1
    assert "FAILED" in capsys.readouterr().out
    assert batch_id in backups(folder)
    service.faults()
    assert len(service.files()) == 2
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 0
    assert service.files() == {}


def test_what_the_provider_has_lost_is_noted(service: Service, folder: Path) -> None:
    """A file that is no longer there is noted as gone and is no failure; the rest is saved and deleted."""
    batch_id = foreign(service)
    lost = service.get(f"/batches/{batch_id}").json()["input_file_id"]
    service.control(f"files/{lost}/vanish", {})
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 0
    manifest = json.loads((backups(folder)[batch_id] / "manifest.json").read_text())
    assert manifest["gone"] == [{"kind": "input", "ref": lost}]
    assert service.files() == {}


# ---- the command line ------------------------------------------------------------------------------------------------


def test_nobody_to_ask(service: Service, folder: Path) -> None:
    """Without a terminal and without --yes: exit 2, one line, nothing touched."""
    foreign(service)
    before = service.files()
    done = command("openai", "--all", "--everything-in-account")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--yes" in done.stderr
    assert service.files() == before


@pytest.mark.parametrize(("answer", "left"), [("", 2), ("y", 0)])
def test_asks_once_on_a_terminal(service: Service, folder: Path, answer: str, left: int) -> None:
    """On a terminal the question is asked once, and only yes is yes."""
    batch_id = foreign(service)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode() + b"\n")
    done = command("openai", "--batch-id", batch_id, stdin=theirs)
    os.close(ours), os.close(theirs)
    assert (done.returncode, done.stderr.count("[y/N]")) == (0, 1)
    assert len(service.files()) == left


def test_dry_run_changes_nothing(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """--dry-run tells programs and people what would be done, saves nothing and deletes nothing."""
    batch_id = foreign(service)
    before = service.files()
    assert clean(OPENAI, "--all", "--everything-in-account", "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(b["batch_id"], b["will_do"], b["run"]) for b in told["batches"]] == [(batch_id, True, None)]
    assert service.files() == before
    assert not folder.exists()


@pytest.mark.parametrize("batch_id", ["../../etc/passwd", "..", "", "a b", "x\x1b[2J", "b" * 300, "batch_nobody_has_this"])
def test_hostile_ids(service: Service, folder: Path, batch_id: str, capsys: pytest.CaptureFixture) -> None:
    """An id that no API made, or that the account does not have, is one printable line and exit 2."""
    assert clean(OPENAI, "--batch-id", batch_id, "--yes") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.strip().isprintable()


def test_limit_belongs_to_all(service: Service, folder: Path) -> None:
    """Options that only make sense with --all are refused without it."""
    assert clean(OPENAI, "--batch-id", "batch_x", "--limit", "3", "--yes") == 2
    assert clean(OPENAI, "--batch-id", "batch_x", "--everything-in-account", "--yes") == 2


def test_wrong_key(service: Service, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """A key that the provider refuses: exit 3, one line, without the key."""
    service.fault("batches.list", {"status": 401})
    assert clean(OPENAI, "--all", "--yes") == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and SECRET not in said


def test_no_key(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """No key: exit 2 and one line that says both ways out."""
    monkeypatch.setenv("OPENAI_API_KEY", "")  # set, so that no .env can bring another
    assert clean(OPENAI, "--all", "--yes") == 2
    assert "--local" in capsys.readouterr().err


ROW = b'{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"message":{"content":"x"}}]}},"error":null}\n'


class Hostile(BaseHTTPRequestHandler):
    """A host of the OpenAI shape whose ids are attacks on paths and terminals."""

    ids = ("../../../up", "..", "CON", "\x1b[2Jx", "a/../../b", "n" * 400)
    deleted: list[str] = []

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/batches"):
            return self._json({"object": "list", "data": [self._batch(i) for i in self.ids], "has_more": False})
        if path.endswith("/content"):
            return self._send(ROW)
        if "/files/" in path:
            return self._json({"id": "file-1", "object": "file", "bytes": len(ROW)}, 404 if path in self.deleted else 200)
        return self._json(self._batch(httpx2.URL("http://x" + path).path.removeprefix("/v1/batches/")))

    def do_DELETE(self) -> None:
        self.deleted.append(self.path)
        self._json({"id": "x", "deleted": True})

    def _batch(self, batch_id: str) -> dict:
        return {"id": batch_id, "object": "batch", "status": "completed", "created_at": 1, "input_file_id": "file-1",
                "output_file_id": "../../../v1/batches", "request_counts": {"total": 1, "completed": 1, "failed": 0}}

    def _json(self, body: dict, status: int = 200) -> None:
        self._send(orjson.dumps(body), status)

    def _send(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def test_hostile_host(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Ids that a host sends cannot lead out of the backup folder, nor reach the terminal as they are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-k")
    code = clean(OPENAI, "--all", "--everything-in-account", "--yes")
    server.shutdown()
    server.server_close()
    said = capsys.readouterr()
    assert code in (0, 1) and "\x1b" not in said.out + said.err
    assert {path.name for path in folder.iterdir()} == {"backups"}
    depth = {len(path.relative_to(folder).parts) for path in folder.rglob("manifest.json")}
    assert depth == {5}  # backups/openai/<time>/<batch>/manifest.json
    assert all("/files/" in path for path in Hostile.deleted)
    assert {path.name for path in folder.parent.iterdir()} == {"results"}


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # the service outlives its starter
def test_local_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --local the tool works as the scripts do, without a key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with local.account("openai", folder):  # one service for both commands
        assert run(openai_example.SCRIPT, "gpt-4.1-mini", "--local") in (0, 1)
        assert clean(OPENAI, "--all", "--yes", "--local") == 0
    assert backups(folder)
