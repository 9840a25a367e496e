"""Lost answers among batches that look like ours: somebody else's of the same size, and doubles of our own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.torture.world import World

WAIT = ("--grace", "3")
SPEED = 3000.0  # of the world for `double`: its stuck batch must not expire (24 h) before it is cancelled


def _once_attempted(world: World, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as the service has seen the first attempt to create a batch."""

    def watch() -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end and not world.control("ledger")["attempts"]:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def stranger(
    world: World, reference: dict[str, str], argv: tuple[str, ...], without: tuple[str, ...] = ()
) -> list[str]:
    """Anthropic: our create never arrived, and a colleague makes a batch with as many requests at that moment.

    It must be looked at, recognised by its rows as not ours, left alone, and ours must be sent once.
    """
    world.reset()
    world.control("faults", [{"call": "messages.batches.create", "times": 1, "action": {"drop": "before"}}])
    count = len(reference) // 2  # the size of our first shard
    foreign: list[str] = []
    client = world.service.anthropic()  # here: its import takes longer than the moment lasts

    def colleague() -> None:
        params = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
        rows = [{"custom_id": f"theirs-{n}", "params": params} for n in range(count)]
        foreign.append(client.messages.batches.create(requests=rows).id)

    thread = _once_attempted(world, colleague)
    ends = [world.run("anthropic", *argv, *WAIT, without=list(without))]
    thread.join()
    ends += [] if ends[-1]["code"] == 0 else world.run_to_the_end("anthropic", *argv, *WAIT, without=list(without))
    said = "".join(end["out"] + end["err"] for end in ends)
    wrong = [] if ends[-1]["code"] == 0 else [f"ended with {ends[-1]['code']}: {said[-800:]}"]
    if "is not ours" not in said:
        wrong.append(f"the stranger was not recognised: {said[-800:]}")
    creates = {c["batch_id"]: c for c in world.control("ledger")["creates"]}
    if creates[foreign[0]]["succeeded"] != count:
        wrong.append("the colleague's batch was disturbed")
    return [*wrong, *(text for text in world.judge("anthropic", reference) if "theirs" not in text)]


def double(world: World, reference: dict[str, str], argv: tuple[str, ...]) -> list[str]:
    """OpenAI: our create was accepted and its answer lost, and something on the way sent it twice.

    The oldest must be adopted, the other one cancelled, and every row be there once.
    """
    world.reset()
    world.control(
        "faults",
        [
            {"call": "batches.create", "times": 1, "action": {"drop": "after", "fate": {"stuck": False}}},
            {"call": "batches.create", "nth": 2, "times": 1, "action": {"fate": {"stuck": True}}},
            {"call": "batches.list", "times": 2, "action": {"delay": 1.0}},
        ],
    )

    client = world.service.openai()

    def proxy() -> None:
        end = time.monotonic() + 10
        while not (creates := world.control("ledger")["creates"]) and time.monotonic() < end:
            time.sleep(0.01)
        client.batches.create(
            input_file_id=creates[0]["input_file_id"],
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata=creates[0]["metadata"],
        )

    thread = _once_attempted(world, proxy)
    ends = world.run_to_the_end("openai", *argv, *WAIT)
    thread.join()
    said = "".join(end["out"] + end["err"] for end in ends)
    wrong = [] if ends[-1]["code"] == 0 else [f"ended with {ends[-1]['code']}: {said[-800:]}"]
    if "is a double of" not in said:
        wrong.append(f"the double was not noticed: {said[-800:]}")
    if not any(c["status"] in ("cancelling", "cancelled") for c in world.control("ledger")["creates"]):
        wrong.append("the double was not cancelled")
    # what the double answered before it was stopped is lost money, but not of our making
    return [*wrong, *(text for text in world.judge("openai", reference) if "paid more than once" not in text)]
