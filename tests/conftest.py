"""The services that the tests of the scripts share, and commands against them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import STUDY, Commands
from tests.torture.world import World


def _opened(folder: Path, **settings: object) -> Iterator[World]:
    world = World(folder, **settings)
    yield world
    world.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service whose batches end at once; one for all tests of this process."""
    yield from _opened(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def still_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service whose time stands still until a test lets it pass with `later`."""
    yield from _opened(tmp_path_factory.mktemp("still"), speed=1e-3, heal_share=0)


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
