"""A run that is given away: it arrives whole and as a record, holds no key, and an archive that is none writes nothing."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common import cli
from common.errors import InputError
from common.maintenance import archive as archives
from common.maintenance.take_in import take_in
from common.runs.journal import Journal
from tests.basics import ROOT
from tests.cli.refusals import refused
from tests.cli.scripts import table
from tests.service import KEYS
from tests.support import NO_KEY, STUDY, Commands, End, later

ALL = ("openai", "--batch", "--model", "gpt-4.1", "--experiment")
Members = dict[str, bytes]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., End]:
    """A make target on a results folder: `make("audit", results)`."""

    def target(name: str, results: Path, *argv: object) -> End:
        monkeypatch.setenv("RESULTS_DIR", str(results))
        code = cli.make(name, [*map(str, argv)])
        said = capsys.readouterr()
        return End(code, said.out, said.err)

    return target


@pytest.fixture(scope="module")
def shared(calm: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a small finished run."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "t1.txt").write_text("A text.\n")
    (folder / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in STUDY.items()))
    run = Commands(calm, folder / "results")
    assert run(*ALL, folder, "--run", "small").code == 0
    end = run.typed("python -m tools.share small")
    assert end.code == 0, end.said
    return folder / "results/shared/openai-small-SIMULATED.zip"


def everything(folder: Path) -> dict[str, bytes | None]:
    """All that lies in a folder, for what must not change."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")} if folder.exists() else {}


# ---- there and back


def test_there_and_back(run: Commands, study: Callable, make: Callable, tmp_path: Path) -> None:
    """A real run, shared and imported elsewhere: same table, clean audit, status without a key, nothing to send, and it goes on so."""
    assert run(*ALL, study(trials="20")).code == 0
    (name,) = [path.name for path in (run.results / "openai").iterdir() if path.name != "batch_results"]
    archive = run.results / f"shared/openai-{name}-SIMULATED.zip"
    assert make("share", run.results, name).code == 0
    elsewhere, there = tmp_path / "a/b", run.results / "openai" / name
    assert make("import", elsewhere, archive).code == 0
    here = elsewhere / "openai" / name
    assert (here / "results.csv").read_bytes() == (there / "results.csv").read_bytes()
    assert {path.name for path in (here / "texts").iterdir()} == {path.name for path in (there / "texts").iterdir()}
    assert make("audit", elsewhere).out.splitlines()[-1] == "1 runs, 0 with findings"
    there_too = {"RESULTS_DIR": str(elsewhere)}
    facts = run("openai", "--status", name, "--json", env={**there_too, **NO_KEY}).json
    assert (facts["summary"]["adds_up"], facts["states"], bool(facts["imported"])) == (True, run_states(run, name), True)
    assert "imported" in make("status", elsewhere).out and name in make("report", elsewhere).out
    made = run.attempts()
    assert run(*ALL, study(trials="20"), env=there_too).code == 0  # it is complete: shown, not asked anew
    for refusal in (["--retry-failed", name], ["--cancel", name], ["--give-up", name]):
        refused(run("openai", *refusal, env=there_too), f"run {name} was imported", "--run NAME")
    assert run.attempts() == made
    assert make("import", elsewhere, archive, "--as", "二").code == 0
    assert {row["run"] for row in table(elsewhere / "openai/二")} == {"二"}
    assert make("audit", elsewhere).out.splitlines()[-1] == "2 runs, 0 with findings"
    raw = sorted((elsewhere / "openai/batch_results").iterdir())
    assert len(raw) == 2 * len([*(run.results / "openai/batch_results").iterdir()])
    outputs = " ".join(str(path) for path in raw if path.name.endswith("_output.jsonl"))
    converted = run.typed(f"python tools/openai/batch_result_converter.py --json --format csv {outputs}").json["files"]
    assert {Path(one["target"]).parent for one in converted} == {here, elsewhere / "openai/二"}
    assert sum(one["outcomes"]["succeeded"] for one in converted) == 2 * 20


def run_states(run: Commands, name: str) -> dict[str, int]:
    """What the journal says of a run's shards."""
    with closing(Journal(run.results)) as journal:
        return journal.states(journal.run(f"openai/{name}"))


