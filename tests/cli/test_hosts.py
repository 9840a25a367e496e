"""Every host that is a row completes a study; which one answers; windows; and a run that stays where it was begun."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common import catalog
from common.errors import InputError
from tests.cli.scripts import INPUT, OK, UNFINISHED, only_run, table
from tests.service import SECRET
from tests.support import NO_KEY, REAL, Commands, later
from tools.models_check import check

WITH_TESTS_OF_THEIR_OWN = ("openai", "kluster", "local")
HOSTS = [host for host in catalog.hosts().values() if host.api == "openai" and host.name not in WITH_TESTS_OF_THEIR_OWN and not host.like]
ALIASES = {"deepseek": ("deepseekv3-0324", "deepseekv3"), "llama": ("llama33-70Bit",)}
BOTH = ("deepinfra", "nebius", "novita", "parasail", "siliconflow", "alibaba")  # hosts at which both scripts are tried
NO_KEYS = {**REAL, **NO_KEY, **{host.key_variable: "" for host in HOSTS}, **{host.url_variable: "" for host in HOSTS}}


def at(run: Commands, name: str) -> dict[str, str]:
    """What leads to the service as a host of its own, with its own key."""
    host = catalog.hosts()[name]
    return {host.url_variable: run.world.service.facts[f"{name}_base_url"], host.key_variable: SECRET}


@pytest.mark.parametrize(
    ("host", "script"), [(host.name, script) for host in HOSTS for script in ALIASES if script == "llama" or host.name in BOTH]
)
def test_every_host_completes_a_study(run: Commands, study: Callable, host: str, script: str) -> None:
    """Whatever its words, its key's header, its purpose and its wrapping: each request is answered once, at its own model id."""
    known = next((model for alias in ALIASES[script] if (model := catalog.find(alias, host))), None)
    model = known.alias if known else "some/model-1"
    end = run(script, "--host", host, "--model", model, "--experiment", study(), env={**NO_KEYS, **at(run, host)})
    assert (end.code, {row["outcome"] for row in table(only_run(run.results, script))}) == (OK, {"succeeded"}), end.said
    assert [*run.world.billed().values()] == [1] * len(table(only_run(run.results, script)))
    assert {create["profile"] for create in run.creates()} == {host}
    assert known is None or known.id in {row["model_id"] for row in table(only_run(run.results, script))}


def test_the_only_key_decides(run: Commands, study: Callable) -> None:
    """One key: its host answers. Two: the command asks which one. A host that is closed names those that are not."""
    asked = ("deepseek", "--experiment", study(), "--dry-run", "--json")
    one = run(*asked, env={**NO_KEYS, "NEBIUS_API_KEY": SECRET})
    assert one.json["host"] == "Nebius Token Factory" and one.json["unverified"]
    two = run(*asked, env={**NO_KEYS, "NEBIUS_API_KEY": SECRET, "NOVITA_API_KEY": SECRET})
    assert (two.code, "--host novita or --host nebius" in two.error) == (INPUT, True)
    plan = run(*asked[:-1], env=NO_KEYS)
    assert plan.code == OK and "note: kluster.ai is closed, so this cannot be sent there; hosts that have" in plan.out, plan.said
    none = run("llama", "--experiment", study(), "--model", "llama4-scout", env=NO_KEYS)
    assert (none.code, "DeepInfra (--host deepinfra), Novita (--host novita)" in none.error) == (INPUT, True), none.said
    assert none.error.endswith("--model llama4-scout --host deepinfra")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--host", "nowhere"), "unknown host 'nowhere'"),
        (("--host", "anthropic"), "unknown host 'anthropic'"),
        (("--host", "nebius", "--model", "deepseekv3"), "Nebius Token Factory is not known to have deepseekv3"),
        (("--host", "groq", "--window", "8d", "--model", "a/model-1"), "Groq sells 24h to 168h"),
        (("--host", "azure"), "no AZURE_OPENAI_RESOURCE"),
    ],
)
def test_what_cannot_be_is_said(run: Commands, study: Callable, more: tuple[str, ...], said: str) -> None:
    """One line, exit code 2, and nothing was sent."""
    end = run("deepseek", "--experiment", study(), "--dry-run", *more, env={**NO_KEYS, "AZURE_OPENAI_RESOURCE": ""})
    assert (end.code, said in end.error, run.attempts()) == (INPUT, True, []), end.said


