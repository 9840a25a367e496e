"""The nouns: what travels between the rooms. Frozen data without behaviour or I/O; imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Model:
    """What a person types (alias), what the API wants (id), and what it can and costs: one row of models.toml.

    Prices are USD per 1,000,000 tokens at the synchronous list price; None means unknown, never zero.
    A batch costs `price * (1 - batch_discount)`.
    """

    alias: str
    id: str
    provider: str
    input: float | None = None
    cached_input: float | None = None
    output: float | None = None
    batch_discount: float = 0.0
    batch_cached_discount: bool = False  # cached input is cheaper inside batches too
    batch_cached_input: float | None = None  # its price inside a batch, where that is not `cached_input` less the discount
    cache_write_factor: float = 1.0  # what is written into a cache costs so many times the input, kept for five minutes
    cache_write_1h_factor: float = 1.0  # and for an hour
    cache_minimum: int | None = None  # tokens from which on what a request marks is written into a cache; None: unknown
    caches_unasked: bool = False  # prompts are written into a cache whether or not the request asks for it
    reasoning: bool = False
    thinks_only_when_asked: bool = False  # a reasoning model that answers straight away unless the request asks it to think
    supports_temperature: bool = True
    temperature_with_effort_none: bool = False
    supports_system: bool = True
    structured: str = ""  # how it takes a JSON Schema: "schema", as "object" (some JSON), or "" (in words only)
    endpoint: str = ""  # where its requests go if not to the usual one of its API
    max_tokens_param: str = "max_tokens"
    long_context_over: int | None = None  # prompt tokens above which the whole request costs more, by these factors
    long_context_input_factor: float = 1.0
    long_context_output_factor: float = 1.0
    context: int | None = None  # tokens that prompt and answer may have together
    retired_on: str = ""
    replacement: str = ""
    source: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold. None: the host names no such limit."""

    requests: int | None
    bytes: int | None
    tokens: int | None = None  # prompt tokens, so that several batches fit into the host's queue
    request_tokens: int | None = None  # prompt tokens of one request: the whole queue
    custom_id: str = r".{1,512}"  # a pattern that each request id must match whole
    temperature_max: float = 2.0


class Quota(NamedTuple):
    """What may stand in a host's queue at once, per model or for all of an account's; None: nobody has told us of such a limit."""

    tokens: int | None = None  # prompt tokens
    requests: int | None = None
    source: str = ""  # who says so, for people


@dataclass(frozen=True, slots=True)
class Host:
    """Where a batch API lives, its limits and its quirks: one row of hosts.toml."""

    name: str
    title: str
    api: str  # the shape that it speaks, as `providers.APIS` names it
    base_url: str
    url_variable: str
    key_variable: str
    limits: Limits
    key_prefixes: tuple[str, ...] = ()
    header_variables: Mapping[str, str] = field(default_factory=dict)  # header → variable that holds it, sent if set
    closed_on: str = ""
    closed_why: str = ""
    window: str = "24h"  # in which it is asked to be done, where nobody says otherwise
    windows: tuple[str, ...] = ()  # what it sells: "1h", or a range of hours as "24h..336h"; () = `window` alone
    discount: float | None = None  # off the list price in a batch, where a model's row does not say; 0 = none, None = unknown
    upload_purpose: str = "batch"
    statuses: Mapping[str, str] = field(default_factory=dict)  # its own words for a batch's states, small → those of its shape
    wrapped: str = ""  # the key under which its answer to a creation holds the batch; "" = the answer is the batch
    bare_list: bool = False  # its list of batches is a list alone, without an object around it
    key_header: str = ""  # the header that holds the key, where that is not its shape's own
    deployments: bool = False  # its models are deployments: the account's owner has given their names
    requests_per_minute: int | None = None
    tier_rates: Mapping[str, int] = field(default_factory=dict)  # the same by the account's tier
    plans: Mapping[str, int | None] = field(default_factory=dict)  # requests per batch by the plan sold; None: no limit
    plan_variable: str = ""  # the variable that names the account's plan
    queue_tokens: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # prompt tokens enqueued at once: tier → model id → most
    queue_requests: Mapping[str, int] = field(default_factory=dict)  # requests enqueued at once, all models together: tier → most
    queue_as_of: str = ""  # when those figures were read
    like: str = ""  # the host whose address variable leads here, whose facts hold and whose models run here at unknown prices
    counts_tokens: bool = False  # it counts the prompt tokens of a request that is not sent, for nothing
    metadata: bool = True  # batches carry metadata; where they do not, the ids that are sent end in a mark
    own: bool = False  # a person's own model server: no batch API, no key, any model
    keeps_days: int | None = None  # how long results can be had, counted from the making of a batch; None: not known
    local: bool = False  # the embedded local batch service: nothing costs, everything is simulated
    unverified: tuple[str, ...] = ()  # figures of the row that nobody could check: told in every plan
    source: str = ""
    as_of: str = ""


