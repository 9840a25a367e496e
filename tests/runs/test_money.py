"""A receipt is the sum of its rows to the cent, and what is not known is a range, never nothing."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalog.prices import at_list, pricing
from common.experiment.ids_file import ids_rest
from common.nouns import Model, Run, Shard, State, Usage
from common.results.raw import sniff
from common.results.scan import scan
from common.runs.collect import _changes
from common.runs.money import Money, of_shard, receipt, receipt_lines

PRICES = st.sampled_from(("0.1", "0.15", "2", "8", "0.0042", "3.5", "75"))
COUNTS = st.integers(0, 300_000)
FINISH = {"stop": "succeeded", "length": "truncated", "content_filter": "refused"}
ROWS = st.lists(st.tuples(COUNTS, st.floats(0, 1), COUNTS, st.sampled_from([*FINISH]), st.booleans()), min_size=1, max_size=12)


def collected(folder: Path, model: Model, rows: list, most: float) -> Shard:
    """A shard whose batch has brought such rows: (input, share of it cached, output, how it ended, whether usage is told)."""
    run = Run("openai/r", "r", "d", "openai", "openai", "http://x", "e", "", folder / "openai/r", 1.0, (model.alias,))
    shard = Shard(run.key, 1, 1, 1, run.folder / "shards/s.jsonl", "", len(rows), 9, 9, most * len(rows), model.alias, 5, "t", batch_id="b")
    shard.path.parent.mkdir(parents=True)
    (folder / "openai/batch_results").mkdir()
    ids = [f"r{n}\tr{n}\t{ids_rest(None, 1, most)}\n" for n in range(len(rows))]
    shard.path.with_suffix(".ids").write_text("".join(ids))
    (folder / "openai/batch_results/b_output.jsonl").write_text("\n".join(line(n, *row) for n, row in enumerate(rows)))
    return replace(shard, state=State.COLLECTED, **_changes(scan(shard, run, model, sniff), "missing", {}))


def line(n: int, read: int, cached: float, said: int, finish: str, told: bool) -> str:
    """A row as OpenAI gives it."""
    usage = {"prompt_tokens": read, "completion_tokens": said, "prompt_tokens_details": {"cached_tokens": int(read * cached)}}
    body = {"model": "m", "choices": [{"message": {"content": "yes"}, "finish_reason": finish}], **({"usage": usage} if told else {})}
    return json.dumps({"id": f"b{n}", "custom_id": f"r{n}", "response": {"status_code": 200, "body": body}, "error": None})


@settings(max_examples=40, deadline=None)
@given(PRICES, PRICES, PRICES, st.sampled_from(("0", "0.2", "0.5")), st.booleans(), ROWS)
def test_a_receipt_is_the_sum_of_its_rows(into: str, cached: str, out: str, discount: str, cached_too: bool, rows: list) -> None:
    """In exact decimals, by hand: paid, list price and waste of the rows whose usage is told; the others at their ceilings."""
    model = Model("m", "m", "openai", float(into), float(cached), float(out), float(discount), batch_cached_discount=cached_too)
    with tempfile.TemporaryDirectory() as folder:
        found = receipt([collected(Path(folder), model, rows, 0.25)], simulated=False)
    paid = listed = wasted = Decimal(0)
    unknown = 0
    for read, share, said, finish, told in rows:
        hits = int(read * share)
        at_list = ((read - hits) * Decimal(into) + hits * Decimal(cached) + said * Decimal(out)) / 1_000_000
        of_hits = Decimal(cached if cached_too else into)
        cost = ((read - hits) * Decimal(into) + hits * of_hits + said * Decimal(out)) * (1 - Decimal(discount)) / 1_000_000
        if told:
            paid, listed, wasted = paid + cost, listed + at_list, wasted + cost * (FINISH[finish] != "succeeded")
        else:
            unknown += 1
    for name, amount in (("known", paid), ("list_price", listed), ("wasted", wasted)):
        assert found[f"{name}_usd"] == pytest.approx(float(amount), abs=1e-6), name
    assert (found["paid_usd"] is None) == (unknown > 0)
    assert found["at_most_usd"] == pytest.approx(float(paid) + 0.25 * unknown, abs=1e-6)


SHARD = Shard("openai/r", 1, 1, 1, Path("s"), "", 10, 9, 9, 2.0, "m", 5, "t", state=State.COLLECTED)
KNOWN = {"spent": 1.0, "known": 1.0, "listed": 2.0, "wasted": 0.25, "tally": {"succeeded": 9, "truncated": 1}}


@pytest.mark.parametrize(
    ("shards", "said"),
    [
        ([replace(SHARD, **KNOWN)], ["paid: $1.00 of $2.00 at list price, saved $1.00 (50 %)",
                                     "$0.1111 per clean answer; wasted $0.2500 on failed or cut-off answers"]),
        ([replace(SHARD, **{**KNOWN, "spent": None, "most": 1.5})],
         ["paid: $1.00 to $1.50: not all answers came with a count of tokens, or at a known price, or once only",
          "wasted $0.2500 on failed or cut-off answers"]),
        ([replace(SHARD, spent=None, reserve=None, known=0.0, listed=0.0, wasted=0.0)],
         ["paid: unknown: not all answers came with a count of tokens, or at a known price, or once only"]),
        ([replace(SHARD, spent=1.0, tally={"succeeded": 10})],  # by a version that noted neither list price nor waste
         ["paid: $1.00; its list price is unknown: an earlier version has collected some of it", "$0.1000 per clean answer"]),
        ([replace(SHARD, state=State.SUBMITTED)], ["paid: nothing yet", "in flight: at most $2.00 more"]),
        ([replace(SHARD, **KNOWN, taken_from="openai/other")], ["paid: $0.0000; 10 answers taken over cost nothing here"]),
        ([replace(SHARD, state=State.PLANNED)], []),
    ],
)  # fmt: skip
def test_in_words(shards: list[Shard], said: list[str]) -> None:
    """What is unknown says so and between which figures it lies; what was taken over costs nothing; a plan has no receipt."""
    assert receipt_lines(receipt(shards, simulated=False)) == said


def test_given_up_rows_count_at_their_ceiling_as_unknown() -> None:
    """Nobody knows what they cost: the journal counts them at most."""
    money = of_shard(replace(SHARD, **{**KNOWN, "spent": 1.75}))
    assert (money.paid, money.unsure, money.committed) == (1.0, 0.75, 1.75)


def test_rehearsals_are_marked() -> None:
    """In the receipt's first words."""
    first, *_ = receipt_lines(receipt([replace(SHARD, **KNOWN)], simulated=True))
    assert first == "simulated: nothing was paid, as if $1.00 of $2.00 at list price, 50 % saved"
    assert receipt_lines(receipt([replace(SHARD, state=State.SUBMITTED)], True))[0] == "simulated: nothing was paid"


def test_the_list_price_of_what_a_cache_gave() -> None:
    """Outside a batch a cached token has its own price, also where it has none inside."""
    model = Model("m", "m", "openai", 2.0, 0.5, 8.0, 0.5)
    assert pricing(at_list(model))(Usage(1_000_000, 400_000, 0)) == pytest.approx(0.6 * 2 + 0.4 * 0.5)


def test_sums_of_all_fields() -> None:
    """No field of a sum is forgotten when sums are added."""
    one = Money(*range(1, 11))
    one.add(one)
    assert one == Money(*range(2, 21, 2))
