"""The documents say what the code does: commands parse, names exist, the pasted example runs."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from common import catalog, outcomes
from common.cli import TOOLS, options, tidy, tool_options
from common.nouns import Question
from common.providers import quota
from common.results import rows
from tests.basics import ROOT, SCRIPTS, python
from tools import hosts, models
from tools.batch_server import __main__ as batch_server
from tools.ray import convert, run_batch

READMES = [ROOT / "README.md", ROOT / "README.ja.md"]
DOCS = sorted((ROOT / "docs").glob("*.md"))
HEREDOC = re.compile(r"^cat > (\S+) <<'END'\n(.*?)^END$", re.MULTILINE | re.DOTALL)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of every command that a person types behind `python`."""
    found = {f"{name}.py": options.parser(import_module(name).SCRIPT) for name in SCRIPTS.values()}
    for tool in TOOLS.values():
        found |= {tool.converter: tool_options.converter_options(tool), tool.cleanup: tool_options.cleanup_options(tool)}
    found |= {f"tools/{name}.py": tool_options.target(name) for name in tool_options.WITH_WORDS}
    found |= {"tools/study.py": options.study_options(), "tools/collect.py": options.collect_options(),
              "tools/cost_report.py": tool_options.target("costs")}  # fmt: skip
    found |= {"tools/ray/run_batch.py": run_batch.parser(), "tools/ray/convert.py": convert.parser()}
    found["-m tools.batch_server"] = batch_server.parser()
    return found


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a language in a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[str]:
    """The lines of the bash blocks that a person types, without comments and pasted files."""
    text = "\n".join(HEREDOC.sub(r"cat > \1", block) for block in blocks(path, "bash"))
    lines = (line.partition("  #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def readings(command: str) -> list[list[str]]:
    """The words of a command with its [optional parts], and without them."""
    command = re.sub(r"<[a-z_]+>", "batch_abc123", command)
    return [shlex.split(re.sub(pattern, put, command)) for pattern, put in ((r"[\[\]]", ""), (r"\[[^\]]*\]", ""))]


def make_targets() -> set[str]:
    """The targets that `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", [*READMES, *DOCS], ids=lambda path: path.name)
def test_every_command_parses(path: Path) -> None:
    """What a document tells people to type is understood by the command that it names."""
    known, targets = parsers(), make_targets()
    typed = [c for c in commands(path) if c.startswith(("python ", "make "))]
    assert typed or path not in READMES
    for command in typed:
        for words in readings(command):
            if words[0] == "make":
                assert [w for w in words[1:] if "=" not in w and w not in targets] == [], command
                continue
            name, rest = (" ".join(words[1:3]), words[3:]) if words[1] == "-m" else (words[1], words[2:])
            assert name in known and (name.startswith("-m") or (ROOT / name).is_file()), command
            try:
                known[name].parse_args(rest)
            except SystemExit:
                pytest.fail(f"{path.name}: not understood: {command}")


def test_both_readmes_type_the_same() -> None:
    """The English and the Japanese README hold the same commands in the same order."""
    english, japanese = map(commands, READMES)
    assert english == japanese


def test_every_option_is_documented() -> None:
    """Each option of each script and tool is named in the README or in docs/."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in [READMES[0], *DOCS])
    words = set(re.findall(r"--[a-z][a-z-]*[a-z]", text))
    missing = {
        f"{name} {option}"
        for name, parser in parsers().items()
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and option not in words and option != "--help"
    }
    assert missing == set()


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_the_tree_exists(path: Path) -> None:
    """Every file and folder of the README's tree is there."""
    tree = next(block for block in blocks(path, "text") if block.startswith("Makefile"))
    folder, named = ROOT, []
    for line in tree.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = ROOT / name if name.endswith("/") else ROOT
            named.append(ROOT / name)
        else:
            named.append(folder / name)
    assert len(named) > 15
    assert [str(p.relative_to(ROOT)) for p in named if not p.exists()] == []


@pytest.mark.parametrize("name", ["architecture.md", "rules.md"])
def test_every_file_that_is_named_exists(name: str) -> None:
    """Each file of ours between backquotes in the two pages on the house is there: `room/file.py` in common/, others from the top."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py|\w+/\w+\.toml)`", text))
    assert len(named) > 40
    assert sorted(one for one in named if not ((ROOT / "common" / one).exists() or (ROOT / one).exists())) == []


TAKES = {"take", "text", "count", "table", "tables", "texts", "identifier", "has"}  # methods of keys.Table whose first word is a key
HELPERS = {"_prompt": 1, "_inside": 1}  # functions that hand a key on, and where it stands among their arguments


def experiment_keys() -> set[str]:
    """The keys that experiment/ takes from a TOML table, read from the source of all modules that do."""
    files = (path for path in (ROOT / "common/experiment").glob("*.py") if path.name != "keys.py")
    sources = {path.name: path.read_text(encoding="utf-8") for path in files}
    readers = {name for name, source in sources.items() if re.search(r"\b(table|row)\.(take|texts?|count|tables?)\(", source)}
    assert readers >= {"read.py", "questions.py", "factors.py", "parameters.py", "rules.py"}
    return {key for name in readers for node in ast.walk(ast.parse(sources[name])) for key in _keys(node)}


def _keys(node: ast.AST) -> set[str]:
    """The keys that a piece of a program names."""
    if isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.iter, ast.Tuple):  # for key in ("delimiter", …)
        return {one.value for one in node.iter.elts if isinstance(one, ast.Constant)}
    if not isinstance(node, ast.Call):
        return set()
    if not isinstance(node.func, ast.Attribute):
        name = getattr(node.func, "id", "")
        key = _word(node.args, HELPERS[name]) if name in HELPERS else ""
        return {key, f"{key}_file"} if name == "_prompt" and key else {key or "file"} if name == "_inside" else set()
    if node.func.attr == "temperature":
        return {"temperature"}
    if node.func.attr == "identifier":
        return {_word(node.args, 0) or "id"}
    return {key for key in [_word(node.args, 0)] if key} if node.func.attr in TAKES else set()


def _word(arguments: list[ast.expr], at: int) -> str:
    """The argument at a place, where it is a text written there."""
    found = arguments[at] if at < len(arguments) else None
    return found.value if isinstance(found, ast.Constant) and isinstance(found.value, str) else ""


def test_every_key_of_an_experiment_is_documented() -> None:
    """What experiment.toml may hold is in docs/experiments.md."""
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    keys = experiment_keys()
    assert {"name", "cut_off_factor", "persona", "modifier", "reason", "file", "id", "system_file", "sets", "levels", "only"} <= keys
    assert {"temperature", "encoding", "model", "role", "gold", "run", "columns", "request"} <= keys
    assert {key for key in keys if not re.search(rf"`\[*(?:[a-z]+\.)*{key}\]*`", text)} == set()


def test_every_class_and_column_is_documented() -> None:
    """Each row class and each column of the tables is in docs/results.md."""
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    names = [name for name, _ in rows.columns([Question("Q1", "Joy")])]
    names = [name.replace("Q1_Joy", "<id>_<name>") for name in names]
    assert [name for name in [*outcomes.POLICY, *names] if f"`{name}`" not in text] == []


def settings() -> tuple[set[str], set[str]]:
    """The variables that the program reads by name, and those that it makes of a host's key: OPENAI_RPM and the like."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "common").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r"environ\.get\(\"([A-Z_]+)\"", source)} | {tidy.RAW, tidy.REMOTE}
    rows = catalog.hosts().values()
    read |= {v for h in rows for v in (h.url_variable, h.key_variable, h.plan_variable, *h.header_variables.values()) if v}
    read |= {name for h in rows for name in re.findall(r"{(\w+)}", h.base_url)}
    return read, {h.key_variable.replace("_API_KEY", end) for h in rows for end in ("_RPM", "_TIER", "_QUEUE_REQUESTS")}


def in_the_example() -> set[str]:
    """The variables of .env.example, those that stand behind # too."""
    return set(re.findall(r"^#?([A-Z][A-Z_0-9]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))


def test_every_setting_is_in_the_example() -> None:
    """.env.example names each variable that the program reads, and none that nobody reads."""
    read, of_hosts = settings()
    assert read >= {"RESULTS_DIR", "MONTHLY_CAP_USD", "NOTIFY_URLS", "KEEP_RAW_DAYS", "GROQ_API_KEY", "AZURE_OPENAI_RESOURCE", "DEBUG"}
    named = {name for name in in_the_example() if not name.startswith(quota.PREFIX)}
    assert (read - named, named - read - of_hosts) == (set(), set())


def test_every_setting_is_documented() -> None:
    """Each variable of .env.example is in the README or in docs/; addresses of hosts by their rule."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in [READMES[0], *DOCS])
    assert "`<NAME>_BASE_URL`" in text
    words = set(re.findall(r"[A-Z][A-Z_0-9]+", text))
    assert {name for name in in_the_example() - words if not name.endswith("_BASE_URL")} == set()


def test_the_tables_of_models_and_hosts_are_the_catalog() -> None:
    """docs/models.md and docs/providers.md hold the tables that `make models DOCS=1` writes from the catalog."""
    text = models.DOCS.read_text(encoding="utf-8")
    assert all(f"| `{model.alias}` |" in text for model in catalog.models())
    assert models.with_tables(text) == text, "make models DOCS=1 writes them anew"
    text = hosts.DOCS.read_text(encoding="utf-8")
    assert all(f"| `{host.name}` |" in text for host in catalog.hosts().values() if not host.like)
    assert hosts.with_table(text) == text, "make models DOCS=1 writes it anew"


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_the_own_experiment_plans(path: Path, tmp_path: Path) -> None:
    """The experiment that a reader pastes from the README is planned by the command beneath it."""
    files = HEREDOC.findall("\n".join(blocks(path, "bash")))
    assert [name for name, _ in files] == ["experiments/tea/experiment.toml", "experiments/tea/reviews.csv"]
    for name, content in files:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    command = next(c for c in commands(path) if "experiments/tea" in c and "--dry-run" in c)
    script, *options = command.split()[1:]
    done = python(ROOT / script, *options, "--json", "--results", tmp_path / "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["requests"], len(plan["shards"]), plan["sent"]) == (8, 2, False)
