"""What every provider keeps to, whatever its API: one contract, one set of tests, a real service behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from common import catalog
from common.errors import BatchError, Busy, Denied, InputError, Refused, Unknown, Unreached
from common.experiment import ids_file
from common.experiment.cut import Cutter
from common.nouns import Ask, Attachment, Batch, Condition, Host, Shard
from common.providers import APIS, connect
from common.providers.account import Account
from common.providers.base import Provider
from tests.basics import asked
from tests.support import Commands, wait_for

KEY = "sk-ant-a-key-of-this-test"
MODELS = {"openai": "gpt-4.1", "anthropic": "claude-haiku-4-5", "openrouter": "google/gemini-3.8-flash"}
CALLS = {"openai": "{}", "anthropic": "messages.{}", "openrouter": "{}"}  # the service's names of the calls
ROWS = {"openai": "files.content", "anthropic": "messages.batches.results", "openrouter": "batches.retrieve"}
SPOKEN = {"openrouter": "openai"}  # whose lines they are, where they are another API's
TEXTS = ("A text.", '悲しみ \U0001f600 "quoted"\n\ttwice\\', "x" * 9000)


@pytest.fixture(params=list(APIS))
def api(request: pytest.FixtureRequest) -> str:
    """Each API in turn."""
    return request.param


def host_of(api: str) -> Host:
    """A host of that shape."""
    return replace(next(h for h in catalog.hosts().values() if h.api == api), requests_per_minute=None)


@pytest.fixture
def provider(api: str, run: Commands) -> Iterator[Provider]:
    """A provider of that shape, at the quick service."""
    host = host_of(api)
    with closing(connect(Account(host, run.world.service.facts[f"{host.name}_base_url"], KEY))) as found:
        yield found


@pytest.fixture
def shard(api: str, provider: Provider, tmp_path: Path) -> Shard:
    """Six planned requests."""
    return planned(api, provider, tmp_path)


def planned(api: str, provider: Provider, folder: Path, first: int = 1) -> Shard:
    """Six requests, their trials told apart by id only."""
    model = catalog.resolve(MODELS[api], host_of(api).name)[0]
    conditions = [Condition(model, "1", f"t{n}", "You are a reader.", text, 0.7) for n, text in enumerate(TEXTS)]
    (found,) = Cutter("x/r", folder, host_of(api).limits, provider).cut(asked(conditions, 2), 64, first, None)
    return found


def uploaded(provider: Provider, shard: Shard) -> Shard:
    """The shard once its input is where `submit` can name it."""
    return replace(shard, ref=provider.upload(shard), intent_at=time.time())


def submit(provider: Provider, shard: Shard) -> str:
    """The id of the shard's batch."""
    return provider.submit(shard, catalog.resolve(shard.model, provider.host.name)[0].id)


def ended(provider: Provider, batch_id: str) -> Batch:
    """The batch once it has ended."""
    return wait_for(lambda: next((b for b in provider.status([batch_id]) if b.ended), None))


def fault(run: Commands, call: str, **action: object) -> None:
    """The next such call goes wrong in that way."""
    run.world.control("faults", [{"call": call, "action": action}])


def create(api: str) -> str:
    """The service's name of the call that costs money."""
    return CALLS[api].format("batches.create")


# ---- pure


def test_what_is_sent_comes_back(api: str, provider: Provider, shard: Shard, tmp_path: Path) -> None:
    """Every request has its row, each is of this shape and of no other, and each says what was used."""
    batch = ended(provider, submit(provider, uploaded(provider, shard)))
    saved = provider.download(batch, tmp_path / "o", tmp_path / "e")
    lines = [orjson.loads(line) for path in saved for line in path.read_bytes().splitlines()]
    assert all([name for name, one in APIS.items() if one.claims(line)] == [SPOKEN.get(api, api)] for line in lines)
    found = {result.custom_id: result for result in map(provider.decode, lines)}
    assert found.keys() == ids_file.ids(shard).keys() and len(lines) == 6
    good = [r for r in found.values() if r.outcome == "succeeded"]
    assert good and {r.outcome for r in found.values()} <= {"succeeded", "server_error"}  # the service lets some rows fail
    assert all(r.text and r.model and r.usage.input and r.usage.output and r.simulated for r in good)
    assert (batch.total, batch.succeeded, batch.failed, batch.refusal) == (6, len(good), False, "")