class Attachment(NamedTuple):
    """An image or a PDF that goes with a prompt: `data` is base64, or "" for one that the provider fetches from `url`."""

    name: str
    media_type: str  # "image/png", "application/pdf" …
    data: str = ""
    url: str = ""
    width: int = 0  # pixels; 0 = unknown
    height: int = 0
    pages: int = 0  # of a PDF; 0 = unknown


class Condition(NamedTuple):
    """One persona × text × model × further factors, provider-neutral: all its trials ask the same and differ by custom_id only.

    A tuple, because a data set may make a million of them. `temperature` is what will be sent: None = left out. What is
    asked is `system`, then the `turns` (role, text), then `user` together with the attachments.
    """

    model: Model
    persona: str
    text: str
    system: str
    user: str
    temperature: float | None
    levels: tuple[str, ...] = ()  # ids of the levels of further factors, in the experiment's order
    turns: tuple[tuple[str, str], ...] = ()  # ("user" or "assistant", text)
    attachments: tuple[Attachment, ...] = ()


class Marks(NamedTuple):
    """What of a request is marked so that the host keeps it in its prompt cache: up to the end of the system prompt, or of all of it."""

    system: bool
    whole: bool


class State(StrEnum):
    """Where a shard stands on its way through one batch."""

    PLANNED = "planned"
    UPLOADED = "uploaded"
    SUBMITTING = "submitting"  # the create call may have been sent: its batch is looked for before another one
    SUBMITTED = "submitted"
    ENDED = "ended"
    OWED = "owed"  # accepted, but not every row could be had: each command looks and fetches again, until a person gives it up
    COLLECTED = "collected"
    REFUSED = "refused"


FINAL = (State.COLLECTED, State.REFUSED)
TO_SUBMIT = (State.PLANNED, State.UPLOADED)
IN_FLIGHT = (State.SUBMITTING, State.SUBMITTED, State.ENDED)
OUT = (*IN_FLIGHT, State.OWED)  # may have been answered, and what it costs is not known yet
RESTING = (*FINAL, State.OWED)  # nothing more is to be done by this command


class Pause(StrEnum):
    """Why a run waits for a person."""

    NO = ""
    CAP = "cap"  # the next batch could cost more than the cap
    DISK = "disk"  # the answers of the next batch may not fit on the disk
    MONEY = "money"  # quota, balance or a spending limit at the provider


@dataclass(frozen=True, slots=True)
class Ask:
    """How conditions are asked: what requests share beside their model, messages and temperature."""

    max_tokens: int
    effort: str = ""  # reasoning effort for models that reason; "" = the model's default
    schema: str = ""  # the JSON Schema that an answer must fit, as JSON text; "" = an answer is free text
    parameters: Mapping[str, object] = field(default_factory=dict)  # further ones of the request's body, by the API's names


@dataclass(frozen=True, slots=True)
class Shard:
    """An input file, immutable once renamed into place, and where it stands on its way through one batch."""

    run: str
    n: int
    root: int  # the first attempt's shard whose requests these are; equal to n for a first attempt
    attempt: int
    path: Path
    sha256: str
    count: int
    bytes: int
    tokens: int  # estimated prompt tokens of all its requests
    reserve: float | None  # USD if every answer used its whole max_tokens; None when a price is unknown
    model: str
    max_tokens: int
    tag: str  # our name for its batch, unique for ever
    mark: str = ""  # what its ids end in behind a "-", at hosts without metadata; "" where they are sent without one
    headers: Mapping[str, str] = field(default_factory=dict)  # what the create call must send along
    endpoint: str = ""  # where its requests go if not to the usual one of its API
    window: str = ""  # in which its batch is asked to be done; "" = as the host has it
    ids_sha256: str = ""  # of the ids file; "" where an earlier version has not noted it
    state: State = State.PLANNED
    ref: str = ""  # what `upload` returned
    batch_id: str = ""
    adopted: bool = False  # found by `find`, not answered by `submit`
    unproven: bool = False  # adopted by its likeness; only the ids in its rows can tell whose it is
    intent_at: float = 0.0  # when `submitting` was written, unix seconds; 0 before
    not_before: float = 0.0  # do not touch before this time, unix seconds
    tries: int = 0  # how often its input was turned down for a passing reason
    stopped: bool = False  # a person asked to cancel it
    tally: Mapping[str, int] = field(default_factory=dict)  # rows by outcome, once collected
    files: Mapping[str, str] = field(default_factory=dict)  # raw files by name → sha256, once collected
    collected_at: float = 0.0  # unix seconds
    absent: str = "missing"  # the outcome of rows that its files do not mention
    spent: float | None = 0.0  # USD for all its rows, once collected; None when a price is unknown
    most: float | None = None  # USD that its rows can have cost, once collected, where `spent` is unknown
    known: float | None = None  # USD of its rows whose usage was told, once collected; None where an earlier version has not noted it
    listed: float | None = None  # of the same rows, at the synchronous list price
    wasted: float | None = None  # of `known`, what rows without a clean answer cost
    simulated: bool = False  # its rows say that they are a rehearsal's
    used: Mapping[str, object] = field(default_factory=dict)  # what its answers used, once collected: `Used.of`; {}: not noted
    note: str = ""
    problems: tuple[Mapping[str, object], ...] = ()  # why the provider refused it, with line numbers
    asked_again: int = 0  # of standard processing: how often one of its requests may have been paid without an answer that came
    primes: bool = False  # its requests fill the prompt cache: the others of its model wait until it has ended
    taken_from: str = ""  # the run that had asked all of it before: its answers were taken over, nothing was sent


