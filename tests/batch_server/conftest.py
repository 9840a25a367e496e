"""Owns the services of these tests: one that is shared, and those that a test starts, kills and starts again by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.service import STEADY, Service


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services of one's own; all are stopped at the end of the test, and none may have had a bug."""
    with ExitStack() as stack:

        def one(*options: str, state: Path | None = None, env: dict | None = None, steady: bool = True, speed: str = "20000") -> Service:
            folder = state or tmp_path / f"state{len(list(tmp_path.iterdir()))}"
            folder.mkdir(exist_ok=True)
            return stack.enter_context(Service(folder, (*(STEADY if steady else ()), "--speed", speed, *options), env or {}))

        yield one


@pytest.fixture
def service(services: Callable) -> Service:
    """The shared service, empty and without faults."""
    shared = services()
    shared.reset()
    return shared
