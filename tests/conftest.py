"""Owns the fixtures of all tests: services that are started once and shared, worlds and commands on them, an experiment."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.basics import work_in_memory
from tests.service import STEADY, Service
from tests.support import STUDY, Commands
from tests.torture.world import World, Zygote

work_in_memory()

# What a developer's .env names must not hear of every test.
os.environ.update(NOTIFY_URL="", NOTIFY_URLS="")

# Hundreds of processes are started; each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays: looking through it for garbage, then and ever again, would take a fifth of the time of collecting."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, else a worker is still at it when the others have nothing left to take from it."""
    items.sort(key=lambda item: "test_flat_memory" not in item.nodeid)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """`services("--option", …, speed=…, VARIABLE=…)`: each kind is started once in this process; none may have had a bug at the end."""
    started: dict[tuple, Service] = {}
    with ExitStack() as stack:

        def one(*options: str, speed: float = 20_000, **env: str) -> Service:
            key = (options, speed, *sorted(env.items()))
            if key not in started:
                new = Service(tmp_path_factory.mktemp("service"), (*STEADY, "--speed", str(speed), *options), env)
                started[key] = stack.enter_context(new)
            return started[key]

        yield one
        for service in started.values():  # all at once; then each is waited for
            service.process.terminate()


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """The process that has all imports and forks commands; one for all worlds."""
    with closing(Zygote()) as process:
        yield process


@pytest.fixture(scope="session")
def worlds(services: Callable, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., World]:
    """`worlds("--option", …, speed=…)`: a service of that kind with a results folder."""
    return lambda *options, speed=1e6: World(tmp_path_factory.mktemp("world"), services(*options, speed=speed), zygote)


@pytest.fixture(scope="session")
def world(worlds: Callable) -> World:
    """A service whose batches end at once; one row in seven fails at first."""
    return worlds("--heal-share", "0.15")


@pytest.fixture(scope="session")
def calm(worlds: Callable) -> World:
    """A service that answers every row at once."""
    return worlds()


@pytest.fixture(scope="session")
def still_world(worlds: Callable) -> World:
    """A service whose time stands still until a test lets it pass with `later`."""
    return worlds(speed=1e-3)


@pytest.fixture
def run(world: World, tmp_path: Path) -> Commands:
    """Commands against the quick service, which is empty and without faults."""
    world.reset()
    return Commands(world, tmp_path / "results")


@pytest.fixture
def still(still_world: World, tmp_path: Path) -> Commands:
    """Commands against the service whose time stands still."""
    still_world.reset()
    return Commands(still_world, tmp_path / "results")


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Path]:
    """Makes an experiment's folder: `study(trials="0")` changes a key to that TOML, None leaves it out."""

    def make(files: dict[str, str | bytes] | None = None, **keys: str | None) -> Path:
        folder = tmp_path / "study"
        folder.mkdir(exist_ok=True)
        for name, content in {"t1.txt": "A text.\n", **(files or {})}.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        rows = {**STUDY, **keys}
        (folder / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in rows.items() if value is not None))
        return folder

    return make