@pytest.mark.parametrize("line", [{}, {"custom_id": "a"}, {"id": 1, "object": "batch"}, {"key": "a", "answer": "b"}])
def test_other_lines_are_nobodys(api: str, line: dict) -> None:
    """A line of another shape is neither claimed nor decoded."""
    assert not APIS[api].claims(line)
    with pytest.raises(ValueError):
        APIS[api].decode(line)


def test_a_cap_is_changed_and_nothing_else(provider: Provider, shard: Shard) -> None:
    """An input line with another cap is the same line but for that number."""
    for line in shard.path.read_bytes().splitlines(keepends=True):
        higher = provider.with_cap(line, 4242)
        assert higher.endswith(b"\n") and higher.count(b"\n") == 1
        assert json.loads(provider.with_cap(higher, 64)) == json.loads(line) != json.loads(higher)
        assert b"4242" in higher


def test_what_may_be_asked_is_judged(api: str, provider: Provider) -> None:
    """Ours and wrong parameters are refused, unknown ones are let through; each problem is one line."""
    model = catalog.resolve(MODELS[api], host_of(api).name)[0]
    ask = Ask(64)
    assert all(map(provider.knows_parameter, ("top_p", "tools", "tool_choice", "max_tokens", "temperature", "model", "messages")))
    assert not provider.knows_parameter("temprature")
    assert provider.parameter_problem("temprature", 1, model, ask) == provider.parameter_problem("top_p", 0.5, model, ask) == ""
    for name, value in (("top_p", "much"), ("max_tokens", 7), ("messages", []), ("tools", "all"), ("service_tier", 1)):
        assert name in (said := provider.parameter_problem(name, value, model, ask)) and said.isprintable()


def test_what_may_be_shown_is_judged(api: str, provider: Provider) -> None:
    """A small picture and a PDF may be, other files not; both cost tokens, more for more."""
    model = catalog.resolve(MODELS[api], host_of(api).name)[0]
    what = {"url": "https://example.org/a"} if api == "openrouter" else {"data": "AAAA"}
    picture, paper = Attachment("a", "image/png", width=9, height=9, **what), Attachment("b", "application/pdf", pages=2, **what)
    assert provider.attachment_problem(picture, model) == provider.attachment_problem(paper, model) == ""
    assert "a is audio/wav" in provider.attachment_problem(picture._replace(media_type="audio/wav"), model)
    sizes = [picture, picture._replace(width=2000, height=2000), paper, paper._replace(pages=3)]
    tokens = [provider.attachment_tokens(one, model) for one in sizes]
    assert 0 < tokens[0] < tokens[1] < tokens[2] < tokens[3]


def test_where_requests_go(api: str) -> None:
    """To the usual place, but for models whose row says another; only places that we can write requests for."""
    hosts = {name for name, host in catalog.hosts().items() if host.api == api}
    ends = {APIS[api].endpoint(model) for model in catalog.models() if model.provider in hosts}
    assert ends == {"openai": {"", "/v1/responses"}}.get(api, {""})


def test_texts_without_a_line(api: str) -> None:
    """A refusal that names no request has line 0."""
    assert APIS[api].line_of("no such thing; requests are welcome") == 0


# ---- the call that costs money


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ({"status": 500}, Unknown),
        ({"status": 529}, Unknown),
        ({"status": 429, "headers": {"Retry-After": "1"}}, Busy),
        ({"status": 401}, Denied),
        ({"drop": "before"}, Unknown),
        ({"drop": "after"}, Unknown),
        ({"when": "after", "status": 502}, Unknown),
        ({"truncate": 0.5}, Unknown),
    ],
)
def test_it_is_sent_once(run: Commands, api: str, provider: Provider, shard: Shard, action: dict, error: type[BatchError]) -> None:
    """Whatever comes back, there was one attempt; an error says what it may mean."""
    shard = uploaded(provider, shard)
    fault(run, create(api), **action)
    with pytest.raises(error) as raised:
        submit(provider, shard)
    assert len(run.attempts()) == 1
    assert getattr(raised.value, "retry_after", None) == (1.0 if error is Busy else None)
    assert submit(provider, shard)
    assert len(run.attempts()) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_answer(run: Commands, api: str, provider: Provider, shard: Shard, tmp_path: Path, moment: str) -> None:
    """`find` sees the batch if one was made, and that only; other batches before and after are not it."""
    other = uploaded(provider, planned(api, provider, tmp_path, 2))
    submit(provider, other)
    shard = uploaded(provider, shard)
    fault(run, create(api), drop=moment)
    with pytest.raises(Unknown):
        submit(provider, shard)
    found = list(provider.find(shard))
    assert [batch.id for batch in found] == [c["batch_id"] for c in run.creates()[1:]]
    assert len(found) == (moment == "after")


