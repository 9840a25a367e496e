"""Owns the command line: python -m tools.batch_server --port 8790 --state DIR [--speed 3600]"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

from .hosts import is_loopback, name_of
from .settings import KLUSTER_ROWS, Settings

DEFAULTS = Settings(Path())


def parser() -> argparse.ArgumentParser:
    """All options; keys come from the environment (BATCH_SERVER_KEYS), never from the command line."""
    p = argparse.ArgumentParser(prog="python -m tools.batch_server", description="A local batch service that speaks the OpenAI, "
                                "kluster.ai and Anthropic batch APIs. Keys to check: BATCH_SERVER_KEYS=key1,key2")
    p.add_argument("--state", type=Path, required=True, metavar="DIR", help="where everything is kept; survives restarts")
    p.add_argument("--host", default=DEFAULTS.host, help="address to listen on; anything but loopback needs BATCH_SERVER_KEYS")
    p.add_argument("--allow-host", action="append", default=[], type=_name, metavar="NAME",
                   help="answer to this name too (Host header); may be given several times")
    p.add_argument("--port", type=int, default=DEFAULTS.port, help="0 takes a free one (default %(default)s)")
    p.add_argument("--speed", type=float, default=DEFAULTS.speed, help="simulated seconds per second (default 1: as in real life)")
    p.add_argument("--faults", type=Path, metavar="FILE", help="a JSON list of fault rules")
    p.add_argument("--lease", type=Path, metavar="FILE", help="stop when no process holds a shared flock on FILE any more")
    p.add_argument("--quiet", action="store_true", help="print nothing")
    p.add_argument("--workers", type=int, default=DEFAULTS.workers, help="worker processes (default %(default)s)")
    p.add_argument("--backend", choices=("rehearsal", "http"), default=DEFAULTS.backend,
                   help="rehearsal invents answers; http asks --backend-url")
    p.add_argument("--backend-url", default="", metavar="URL",
                   help="a model server, such as http://127.0.0.1:11434; its key: BATCH_BACKEND_KEY")
    p.add_argument("--backend-concurrency", type=int, default=DEFAULTS.backend_concurrency, metavar="N",
                   help="questions at once (%(default)s)")
    p.add_argument("--backend-tries", type=_count, default=DEFAULTS.backend_tries, metavar="N",
                   help="how often a question is asked while the server fails (%(default)s)")
    p.add_argument("--backend-wait", type=_seconds, default=DEFAULTS.backend_wait, metavar="SECONDS",
                   help="the longest wait between two tries, Retry-After included (%(default)s)")
    p.add_argument("--backend-timeout", type=_seconds, default=DEFAULTS.backend_timeout, metavar="SECONDS",
                   help="how long one answer may take (%(default)s)")
    p.add_argument("--odd-share", type=_share, default=DEFAULTS.odd_share, help="share of answers in odd forms")
    p.add_argument("--cut-share", type=_share, default=DEFAULTS.cut_share, help="share of answers that are cut off")
    p.add_argument("--heal-share", type=_share, default=DEFAULTS.heal_share, help="share of rows that fail once")
    p.add_argument("--refuse-share", type=_share, default=DEFAULTS.refuse_share, help="share of answers that refuse")
    p.add_argument("--cache-share", type=_share, default=DEFAULTS.cache_share,
                   help="Anthropic: share of the rows that read what another row of their batch has put into the prompt cache")
    p.add_argument("--kluster-plan", choices=sorted(KLUSTER_ROWS), default=DEFAULTS.kluster_plan)
    p.add_argument("--queue-limit", type=_limit, action="append", default=[], metavar="[MODEL=]N",
                   help="OpenAI: enqueued prompt tokens per model; with a model's name, of that one (several times)")
    p.add_argument("--queued-requests", type=int, default=0, metavar="N", help="Anthropic: requests in the queue")
    p.add_argument("--creation-rate", type=int, default=0, metavar="N", help="batches per hour")
    p.add_argument("--storage-bytes", type=int, default=0, metavar="N", help="bytes of files per account")
    return p


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("expected a share from 0 to 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected a whole number from 1")
    return value


def _limit(text: str) -> tuple[str, int]:
    model, _, most = text.rpartition("=")
    return model, _count(most)


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError("expected seconds above 0")
    return value


def _name(text: str) -> str:
    if name_of(text) != text.lower():
        raise argparse.ArgumentTypeError("expected a host's name without a port, such as box.local")
    return text


def settings_of(arguments: list[str]) -> Settings:
    """Settings from a command line and the environment."""
    p = parser()
    args = p.parse_args(arguments)
    keys = frozenset(key.strip() for key in os.environ.pop("BATCH_SERVER_KEYS", "").split(",") if key.strip())
    if not keys and not is_loopback(args.host):
        p.error(f"--host {args.host} is open to others: set BATCH_SERVER_KEYS=key1,key2 first")
    if (args.backend == "http") != args.backend_url.startswith(("http://", "https://")):
        p.error("--backend http needs --backend-url http://..., and only it takes one")
    if not (math.isfinite(args.speed) and args.speed > 0) or args.workers < 1:
        p.error("--speed must be above 0, --workers at least 1")
    made = {"allow_host": tuple(args.allow_host), "queue_limit": dict(args.queue_limit)}
    return Settings(**{**vars(args), **made}, keys=keys)


def main(arguments: list[str] | None = None) -> int:
    """Run the service; returns the exit code."""
    settings = settings_of(sys.argv[1:] if arguments is None else arguments)
    from .errors import ApiError  # imported late, so that --help is quick
    from .serve import CannotStart, run
    try:
        run(settings)
    except CannotStart as problem:
        print(f"batch service: {problem}", file=sys.stderr)
        return 2
    except (OSError, ValueError, ApiError) as problem:
        print(f"batch service: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
