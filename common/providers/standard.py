"""Standard processing: a batch service of ours in front of a host, which asks it row by row at the full price."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import orjson

from common.errors import BatchError, Denied
from common.providers import connect
from common.providers.account import Account
from common.providers.local import START, running, service, start

FOLDER = "standard_service"  # in the results folder: holds answers that are paid for, until their run has collected them
SLOTS = 32  # questions in the air at once, at most
ROWS, BYTES = 1_000, 100_000_000  # of one batch of ours: small, so that answers are collected, and money is reserved, bit by bit
LOOK = 0.5  # seconds between two looks at whether the service lives
DRAIN = 60.0  # seconds that a service which stops waits for what is in the air


def planned(account: Account) -> Account:
    """An account as its runs are planned for standard processing; nobody is spoken to."""
    host = account.host
    rows, most = host.limits.requests, host.limits.bytes
    limits = replace(host.limits, requests=min(rows or ROWS, ROWS), bytes=min(most or BYTES, BYTES))
    host = replace(host, limits=limits, window="24h", upload_purpose="batch", requests_per_minute=None)
    return replace(account, host=host, way=account.way or "standard")


@contextmanager
def served(account: Account, results: Path, slots: int) -> Iterator[Account]:
    """The same account, spoken to through a service of its own for the length of a block.

    Commands on one results folder share the service of an address. It sends only while a command lasts, and lets what is in the
    air come back before it ends. The key goes to it by its environment. Raises InputError when it cannot be started, Denied for
    a key that the host does not know.
    """
    _check_key(account)
    account = planned(account)
    address = account.address.rstrip("/")
    state = results / FOLDER / f"{account.host.name}-{blake2b(address.encode(), digest_size=6).hexdigest()}"
    token = _token(state)
    options = ["--backend", "http", "--backend-url", address, "--backend-concurrency", str(slots), "--backend-drain", str(DRAIN)]
    headers = orjson.dumps({**account.headers}).decode()
    told = {"BATCH_SERVER_KEYS": token, "BATCH_BACKEND_KEY": account.key, "BATCH_BACKEND_HEADERS": headers}
    with service(state, options, told, START + DRAIN) as urls, _kept_alive(state, [*options, "--port", str(urls["port"])], told):
        yield replace(account, base_url=urls[f"{account.host.api}_base_url"], behind=address, token=token)


def _check_key(account: Account) -> None:
    """Turn a wrong key away before every row is refused because of it; a host that cannot be asked says nothing. Raises Denied."""
    try:
        with closing(connect(account)) as provider:
            next(iter(provider.listing()), None)
    except BatchError as error:
        if isinstance(error, Denied) and error.status == 401:
            raise


@contextmanager
def _kept_alive(state: Path, options: list[str], told: dict[str, str]) -> Iterator[None]:
    """Start the service again at the same port when it dies: the command waits for it as for any host that is away."""
    over = threading.Event()

    def watch() -> None:
        child = None
        while not over.wait(LOOK):
            if (child is None or child.poll() is not None) and running(state) is None:
                child = start(state, options, told)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _token(state: Path) -> str:
    """What the service takes for a key, so that nobody else on this machine can ask with ours; readable by its owner only."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, draft = state / "token", state / f"token.{os.getpid()}"
    if not path.exists():
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(16))
        with suppress(FileExistsError):  # another command was quicker
            os.link(draft, path)
        draft.unlink()
    return path.read_text()
