"""The one rule of the house, read from the code itself: a room imports only rooms below it."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.basics import ROOT, python

ORDER = ("ground", "catalog", "providers", "experiment", "results", "runs", "maintenance", "reports", "cli")
COMMON = sorted((ROOT / "common").rglob("*.py"))
SCRIPTS = sorted(ROOT.glob("*_example.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
SERVICE = sorted((ROOT / "tools/batch_server").glob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> list[str]:
    """Every module that a file names in an import, wherever it stands; `from x import y` as x.y."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def room(name: str) -> str:
    """The room of a module of common/: its folder, or the ground."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ORDER else "ground"


def of(path: Path) -> str:
    """A file's room."""
    return room(".".join(path.relative_to(ROOT).with_suffix("").parts))


def place(path: Path, node: ast.AST) -> str:
    """Where a node stands, as a person looks for it: file, line and function."""
    around = [f.name for f in ast.walk(tree(path)) if isinstance(f, ast.FunctionDef) and f.lineno <= node.lineno <= f.end_lineno]
    return f"{path.relative_to(ROOT)}:{node.lineno} {'.'.join(around)}"


@pytest.mark.parametrize("mine", ORDER)
def test_a_room_imports_only_rooms_below(mine: str) -> None:
    """ORDER is the whole rule; nothing in common/ knows what stands above it."""
    paths = [path for path in COMMON if of(path) == mine]
    assert paths
    above = ("tools", "bench", "tests", *(script.stem for script in SCRIPTS))
    reached = ORDER[: ORDER.index(mine) + 1]
    named = [(path.relative_to(ROOT).as_posix(), name, name.partition(".")[0]) for path in paths for name in imports(path)]
    assert [f"{path}: {name}" for path, name, head in named if head in above or head == "common" and room(name) not in reached] == []


def test_no_circles() -> None:
    """Each module can be imported first, alone: what it needs outside its functions does not need it."""
    modules = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in COMMON}
    needs = {}
    for name, path in modules.items():
        said = [node for node in tree(path).body if isinstance(node, ast.ImportFrom)]
        whole = [f"{node.module}.{alias.name}" for node in said for alias in node.names]
        needs[name] = {one if one in modules else one.rpartition(".")[0] for one in whole} & {*modules}
        assert not [node for node in tree(path).body if isinstance(node, ast.Import) and "common" in ast.unparse(node)], path
    TopologicalSorter(needs).prepare()


def test_importing_common_does_nothing() -> None:
    """In a notebook or another Python nothing restarts, exits or is changed."""
    code = "import gc, sys; sys.path.insert(0, '.'); before = gc.get_threshold(), set(sys.modules); import common; " + (
        "print(before[0] == gc.get_threshold(), sorted(set(sys.modules) - before[1]))"
    )
    done = python("-I", "-S", "-c", code)
    assert done.stdout.strip() == "True ['common']", done


def test_the_service_shares_no_code_with_its_clients() -> None:
    """If both shared an encoder, both could be wrong together."""
    assert [p for p in SERVICE if any(name.startswith("common") for name in imports(p))] == []


def test_only_the_command_line_prints() -> None:
    """print and sys.std* stand in cli/ alone."""
    named = [(path, n) for path in COMMON if of(path) != "cli" for n in ast.walk(tree(path)) if isinstance(n, (ast.Name, ast.Attribute))]
    words = {"print", "stdout", "stderr"}
    assert [place(path, n) for path, n in named if {getattr(n, "id", ""), getattr(n, "attr", "")} & words] == []


def test_a_broad_except_stands_once() -> None:
    """The edge of the command line turns a bug into one line; nobody else hides one."""
    handlers = [(p, n) for p in (*COMMON, *TOOLS) for n in ast.walk(tree(p)) if isinstance(n, ast.ExceptHandler)]
    broad = [place(p, n) for p, n in handlers if getattr(n.type, "id", n.type) in (None, "Exception")]
    assert [where.split(":")[0] for where in broad] == ["common/cli/exits.py"], broad


def test_modules_say_what_they_own() -> None:
    """Each opens with a sentence."""
    assert [p for p in (*COMMON, *TOOLS, *SCRIPTS) if p.stat().st_size and not ast.get_docstring(tree(p))] == []


def test_scripts_only_declare() -> None:
    """An entry script is a docstring, one declaration and one call."""
    for path in SCRIPTS:
        assert not [n for n in ast.walk(tree(path)) if isinstance(n, (ast.FunctionDef, ast.For, ast.While, ast.Try))], path
