"""The HTTP client of every verb: credential, repetition, and errors a person can read."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx2

from .backoff import Backoff, retry_after_s
from .failure import CliError

Json = dict[str, Any]

TRANSIENT = frozenset({429, 502, 503, 504})
MAX_ERRORS_SHOWN = 5
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class ProblemError(CliError):
    """The server's refusal, as problem+json tells it.

    Attributes:
        status: HTTP status.
        problem: the decoded body; empty when it was no JSON object.
        retry_after_s: what the server asked for, if it did.
    """

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.retry_after_s = retry_after_s(response.headers.get("Retry-After"))
        try:
            body = response.json()
        except ValueError:
            body = {}
        self.problem: Json = body if isinstance(body, dict) else {}
        super().__init__(describe(self.status, response.reason_phrase, self.problem))


class UnreachableError(CliError):
    """No answer: the server is off, elsewhere, or the network is down."""


def describe(status: int, reason: str, problem: Json) -> str:
    """One or more lines: what was refused, why, and which fields are at fault."""
    detail = problem.get("detail") or problem.get("title") or reason or "refused"
    lines = [f"{detail} (HTTP {status})"]
    if status == 401:
        lines[0] = f"The key or token was not accepted: {detail} (HTTP 401)"
    elif status == 403:
        lines[0] = f"Not allowed: {detail} (HTTP 403)"
    errors = [error for error in problem.get("errors") or [] if isinstance(error, dict)]
    lines.extend(f"  {error.get('pointer') or 'body'}: {error.get('detail')}" for error in errors[:MAX_ERRORS_SHOWN])
    if len(errors) > MAX_ERRORS_SHOWN:
        lines.append(f"  … and {len(errors) - MAX_ERRORS_SHOWN} more")
    return "\n".join(lines)


def reason_of(error: Exception) -> str:
    """A transport error in a few words."""
    if isinstance(error, httpx2.ConnectTimeout):
        return "the connection took too long"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted here (name its issuer with TSLICE_CA_FILE)"
    if isinstance(error, httpx2.ConnectError):
        return "connection refused or host unknown" if "All connection attempts failed" in text else text
    return text or type(error).__name__


def tls_context(ca_file: str | None, *, own: bool = False) -> ssl.SSLContext:
    """What certificates are trusted: the machine's, and those in `ca_file`; any from one's `own` server.

    The server that holds a folder's lock is reached over loopback, where its certificate, made for another name, proves
    nothing that the lock has not.
    """
    context = ssl.create_default_context()
    if own:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file:
        context.load_verify_locations(ca_file)
    return context


class Api:
    """A connection to one server as one principal. An async context manager.

    Args:
        url: address of the server.
        token: a key (`tsk_…`) or access token; None to call public routes only.
        transport: an in-process application instead of the network.
        ca_file: PEM file of further trusted issuers.
        own: whether it is the server that holds a folder of this user, on loopback.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        ca_file: str | None = None,
        own: bool = False,
        timeout_s: float = 40.0,
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        headers = {"User-Agent": "tslice", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            self.tls = tls_context(ca_file, own=own) if transport is None and self.url.startswith("https:") else None
            self._http = httpx2.AsyncClient(
                base_url=self.url,
                headers=headers,
                transport=transport,
                timeout=httpx2.Timeout(timeout_s, connect=10.0),
                verify=self.tls if self.tls is not None else True,
                limits=httpx2.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=30.0),
            )
        except (httpx2.InvalidURL, OSError) as error:
            raise UnreachableError(f"{url}: {error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def attempt(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | None = None,
        params: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """One attempt, whatever its answer.

        Raises:
            UnreachableError: there was no answer; `__cause__` tells whether the request may have arrived.
        """
        try:
            return await self._http.request(
                method,
                path,
                json=json,
                content=content,
                params={name: value for name, value in (params or {}).items() if value is not None},
                headers=headers,
            )
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise UnreachableError(f"{self.url}: {reason_of(error)}") from error

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str | int | None] | None = None,
        patience_s: float = 20.0,
    ) -> Json:
        """The decoded answer of a request, repeated while the server is busy, for at most `patience_s`.

        A request that may have been carried out is repeated only when that changes nothing. An empty answer is `{}`.

        Raises:
            ProblemError: the server refused.
            UnreachableError: there was no answer.
        """
        backoff = Backoff(ceiling_s=5.0)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            failure: ProblemError | UnreachableError
            asked: float | None = None
            try:
                response = await self.attempt(method, path, json=json, params=params)
            except UnreachableError as error:
                # Nobody listens: say so at once. A connection lost on the way may be tried again.
                if isinstance(error.__cause__, httpx2.ConnectError | httpx2.InvalidURL | httpx2.UnsupportedProtocol):
                    raise
                if method not in IDEMPOTENT:
                    raise
                failure = error
            else:
                if response.is_success:
                    body = response.json() if response.content else {}
                    return body if isinstance(body, dict) else {"items": body}
                failure = ProblemError(response)
                if failure.status not in TRANSIENT:
                    raise failure
                asked = failure.retry_after_s
            pause = backoff.pause_s(asked)
            if loop.time() + pause > deadline:
                raise failure
            await asyncio.sleep(pause)

    async def lines(self, path: str, params: Mapping[str, str | int | None] | None = None) -> AsyncIterator[str]:
        """The lines of an answer as they come. Raises as `call`, also half-way."""
        try:
            async with self._http.stream("GET", path, params=params) as response:
                if not response.is_success:
                    await response.aread()
                    raise ProblemError(response)
                async for line in response.aiter_lines():
                    yield line
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise UnreachableError(f"{self.url}: {reason_of(error)}") from error

    async def pages(
        self, path: str, items: str, params: Mapping[str, str | int | None] | None = None, *, at_most: int | None = None
    ) -> list[Json]:
        """All items over all pages of a list, or the first `at_most`."""
        found: list[Json] = []
        cursor: str | None = None
        while True:
            answer = await self.call("GET", path, params={**(params or {}), "cursor": cursor})
            found.extend(answer.get(items, []))
            cursor = answer.get("next")
            if not cursor or (at_most is not None and len(found) >= at_most):
                return found if at_most is None else found[:at_most]