def test_a_run_in_flight(still: Commands, study: Callable, make: Callable, tmp_path: Path) -> None:
    """It may be shared, and arrives as a record: nothing goes on, nothing is looked for, and adopt leaves it alone."""
    assert still(*ALL, study(), "--no-wait", "--run", "open").code == 0
    end = make("share", still.results, "open")
    assert (end.code, "not complete" in end.out) == (0, True), end.said
    elsewhere, env = tmp_path / "elsewhere", {"RESULTS_DIR": str(tmp_path / "elsewhere")}
    (archive,) = (still.results / "shared").iterdir()
    assert make("import", elsewhere, archive).code == 0
    later(still)
    assert still("openai", "--status", "open", "--json", env=env).json["states"] == {"submitted": 1}
    refused(still(*ALL, study(), "--run", "open", env=env), "run open was imported")
    assert len(still.attempts()) == 1
    (elsewhere / "journal.db").unlink()
    end = make("adopt", elsewhere)
    assert (end.code, "it was imported" in end.out, make("status", elsewhere).out.count("open")) == (1, True, 0)


def test_cleaning_leaves_records_alone(run: Commands, study: Callable, make: Callable, tmp_path: Path) -> None:
    """Batches of an imported run were not made here, though the account may have them."""
    assert run(*ALL, study(), "--run", "mine").code == 0
    assert make("share", run.results, "mine").code == 0
    assert make("import", tmp_path / "b", *(run.results / "shared").iterdir()).code == 0
    line = "python tools/openai/batch_cleanup.py --all --dry-run --json"
    facts = run.typed(line, env={"RESULTS_DIR": str(tmp_path / "b")}).json
    assert (facts["batches"], facts["not_made_here_left"]) == ([], len(run.creates()))


def test_no_key_and_no_place(run: Commands, study: Callable, make: Callable) -> None:
    """Neither the key, its digest, the salt nor a folder of this machine is in an archive, packed or unpacked."""
    assert run(*ALL, study(), "--run", "mine").code == 0
    assert make("share", run.results, "mine").code == 0
    (archive,) = (run.results / "shared").iterdir()
    with zipfile.ZipFile(archive) as packed:
        contents = [archive.read_bytes(), *map(packed.read, packed.namelist()), "\n".join(packed.namelist()).encode()]
    with closing(Journal(run.results)) as journal:
        found, salt = journal.run("openai/mine"), journal.salt
    secrets = [*(key.encode() for key in KEYS.values()), found.account.encode(), salt, salt.hex().encode()]
    places = [str(run.results).encode(), str(study()).encode()]
    assert found.account and found.source.startswith(str(study()))
    assert [word for word in (*secrets, *places) if any(word in content for content in contents)] == []


