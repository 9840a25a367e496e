"""make costs: what was paid in a results folder, summed by what a person names, and whether that adds up with the journal."""

from __future__ import annotations

import argparse
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from common.cli.exits import OK, UNFINISHED
from common.cli.export import decode_of
from common.cli.folder import looked_at, results_folder
from common.cli.text import SIMULATED, Voice
from common.errors import InputError
from common.reports.costs import by_rows
from common.results.tables import csv_head, csv_lines, csv_table
from common.runs import ledger
from common.runs.money import Money, paid_words
from common.text import many, one_line, usd

SHOWN = 200  # lines on the screen; a file has all
DATES = ("day", "month")
_COUNTS = ("requests", "clean_answers", "batches", "batches_at_unknown_price", "batches_of_an_earlier_version")
FIGURES = [(name, int if name in _COUNTS else float) for name in Money().facts()]

MoneySums = Mapping[tuple[str, ...], Money]


def command(args: argparse.Namespace) -> int:
    """Tell what was paid; returns the exit code: 1 where the sum is not the journal's. Raises InputError, OSError."""
    results, by = results_folder(args.results), [*dict.fromkeys(args.by)]
    if args.json and args.csv == "-":
        raise InputError("--json and --csv both want the screen; name a file, as in --csv costs.csv")
    if args.csv and not (folder := Path(args.csv).parent).is_dir():
        raise InputError(f"{folder}: no such folder; make it first, or choose another place with --csv FILE")
    with looked_at(results) as journal:
        books = ledger.read(journal, args.simulated)
    sums = _sums(books, by)
    apart = sum(money.committed for money in sums.values()) - books.journal
    adds_up = abs(apart) <= ledger.ROUNDING
    voice = Voice(as_json=args.json or args.csv == "-")
    if args.csv:
        _write_csv(args.csv, by, sums)
    if args.json:
        voice.json({"by": by, "simulated": args.simulated, "rows": [*_rows(by, sums)], "total": _total(sums).facts(),
                    "journal_usd": books.journal, "adds_up": adds_up, "difference_usd": 0.0 if adds_up else apart,
                    "left_out": {_others(args.simulated): sorted(books.others), "imported": sorted(books.imported)},
                    "unread": books.unread})  # fmt: skip
    else:
        _say(voice, args, by, sums, books)
    voice.say(*_checked(books, apart, adds_up, is_by_rows=not {*by} <= {*ledger.KNOWN}))
    return OK if adds_up and not books.unread else UNFINISHED


def _sums(books: ledger.Books, by: Sequence[str]) -> MoneySums:
    """What was asked for: from the journal where it knows enough; by date, else the dearest first."""
    if {*by} <= {*ledger.KNOWN}:
        found = ledger.summed(books.batches, by)
    else:
        with ExitStack() as stack:
            found = by_rows(books, by, cache(lambda run: decode_of(run, stack)))
    dates = [n for n, name in enumerate(by) if name in DATES]
    return dict(sorted(found.items(), key=lambda item: ([item[0][n] for n in dates], -item[1].committed, item[0])))


def _total(sums: MoneySums) -> Money:
    total = Money()
    for money in sums.values():
        total.add(money)
    return total


def _rows(by: Sequence[str], sums: MoneySums) -> Iterator[dict]:
    for key, money in sums.items():
        yield {**dict(zip(by, key)), **money.facts()}


def _write_csv(to: str, by: Sequence[str], sums: MoneySums) -> None:
    header = [*((name, str) for name in by), *FIGURES]
    cells = [*zip(*[row.values() for row in _rows(by, sums)])] or [()] * len(header)
    if to == "-":
        sys.stdout.buffer.write(csv_head(header).removeprefix(BOM_UTF8) + (csv_lines(header)(cells) if sums else b""))
        sys.stdout.flush()
    else:
        csv_table(Path(to), header, [cells] if sums else [])


# ---- for people


def _say(voice: Voice, args: argparse.Namespace, by: Sequence[str], sums: MoneySums, books: ledger.Books) -> None:
    if args.simulated:
        voice.say(f"{SIMULATED}. As if: nothing was paid")
    if not sums:
        voice.say("no rehearsal yet: make demo" if args.simulated else "nothing was sent to a provider yet, so nothing was paid")
    elif args.csv != "-":
        shown = [(key, money) for key, money in sums.items()][:SHOWN]
        lines = [(*key, *_figures(money)) for key, money in shown]
        lines.append(("total", *[""] * (len(by) - 1), *_figures(_total(sums))))
        voice.print_table((*by, "requests", "paid", "saved", "wasted", "in flight"), lines)
        if len(sums) > SHOWN:
            voice.say(f"… and {len(sums) - SHOWN:,} more lines, which --csv FILE writes; the total counts them")
    voice.say(*_notes(args, _total(sums), books))
    if args.csv and args.csv != "-":
        voice.say(f"table: {args.csv}")


def _figures(money: Money) -> tuple[str, ...]:
    found = money.facts()
    words = [_amount(found[name]) for name in ("saved_usd", "wasted_usd")]
    in_flight = f"≤ {usd(money.in_flight)}" if money.in_flight else ""
    return f"{money.requests:,}", paid_words(found), *words, in_flight


def _amount(amount: float | None) -> str:
    return "" if amount == 0 else usd(amount)


def _others(simulated: bool) -> str:
    return "paid" if simulated else "simulated"


def _notes(args: argparse.Namespace, total: Money, books: ledger.Books) -> Iterator[str]:
    """What the figures do not say by themselves."""
    if total.unsure or total.boundless:
        yield "unknown: some answers came without a count of tokens, or at no known price; they cost between the two figures"
    if total.untold:
        yield f"an earlier version has collected some ({total.untold:,}): what these saved and wasted is unknown"
    if books.others:
        other = "that were paid" if args.simulated else "that are rehearsals (make costs SIMULATED=1 shows what they would have cost)"
        yield f"left out: {many(len(books.others), 'run')} {other}"
    if books.imported:
        yield f"left out: {many(len(books.imported), 'run')} taken in by make import, paid elsewhere"


def _checked(books: ledger.Books, apart: float, adds_up: bool, is_by_rows: bool) -> Iterator[str]:
    """Whether the sums are the journal's, and what could not be read."""
    yield from (one_line(said) for said in books.unread)
    if adds_up:
        yield f"adds up with the journal: {usd(books.journal)} paid or reserved"
        return
    why = "prices in models.toml or raw files have changed since; " if is_by_rows else ""
    yield f"does NOT add up with the journal: it has {usd(books.journal)}, these lines {_signed(apart)}; {why}make audit looks closer"


def _signed(apart: float) -> str:
    return f"{usd(abs(apart))} {'more' if apart > 0 else 'less'}"
