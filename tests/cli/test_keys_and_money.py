"""Keys, addresses, models that have ended, and costs: what would go to the wrong place or cost too much is refused before it is sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from common import catalog
from common.runs.journal import Journal
from tests.cli.refusals import REFUSED, nothing_was_sent, refused
from tests.service import SECRET, Service
from tests.support import NO_KEY, REAL, Commands, later

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
    """A run that was submitted with one key is not continued with one that its batches cannot be had with."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert run(*command, "--no-wait").code == 0
    made = run.attempts()
    run.world.control("faults", [{"call": "batches.retrieve", "action": {"status": 404}}])
    refused(run(*command, env={"OPENAI_API_KEY": "sk-of-somebody-else"}), "submitted with another key", "--run NAME")
    assert run.attempts() == made


def test_rotated_key(run: Commands, study: Callable) -> None:
    """A new key of the same account, which the run's batch can be had with, takes the run over: nothing is bought again."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--retries", "0")
    new = {"OPENAI_API_KEY": f"sk-new-{SECRET}"}
    assert run(*command, "--no-wait").code == 0
    made = run.attempts()
    end = run(*command, env=new)
    assert ("this key is new" in end.said, run.attempts()) == (True, made), end.said
    again = run(*command, env=new)
    assert ("this key is new" in again.said, run.attempts()) == (False, made), again.said


def test_rotated_key_that_only_looks(run: Commands, study: Callable) -> None:
    """--status with the new key rebinds too, and the journal says so."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--no-wait").code == 0
    later(run)
    with closing(Journal(run.results)) as journal:
        (found,) = journal.runs()
        end = run("openai", "--status", found.name, "--retries", "0", env={"OPENAI_API_KEY": f"sk-new-{SECRET}"})
        assert end.code == 0, end.said
        assert [kind for _, _, kind, _ in journal.events(found)].count("rebound") == 1
        assert journal.run(found.key).account != found.account


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
        (f"https://[{SECRET}", "reached 0 of 1 channels; not NOTIFY_URL: "),
        (f"http://198.51.100.7/{SECRET}", "not NOTIFY_URL: it is not https"),
        (f"http://127.0.0.1:9/{SECRET}", "reached 0 of 1 channels; not NOTIFY_URL: "),
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
    refused(run(*command), "1 request cannot be sent", "p1_deepseekv3_n01_big", "--skip-invalid")
    nothing_was_sent(run)
    end = run(*command, "--skip-invalid")
    assert (end.code, "left out: 1 requests" in end.said, set(run.world.billed())) == (0, True, {"p1_deepseekv3_n01_t1"}), end.said
