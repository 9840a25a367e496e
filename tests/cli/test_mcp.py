"""An agent's way through the MCP server, by the official client: plan, cap refused, run, results."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from common.cli import agents, rows_told
from common.errors import InputError
from common.runs import allotments
from common.runs.journal import Journal
from tests.basics import ROOT, python
from tests.service import SECRET
from tests.support import Commands


@pytest.fixture
def here(run: Commands, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """This process as an agent's server would be, with a service that plays OpenAI at a paid address."""
    for name, value in {**run.env, "MCP_MAX_COST_USD": ""}.items():
        monkeypatch.setenv(name, value)
    return run


def test_no_start_without_a_cap(here: Commands, study: Callable) -> None:
    """Where no person has set a cap, nothing is planned or sent, by start or by collect."""
    for call in (lambda: agents.start(str(study()), ["gpt-4.1"], 5.0), agents.collect):
        with pytest.raises(InputError, match="MCP_MAX_COST_USD"):
            call()
    assert here.attempts() == [] and not (here.results / "journal.db").exists()


def test_no_word_of_an_agent_is_an_option(here: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that look like options raise no cap, and change no command."""
    monkeypatch.setenv("MCP_MAX_COST_USD", "1")
    for call in (
        lambda: agents.start(str(study()), ["gpt-4.1", "--max-cost=100"], 1e-7),
        lambda: agents.start("--max-cost=100", ["gpt-4.1"], 1e-7),
        lambda: agents.status("--cancel"),
        lambda: agents.costs(["--csv"]),
        lambda: agents.plan("a\0b", ["gpt-4.1"]),
    ):
        with pytest.raises(InputError):
            call()
    assert here.attempts() == []


def test_a_command_that_takes_too_long(here: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped, and the agent is told how to go on."""
    monkeypatch.setattr(agents, "LIMIT", 0.01)
    found = agents.plan(str(study()), ["gpt-4.1"])
    assert found["exit_code"] and "Nothing is lost" in found["stopped"]


def test_all_starts_share_one_bound(run: Commands, study: Callable) -> None:
    """What was allotted counts until its runs have ended, then what they have cost; a start that goes on is not counted twice."""
    asked = ("--batch", "--experiment", study(), "--model", "gpt-4.1", "--run", "a")
    assert run("openai", *asked, "--dry-run").code == 0
    with closing(Journal(run.results)) as journal:
        for usd in (9.0, 3.0):
            allotments.allot(journal, ["openai/a"], usd)
        assert (allotments.allotted(journal, []), allotments.allotted(journal, ["openai/a", "claude/a"])) == (3.0, 0.0)
        with pytest.raises(InputError, match="may cost"):
            agents._left(journal, ["openai/b"], 3.0)
        assert run("openai", *asked).code == 0
        assert 0 < allotments.allotted(journal, []) < 0.01


def test_the_package_is_missing(tmp_path: Path) -> None:
    """One line says what to type."""
    (tmp_path / "mcp.py").write_text("raise ImportError")
    done = python(ROOT / "tools/mcp.py", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: the MCP server needs one package more; type: make mcp\n")


def test_a_page_of_rows(tmp_path: Path) -> None:
    """Pages are bounded in rows and bytes, formulas are as they were answered, and the end is told."""
    table = tmp_path / "results.csv"
    rows = [("id", "answer"), ("1", "'=1+1"), ("2", "\x1b[31mred"), ("3", "x" * 500_000), *((str(n), "y" * 2_000) for n in range(4, 400))]
    table.write_text("\ufeff" + "".join(f'{one},"{other}"\n' for one, other in rows), encoding="utf-8")
    first, following = rows_told._page(table, 0, 3, None)
    assert [row["answer"][:6] for row in first] == ["=1+1", "[31mre", "xxxxxx"] and following == 3
    assert first[2]["answer"].endswith("… (500,000 characters)")
    more, following = rows_told._page(table, 3, 200, ["answer"])
    assert 90 < len(more) < 110 and following == 3 + len(more)
    assert rows_told._page(table, 398, 10, ["id"]) == ([{"id": "399"}], None)
    with pytest.raises(InputError, match="there are: id, answer"):
        rows_told._page(table, 0, 1, ["no"])


def test_the_official_client(run: Commands, study: Callable, tmp_path: Path) -> None:
    """Plan, refused without a cap, refused above it, then run and read, each over stdio; no key is ever told."""
    mcp = pytest.importorskip("mcp", reason="make test-mcp installs the package")
    folder = str(study())

    async def at(cap: str, does: Callable) -> object:
        env = {**os.environ, **run.env, "MCP_MAX_COST_USD": cap}
        server = mcp.StdioServerParameters(command=sys.executable, args=[str(ROOT / "tools/mcp.py")], env=env, cwd=tmp_path)
        async with mcp.Client(server) as client:
            return await does(client)

    async def told(client: object, name: str, **arguments: object) -> tuple[bool, dict | str]:
        done = await client.call_tool(name, arguments)
        text = done.content[0].text
        assert SECRET not in text
        return done.is_error, text if done.is_error else json.loads(text)

    asked = {"experiment": folder, "models": ["gpt-4.1"]}

    async def refused(client: object) -> None:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"plan", "start", "status", "collect", "runs", "results", "costs"}
        is_error, plan = await told(client, "plan", **asked)
        assert (is_error, plan["sent"], plan["runs"][0]["requests"]) == (False, False, 2) and plan["max_cost_usd"] > 0
        is_error, said = await told(client, "start", **asked, max_cost=5)
        assert is_error and "MCP_MAX_COST_USD" in said

    async def runs(client: object) -> None:
        is_error, said = await told(client, "start", **asked, max_cost=1e-7)
        assert is_error and "above the cap" in said and run.attempts() == []
        is_error, sent = await told(client, "start", **asked, max_cost=50)
        assert (is_error, sent["cap_usd"], len(run.creates())) == (False, 1.0, 1)
        name = sent["runs"][0]["run"]
        while (await told(client, "status", run=name))[1]["exit_code"]:
            await asyncio.sleep(0.1)
        is_error, page = await told(client, "results", run=name, limit=1, columns=["outcome", "answer"])
        assert (is_error, page["next_offset"], page["rows"][0]["outcome"], page["simulated"]) == (False, 1, "succeeded", True)
        is_error, paid = await told(client, "costs", by=["run"])
        assert not is_error and paid["adds_up"]

    asyncio.run(at("", refused))
    asyncio.run(at("1", runs))
