"""A study that grows: what is asked already is taken over, and only what is new is bought; counted by the service's ledger."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from common.runs.journal import Journal
from tests.basics import wait_for
from tests.cli.scripts import INPUT, MODEL, OK, REFUSED, UNFINISHED, only_run, table
from tests.maintenance.test_forget import forget
from tests.support import QUICK, Commands, End, later
from tests.torture.world import World

TEXTS = '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t2.txt"}]'
FILES = {"t1.txt": "A text.\n", "t2.txt": "Another text.\n"}
PROMPT = '{system = "You are {persona.name}.", user = "Read {text}\\nQ1. Joy(value): [0-100]\\nQ1. Joy(reason): [why]"}'
QUESTION = '[{id = "Q1", name = "Joy"}]'
PERSONAS = '[{id = "1", name = "a reader", temperature = 0.7}, {id = "2", name = "a critic", temperature = 0.7}]'
SIZE = 8  # requests of the study: 2 personas × 2 texts × 2 trials


@pytest.fixture
def sure(calm: World, tmp_path: Path) -> Commands:
    """Commands against a quick service at which no row fails."""
    calm.reset()
    return Commands(calm, tmp_path / "results")


@pytest.fixture
def grown(study: Callable[..., Path]) -> Callable[..., Path]:
    """Makes the study, or what has become of it."""

    def make(files: dict[str, str | bytes] | None = None, **keys: str | None) -> Path:
        whole = {"text": TEXTS, "prompt": PROMPT, "question": QUESTION, "persona": PERSONAS, **keys}
        return study({**FILES, **(files or {})}, **whole)

    return make


def ask(run: Commands, folder: Path, *more: object, script: str = "openai", models: tuple[str, ...] = (), **env: str) -> End:
    """The command that sends a study, run to its end."""
    send = ["--batch"] if script in ("openai", "claude") else []
    return run(script, *send, "--experiment", folder, "--model", *(models or [MODEL[script]]), "--json", *more, env=env)


def bought(run: Commands) -> int:
    """Requests that were answered and paid, whatever run they are of."""
    return run.world.billed().total()


def rows(run: Commands, end: End, script: str = "openai") -> list[dict]:
    """The table of the run that a command has ended with, after its sum was seen to be right."""
    assert end.out, end.err
    found = table(run.results / script / end.json["run"])
    taken = sum(row["taken_from"] != "" and row["outcome"] == "succeeded" for row in found)
    assert (end.json["adds_up"], end.json["taken_over"], len(found)) == (True, taken, end.json["planned"]), end.said
    return found


GROWN = {  # what is changed: (keys and files of the experiment, options, models, requests that are new, requests in all)
    "trials": ({"trials": "5"}, (), (), 12, 20),
    "one more model": ({}, (), ("gpt-4.1", "gpt-4.1-mini"), 8, 16),
    "a typo in one of two texts": ({"files": {"t2.txt": "Another text!\n"}}, (), (), 4, 8),
    "one more text": ({"text": TEXTS[:-1] + ', {id = "t3", file = "t3.txt"}]', "files": {"t3.txt": "A third.\n"}}, (), (), 4, 12),
    "one more persona": ({"persona": PERSONAS[:-1] + ', {id = "3", name = "a child", temperature = 0.7}]'}, (), (), 4, 12),
    "another temperature": ({"persona": PERSONAS.replace("0.7}]", "0.8}]")}, (), (), 4, 8),
    "another cap": ({"max_tokens": "65"}, (), (), 8, 8),
    "another name of the study": ({"name": '"other"'}, (), (), 0, 8),
    "another id of a text": ({"text": TEXTS.replace('"t2",', '"zwei",')}, (), (), 0, 8),
    "only the scale": ({"question": '[{id = "Q1", name = "Joy", max = 10}]'}, (), (), 0, 8),
    "another type of question": ({"question": '[{id = "Q1", name = "Joy", type = "integer"}]'}, (), (), 0, 8),
    "fewer trials": ({"trials": "1"}, (), (), 0, 4),
    "a part of it": ({}, ("--limit", "3"), (), 0, 3),
    "a sample of it": ({}, ("--sample", "3"), (), 0, 3),
    "one persona": ({}, ("--persona", "2"), (), 0, 4),
}  # fmt: skip


@pytest.mark.parametrize("change", GROWN)
def test_only_what_is_new_is_bought(sure: Commands, grown: Callable, change: str) -> None:
    """The table of changes."""
    keys, options, models, new, size = GROWN[change]
    first = ask(sure, grown())
    assert (first.code, bought(sure)) == (OK, SIZE), first.said
    plan = ask(sure, grown(**keys), *options, "--dry-run", models=models).json
    assert (plan["taken_over"], plan["requests"]) == (size - new, size)
    end = ask(sure, grown(**keys), *options, models=models)
    assert (end.code, bought(sure)) == (OK, SIZE + new), end.said
    found = rows(sure, end)
    if end.json["run"] != first.json["run"]:
        taken = [row for row in found if row["taken_from"]]
        assert ({row["taken_from"] for row in taken} <= {f"openai/{first.json['run']}"}, len(taken)) == (True, size - new)
        assert {float(row["cost_usd"]) for row in taken} <= {0.0}
    again = ask(sure, grown(**keys), *options, models=models)
    assert (again.code, bought(sure), again.json["run"]) == (OK, SIZE + new, end.json["run"])


CSV = b"id,body\nt1,A text.\nt2,Another text.\n"
SPELLINGS: dict[str, Callable[[dict], dict]] = {  # the same study written differently
    "a blank line at the end": lambda files: {"rows.csv": CSV + b"\n"},
    "line ends": lambda files: {"rows.csv": CSV.replace(b"\n", b"\r\n")},
    "a byte order mark": lambda files: {"rows.csv": b"\xef\xbb\xbf" + CSV},
}


@pytest.mark.parametrize("spelling", [*SPELLINGS, "a comment", "the models' order", "the personas' order", "another folder"])
def test_what_is_no_new_question(sure: Commands, grown: Callable, spelling: str, tmp_path: Path) -> None:
    """The same run, and nothing is bought, however the study is spelled, and from where it is asked."""
    of_rows = {"text": None, "prompt": PROMPT.replace("{text}", "{body}"), "data": '{file = "rows.csv", id = "id"}'}
    models, more = ("gpt-4.1", "gpt-4.1-mini"), ("--persona", "1", "2")
    first = ask(sure, grown({"rows.csv": CSV}, **of_rows), *more, models=models)
    assert (first.code, bought(sure)) == (OK, 2 * SIZE), first.said
    folder = grown(SPELLINGS[spelling]({}) if spelling in SPELLINGS else {}, **of_rows)
    if spelling == "a comment":
        toml = folder / "experiment.toml"
        toml.write_text("# a comment\r\n" + toml.read_text().replace("\n", "  # why\r\n\r\n"))
    if spelling == "the models' order":
        models = models[::-1]
    if spelling == "the personas' order":
        more = ("--persona", "2", "1")
    if spelling == "another folder":
        folder = folder.rename(tmp_path / "elsewhere")
        sure.env["RESULTS_DIR"] = str(sure.results.rename(tmp_path / "moved"))
    end = ask(sure, folder, *more, models=models)
    assert (end.code, bought(sure), end.json["run"]) == (OK, 2 * SIZE, first.json["run"]), end.said


@pytest.mark.parametrize(("script", "other"), [("claude", "claude"), ("deepseek", "llama"), ("llama", "llama")])
def test_at_every_host(sure: Commands, grown: Callable, script: str, other: str) -> None:
    """Anthropic, whose ids bear marks, and two scripts that ask one model of one host."""
    models = (MODEL[script],)
    first = ask(sure, grown(), script=script, models=models)
    end = ask(sure, grown(trials="3"), script=other, models=models)
    assert (first.code, end.code, bought(sure)) == (OK, OK, SIZE + 4), end.said
    assert sum(row["taken_from"] == f"{script}/{first.json['run']}" for row in rows(sure, end, other)) == SIZE
    answers = {row["custom_id"]: row["answer"] for row in rows(sure, first, script)}
    assert {row["custom_id"]: row["answer"] for row in rows(sure, end, other) if row["taken_from"]} == answers


def test_a_rotated_key(sure: Commands, grown: Callable) -> None:
    """What an earlier key of the account has asked is taken over."""
    ask(sure, grown())
    end = ask(sure, grown(trials="3"), OPENAI_API_KEY="sk-new")
    assert (end.code, bought(sure), end.json["taken_over"]) == (OK, SIZE + 4, SIZE), end.said


def test_asked_anew(sure: Commands, grown: Callable) -> None:
    """--fresh asks all of it again, once; a run with a name of its own does so unless --reuse says otherwise."""
    first = ask(sure, grown())
    for n in (2, 3):
        end = ask(sure, grown(), "--fresh")
        assert (end.code, bought(sure), end.json["taken_over"]) == (OK, n * SIZE, 0), end.said
    assert ask(sure, grown()).json["run"] == first.json["run"]
    assert (ask(sure, grown(), "--run", "again").code, bought(sure)) == (OK, 4 * SIZE)
    end = ask(sure, grown(), "--run", "taken", "--reuse")
    assert (end.code, bought(sure), end.json["taken_over"]) == (OK, 4 * SIZE, SIZE), end.said
    assert {row["taken_from"] for row in rows(sure, end)} == {f"openai/{first.json['run']}"}


def test_asked_anew_and_killed(sure: Commands, grown: Callable) -> None:
    """Typed again after a kill, --fresh goes on and buys nothing a third time, also where only the table is missing."""
    ask(sure, grown())
    end = ask(sure, grown(), "--fresh")
    (sure.results / "openai" / end.json["run"] / "summary.json").unlink()
    (sure.results / "openai" / end.json["run"] / "results.csv").unlink()
    again = ask(sure, grown(), "--fresh")
    assert (again.code, bought(sure), again.json["run"]) == (OK, 2 * SIZE, end.json["run"])


@pytest.mark.parametrize(("fate", "again"), [({"status": 500, "times": 99}, True), ({"status": 400, "times": 99}, True)])
def test_what_failed_is_asked_again(sure: Commands, grown: Callable, fate: dict, again: bool) -> None:
    """Rows without an answer are bought by the study that has grown; then the first takes them over in its turn."""
    sure.world.control("faults", [{"call": "batches.create", "times": 9, "action": {"fate": {"rows": {"share": 0.5, **fate}}}}])
    first = ask(sure, grown(), "--retries", "0")
    sure.world.control("faults", [])
    clean = first.json["outcomes"].get("succeeded", 0)
    assert 0 < clean < SIZE, first.said
    end = ask(sure, grown(trials="3"))
    assert (end.code, end.json["taken_over"], bought(sure)) == (OK, clean, SIZE + 4), end.said
    third = sure("openai", "--retry-failed", first.json["run"], "--json")
    assert (third.code, bought(sure), third.json["outcomes"]) == (OK, SIZE + 4, {"succeeded": SIZE}), third.said
    assert sum(row["taken_from"] == f"openai/{end.json['run']}" for row in rows(sure, third)) == SIZE - clean


def test_cut_off_answers_are_paid(worlds: Callable, grown: Callable, tmp_path: Path) -> None:
    """What was cut off is taken over as it is; asked again with a higher cap only by --retry-failed, whose answers count then."""
    run = Commands(world := worlds("--cut-share", "0.5"), tmp_path / "results")
    world.reset()
    first = ask(run, grown())
    cut = first.json["outcomes"]["truncated"]
    end = ask(run, grown(name='"other"'))
    assert (bought(run), end.json["outcomes"]) == (SIZE, first.json["outcomes"]), end.said
    assert [row["outcome"] for row in rows(run, end)] == [row["outcome"] for row in rows(run, first)]
    more = run("openai", "--retry-failed", first.json["run"], "--max-tokens", 900, "--json")
    assert (bought(run), more.json["taken_over"]) == (SIZE + cut, 0)
    third = ask(run, grown(name='"third"'))
    assert (bought(run), third.json["outcomes"]) == (SIZE + cut, more.json["outcomes"])


def test_equal_rows_are_two_requests(sure: Commands, grown: Callable) -> None:
    """Two texts that ask the same are two draws: each takes an answer of its own, and no answer is taken twice."""
    same = {"t2.txt": FILES["t1.txt"]}
    first = ask(sure, grown(text='[{id = "t1", file = "t1.txt"}]'))
    assert bought(sure) == SIZE // 2
    second = ask(sure, grown(same))
    assert (second.code, bought(sure), second.json["taken_over"]) == (OK, SIZE, SIZE // 2), second.said
    third = ask(sure, grown(same, name='"other"'))
    assert (third.code, bought(sure)) == (OK, SIZE)
    named = {row["taken_from"] for row in rows(sure, third)}
    assert named == {f"openai/{end.json['run']}" for end in (first, second)}


def test_equal_rows_that_failed(sure: Commands, grown: Callable) -> None:
    """What was taken over is not given to its twin when that is asked again, whatever else has been answered by then."""
    same = {"t2.txt": FILES["t1.txt"]}
    half = [{"call": "batches.create", "times": 9, "action": {"fate": {"rows": {"share": 0.5, "status": 400, "times": 99}}}}]
    sure.world.control("faults", half)
    first = ask(sure, grown(same), "--retries", "0")
    second = ask(sure, grown(same, name='"other"'), "--retries", "0")
    sure.world.control("faults", [])
    assert 0 < second.json["taken_over"] <= first.json["outcomes"]["succeeded"] < SIZE, second.said
    ends = [sure("openai", "--retry-failed", end.json["run"], "--json") for end in (first, second)]
    draws = [((row["persona"], row["trial"], row["answer"]), row["taken_from"]) for end in ends for row in rows(sure, end)]
    own, taken = Counter(draw for draw, source in draws if not source), Counter(draw for draw, source in draws if source)
    assert bought(sure) == own.total() < 2 * SIZE and taken <= own, taken - own


def test_a_chain_of_studies(sure: Commands, grown: Callable) -> None:
    """What B took from A, C takes from A; once A is forgotten, B stands on its own copy, and C takes it from there."""
    first = ask(sure, grown())
    second = ask(sure, grown(name='"b"'))
    third = ask(sure, grown(name='"c"'))
    source = f"openai/{first.json['run']}"
    assert [{row["taken_from"] for row in rows(sure, end)} for end in (second, third)] == [{source}, {source}]
    spent = [end.json["cost_usd"] for end in (first, second, third)]
    assert (spent[0] > 0, spent[1:]) == (True, [0, 0])
    assert forget(sure, first.json["run"], "--yes")[0] == OK
    fourth = ask(sure, grown(name='"d"'))
    assert (fourth.code, bought(sure), {row["taken_from"] for row in rows(sure, fourth)}) == (OK, SIZE, {source}), fourth.said
    assert [ask(sure, folder()).json["taken_over"] for folder in (grown, lambda: grown(name='"e"'))] == [SIZE, SIZE]
    assert bought(sure) == SIZE


def raw_of(run: Commands) -> Path:
    """The only raw file that a host has given."""
    (raw,) = [path for path in (run.results / "openai/batch_results").glob("*_output.jsonl") if "taken-" not in path.name]
    return raw


def test_an_edited_raw_file(sure: Commands, grown: Callable) -> None:
    """Nothing of it is taken over unseen; once it was mended, also where the index was made meanwhile, all of it is."""
    ask(sure, grown())
    whole = raw_of(sure).read_bytes()
    raw_of(sure).write_bytes(b"\n" + whole.replace(b"Q1.", b"Q1,"))
    assert ask(sure, grown(name='"b"'), "--dry-run").json["taken_over"] == 0
    raw_of(sure).write_bytes(whole)
    assert ask(sure, grown(name='"b"'), "--dry-run").json["taken_over"] == SIZE
    end = ask(sure, grown(name='"b"'))
    assert (bought(sure), len({row["answer"] for row in rows(sure, end)})) == (SIZE, len({row["answer"] for row in rows(sure, end)}))


@pytest.mark.parametrize("damage", [None, b"", b"x" * 40, "a bit", "half"])
def test_an_index_that_is_gone_or_garbled(sure: Commands, grown: Callable, damage: bytes | str | None) -> None:
    """It is made anew: every answer goes to its own question."""
    first = ask(sure, grown())
    ask(sure, grown(name='"b"'), "--dry-run")
    (index,) = (sure.results / "openai" / first.json["run"] / "shards").glob("*.answered")
    whole = index.read_bytes()
    if damage is None:
        index.unlink()
    else:
        flipped = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
        index.write_bytes({"a bit": flipped, "half": whole[len(whole) // 2 :]}.get(damage, damage))
    end = ask(sure, grown(name='"c"'))
    answers = [(row["custom_id"], row["answer"]) for row in rows(sure, end)]
    assert (bought(sure), sorted(answers)) == (SIZE, sorted((row["custom_id"], row["answer"]) for row in rows(sure, first)))


@pytest.mark.parametrize("form", ["gzip", "one line", "utf-16"])
def test_forms_of_raw_files(sure: Commands, grown: Callable, form: str) -> None:
    """Packed, recoded, or several objects on a line: each answer is found and goes to its own question."""
    first = ask(sure, grown())
    raw, whole = raw_of(sure), raw_of(sure).read_bytes()
    lines = whole.splitlines()
    made = {"gzip": gzip.compress(whole), "one line": b"\n" + b" ".join(lines[:3]) + b"\n[" + b",".join(lines[3:]) + b"]\n",
            "utf-16": whole.decode().encode("utf-16")}[form]  # fmt: skip
    raw.write_bytes(made)
    with closing(Journal(sure.results)) as journal:  # as if it had come so
        (run,) = journal.runs()
        (shard,) = journal.shards(run)
        journal.record(shard, "collected", files={raw.name: hashlib.sha256(made).hexdigest()})
    end = ask(sure, grown(name='"b"'))
    answers = [(row["custom_id"], row["answer"]) for row in rows(sure, end)]
    assert (end.code, bought(sure), sorted(answers)) == (OK, SIZE, sorted((row["custom_id"], row["answer"]) for row in rows(sure, first)))


def test_a_rehearsal_answers_nothing_real(sure: Commands, grown: Callable) -> None:
    """What the local service has invented is never taken over by a run at a host."""
    rehearsed = ask(sure, grown(), "--local")
    assert rehearsed.code == OK, rehearsed.said
    end = ask(sure, grown())
    assert (end.code, end.json["taken_over"], bought(sure)) == (OK, 0, SIZE), end.said
    assert ask(sure, grown(name='"b"'), "--local").json["taken_over"] == SIZE


# ---- what others are asking


def test_in_flight_is_waited_for(still: Commands, grown: Callable) -> None:
    """What another run is asking is collected into its table and taken over; --no-wait says so and sends nothing."""
    first = ask(still, grown(), "--no-wait")
    assert (first.code, len(still.creates())) == (OK, 1)
    end = ask(still, grown(trials="3"), "--no-wait")
    assert (end.code, len(still.creates()), first.json["run"] in end.error) == (UNFINISHED, 1, True), end.said
    later(still)
    started = still.start(line_of(grown(trials="3")))
    wait_for(lambda: len(still.creates()) == 2)
    later(still)
    assert started.ended().code == OK
    again = ask(still, grown(trials="3"))
    assert (again.json["taken_over"], bought(still)) == (SIZE, SIZE + 4)
    assert len(rows(still, ask(still, grown()))) == SIZE


def line_of(folder: Path) -> str:
    """The command of a study as a person types it."""
    return f"python openai_example.py --batch --experiment {folder} --model gpt-4.1 {' '.join(QUICK)}"


def test_two_commands_at_once(sure: Commands, grown: Callable, tmp_path: Path) -> None:
    """Two processes ask the same at the same time, in parts of one request each: each request is bought once."""
    other = tmp_path / "other"
    shutil.copytree(grown(trials="6"), other)
    toml = other / "experiment.toml"
    toml.write_text(toml.read_text().replace('"small"', '"grown"').replace("trials = 6", "trials = 7"))
    started = [sure.start(line_of(folder) + " --parallel 1") for folder in (tmp_path / "study", other)]
    assert [one.ended().code for one in started] == [OK, OK]
    assert bought(sure) == 28
    for folder in (tmp_path / "study", other):
        rows(sure, ask(sure, folder))


def test_a_plan_of_yesterday(sure: Commands, grown: Callable) -> None:
    """What was only planned is looked at again before it is sent: what was bought meanwhile is taken over, by make collect too."""
    plan = ask(sure, grown(), "--dry-run").json
    assert ask(sure, grown(trials="3")).code == OK
    again = ask(sure, grown(), "--dry-run").json
    assert (plan["taken_over"], again["taken_over"], again["max_cost_usd"]) == (0, SIZE, 0)
    end = ask(sure, grown())
    assert (end.code, bought(sure), end.json["taken_over"]) == (OK, SIZE + 4, SIZE), end.said


@pytest.mark.parametrize("by", ["the script", "make collect"])
def test_an_upload_without_a_batch(sure: Commands, grown: Callable, by: str) -> None:
    """Turned away at its creation, and bought by another run: taken over by its own command as by make collect."""
    sure.world.control("faults", [{"call": "batches.create", "times": -1, "action": {"status": 401}}])
    assert ask(sure, grown()).code == REFUSED
    sure.world.control("faults", [])
    ask(sure, grown(name='"b"'), "--run", "b")
    end = ask(sure, grown()) if by == "the script" else sure.tool("collect", *QUICK)
    assert (end.code, bought(sure), ask(sure, grown()).json["taken_over"]) == (OK, SIZE, SIZE), end.said


@pytest.mark.parametrize("when", ["after", "before"])
def test_a_creation_that_was_lost(sure: Commands, grown: Callable, when: str) -> None:
    """Its batch is looked for before anything equal is bought."""
    sure.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"drop": when}}])
    line = ["--batch", "--experiment", grown(), "--model", "gpt-4.1", "--no-wait", "--poll", "0.02", "--grace", "60", "--patience", "0.01"]
    sure.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"drop": when}},
                                  {"call": "batches.list", "times": 3, "action": {"status": 503}}])  # fmt: skip
    sure("openai", *line, quick=False)
    states = [row["state"] for row in sure("openai", "--status", only_run(sure.results, "openai").name, "--json").json["batches"]]
    sure.world.control("faults", [])
    end = ask(sure, grown(name='"b"'))
    assert (end.code, bought(sure)) == (OK, SIZE), (states, end.said)


# ---- a journal that was lost


def undated(found: list[dict]) -> list[dict]:
    """Rows without their times: Anthropic tells none, so it is when they were collected."""
    return sorted(({**row, "created": ""} for row in found), key=lambda row: row["custom_id"])


@pytest.mark.parametrize("script", ["openai", "claude"])
def test_a_lost_journal(sure: Commands, grown: Callable, script: str) -> None:
    """With answers that were taken over: the command names make adopt, which takes all up; then nothing is bought."""
    ask(sure, grown(), script=script)
    end = ask(sure, grown(trials="3"), script=script)
    before, cost = undated(rows(sure, end, script)), end.json["cost_usd"]
    for path in sure.results.glob("journal.db*"):
        path.unlink()
    lost = ask(sure, grown(trials="3"), script=script)
    assert (lost.code, "make adopt" in lost.error, bought(sure)) == (INPUT, True, SIZE + 4), lost.said
    adopted = sure.typed("python -m tools.adopt")
    assert adopted.code == OK, adopted.said
    again = ask(sure, grown(trials="3"), script=script)
    assert (again.code, bought(sure), again.json["cost_usd"]) == (OK, SIZE + 4, cost), again.said
    assert undated(rows(sure, again, script)) == before
    assert sure.typed("python -m tools.audit").code == OK


def test_given_away(sure: Commands, grown: Callable, tmp_path: Path) -> None:
    """A run that has taken over is shared and imported as it is, and another results folder takes over from it."""
    ask(sure, grown())
    end = ask(sure, grown(trials="3"))
    done = sure.typed(f"python -m tools.share {end.json['run']}")
    assert done.code == OK, done.said
    (archive,) = (sure.results / "shared").glob("*.zip")
    sure.env["RESULTS_DIR"] = str(tmp_path / "theirs")
    done = sure.typed(f"python -m tools.import_run {archive}")
    assert done.code == OK, done.said
    sure.results = tmp_path / "theirs"
    mine = ask(sure, grown(trials="4"))
    assert (mine.code, bought(sure), mine.json["taken_over"]) == (OK, SIZE + 8, SIZE + 4), mine.said
    sources = {row["taken_from"] for row in rows(sure, mine) if row["taken_from"]}
    assert sources == {f"openai/{end.json['run']}"}  # the other one is not here, and its name may be that of another run


def test_two_named_runs_at_once(run: Commands, study: Callable) -> None:
    """Runs with names of their own take nothing over, so what the other sends meanwhile is nothing to them: both end."""
    folder = study(trials="8")
    line = f"python openai_example.py --batch --experiment {folder} --model gpt-4.1 gpt-4.1-mini --poll 0.02 --grace 0.25 --run"
    started = [run.start(f"{line} {name}") for name in ("red", "blue")]
    ends = [one.ended() for one in started]
    assert [end.code for end in ends] == [0, 0], ends[0].said + ends[1].said
