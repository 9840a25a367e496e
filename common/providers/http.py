"""One host through the client of its official SDK: each call sent once and streamed, and what its failures mean in our errors."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import orjson

from common.errors import BatchError, Busy, Refused, Unknown
from common.files import whole_file
from common.nouns import Host
from common.providers.answers import HEAD, from_status, from_transport, no_answer, not_results, rate, without_key
from common.providers.quota import QUEUED
from common.providers.steady import LARGEST, AnswerLimits, keep_steady
from common.rates import Named, Rates

LATE = (404, 409, 410)  # what a host may answer of results that it will have, as it may of those that it has no longer
SHORTEST_KEY = 8  # characters; less is no secret and may stand in any answer
CONNECT, READ = 10.0, 120.0  # seconds: for a connection, and between two pieces of an answer
MISSHAPEN = (AttributeError, LookupError, TypeError, ValueError)  # what an answer of another shape provokes


class Http:
    """One account's calls. `make` is given what every SDK client takes, and returns the client; it is imported only then.

    Nothing is repeated here (`max_retries=0`: left alone, an SDK sends each call up to three times), and nothing but a
    GET is sent on to where an answer points. Every call raises only the errors of errors.py, without the key in their text.
    `rates` names the file in which the pace is kept.
    """

    def __init__(
        self,
        host: Host,
        base_url: str,
        key: str,
        headers: Mapping[str, str],
        make: Callable,
        money: Collection[str],
        rates: Named | None = None,
    ) -> None:
        self._title, self._base_url, self._key, self._headers = host.title, base_url, key, headers
        self._key_header = host.key_header
        self._make, self._money = make, money
        self._rates = Rates(host.requests_per_minute, rates)
        self._made, self._limits = None, AnswerLimits()

    # ---- calls

    def get(self, path: str, **params: object) -> bytes:
        """The body that a GET answers."""
        import httpx2

        with self.call() as client:
            return self._clean(client.get(path, cast_to=httpx2.Response, options={"params": params, "follow_redirects": True}))

    def post(self, path: str, headers: Mapping[str, str] | None = None, **body: object) -> bytes:
        """The body that a POST answers; `body` is the SDK's: an object as `body`, or blocks of bytes as `content`."""
        import httpx2

        with self.call() as client:
            return self._clean(client.post(path, cast_to=httpx2.Response, options={"headers": headers or {}}, **body))

    def _clean(self, response) -> bytes:
        """An answer's body without the key, whatever a host has echoed."""
        key = self._key.encode()
        return response.content.replace(key, "…".encode()) if len(key) >= SHORTEST_KEY else response.content

    def delete(self, path: str) -> bytes | None:
        """Ask for something to be deleted; what the host says to that. None for what is no longer there."""
        import httpx2

        try:
            with self.call() as client:
                return client.delete(path, cast_to=httpx2.Response).content
        except Refused as error:
            if error.status != 404:
                raise
            return None

    def fetch(self, path: str, to: Path, lines: Callable[[Iterable[bytes]], Iterable[bytes]] = iter) -> str:
        """Stream what a GET answers into a file, whole or not at all; its sha256. As received, or what `lines` makes of it.

        Raises Unknown when it is cut or only drips, and when there is no result file to be had now: what a host has
        written may be late at any of its doors.
        """
        try:
            with self.streamed(path) as blocks:
                return self._save(lines(blocks), to)
        except Refused as error:
            if error.status not in LATE:
                raise
            raise Unknown(str(error), status=error.status) from None

    @contextmanager
    def streamed(self, path: str) -> Iterator[Iterable[bytes]]:
        """What a GET answers in blocks, however large it is. Raises Unknown where its status is another than 200."""
        import httpx2

        options = {"follow_redirects": True, "headers": {"Accept": "application/binary"}}
        try:
            with self.call() as client, closing(client.get(path, cast_to=httpx2.Response, options=options, stream=True)) as response:
                if response.status_code != 200:
                    raise Unknown(f"{self._title} answered {response.status_code} instead of results", status=response.status_code)
                self._limits.largest = None
                yield response.iter_bytes()
        finally:
            self._limits.largest = LARGEST

    def _save(self, blocks: Iterable[bytes], to: Path) -> str:
        digest, head, got = hashlib.sha256(), b"", 0
        with whole_file(to) as file:
            for block in blocks:
                digest.update(block)
                file.write(block)
                got += len(block)
                head += block[: HEAD - len(head)]
            if why := not_results(head, got == len(head)):
                raise Unknown(f"{self._title} answered with {why}", status=200)
        return digest.hexdigest()

    # ---- the client

    @contextmanager
    def call(self) -> Iterator:
        """The SDK's client, for one call at the host's pace; what goes wrong with it becomes an error of ours."""
        import httpx2

        client = self._client()
        sdk = sys.modules[type(client).__module__.partition(".")[0]]
        self._rates.wait()
        try:
            yield client
        except BatchError as error:
            found = error
        except sdk.APIStatusError as error:
            found = self._refusal(error.response)
        except (sdk.APIConnectionError, httpx2.TransportError) as error:
            found = from_transport(self._title, error)
        except (sdk.APIError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, *MISSHAPEN) as error:
            found = no_answer(self._title, error)
        else:
            return
        raise without_key(found, self._key) from None

    def _client(self):
        import httpx2

        if self._made is None:
            timeout = httpx2.Timeout(READ, connect=CONNECT)
            hooks = {"request": [self._put_key, self._keep_key_home], "response": [self._hear]}
            beneath = httpx2.Client(timeout=timeout, verify=self._trust(), event_hooks=hooks)
            keep_steady(beneath, self._limits)
            self._made = self._make(
                api_key=self._key, base_url=self._base_url, default_headers=self._headers,
                max_retries=0, timeout=timeout, http_client=beneath,
            )  # fmt: skip
        return self._made

    def _trust(self):
        """Whose certificates count. On plain http, which never leaves this machine, nobody's, and none need be read."""
        import ssl

        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if self._base_url.startswith("http:") else True

    def _put_key(self, request) -> None:
        """A host with a header of its own for the key gets it in that one alone."""
        if self._key_header:
            request.headers.pop("authorization", None)
            request.headers[self._key_header] = self._key

    def _keep_key_home(self, request) -> None:
        """A request that was sent on to another place goes there without the key, whatever header holds it."""
        if self._key and request.url.origin != self._made.base_url.origin:
            for name in [name for name, value in request.headers.items() if self._key in value]:
                del request.headers[name]

    def _hear(self, response) -> None:
        """Take in what the host itself, not one that it has sent us on to, says of its rate."""
        if (said := rate(response.headers)) and response.request.url.origin == self._made.base_url.origin:
            self._rates.heard(said)

    def close(self) -> None:
        """Let go of its connections."""
        self._rates.close()
        if self._made is not None:
            self._made.close()

    # ---- what failures mean

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While an answer is taken apart: what is not of the API's shape is no answer."""
        try:
            yield
        except MISSHAPEN as error:
            raise without_key(no_answer(self._title, error), self._key) from None

    def _refusal(self, response) -> BatchError:
        """What a status means, from the answer itself: an SDK's own text of it may be anything, and differs."""
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = response.text
        found = from_status(self._title, response.status_code, body, response.headers, self._money)
        if isinstance(found, Busy) and found.retry_after and not QUEUED.search(str(found)):  # a full queue is no matter of calls
            self._rates.hold(found.retry_after)
        return found


def segment(name: str) -> str:
    """An id as one segment of a path, so that no id leads anywhere else. Raises Refused for one that cannot be an id."""
    if not name.strip("."):
        raise Refused(f"{name!r} is no id", 404)
    return quote(name, safe="")
