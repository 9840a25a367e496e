"""Owns the status page at `/`: totals, batches and their progress (running ones first) and the faults in force, without scripts."""

from __future__ import annotations

import json
import time
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .gate import Service
from .plan import PROFILES
from .routes_control import guarded
from .state import Batch, State

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
        return HTMLResponse(render(service, View(dict(request.query_params))), headers={
            "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
            "cache-control": "no-store", "x-simulated": "true"})
    return Route("/", guarded(page), methods=["GET"])


STATUSES = ("validating", "in_progress", "finalizing", "cancelling", "completed", "failed", "expired", "cancelled")


class View:
    """What a visitor asked to see: ?status=, ?api=, ?find= (a part of an id, model or metadata) and ?page=, from 1."""

    def __init__(self, query: dict[str, str]):
        self.asked = {key: value for key, value in query.items()
                      if key == "status" and value in STATUSES or key == "api" and value in PROFILES or key == "find" and value}
        page = query.get("page", "1")
        self.page = max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 8 else 1

    def link(self, words: str, page: int = 1, **change: str | None) -> str:
        """A link to the view with something changed; what is shown already is set in bold."""
        asked = {key: value for key, value in {**self.asked, **change}.items() if value}
        if asked == self.asked and page == self.page:
            return f"<strong>{_text(words)}</strong>"
        return f'<a href="/?{_text(urlencode({**asked, "page": page}))}">{_text(words)}</a>'

    def condition(self) -> tuple[str, tuple]:
        """The same in SQL."""
        words = " || ' ' || ".join(("id", "coalesce(json_extract(doc, '$.model'), '')", "coalesce(json_extract(doc, '$.metadata'), '')"))
        tests = {"status": "json_extract(doc, '$.status') = ?", "api": "json_extract(doc, '$.profile') = ?",
                 "find": f"instr({words}, ?) > 0"}
        return " and ".join(["1", *(tests[key] for key in self.asked)]), tuple(self.asked.values())


def _totals(state: State, view: View) -> str:
    """Numbers of batches by status and API, each a link that filters, and of all rows."""
    rows = state.read("select json_extract(doc, '$.status'), json_extract(doc, '$.profile'), count(*), sum(json_extract(doc, '$.total')), "
                      "sum(json_extract(doc, '$.ok')), sum(json_extract(doc, '$.failed')) from batches group by 1, 2")
    total, ok, failed = (sum(row[place] or 0 for row in rows) for place in (3, 4, 5))
    kinds = [view.link(f"all {sum(row[2] for row in rows):,}", status=None, api=None, find=None)]
    for place, name, words in ((0, "status", STATUSES), (1, "api", PROFILES)):
        counts = {word: sum(row[2] for row in rows if row[place] == word) for word in words}
        kinds += [view.link(f"{word} {count:,}", **{name: word}) for word, count in counts.items() if count]
    return f'<p>{" · ".join(kinds)}</p><p class=quiet>{total:,} rows: {ok:,} answered, {failed:,} failed</p>'


def _listed(state: State, view: View) -> str:
    where, values = view.condition()
    (found,) = state.read(f"select count(*) from batches where {where}", values)[0]
    batches = state.batches_like(f"{where} order by final, seq desc limit ? offset ?", (*values, SHOWN, (view.page - 1) * SHOWN))
    links = [view.link("newer", view.page - 1)] if view.page > 1 else []
    links += [view.link("older", view.page + 1)] if view.page * SHOWN < found else []
    first = (view.page - 1) * SHOWN
    place = f"{first + 1:,} to {first + len(batches):,} of {found:,} " if batches else ""
    cards = "".join(_batch(batch) for batch in batches) or "<p class=quiet>No such batch.</p>"
    return f"<main class=grid>{cards}</main><p>{place}{' · '.join(links)}</p>"


def render(service: Service, view: View) -> str:
    """The whole page; every text that came from outside is escaped."""
    rules = service.faults.rules
    faults = "".join(f"<article><p><code>{_text(rule.shown())}</code></p></article>" for rule in rules)
    clock = service.engine.clock
    words = "simulated answers" if service.forwarder is None else "answers of a model server"
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="3"><title>Local batch service</title><style>{STYLE}</style></head><body>
<h1>Local batch service</h1>
<p class=quiet>{words}; {clock.speed:,.10g} simulated seconds per second; {len(service.state.live)} running;
{time.strftime("%H:%M:%S")}</p>
<h2>Faults in force</h2>{f"<section class=grid>{faults}</section>" if faults else "<p class=quiet>None.</p>"}
<h2>Batches</h2>{_totals(service.state, view)}{_listed(service.state, view)}
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
