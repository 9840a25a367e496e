"""The rooms and the one way between them, read from the code itself: who imports whom, who prints, who catches what."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMON = {p.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): p for p in (ROOT / "common").rglob("*.py")}
SCRIPTS = sorted(ROOT.glob("*_example.py"))
OTHERS = {p.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): p for p in (*SCRIPTS, *(ROOT / "tools").rglob("*.py"))}
ALL = {**COMMON, **OTHERS}
SDKS = {"openai", "anthropic"}
PROVIDERS = {"common.providers.openai", "common.providers.anthropic"}

# Lower rooms first: a room may import its own floor and those below.
FLOORS = (
    {"records", "errors", "unique", "tokens", "jsonl", "answers", "prompts", "datasets"},
    {"catalog", "costs", "retry", "experiment"},
    {
        *("settings", "journal", "rows", "ids", "experiment_file"),
        *("providers.base", "providers.wire", "providers.sdk", "providers.openai", "providers.anthropic"),
    },
    {"rawfile", "shards", "tables", "textfiles", "context", "notify", "local"},
    {"results", "convert", "report", "batch_owners"},
    {"verdicts"},
    {"lifecycle", "batch_copies", "audit", "backup"},
    {"planning"},
    {"cleanup"},
)
# Who may name a provider: who chooses one, who reads files of both shapes, who knows what a header costs.
NAME_A_PROVIDER = {"common.cli_session", "common.rawfile", "common.planning"}


def _tree(name: str) -> ast.Module:
    return ast.parse(ALL[name].read_text(encoding="utf-8"))


def _imports(nodes: list[ast.AST]) -> set[str]:
    """Modules that import statements name, as far as they are ours or SDKs."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in ALL else node.module for name in inner}
    return found


def _all_imports(name: str) -> set[str]:
    return _imports(list(ast.walk(_tree(name))))


def _ours(name: str) -> set[str]:
    return {found for found in _all_imports(name) if found in COMMON and found != "common"}


def _floor(name: str) -> int | None:
    short = name.removeprefix("common.")
    return next((n for n, floor in enumerate(FLOORS) if short in floor), None)


def _is_edge(name: str) -> bool:
    """A room at the command line, above all floors."""
    last = name.rpartition(".")[2]
    return last.startswith("cli") or last.endswith("_cli") or last in ("progress", "exits")


def test_every_room_has_its_floor() -> None:
    """No module of common/ is without a place in the picture."""
    assert [n for n in COMMON if n not in ("common.__init__", "common.providers.__init__") and _floor(n) is None and not _is_edge(n)] == []


def test_imports_go_one_way() -> None:
    """A room imports only its own floor and those below it."""
    wrong = []
    for name in COMMON:
        floor = _floor(name)
        for other in _ours(name):
            if floor is not None and (_is_edge(other) or _floor(other) > floor):
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_no_circles() -> None:
    """No module reaches itself through what it imports."""
    graph = {name: _ours(name) for name in COMMON}

    def reach(name: str, seen: set[str]) -> set[str]:
        for other in graph.get(name, ()):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen

    assert [name for name in graph if name in reach(name, set())] == []


def test_the_nouns_stand_alone() -> None:
    """records.py and errors.py import nothing of ours."""
    assert _ours("common.records") == _ours("common.errors") == set()


def test_nothing_foreign_in_the_nouns() -> None:
    """records.py and errors.py import only what comes with Python, and no I/O."""
    found = _all_imports("common.records") | _all_imports("common.errors")
    assert found <= {"__future__", "collections.abc", "dataclasses", "enum", "pathlib", "typing"}


def test_lifecycle_names_no_provider() -> None:
    """The order of things is the same for every provider, which is handed in."""
    tree = _tree("common.lifecycle")
    assert not _ours("common.lifecycle") & {*PROVIDERS, "common.providers.sdk", "common.providers.wire"}
    assert {n for n in COMMON if _ours(n) & PROVIDERS} == NAME_A_PROVIDER
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not names & {"openai", "anthropic", "kluster", "OpenAIShaped", "Anthropic"}
    assert not words & {"openai", "anthropic", "kluster", "claude"}


def test_sdks_are_imported_late_and_in_one_place() -> None:
    """The official SDKs are imported inside functions of common/providers/ only."""
    wrong = []
    for name in ALL:
        tree = _tree(name)
        late = [node for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for node in ast.walk(f)]
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                sdks = {found.partition(".")[0] for found in _imports([node])} & SDKS
                if sdks and not (name in PROVIDERS and node in late):
                    wrong.append(f"{name}:{node.lineno} imports {sdks}")
    assert wrong == []


def test_the_service_shares_no_code_with_its_clients() -> None:
    """tools/batch_server never imports common/: if both shared an encoder, both could be wrong together."""
    service = [name for name in OTHERS if name.startswith("tools.batch_server")]
    assert service
    assert [name for name in service if any(found.split(".")[0] == "common" for found in _all_imports(name))] == []


def test_common_knows_no_tool() -> None:
    """Nothing in common/ imports from tools/ or from a script."""
    above = {"tools", "bench", "tests", *(path.stem for path in SCRIPTS)}
    assert [name for name in COMMON if above & {found.split(".")[0] for found in _all_imports(name)}] == []


def _prints(tree: ast.Module) -> list[int]:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    direct = [f.lineno for f in calls if isinstance(f, ast.Name) and f.id == "print"]
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr")]
    return direct + [node.lineno for node in attributes if getattr(node.value, "id", "") == "sys"]


def test_only_the_command_line_prints() -> None:
    """print, sys.stdout and sys.stderr occur in the rooms of the command line alone."""
    assert {n: lines for n in COMMON if not _is_edge(n) and (lines := _prints(_tree(n)))} == {}


def test_no_broad_except() -> None:
    """`except Exception` stands once, at the edge in exits.py; a bare except nowhere."""
    wrong = []
    for name in ALL:
        for node in ast.walk(_tree(name)):
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                names = {kind.id if isinstance(kind, ast.Name) else None for kind in kinds if not isinstance(kind, ast.Attribute)}
                raises = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in node.body)
                if None in names or "Exception" in names or ("BaseException" in names and not raises):
                    wrong.append(name)
    assert wrong == ["common.exits"]


def test_every_module_says_what_it_owns() -> None:
    """Each module opens with a sentence."""
    silent = [n for n in ALL if not ast.get_docstring(_tree(n)) and ALL[n].read_text(encoding="utf-8").strip()]
    assert silent == []


def test_scripts_only_declare() -> None:
    """An entry script is a docstring, one declaration and one call."""
    for path in SCRIPTS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 25
        assert not [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.For, ast.While, ast.Try))], path


IMPORTED = """
import runpy, sys
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    print("LOADED", *sorted(sys.modules), end.code)
"""


@pytest.mark.parametrize("script", [path.name for path in SCRIPTS])
@pytest.mark.parametrize("command", [["--help"], ["--dry-run", "--limit", "4"]])
def test_looking_starts_fast(script: str, command: list[str], tmp_path: Path) -> None:
    """--help and --dry-run load neither SDK nor anything else of their size."""
    code = f"import sys; sys.argv = {[script, *command]!r}\n{IMPORTED}"
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "RESULTS_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    *loaded, end = done.stdout.rpartition("LOADED ")[2].split()
    assert end in ("0", "None"), done.stdout + done.stderr
    assert not set(loaded) & {"openai", "anthropic", "httpx", "httpx2", "pydantic", "pyarrow", "starlette", "requests"}