@pytest.mark.parametrize("place", ["texts/note.txt", "own.txt"])
def test_a_key_in_a_file(run: Commands, study: Callable, make: Callable, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with a key in any of its files is not shared, also across two blocks that are read; no archive is left."""
    assert run(*ALL, study(), "--run", "mine").code == 0
    monkeypatch.setenv("OPENAI_API_KEY", KEYS["OPENAI_API_KEY"])
    (run.results / "openai/mine" / place).write_bytes(b"x" * ((1 << 20) - 5) + KEYS["OPENAI_API_KEY"].encode())
    refused(make("share", run.results, "mine"), place, "holds an API key")
    assert [*(run.results / "shared").iterdir()] == []


def test_a_damaged_run(run: Commands, study: Callable, make: Callable) -> None:
    """A run whose raw file was changed is not shared."""
    assert run(*ALL, study(), "--run", "mine").code == 0
    raw = next((run.results / "openai/batch_results").iterdir())
    raw.write_bytes(raw.read_bytes() + b"\n")
    refused(make("share", run.results, "mine"), raw.name, "make audit")


@pytest.mark.parametrize(("typed", "name"), [([], ""), (["AS=二"], "--as 二")])
def test_the_recipe(typed: list[str], name: str) -> None:
    """What make import runs: a name only where one is typed, though make has a meaning of its own for AS."""
    command = ["make", "-n", "-o", "setup", "import", "FILE=a.zip", *typed]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of the make that runs the tests
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**env, "AS": "gas"})
    assert done.stdout.split() == [".venv/bin/python", "-m", "tools.import_run", "a.zip", *name.split()], done


def test_there_already(shared: Path, make: Callable, tmp_path: Path) -> None:
    """A run of that name is not replaced, whether journal or folder knows it; the line says what to type."""
    assert make("import", tmp_path / "r", shared).code == 0
    before = everything(tmp_path / "r/openai")
    refused(make("import", tmp_path / "r", shared), "is here already", "AS=small-2")
    assert everything(tmp_path / "r/openai") == before
    (tmp_path / "s/openai/small").mkdir(parents=True)
    refused(make("import", tmp_path / "s", shared), "is here already")


# ---- archives that are none


def sealed(members: Members, **told: object) -> Members:
    """Members with a manifest that fits them."""
    rest = {name: content for name, content in members.items() if name != "manifest.json"}
    files = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in rest.items()}
    return {**rest, "manifest.json": orjson.dumps({**orjson.loads(members["manifest.json"]), "files": files, **told})}


def extra(name: str) -> Callable:
    """One more member that the manifest names."""
    return lambda members: sealed({**members, name: b"x"})


def told(**changes: object) -> Callable:
    """Another manifest."""
    return lambda members: sealed(members, **changes)


def rows(kind: str, **changes: object) -> Callable:
    """Rows of the journal with other values."""

    def change(members: Members) -> Members:
        lines = [orjson.loads(line) for line in members["journal.jsonl"].splitlines()]
        made = [{kind: {**line[kind], **changes}} if kind in line else line for line in lines]
        return sealed({**members, "journal.jsonl": b"\n".join(map(orjson.dumps, made))})

    return change


def line(content: bytes) -> Callable:
    """One more line in the journal."""
    return lambda members: sealed({**members, "journal.jsonl": members["journal.jsonl"] + content})


def other(name: str, content: bytes, again: bool = True) -> Callable:
    """Other content of the member whose name ends so, with a manifest that fits it or the old one."""

    def change(members: Members) -> Members:
        (whole,) = [one for one in members if one.endswith(name)]
        members = {**members, whole: content}
        return sealed(members) if again else members

    return change


def without(name: str) -> Callable:
    """A member less, which the manifest does not name either."""
    return lambda members: sealed({one: content for one, content in members.items() if one != name})


HOSTILE = {
    "a path outside": extra("run/../../x"),
    "a path outside, at the start": extra("../x"),
    "an absolute path": extra("/tmp/x"),
    "a dot": extra("run/./x"),
    "an empty part": extra("run//x"),
    "a backslash": extra("run/..\\x"),
    "a NUL": extra("run/x\0y"),
    "an escape": extra("run/\x1b[2Jx"),
    "a long name": extra("run/" + "x" * 300),
    "a deep name": extra("run" + "/x" * 20),
    "another place": extra("journal.db"),
    "beside the raw files": extra("batch_results/a/b"),
    "a raw file of no batch": extra("batch_results/batch_x_output.jsonl"),
    "names that differ in case": extra("run/RESULTS.csv"),
    "a file that is a folder": extra("run/results.csv/x"),
    "a folder": extra("run/x/"),
    "a member that the manifest lacks": lambda members: {**members, "run/x": b"x"},
    "a member that only the manifest has": lambda members: {n: c for n, c in members.items() if n != "run/results.csv"},
    "wrong content": other("results.csv", b"x", again=False),
    "a bomb": other("results.csv", bytes(20_000_000), again=False),
    "no manifest": lambda members: {name: content for name, content in members.items() if name != "manifest.json"},
    "a manifest that is none": lambda members: {**members, "manifest.json": b"[" * 100_000},
    "a manifest of lists": lambda members: {**members, "manifest.json": b"[1]"},
    "another kind": told(kind="a song"),
    "a newer format": told(format=2),
    "no format": told(format=True),
    "a size below zero": lambda members: {**members, "manifest.json": sealed(members)["manifest.json"].replace(b'"bytes":', b'"bytes":-')},
    "no journal": without("journal.jsonl"),
    "no run.json": without("run/run.json"),
    "an empty journal": other("journal.jsonl", b""),
    "a journal of depth": other("journal.jsonl", b"[" * 100_000),
    "a journal that is a number": other("journal.jsonl", b"1"),
    "a journal of latin": other("journal.jsonl", b'{"run": "\xe9"}'),
    "a garbled run.json": other("run.json", b"{}"),
    "another run.json": other("run.json", b"\xff"),
    "ids that were changed": other(".ids", b"x\n"),
    "a shard that was changed": other("shard-00001.jsonl", b"{}\n"),
    "a provider that is a path": rows("run", provider="../..", key="../../small"),
    "a provider that is no provider": rows("run", provider="backups", key="backups/small"),
    "a name that is a path": rows("run", name="../small", key="openai/../small"),
    "a name that is the raw files": rows("run", name="batch_results", key="openai/batch_results"),
    "an unknown host": rows("run", host="nowhere"),
    "a host that is a list": rows("run", host=["openai"]),
    "a model that nobody asked": rows("run", models=["gpt-4.1", "other"]),
    "a run that was never planned": rows("run", planned=0),
    "a time that is none": rows("run", created_at=1e300),
    "a shard elsewhere": rows("shard", path="../../shard-00001.jsonl"),
    "a shard of another run": rows("shard", run="openai/other"),
    "a state that is none": rows("shard", state="eaten"),
    "money that is a text": rows("shard", spent="=1+1"),
    "a count that is true": rows("shard", count=True),
    "a number too large": rows("shard", tokens=1 << 60),
    "a batch of another name": rows("shard", batch_id="../x"),
    "a raw file elsewhere": rows("shard", files={"../../x": "0" * 64}),
    "a digest that is none": rows("shard", sha256="0" * 64),
    "a shard twice": lambda members: line(members["journal.jsonl"].splitlines()[1])(members),
    "an event that is none": line(b'{"event": [0, 1, "x\\u001b", {}]}'),
    "a short event": line(b'{"event": [0]}'),
    "a member of the run that is no file of it": extra("run/shards"),
    "a claim that is none": line(b'{"claim": [1, 1, "submitted"]}'),
    "a line of another kind": line(b'{"secret": 1}'),
    "two things in a line": line(b'{"event": 1, "claim": 2}'),
}


def members_of(path: Path) -> Members:
    """All members of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: Members, **more: object) -> Path:
    """An archive of these members; `more` are attributes of the first member of the run's folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it stands, which its constructor would mend
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in more.items() if name == "run/results.csv" else ():
                setattr(info, key, value)
            archive.writestr(info, content)
    return path


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile(shared: Path, make: Callable, tmp_path: Path, change: Callable) -> None:
    """One line, exit code 2, and nothing is written, neither in the results folder nor anywhere near."""
    archive = write(tmp_path / "hostile.zip", change(members_of(shared)))
    refused(end := make("import", tmp_path / "results", archive))
    assert (end.out, end.err.removesuffix("\n").isprintable()) == ("", True)
    assert os.listdir(tmp_path) == ["hostile.zip"]


def test_hostile_in_a_used_folder(shared: Path, tmp_path: Path) -> None:
    """Where another run lies already, the same."""
    results = tmp_path / "results"
    take_in(shared, results, "other")
    before = everything(results)
    for change in HOSTILE.values():
        with pytest.raises(InputError):
            take_in(write(tmp_path / "hostile.zip", change(members_of(shared))), results)
    assert everything(results) == before


LINK, DEVICE = (stat.S_IFLNK | 0o777) << 16, (stat.S_IFCHR | 0o666) << 16


@pytest.mark.parametrize("more", [{"external_attr": LINK}, {"external_attr": DEVICE}, {"compress_type": zipfile.ZIP_LZMA}], ids=str)
def test_members_of_other_kinds(shared: Path, tmp_path: Path, more: dict) -> None:
    """Links, devices and other packings."""
    archive = write(tmp_path / "hostile.zip", members_of(shared), **more)
    with pytest.raises(InputError, match="results.csv"):
        take_in(archive, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_member_twice(shared: Path, tmp_path: Path) -> None:
    """The same name twice."""
    shutil.copy(shared, tmp_path / "twice.zip")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "twice.zip", "a") as archive:
        archive.writestr("run/results.csv", b"x")
    with pytest.raises(InputError, match="twice"):
        take_in(tmp_path / "twice.zip", tmp_path / "results")


@pytest.mark.parametrize(("limit", "most"), [("MOST_BYTES", 1000), ("MOST_FILES", 3), ("MOST_MANIFEST", 100)])
def test_limits(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int) -> None:
    """An archive beyond what is taken is refused before anything of it is unpacked."""
    monkeypatch.setattr(archives, limit, most)
    with pytest.raises(InputError):
        take_in(shared, tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.fixture(scope="module")
def little(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, Path]]:
    """The archive's bytes, and a folder for each try."""
    yield shared.read_bytes(), tmp_path_factory.mktemp("flips")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(places=[(0.9995498955703974, 61)], cut=None)  # its directory is said to begin before the file
@given(places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4), cut=st.floats(0, 1) | st.none())
def test_damage_anywhere(little: tuple[bytes, Path], places: list[tuple[float, int]], cut: float | None) -> None:
    """Whatever byte is changed and wherever it is cut: refused in one line, or the run that was shared; nothing between."""
    whole, folder = little
    made = bytearray(whole)
    for where, byte in places:
        made[min(int(where * len(made)), len(made) - 1)] = byte
    (folder / "a.zip").write_bytes(made if cut is None else made[: int(cut * len(made))])
    results = folder / "results"
    try:
        take_in(folder / "a.zip", results)
    except InputError as error:
        assert "\n" not in str(error) and not results.exists()
    else:
        kept = members_of_bytes(whole)
        assert (results / "openai/small/results.csv").read_bytes() == kept["run/results.csv"]
        shutil.rmtree(results)
    assert os.listdir(folder) == ["a.zip"]


def members_of_bytes(whole: bytes) -> Members:
    """All members of an archive in memory."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
