"""Owns the status page at `/`: batches, their progress and the faults in force, on one page without scripts."""

from __future__ import annotations

import time
from html import escape

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .gate import Service
from .routes_control import guarded
from .state import Batch

SHOWN = 100
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8884 }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 60rem }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem }
article { border-top: 1px solid var(--line); padding: .6rem 0 } code { overflow-wrap: anywhere }
progress { width: 100%; height: .6rem } p { margin: .2rem 0 } .quiet { opacity: .7 }
"""


def route(service: Service) -> Route:
    """The page; like the control routes it is for this machine only."""
    async def page(request: Request) -> Response:
        return HTMLResponse(render(service), headers={
            "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
            "cache-control": "no-store", "x-simulated": "true"})
    return Route("/", guarded(page), methods=["GET"])


def render(service: Service) -> str:
    """The whole page; every text that came from outside is escaped."""
    batches = service.state.all_batches(SHOWN)
    rules = service.faults.rules
    listed = "".join(_batch(batch) for batch in batches) or "<p class=quiet>No batch yet.</p>"
    faults = "".join(f"<article><p><code>{_text(rule.shown())}</code></p></article>" for rule in rules)
    clock = service.engine.clock
    words = "simulated answers" if service.forwarder is None else "answers of a model server"
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="3"><title>Local batch service</title><style>{STYLE}</style></head><body>
<h1>Local batch service</h1>
<p class=quiet>{words}; {clock.speed:g} simulated seconds per second; {len(service.state.live)} running;
{time.strftime("%H:%M:%S")}</p>
<h2>Batches</h2>{listed}
<h2>Faults in force</h2>{faults or "<p class=quiet>None.</p>"}
</body></html>"""


def _text(value: object) -> str:
    return escape(value if isinstance(value, str) else orjson.dumps(value).decode(), quote=True)


def _batch(batch: Batch) -> str:
    done = batch.ok + batch.failed
    failed = f", {batch.failed} failed" if batch.failed else ""
    notes = [_text(f"{error['code']}: {error['message']}") for error in batch.errors[:3]]
    notes += [_text(batch.metadata)] if batch.metadata else []
    extra = "".join(f'<p class="quiet">{note}</p>' for note in notes)
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(batch.created))
    return (f"<article><p><strong>{_text(batch.status)}</strong>{' (deleted)' if batch.gone else ''} "
            f"{done} of {batch.total}{failed}</p><progress max={max(1, batch.total)} value={done}></progress>"
            f'<p><code>{_text(batch.id)}</code></p><p class="quiet">{_text(batch.profile)} {_text(batch.model or "")} {made}</p>'
            f"{extra}</article>")