@dataclass(frozen=True, slots=True)
class Batch:
    """One look at the remote job: `status` for people, `ended` for code. Times are unix seconds, 0 if unknown."""

    id: str
    status: str
    ended: bool
    failed: bool = False  # ended without a single row having been tried: its input was refused
    total: int = 0
    succeeded: int = 0
    errored: int = 0
    output: str = ""  # file id (OpenAI) or results URL (Anthropic); "" when there is none
    errors_file: str = ""
    created_at: float = 0.0
    expires_at: float = 0.0
    ref: str = ""  # the input file id, where the API gives it
    tag: str = ""  # our tag in its metadata, where the API has metadata
    endpoint: str = ""  # what its requests call, where the API says so
    problems: tuple[Mapping[str, object], ...] = ()  # validation errors: code, message, param, line
    asked_again: int = 0  # see `Shard.asked_again`
    refusal: str = ""  # of a `failed` one: "later" (queue full), "not ready" or "upload again" (its file), or "give up"


class Usage(NamedTuple):
    """Tokens of one answer as the provider counted them.

    `cached` (read from a cache) and `written*` (into one, kept for five minutes or an hour) are part of `input`, `reasoning` of `output`.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    written: int = 0
    written_1h: int = 0


class Result(NamedTuple):
    """Exactly one per request, always: an answer or a classified error. A tuple, for the same reason as Condition.

    `outcome` is "succeeded" or a row class of errors.py ("truncated", "expired", "rate_limited" …).
    A truncated or refused row may still carry text.
    """

    custom_id: str
    outcome: str
    text: str = ""
    model: str = ""
    finish_reason: str = ""
    usage: Usage | None = Usage()  # None: it was answered, and nobody says from how many tokens; never 0
    code: str = ""
    message: str = ""
    simulated: bool = False
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A shard set of one experiment × one provider; its digest decides whether a command continues it."""

    key: str  # "<provider>/<name>", the journal's name for it
    name: str
    digest: str
    provider: str  # the folder under results/: openai, claude, deepseek, llama
    host: str
    address: str  # base URL, or "local"
    experiment: str
    source: str  # the experiment's file
    folder: Path
    created_at: float
    models: tuple[str, ...]  # aliases as typed
    named: bool = False  # by --run; else its name follows from its digest
    planned: int = 0  # requests; 0 until planning is complete
    skipped: int = 0  # requests left out by --skip-invalid
    longer: float | None = None  # factor on max_tokens for rows that were cut off; None: they stay as they are
    account: str = ""  # salted digest of the key that it was first submitted with
    paused: str = ""  # what it waits for a person for, in one line
    paused_by: Pause = Pause.NO
    stopped: bool = False  # cancelled by a person
    reuses: bool = False  # answers that the results folder has already are taken over
    mark: str = ""  # a random value from which the marks of its shards follow; "" where ids are sent without marks
    imported: float = 0.0  # when it came out of an archive, unix seconds: a record, for which nothing is sent; 0: made here
    way: str = ""  # how it is sent and priced: "" as batches, "standard" row by row at the full price, "own" likewise at own models
    study: str = ""  # what it is part of, together with runs at other providers; "" = a run of its own
    window: str = ""  # in which its batches are asked to be done, where a person has named one

    @property
    def local(self) -> bool:
        """Whether the local batch service was asked: nothing is paid, and every answer is simulated."""
        return self.address == "local"


@dataclass(frozen=True, slots=True)
class Question:
    """One question of an experiment: `id` and `name` as asked, its closed range, and the words for value and reason.

    What follows those six came later: run.json of earlier versions holds the six as a list.
    """

    id: str
    name: str
    minimum: float = 0.0
    maximum: float = 100.0
    value_label: str = "value"
    reason_label: str = "reason"
    type: str = "number"  # or integer, choice, choices, yes_no, text, json
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()  # as shown in results, and what else counts as the same
    reason: str = "yes"  # asked for, "no", or "optional": an answer is clean without it
    schema: str = ""  # of type json: a JSON Schema as JSON text
    fields: tuple[str, ...] = ()  # of type json: paths such as author.name that become columns of their own
    form: str = "text"  # or "json": the form of a whole answer, the same for all questions of an experiment
    gold: str = ""  # the name of what holds the right values, as prompts name it; it decides nothing that is asked


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run and that a person may want to see; `kind` is "submitted", "collected", "wait" …"""

    kind: str
    shard: Shard | None = None
    text: str = ""
    batch: Batch | None = None
