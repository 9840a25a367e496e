"""Owns the status page at `/`: batches, their progress and the faults in force, on one page without scripts."""

from __future__ import annotations

import json
import time
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .gate import Service
from .routes_control import guarded
from .state import Batch

SHOWN = 100
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --busy: #0969da; --off: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --busy: #58a6ff; --off: #d29922 } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 72rem; overflow-wrap: anywhere }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1.05rem; margin: 1.4rem 0 .5rem } p { margin: .2rem 0 }
.grid { display: grid; gap: .7rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)) }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; min-width: 0 }
code { font-size: .82em } progress { width: 100%; height: .6rem; accent-color: var(--busy) } .quiet { opacity: .75; font-size: .92em }
b { color: var(--busy) } .completed b { color: var(--good) } .completed progress { accent-color: var(--good) }
.failed b, em { color: var(--bad); font-style: normal } .expired b, .cancelled b, .cancelling b { color: var(--off) }
.expired progress, .cancelled progress, .cancelling progress { accent-color: var(--off) }
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
    older = f"<p class=quiet>Only the newest {SHOWN} are shown.</p>" if len(batches) == SHOWN else ""
    faults = "".join(f"<article><p><code>{_text(rule.shown())}</code></p></article>" for rule in rules)
    clock = service.engine.clock
    words = "simulated answers" if service.forwarder is None else "answers of a model server"
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="3"><title>Local batch service</title><style>{STYLE}</style></head><body>
<h1>Local batch service</h1>
<p class=quiet>{words}; {clock.speed:,.10g} simulated seconds per second; {len(service.state.live)} running;
{time.strftime("%H:%M:%S")}</p>
<h2>Faults in force</h2>{f"<section class=grid>{faults}</section>" if faults else "<p class=quiet>None.</p>"}
<h2>Batches</h2><main class=grid>{listed}</main>{older}
</body></html>"""


def _text(value: object) -> str:
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str), quote=True)


def _batch(batch: Batch) -> str:
    done = batch.ok + batch.failed
    failed = f", <em>{batch.failed:,} failed</em>" if batch.failed else ""
    notes = [_text(f"{error['code']}: {error['message']}") for error in batch.errors[:3]]
    notes += [_text(batch.metadata)] if batch.metadata else []
    extra = "".join(f'<p class="quiet">{note}</p>' for note in notes)
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(batch.created))
    what = " \u00b7 ".join(_text(word) for word in (batch.profile, batch.model, made) if word)
    count = f" {done:,} of {batch.total:,}{failed}" if batch.total else ""
    bar = f"<progress max={batch.total} value={done}></progress>" if batch.total else ""
    return (f'<article class="{_text(batch.status)}"><p><b>{_text(batch.status)}</b>{" (deleted)" if batch.gone else ""}{count}</p>'
            f'{bar}<p><code>{_text(batch.id)}</code></p><p class="quiet">{what}</p>{extra}</article>')
