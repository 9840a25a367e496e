"""What the dashboard shows, as HTML: everything of `runs/board.py`, what needs a person first, then what is open, then the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template

from common.nouns import State
from common.outcomes import SUCCEEDED
from common.reports.disk import LOW, Disk
from common.reports.html import Figure, Html, h, shown, table
from common.reports.svg import stacked
from common.runs.board import SOON
from common.runs.pace import Estimate
from common.runs.stand import Amount, Board, Going, Out, Stand
from common.text import duration, iso, size, usd

HERE = Path(__file__).parent
PAGE = 20  # ended runs on a page
MOST = 20  # lines of a table that may have any number
SIMULATED = Html('<span class="mark">simulated</span>')
BANNER = Html('<div class="banner">REHEARSAL: all that is here is simulated by the local batch service</div>')
KEY = (("good", "answered"), ("fair", "at the provider"), ("bad", "no answer"), ("none", "to be sent"))


def whole(inside: Html, results: Path, seconds: int) -> bytes:
    """The page with all around it, in UTF-8; it loads itself anew every so many seconds where scripts are off."""
    return _template().substitute(inside=inside, results=shown(results, 200), seconds=seconds).encode("utf-8", "replace")


@cache
def _template() -> Template:
    return Template((HERE / "dashboard.html").read_text(encoding="utf-8"))


def inside(board: Board, disk: Disk, page: int = 0) -> Html:
    """What stands on the page; `page` of the finished runs, from 0."""
    plans = [stand for stand in board.closed if stand.is_plan]
    ended = [stand for stand in board.closed if not stand.is_plan]
    last = max(len(ended) - 1, 0) // PAGE
    page = min(max(page, 0), last)
    listed = ended[page * PAGE : (page + 1) * PAGE]
    every = [*board.open, *board.closed]
    parts = [
        BANNER if every and all(stand.simulated for stand in every) else "",
        h('<p class="made">as of {}, by the journal of this folder</p>', iso(board.now)),
        _cards(board, disk),
        _needs(board, disk),
        _part("Open runs", _open(board)),
        _part("Batches at the provider", _out(board)) if any(stand.out for stand in board.open) else "",
        _part("Queue", _queue(board)) if board.queue else "",
        _part("Rows without an answer", _failures([*board.open, *listed])),
        _part("Results that the provider lets go", _going(board)) if board.going else "",
        _part("Ended runs", _ended(listed, page, last, len(ended))) if ended else "",
        _part("Plans of which nothing was sent", _plans(plans)) if plans else "",
    ]
    return h("{}", parts)


def _part(title: str, inside: Html) -> Html:
    return h("<section><h2>{}</h2>{}</section>", title, inside)


# ---- at a glance


def _cards(board: Board, disk: Disk) -> Html:
    asked, come = sum(s.run.planned for s in board.open), sum(s.answered for s in board.open)
    cards = [
        _card("Open runs", f"{len(board.open):,}", f"{come:,} of {asked:,} requests answered"),
        _card("At the provider, at most", *_money(board.in_flight, "in flight")),
        _card(f"Spent since {board.month}", *_money(board.spent, "collected")),
        _card("Results folder", "being counted" if disk.used is None else size(disk.used), f"{size(disk.free)} free on its disk"),
        _card("Ended runs", f"{sum(not stand.is_plan for stand in board.closed):,}", ""),
    ]
    return h('<dl class="cards">{}</dl>', cards)


def _card(name: str, big: object, small: object) -> Html:
    return h('<div><dt>{}</dt><dd class="big">{}</dd><dd><small>{}</small></dd></div>', name, big, small)


def _money(sums: Mapping[bool, Amount], what: str) -> tuple[str, str]:
    """What is real in large, and in small what is not, and what it leaves out."""
    real, as_if = sums.get(False, Amount()), sums.get(True)
    notes = [f"and {real.unpriced:,} batches at unknown prices"] if real.unpriced else []
    notes += [f"{usd(as_if.usd, simulated=True)} in rehearsals"] if as_if else []
    return usd(real.usd), "; ".join(notes) or what


def _needs(board: Board, disk: Disk) -> Html:
    lines = [h("{} waits for you: {}", _name(stand), shown(stand.run.paused, 300)) for stand in board.open if stand.run.paused]
    lines += [
        h("{}: batches owed by the provider: {}; make status ID={} looks again", _name(stand), owed, stand.run.name)
        for stand in board.open
        if (owed := stand.states.get(State.OWED))
    ]
    if soon := [going for going in board.going if going.at - board.now < SOON]:
        said = "batches whose results go within {} days: {}, the first {}; make collect fetches what has ended"
        lines.append(h(said, SOON // 86_400, len(soon), _left(soon[0].at - board.now)))
    lines += [h("{}", shown(line, 400)) for line in board.garbled[:10]]
    lines += [h("only {} are free on the disk of the results folder", size(disk.free))] if disk.free < LOW else []
    return h('<h2>Needs you</h2><ul class="needs">{}</ul>', [h("<li>{}</li>", line) for line in lines]) if lines else Html("")


# ---- tables


def _marked(text: str, simulated: bool) -> Html:
    return h("{} {}", text, SIMULATED) if simulated else h("{}", text)


def _name(stand: Stand) -> Html:
    return _marked(stand.run.key, stand.simulated)


def _ends(estimate: Estimate | None) -> Html:
    if estimate is None:
        return Html("")
    return h('<td class="words">{} <small>{}</small></td>', estimate.when, shown(estimate.basis, 120))


def _bar(stand: Stand) -> Html:
    counts = (stand.answered, stand.in_flight, stand.failed, stand.unsent)
    return h("{} {}", stacked([(kind, count) for (kind, _), count in zip(KEY, counts, strict=True)]), _share(stand))


def _share(stand: Stand) -> str:
    """How much is answered; 100 % means all of it."""
    share = 100 * stand.answered / (stand.run.planned or 1)
    return f"{min(share, 100 if stand.answered == stand.run.planned else 99.9):.3g} %"


def _open(board: Board) -> Html:
    if not board.open:
        return Html("<p>Nothing is open.</p>")
    rows = [
        (_name(s), _bar(s), _ends(s.ends), s.run.planned, s.answered, s.in_flight, s.unsent, s.failed, ", ".join(s.run.models))
        for s in board.open[:MOST]
    ]
    head = ("run", "", "all back", "asked", "answered", "at the provider", "to be sent", "no answer", "models")
    keys = h('<p class="keys">{}</p>', [h('<span><span class="key {}"></span>{}</span>', Html(kind), said) for kind, said in KEY])
    return h("{}{}{}", keys, table(head, rows), _more(len(board.open)))


def _out(board: Board) -> Html:
    """Those that have been out longest."""
    stands = {stand.run.key: stand for stand in board.open}
    every = sorted((out for stand in board.open for out in stand.out), key=lambda out: out.at)
    rows = [_out_row(board, stands[out.run], out) for out in every[:MOST]]
    said = "Those that have been out longest. How far each is, only the provider knows: make status asks."
    listed = table(("batch", "out for", "ends", "requests", "state", "model", "run"), rows)
    return h("<p>{}</p>{}{}", Html(said), listed, _more(len(every)))


def _out_row(board: Board, stand: Stand, out: Out) -> tuple:
    ends = board.pace.batch(stand.run.address, out.flight(board.now)) if out.at and out.state == State.SUBMITTED else None
    age = Figure(duration(board.now - out.at)) if out.at else "unknown"
    return out.batch_id or f"(shard {out.n})", age, _ends(ends), out.requests, out.state, out.model, _name(stand)


def _queue(board: Board) -> Html:
    several = len({(q.host, q.account) for q in board.queue}) > len({q.host for q in board.queue})
    rows = [
        (_marked(q.host, q.simulated), *[q.account[:6] or "unknown"] * several, q.model, q.batches, q.requests, q.tokens)
        for q in board.queue
    ]
    head = ("host", *["key (digest)"] * several, "model", "batches", "requests", "prompt tokens (estimated)")
    return table(head, rows)


def _failures(stands: Iterable[Stand]) -> Html:
    """What came back without an answer in these runs, by class."""
    found: dict[bool, Counter[str]] = {}
    for stand in stands:
        found.setdefault(stand.simulated, Counter()).update({name: n for name, n in stand.rows.items() if name != SUCCEEDED})
    rows = [
        (_marked(name, simulated), count)
        for simulated, counts in sorted(found.items())
        for name, count in counts.most_common(MOST)
        if count
    ]
    if not rows:
        return Html("<p>None in the runs of this page.</p>")
    said = Html("<p>In the runs of this page; a row that was asked again counts each time.</p>")
    return h("{}{}", said, table(("class", "rows"), rows))


def _going(board: Board) -> Html:
    stands = {stand.run.key: stand for stand in board.open}
    rows = [_going_row(board, stands[going.out.run], going) for going in board.going[:10]]
    said = "Not fetched yet, the first to go first; hosts that do not say how long they keep results are not here."
    return h("<p>{}</p>{}", Html(said), table(("batch", "gone", "requests", "run"), rows))


def _going_row(board: Board, stand: Stand, going: Going) -> tuple:
    return going.out.batch_id or f"(shard {going.out.n})", _left(going.at - board.now), going.out.requests, _name(stand)


def _left(seconds: float) -> str:
    if seconds > 2 * 86_400:
        return f"in {seconds / 86_400:.0f} days"
    return f"in {duration(seconds)}" if seconds > 0 else "perhaps gone already"


def _ended(listed: Iterable[Stand], page: int, last: int, count: int) -> Html:
    rows = [
        (_name(s), iso(s.run.created_at), _bar(s), s.run.planned, s.answered, s.failed, sum(s.states.values()), _note(s)) for s in listed
    ]
    head = ("run", "planned on", "", "asked", "answered", "no answer", "batches", "")
    links = [h('<a href="?page={}">‹ newer</a> ', Html(page - 1))] if page else []
    links += [h('<a href="?page={}">older ›</a>', Html(page + 1))] if page < last else []
    where = h("<p>{} of {} pages, {} runs {}</p>", page + 1, last + 1, count, links) if last else Html("")
    return h("{}{}", table(head, rows), where)


def _note(stand: Stand) -> str:
    return "a record, imported" if stand.run.imported else "cancelled" if stand.run.stopped else ""


def _plans(plans: list[Stand]) -> Html:
    rows = [(_name(s), iso(s.run.created_at), s.run.planned, ", ".join(s.run.models)) for s in plans[:MOST]]
    return h("{}{}", table(("run", "planned on", "requests", "models"), rows), _more(len(plans)))


def _more(count: int) -> Html:
    return h("<p>… and {} more</p>", count - MOST) if count > MOST else Html("")