def test_a_changed_file_makes_no_batch(run: Commands, provider: Provider, shard: Shard) -> None:
    """A file that was touched after planning is an InputError, whatever was already on its way."""
    shard.path.write_bytes(shard.path.read_bytes().replace(b"reader", b"writer"))
    with pytest.raises(InputError, match="was changed after planning"):
        submit(provider, uploaded(provider, shard))
    assert run.creates() == []
    shard.path.unlink()
    with pytest.raises(InputError, match="is gone"):
        submit(provider, uploaded(provider, shard))


# ---- looking, stopping, collecting


def test_many_are_looked_at_with_few_calls(run: Commands, provider: Provider, shard: Shard) -> None:
    """One page answers for many batches; one that the host does not know is left out and costs one call more."""
    shard = uploaded(provider, shard)
    wanted = {submit(provider, shard) for _ in range(12)}
    run.world.control("faults", [{"call": "*", "nth": 10**9, "action": {"delay": 0}}])  # never fires, but counts
    assert {batch.id for batch in provider.status(wanted)} == wanted
    assert {batch.id for batch in provider.status([*wanted, "batch_of_nobody"])} == wanted
    assert [batch.id for batch in provider.status(["batch_of_nobody"])] == []
    (rule,) = run.world.control("faults")["rules"]
    assert rule["seen"] <= 1 + 2 + 2
    assert {batch.id for batch in provider.listing()} == wanted


def test_stopping(still: Commands, api: str, tmp_path: Path) -> None:
    """A batch that was asked to stop ends, with a row's outcome or none for each request; a host that stops none says so."""
    host = host_of(api)
    with closing(connect(Account(host, still.world.service.facts[f"{host.name}_base_url"], KEY))) as provider:
        batch_id = submit(provider, uploaded(provider, planned(api, provider, tmp_path)))
        with pytest.raises(Refused, match="goes on to its end") if api == "openrouter" else nullcontext():
            provider.cancel(batch_id)
        wait_for(lambda: still.world.control("clock", {"advance": 100}) and next(iter(provider.status([batch_id]))).ended)


@pytest.mark.parametrize("share", [0.5, 1])
def test_a_download_is_whole_or_not_there(run: Commands, api: str, provider: Provider, shard: Shard, tmp_path: Path, share: float) -> None:
    """Cut in the middle, nothing stays; asked again, everything comes."""
    batch = ended(provider, submit(provider, uploaded(provider, shard)))
    folder = tmp_path / "raw"
    folder.mkdir()
    fault(run, ROWS[api], truncate=share)
    with pytest.raises(Unknown):
        provider.download(batch, folder / "o", folder / "e")
    assert list(folder.iterdir()) == []
    assert provider.download(batch, folder / "o", folder / "e").keys() == set(folder.iterdir())


def test_what_is_kept_can_be_removed(api: str, provider: Provider, shard: Shard) -> None:
    """A host tells what it keeps of a batch; what it deletes is gone, and deleting that again is no error."""
    batch = ended(provider, submit(provider, uploaded(provider, shard)))
    kept = [holding for holding in provider.holdings(batch) if holding.deletable]
    assert kept and not any(holding.gone for holding in kept)
    for holding in kept * 2:
        provider.remove(holding.ref)


# ---- the key


def test_the_key_is_in_no_text(run: Commands, api: str, provider: Provider, shard: Shard) -> None:
    """Not in an error, though the host echoes it; not in what Python shows of a provider or an account."""
    shard = uploaded(provider, shard)
    account = Account(provider.host, "http://127.0.0.1:9", KEY)
    said = [repr(provider), repr(account), repr(vars(provider))]
    echo = {"error": {"message": f"bad key {KEY}"}}
    for action in ({"status": 401, "body": echo}, {"status": 500, "body": f"<{KEY}>"}, {"drop": "before"}):
        fault(run, create(api), **action)
        with pytest.raises(BatchError) as raised:
            submit(provider, shard)
        said += [str(raised.value), repr(raised.value), repr(raised.value.__cause__)]
    with closing(connect(account)) as nobody, pytest.raises(Unreached) as raised:
        submit(nobody, shard)
    assert KEY not in "".join([*said, str(raised.value)])