def test_a_window_is_kept(run: Commands, study: Callable) -> None:
    """All batches of a run have the window that it was planned with, those sent again too; its price is not known."""
    asked = ("llama", "--host", "groq", "--model", "a/model-1", "--experiment", study(trials="60"))
    env = {**NO_KEYS, **at(run, "groq")}
    assert run(*asked, "--window", "7d", "--retries", "0", env=env).code == UNFINISHED
    name = only_run(run.results, "llama").name
    assert run("llama", "--retry-failed", name, env=env).code == OK  # host and window unsaid: they are the run's
    found = run.world.service.get("/batches", "groq").json()["data"]
    assert len(found) > 1 and {batch["completion_window"] for batch in found} == {"7d"}
    assert run(*asked, "--dry-run", "--json", env=env).json["taken_over"] == 60  # another window asks nothing else


def test_a_run_is_looked_at_where_it_is(run: Commands, study: Callable) -> None:
    """make collect and --status need no --host, even where keys of several hosts are set."""
    env = {**NO_KEYS, **at(run, "novita"), **at(run, "parasail")}
    assert run("deepseek", "--host", "novita", "--experiment", study(), "--model", "deepseekv3", "--no-wait", env=env).code == OK
    later(run)  # collect looks once
    end = run.tool("collect", "--poll", "0.02", "--grace", "0.25", env=env)
    assert "collected" in end.said and run("deepseek", "--status", only_run(run.results, "deepseek").name, env=env).code == OK, end.said


def test_the_host_of_a_study(run: Commands, study: Callable) -> None:
    """Of a study --host means the models that have several hosts; where none has, it is refused."""
    env = {**NO_KEYS, **at(run, "novita"), "OPENAI_API_KEY": SECRET}
    asked = ("study", study(), "--host", "novita", "--dry-run", "--model", "gpt-4.1")
    plan = run.tool(*asked, "deepseekv3-0324", env=env)
    assert "openai: run small-" in plan.out and "Novita" in plan.out, plan.said
    alone = run.tool(*asked, env=env)
    assert (alone.code, "--host is for DeepSeek and Llama models" in alone.error) == (INPUT, True)


def test_what_a_window_costs_is_not_known(run: Commands, study: Callable) -> None:
    """Prices are those of the usual window; another one is another run, which asks for --allow-unknown-price."""
    asked = ("deepseek", "--host", "siliconflow", "--experiment", study(), "--model", "deepseekv3")
    plain = run(*asked, "--dry-run", "--json", env=NO_KEYS).json
    longer = run(*asked, "--dry-run", "--json", "--window", "48h", env=NO_KEYS).json
    assert plain["run"] != longer["run"] == run(*asked, "--dry-run", "--json", "--window", "48h", env=NO_KEYS).json["run"]
    asked = ("llama", "--host", "kluster", "--experiment", study(), "--model", "llama4-scout", "--dry-run", "--json")
    costs = [run(*asked, *more).json["max_without_batch_usd"] for more in ((), ("--window", "24h"), ("--window", "72h"))]
    assert costs[0] == costs[1] > 0 and costs[2] is None


def test_asking_which_models_a_key_may_use(run: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """The hosts whose keys are set are asked for their lists, which are compared with the catalog; nothing is sent."""
    with pytest.raises(InputError, match="no key is set"):
        _checked(monkeypatch, {})
    assert _checked(monkeypatch, {**at(run, "nebius"), **at(run, "novita"), **at(run, "azure")})
    said = capsys.readouterr().out
    assert "nebius: all models of the catalog that are alive are in it" in said
    assert "novita: in the catalog as alive, not in its list: deepseekv3-0324, llama4-maveric, llama4-scout" in said
    assert "azure: its list is of models, not of your deployments" in said and SECRET not in said
    assert not _checked(monkeypatch, {**at(run, "groq"), "GROQ_BASE_URL": "http://127.0.0.1:9/v1"})
    assert "groq: cannot be asked: " in capsys.readouterr().out and run.attempts() == []
    with pytest.raises(InputError, match="unknown host 'nowhere'"):
        check(["nowhere"])


def _checked(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> bool:
    for name, value in {**NO_KEYS, **env}.items():
        monkeypatch.setenv(name, value)
    return check([])
