"""Ray itself: found or started, its nodes looked at, and silent. Importing this imports no Ray."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from types import ModuleType

from common.errors import InputError
from common.settings import ROOT
from common.text import one_line

LEAST_CPUS = 2  # of a node: with one, a job hangs for ever once another node dies
CODE = ("common", "tools")  # of this project: sent along, so that other machines need its packages only
START = "expected auto or HOST:PORT; to make one, type: ray start --head --num-cpus 4"
STORE = 512 << 20  # bytes of memory for what travels, where Ray is started here


def connect(address: str | None, folder: str | None = None) -> ModuleType:
    """The module ray, connected to the cluster at an address, or to one of this machine alone. Raises InputError.

    Workers run in a copy of `folder`, if one is given.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError("Ray is not installed; type: make ray-setup") from None
    sent = {"py_modules": [str(ROOT / one) for one in CODE], **({"working_dir": folder} if folder else {})}
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": sent}
    if address and (Path.home() / ".ray/auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # as `ray start --head` does by itself where that file is, but not its clients
    alone = {"num_cpus": max(4, os.cpu_count() or 1), "object_store_memory": STORE, "include_dashboard": False}
    _check_there(address)
    try:
        ray.init(address or "local", **{**quiet, **({} if address else alone)})
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"--ray {address}: no cluster there ({one_line(error, 200)}); {START}") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    check_nodes(ray.nodes())
    return ray


def _check_there(address: str | None) -> None:
    """Refuse an address where nobody listens, for which Ray itself would wait a minute. Raises InputError."""
    if not address or address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise InputError(f"--ray {address}: no cluster there ({error}); {START}") from None


def check_nodes(nodes: list[dict]) -> None:
    """Refuse a cluster on which a job can hang. Raises InputError."""
    for node in nodes:
        cpus = int(node["Resources"].get("CPU", 0))
        if node["Alive"] and cpus < LEAST_CPUS:
            told = f"node {node['NodeManagerAddress']} has {cpus} logical CPU{'' if cpus == 1 else 's'}, {LEAST_CPUS} are needed"
            raise InputError(f"{told} (a job would hang when a node dies); restart it with: ray start --num-cpus 4 …")

