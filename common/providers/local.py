"""The embedded local batch service for one command: found running or started, and let go of at the end."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson

from common import catalog
from common.errors import InputError
from common.providers.account import Account
from common.settings import ROOT

SPEED = 3600.0  # simulated seconds per second: an hour of waiting takes one second
START = 20.0  # seconds that the service may take to answer


@contextmanager
def account(host_name: str, results: Path, speed: float = SPEED) -> Iterator[Account]:
    """An account at the local batch service whose state lies in results/local_service, for the length of a block.

    All commands that run at the same time share one service. Each holds a lease, which dies with its process; the
    service stops by itself when nobody holds one. Raises InputError when it cannot be started.
    """
    options = ["--speed", str(speed)]
    with service(results / "local_service", options, {}) as urls:
        host = catalog.hosts()[host_name]
        # the address at which it imitates this very host, else the one at which it speaks the host's shape
        url = urls.get(f"{host.name}_base_url") or urls.get(f"{host.api}_base_url")
        if url is None:
            raise InputError(f"the local batch service does not speak {host.api}; --local cannot rehearse {host.title}")
        yield Account(replace(host, local=True, title="local batch service", requests_per_minute=None), url, "local")


def planning_account(host_name: str) -> Account:
    """The same account for a command that calls nobody: no service is started for it."""
    return Account(replace(catalog.hosts()[host_name], local=True, title="local batch service", requests_per_minute=None), "", "local")


@contextmanager
def service(state: Path, options: Sequence[str], secrets: Mapping[str, str], patience: float = START) -> Iterator[dict]:
    """The addresses of a batch service that keeps its state in a folder, found running or started with these options.

    `secrets`: variables that only the service gets. Raises InputError when it cannot be started within `patience` seconds.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        lease = open(state / "lease", "w")
    except OSError as error:
        raise InputError(f"{state}: {error.strerror}; choose another folder with --results or RESULTS_DIR") from None
    with lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        yield _urls(state, options, secrets, patience)


def _urls(state: Path, options: Sequence[str], secrets: Mapping[str, str], patience: float) -> dict:
    deadline = time.monotonic() + patience
    child = None
    while time.monotonic() < deadline:
        if (found := running(state)) is not None:
            return found
        if child is None or child.poll() is not None:  # a service that is just stopping may have been in the way
            child = start(state, options, secrets)
        time.sleep(0.03)
    log = state / "service.log"
    raise InputError(f"the local batch service did not start within {patience:.0f} s; see {log}")


def start(state: Path, options: Sequence[str], secrets: Mapping[str, str]) -> subprocess.Popen:
    """Start a service; where one runs on this state already, the new one ends at once."""
    command = [sys.executable, "-m", "tools.batch_server", "--quiet", "--port", "0", "--state", str(state)]
    command += [*options, "--lease", str(state / "lease")]
    keys = [name for name in os.environ if name.endswith(("_API_KEY", "_TOKEN"))]
    env = {**{key: value for key, value in os.environ.items() if key not in keys}, **secrets}
    with open(state / "service.log", "ab") as log:
        # its own session: Ctrl-C is for us, and it must outlive us while another command uses it
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def running(state: Path) -> dict | None:
    """The addresses of a service that holds this state's lock, None if there is none yet."""
    try:
        with open(state / "service.lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return None  # nobody holds it: what service.json says is over
            except BlockingIOError:
                pass
        found = orjson.loads((state / "service.json").read_bytes())
        socket.create_connection(("127.0.0.1", found["port"]), timeout=2).close()  # it may be an old note, or too early
        return found
    except (FileNotFoundError, ConnectionError, TimeoutError, orjson.JSONDecodeError):
        return None
