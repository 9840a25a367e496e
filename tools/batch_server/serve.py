"""Owns one service process: lock, socket, service.json, lease, and a clean stop."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson
import uvicorn

from .app import build
from .call_rate import Rates
from .clock import Clock
from .delivery import CuttableProtocol
from .elsewhere import HOSTS
from .engine import Engine
from .faults import Faults
from .gate import Service
from .plan import parse
from .settings import Settings, profiles
from .state import State
from .workers import Workers

LEASE_GRACE = 5.0
LEASE_PERIOD = 0.3


class CannotStart(Exception):
    """The service can't start; the message says why in one line."""


def run(settings: Settings) -> None:
    """Serve until told to stop; raises CannotStart."""
    settings.state.mkdir(parents=True, exist_ok=True)
    lock = _lock(settings.state)
    (settings.state / "service.json").unlink(missing_ok=True)  # a killed service's: nobody listens there any more
    listener = _listen(settings)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, listener))
    finally:
        with suppress(FileNotFoundError):
            (settings.state / "service.json").unlink()
        os.close(lock)


def _lock(folder: Path) -> int:
    handle = os.open(folder / "service.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise CannotStart(f"a service already runs on {folder}, on port {_known_port(folder)}") from None
    return handle


def _known_port(folder: Path) -> str:
    try:
        return str(json.loads((folder / "service.json").read_text())["port"])
    except (OSError, ValueError, KeyError):
        return "(not yet known)"


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # named, because asyncio sends small answers at once (TCP_NODELAY) only where it sees this protocol; else 40 ms each
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise CannotStart(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
                          "--port 0 takes a free one") from None
    listener.listen(2048)
    return listener


def announce(settings: Settings, port: int) -> dict:
    """Write service.json, whole or not at all, and return what is in it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{'127.0.0.1' if settings.host == '0.0.0.0' else host}:{port}"
    facts = {"port": port, "pid": os.getpid(), "base_url": base, "openai_base_url": f"{base}/v1", "anthropic_base_url": base,
             "kluster_base_url": f"{base}/kluster/v1", "openrouter_base_url": f"{base}/openrouter/v1",
             **{f"{name}_base_url": f"{base}{host.prefix}" for name, host in HOSTS.items()}}
    draft = settings.state / "tmp" / "service.json"
    draft.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    draft.replace(settings.state / "service.json")
    return facts


def greeting(facts: dict) -> str:
    """How to point clients at the service."""
    return f"""The local batch service listens on {facts['base_url']} (nothing it says is real; any key will do)

  OpenAI SDK      export OPENAI_BASE_URL={facts['openai_base_url']} OPENAI_API_KEY=local
  Anthropic SDK   export ANTHROPIC_BASE_URL={facts['anthropic_base_url']} ANTHROPIC_API_KEY=local
  kluster.ai      export KLUSTERAI_BASE_URL={facts['kluster_base_url']} KLUSTERAI_API_KEY=local
  OpenRouter      export OPENROUTER_BASE_URL={facts['openrouter_base_url']} OPENROUTER_API_KEY=local
  curl            curl {facts['openai_base_url']}/models -H 'Authorization: Bearer local'
  status page     {facts['base_url']}/
"""


class _Server(uvicorn.Server):
    """uvicorn, which tells when it listens and stops without killing its own process."""

    def __init__(self, config: uvicorn.Config, settings: Settings, port: int):
        super().__init__(config)
        self.settings, self.port = settings, port

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop cleanly on a signal; uvicorn's own way raises it again, and service.json would stay behind."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
        for number in (signal.SIGINT, signal.SIGTERM):  # one more would find the loop half closed, and leave service.json behind
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then write service.json."""
        await super().startup(sockets=sockets)
        facts = announce(self.settings, self.port)
        if not self.settings.quiet:
            print(greeting(facts), flush=True)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    state = State(settings.state)
    workers = Workers(settings.workers)
    clock = Clock(settings.speed, state.meta("jumped"))
    table = {**profiles(settings), **HOSTS}
    engine = Engine(settings, table, state, clock, workers)
    backend_key = os.environ.pop("BATCH_BACKEND_KEY", "none")
    backend_headers = orjson.loads(os.environ.pop("BATCH_BACKEND_HEADERS", "{}"))
    rules = orjson.loads(settings.faults.read_bytes()) if settings.faults else []
    service = Service(settings, table, state, engine, Faults(parse(rules)), Rates(settings.rpm, settings.speed),
                      f"http://{settings.host}:{port}")
    if settings.backend == "http":
        from .forward import Forwarder  # late: its HTTP client takes as long to import as all the rest
        service.forwarder = Forwarder(settings, state, backend_key, backend_headers)
        service.forwarder.attach(engine)
    config = uvicorn.Config(
        build(service), http=CuttableProtocol, log_level="warning", access_log=False, lifespan="off", server_header=False,
        timeout_keep_alive=75, timeout_graceful_shutdown=3, ws="none")
    server = _Server(config, settings, port)
    engine.resume()
    helpers = [asyncio.create_task(workers.warm())]
    if settings.lease:
        helpers.append(asyncio.create_task(_watch_lease(settings.lease, server)))
    try:
        await server.serve(sockets=[listener])
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        if service.forwarder:
            service.forwarder.stop_sending()
        await engine.stop()
        await workers.close()
        if service.forwarder:
            await service.forwarder.close()
        state.close()


async def _watch_lease(lease: Path, server: uvicorn.Server) -> None:
    """Stop when no client holds the lease any more; the lock is kept until this process ends."""
    handle = os.open(lease, os.O_RDWR | os.O_CREAT, 0o600)
    started, seen = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            seen = True
        else:
            if seen or time.monotonic() - started > LEASE_GRACE:
                server.should_exit = True
                return
            fcntl.flock(handle, fcntl.LOCK_UN)
        await asyncio.sleep(LEASE_PERIOD)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: it carries big bodies twice as fast."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
