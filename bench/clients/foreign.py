"""Lets clients that nobody here wrote complete a batch on the local service: python -m bench.clients.foreign

Each lives in an environment of its own and is used as its documentation says; only base URL and key are ours.
`python -m bench.clients.foreign NAME ...` runs some of them. What each one does is in foreign_scripts.py.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .common import foreign_env, run, service, venv

SCRIPTS = Path(__file__).with_name("foreign_scripts.py")


@dataclass(frozen=True)
class Client:
    """A client: what to install, and what it needed to find the service."""

    packages: tuple[str, ...]
    needed: str


CLIENTS = {
    "batchwizard": Client(("batchwizard==0.5.0",), "OPENAI_BASE_URL, ANTHROPIC_BASE_URL and keys in the environment"),
    "inspect_ai": Client(("inspect_ai==0.3.285", "openai==3.54.0", "anthropic==2.12.0"), "OPENAI_BASE_URL, ANTHROPIC_BASE_URL and keys"),
    "litellm": Client(("litellm==1.106.2",), "api_base= and api_key="),
    "autobatcher": Client(("autobatcher==0.12.0",), "base_url=, api_key=, completion_window=\"24h\""),
    "any_llm": Client(("any-llm-sdk[openai,anthropic]==1.40.2",), "api_base= and api_key="),
    "curator": Client(("bespokelabs-curator==0.1.31",), "backend_params={\"base_url\": ...} and OPENAI_API_KEY"),
    "instructor": Client(("instructor==1.17.0", "anthropic==2.12.0"), "OPENAI_BASE_URL and a key"),
}


def complete(name: str, facts: dict) -> str:
    """Run one client; returns the last line it printed, or raises SystemExit with its error."""
    client = CLIENTS[name]
    python = venv(f"client-{name}", *client.packages)
    with tempfile.TemporaryDirectory() as folder:
        env = foreign_env(
            HOME=folder, XDG_CONFIG_HOME=folder, XDG_DATA_HOME=folder, OPENAI_API_KEY="local", ANTHROPIC_API_KEY="local", PYTHONUTF8="1",
            OPENAI_BASE_URL=facts["openai_base_url"], ANTHROPIC_BASE_URL=facts["anthropic_base_url"], PATH=f"{python.parent}:/usr/bin:/bin",
            LITELLM_LOCAL_MODEL_COST_MAP="True", TELEMETRY_ENABLED="false", ANTHROPIC_CUSTOM_HEADERS="")
        done = run([python, SCRIPTS, name], 240, cwd=folder, env=env)
    last = done.stdout.strip().splitlines()[-1:] or [""]
    if done.returncode or not last[0].startswith("COMPLETE"):
        raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    return last[0]


def main() -> int:
    """Run all that are asked for; the exit code is the number of those that failed."""
    bad = 0
    for name in sys.argv[1:] or CLIENTS:
        with service(speed=3600) as facts:
            try:
                print(f"{name} ({', '.join(CLIENTS[name].packages)}): {complete(name, facts)}; needed: {CLIENTS[name].needed}", flush=True)
            except SystemExit as problem:
                bad += 1
                print(problem, file=sys.stderr, flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
