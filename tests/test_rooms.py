"""The one rule of the house, read from the code itself: a room imports only rooms below it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.basics import ROOT, python

ORDER = ("ground", "catalog", "providers", "experiment", "results", "runs", "maintenance", "reports", "cli")
COMMON = sorted((ROOT / "common").rglob("*.py"))
SCRIPTS = sorted(ROOT.glob("*_example.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
MODULES = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in COMMON}


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(paths: list[Path], *kinds: type[ast.AST]) -> list[tuple[Path, ast.AST]]:
    """All nodes of some kinds in files, wherever they stand."""
    return [(path, node) for path in paths for node in ast.walk(tree(path)) if isinstance(node, kinds)]


def imports(path: Path) -> list[str]:
    """Every module that a file names in an import; `from x import y` as x.y."""
    found = [node for _, node in nodes([path], ast.Import, ast.ImportFrom)]
    return [f"{n.module}.{alias.name}" if isinstance(n, ast.ImportFrom) else alias.name for n in found for alias in n.names]


def room(name: str) -> str:
    """The room of a module of common/: its folder, or the ground."""
    return next((part for part in name.split(".")[1:2] if part in ORDER), "ground")


def place(path: Path, node: ast.AST) -> str:
    """Where a node stands, as a person looks for it: file, line and function."""
    around = [f.name for _, f in nodes([path], ast.FunctionDef) if f.lineno <= node.lineno <= f.end_lineno]
    return f"{path.relative_to(ROOT)}:{node.lineno} {'.'.join(around)}"


@pytest.mark.parametrize("mine", ORDER)
def test_a_room_imports_only_rooms_below(mine: str) -> None:
    """ORDER is the whole rule; nothing in common/ knows what stands above it."""
    above = ("tools", "bench", "tests", *(script.stem for script in SCRIPTS))
    reached = ORDER[: ORDER.index(mine) + 1]
    named = [(module, name, name.partition(".")[0]) for module, path in MODULES.items() if room(module) == mine for name in imports(path)]
    assert named
    assert [f"{module}: {name}" for module, name, head in named if head in above or head == "common" and room(name) not in reached] == []


def test_the_page_shows_the_rooms() -> None:
    """The table of docs/architecture.md is ORDER from top to bottom, and every folder of common/ is in it."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Nine rooms")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `?(\w+)/?`? \|", table, re.MULTILINE)
    assert shown == ["Room", *reversed(ORDER)]
    assert {path.parent.name for path in (ROOT / "common").glob("*/__init__.py")} == {*ORDER} - {"ground"}


def test_no_circles() -> None:
    """Each module can be imported first, alone: what it needs outside its functions does not need it."""
    needs = {}
    for name, path in MODULES.items():
        whole = [f"{n.module}.{alias.name}" for n in tree(path).body if isinstance(n, ast.ImportFrom) for alias in n.names]
        needs[name] = {one if one in MODULES else one.rpartition(".")[0] for one in whole} & {*MODULES}
        assert not [n for n in tree(path).body if isinstance(n, ast.Import) and "common" in ast.unparse(n)], path
    TopologicalSorter(needs).prepare()


def test_a_class_name_means_one_thing() -> None:
    """No public class of common/ has the name of another."""
    found = Counter(n.name for path in COMMON for n in tree(path).body if isinstance(n, ast.ClassDef) and n.name[0] != "_")
    assert [name for name, times in found.items() if times > 1] == []


def test_importing_common_does_nothing() -> None:
    """In a notebook or another Python nothing restarts, exits or is changed."""
    before = "import gc, sys; sys.path.insert(0, '.'); before = gc.get_threshold(), set(sys.modules); "
    done = python("-I", "-S", "-c", f"{before}import common; print(before[0] == gc.get_threshold(), sorted(set(sys.modules) - before[1]))")
    assert done.stdout.strip() == "True ['common']", done


def test_the_service_shares_no_code_with_its_clients() -> None:
    """If both shared an encoder, both could be wrong together."""
    service = (ROOT / "tools/batch_server").glob("*.py")
    assert [path for path in service if any(name.startswith("common") for name in imports(path))] == []


def test_only_the_command_line_prints() -> None:
    """print and sys.std* stand in cli/ alone."""
    below = [path for module, path in MODULES.items() if room(module) != "cli"]
    words = {"print", "stdout", "stderr"}
    found = nodes(below, ast.Name, ast.Attribute)
    assert [place(path, n) for path, n in found if {getattr(n, "id", ""), getattr(n, "attr", "")} & words] == []


def test_a_broad_except_stands_once() -> None:
    """The edge of the command line turns a bug into one line; nobody else hides one."""
    handlers = nodes([*COMMON, *TOOLS], ast.ExceptHandler)
    broad = [place(path, n) for path, n in handlers if getattr(n.type, "id", n.type) in (None, "Exception")]
    assert [where.split(":")[0] for where in broad] == ["common/cli/exits.py"], broad


def test_modules_say_what_they_own() -> None:
    """Each opens with a sentence."""
    assert [p for p in (*COMMON, *TOOLS, *SCRIPTS) if p.stat().st_size and not ast.get_docstring(tree(p))] == []


def test_scripts_only_declare() -> None:
    """An entry script is a docstring, one declaration and one call."""
    assert nodes(SCRIPTS, ast.FunctionDef, ast.For, ast.While, ast.Try) == []
