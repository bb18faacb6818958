"""The ingest routes: raw ASGI in front of the framework, because this is the road that every event takes."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from typing import Any

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from ..flow.access import PREFIX, UNAUTHENTICATED_DETAIL, Access
from ..flow.gate.admit import Gate, QuotaExceededError, Receipt
from ..flow.gate.decode import Rejected, WireV1, WireV2, decode
from ..model.errors import Code, FieldError, SliceError, UnavailableError
from ..model.events import Outcome, RejectCode
from ..model.permissions import Permission, may
from ..model.tenancy import KeyPrincipal
from ..model.times import SECOND_US
from ..observe import INGEST_REQUESTS, INGEST_SECONDS
from ..ports.edge import Clock, Verdict
from .client_certificates import client_certificate
from .ingest_body import BodyDeadlines, DisconnectedError, announced_length, decompressed, is_ndjson
from .page import HSTS
from .problems import MEDIA_TYPE, STATUS, problem_document, problem_headers, unavailable

log = structlog.get_logger()

VERSIONS = {"/api/v1/telemetry": 1, "/api/v2/telemetry": 2}
MAX_WAIT_S = 30.0
REFUSAL_S = 0.5
"""What is refused for want of capacity hears so after about this time. A sender asks again when it has its answer: one
that is answered at once costs a busy server as much as the work it is too busy for. Waiting costs nothing."""
_WAIT = re.compile(rb"(?:^|[,;\s])wait=(\d{1,9})(?:$|[,;\s])")
_OUTCOMES = {int(outcome): outcome.name.lower() for outcome in Outcome}
_WHOLE = {
    RejectCode.FOREIGN_DEVICE: Code.FORBIDDEN,
    RejectCode.FOREIGN_TENANT: Code.FORBIDDEN,
    RejectCode.MALFORMED: Code.MALFORMED,
    RejectCode.TOO_LARGE: Code.TOO_LARGE,
}
"""What a request is told when the same was wrong with all of its events; INVALID otherwise."""
_REJECT_OF = {
    Code.MALFORMED: RejectCode.MALFORMED,
    Code.INVALID: RejectCode.INVALID,
    Code.TOO_LARGE: RejectCode.TOO_LARGE,
    Code.TOO_SLOW: RejectCode.MALFORMED,
    Code.UNSUPPORTED_MEDIA_TYPE: RejectCode.MALFORMED,
    Code.CAPACITY: RejectCode.CAPACITY,
}
_encode = msgspec.json.Encoder().encode
_statuses = {status: INGEST_REQUESTS.labels(str(status)) for status in (200, 202, 401, 403, 422, 429, 503)}

Headers = list[tuple[bytes, bytes]]


class IngestLimits(msgspec.Struct, frozen=True):
    """How large a request may be: bytes on the wire, bytes decoded, events."""

    wire_bytes: int = 1 << 20
    decoded_bytes: int = 8 << 20
    events: int = 1_000


class Ingest:
    """Answers the ingest routes and passes everything else on."""

    def __init__(self, app: ASGIApp, access: Access, gate: Gate, clock: Clock, limits: IngestLimits) -> None:
        self._app = app
        self._access = access
        self._gate = gate
        self._clock = clock
        self._limits = limits
        self._bodies = BodyDeadlines()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        version = VERSIONS.get(scope["path"]) if scope["type"] == "http" else None
        if version is None:
            await self._app(scope, receive, send)
            return
        try:
            status, body, headers = await self._answer(scope, receive, version)
        except DisconnectedError:
            return
        except SliceError as error:
            if error.code is Code.CAPACITY:
                # Not all at the same moment, or they would all come back at the same moment.
                await asyncio.sleep(REFUSAL_S * random.uniform(0.5, 1.0))  # nosec B311  # noqa: S311 - jitter
            status, body, headers = _refusal(error)
        except UnavailableError:
            status, body, headers = _refusal(unavailable())
        except Exception:
            log.exception("ingest_failed")
            status = 500
            body = (
                b'{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"Something went wrong."}'
            )
            headers = [(b"content-type", MEDIA_TYPE.encode())]
        counter = _statuses.get(status)
        (counter or INGEST_REQUESTS.labels(str(status))).inc()
        headers.append((b"content-length", str(len(body)).encode()))
        if scope.get("scheme") == "https":
            headers.append((b"strict-transport-security", HSTS.encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive, version: int) -> tuple[int, bytes, Headers]:
        if scope["method"] != "POST":
            problem = {"type": "about:blank", "title": "Method Not Allowed", "status": 405, "detail": "Use POST."}
            return 405, _encode(problem), [(b"content-type", MEDIA_TYPE.encode()), (b"allow", b"POST")]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        principal = await self._principal(scope, headers)
        verdict = await self._gate.admit_request(principal)
        # Before the body is read and decoded: what a slow sender or a large body costs is not the device's lateness.
        received_us = self._clock.now_us()
        began = time.perf_counter()
        try:
            length = announced_length(headers, self._limits.wire_bytes)
            held = self._gate.capacity.hold(principal.tenant.no, 4 * length)
        except SliceError as error:
            self._gate.count_refused(principal.tenant, _REJECT_OF[error.code])
            raise
        with held:
            try:
                ndjson = is_ndjson(headers.get(b"content-type", b""))
                body = await self._bodies.read(receive, self._limits.wire_bytes)
                body = decompressed(body, headers.get(b"content-encoding", b""), self._limits.decoded_bytes)
                # What was packed small weighs what it holds.
                held.grow(2 * len(body))
                decoded = decode(body, version, ndjson=ndjson, max_events=self._limits.events)
            except SliceError as error:
                self._gate.count_refused(principal.tenant, _REJECT_OF[error.code])
                raise
            # The text is not needed while the queue is waited for.
            del body
            if decoded.events:
                events_verdict = await self._gate.admit_events(principal, len(decoded.events))
                verdict = _tighter(verdict, events_verdict)
            wait_s = _wait_s(headers)
            receipt = await self._gate.accept(principal, decoded, received_us, wait_s=wait_s)
        INGEST_SECONDS.observe(time.perf_counter() - began)
        answer = [(b"content-type", b"application/json"), *_rate_limit(verdict)]
        if principal.expires_us is not None and principal.expires_us - received_us < self._access.keys.warning_us:
            # No standard field says so, Sunset and Deprecation being of resources. A date as Deprecation has one.
            answer.append((b"tslice-key-expires", b"@%d" % (principal.expires_us // SECOND_US)))
        if not receipt.accepted:
            return _none_accepted(receipt, decoded.prefix, single=decoded.single)
        if wait_s is not None and receipt.settlement is not None:
            answer.append((b"preference-applied", b"wait=%d" % wait_s))
            return 200, _encode(_results(receipt)), answer
        if not receipt.rejected:
            return 202, b'{"accepted":%d,"rejected":[]}' % receipt.accepted, answer
        return 202, _encode({"accepted": receipt.accepted, "rejected": _rejections(receipt)}), answer

    async def _principal(self, scope: Scope, headers: dict[bytes, bytes]) -> KeyPrincipal:
        token = headers.get(b"authorization", b"").decode("latin-1")
        token = token[7:].strip() if token[:7].lower() == "bearer " else "" if token else _api_key(headers)
        address = scope["client"][0] if scope.get("client") else None
        thumbprint = client_certificate(scope)
        principal = self._access.cached_key(token, address)
        if principal is None:
            if token and not token.startswith(PREFIX):
                # A signed-in person is known, and may not send: 403, not 401.
                await self._access.bearer(token, address)
                raise SliceError(Code.FORBIDDEN, "Telemetry is sent with a device, gateway or service key.")
            if token:
                principal = await self._access.key(token, address)
            elif thumbprint is None or b"authorization" in headers:
                raise SliceError(Code.UNAUTHENTICATED, UNAUTHENTICATED_DETAIL)
            else:
                principal = await self._access.certificate(thumbprint, address)
        if not may(principal, Permission.SEND_TELEMETRY):
            raise SliceError(Code.FORBIDDEN, "The key lacks the scope ingest.")
        return principal


def _api_key(headers: dict[bytes, bytes]) -> str:
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()


def _wait_s(headers: dict[bytes, bytes]) -> float | None:
    prefer = headers.get(b"prefer")
    found = _WAIT.search(prefer) if prefer else None
    return min(MAX_WAIT_S, float(found[1])) if found else None


def _tighter(one: Verdict, other: Verdict) -> Verdict:
    if one.tightest is None or other.tightest is None:
        return one if other.tightest is None else other
    return one if one.remaining / one.tightest.limit <= other.remaining / other.tightest.limit else other


def _rate_limit(verdict: Verdict) -> Headers:
    """RateLimit fields of draft-ietf-httpapi-ratelimit-headers-10: the policy nearest to its end."""
    quota = verdict.tightest
    if quota is None:
        return []
    seconds = max(1, math.ceil(verdict.retry_after_s))
    return [
        (b"ratelimit", f'"{quota.policy}";r={verdict.remaining};t={seconds}'.encode()),
        (b"ratelimit-policy", f'"{quota.policy}";q={quota.limit};w=1'.encode()),
    ]


def _refusal(error: SliceError) -> tuple[int, bytes, Headers]:
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in problem_headers(error).items()]
    if isinstance(error, QuotaExceededError):
        headers += _rate_limit(Verdict(error.broken, error.retry_after_s or 1, error.broken, 0))
    elif error.policy is not None and error.retry_after_s is not None:
        headers.append((b"ratelimit", f'"{error.policy}";r=0;t={math.ceil(error.retry_after_s)}'.encode()))
    return STATUS[error.code], _encode(problem_document(error)), headers


def _rejection(rejected: Rejected) -> dict[str, Any]:
    return {
        "index": rejected.index,
        "eventId": rejected.event_id,
        "code": rejected.code,
        "detail": rejected.detail,
    }


def _rejections(receipt: Receipt) -> list[dict[str, Any]]:
    return [_rejection(rejected) for rejected in receipt.rejected]


def _none_accepted(receipt: Receipt, prefix: str, *, single: bool) -> tuple[int, bytes, Headers]:
    """422, or what all events have in common: the key may not send them, they are no JSON, they are too large."""
    codes = {_WHOLE.get(rejected.code, Code.INVALID) for rejected in receipt.rejected}
    code = codes.pop() if len(codes) == 1 else Code.INVALID
    fields = tuple(
        FieldError((prefix if single else f"{prefix}/{rejected.index}") + rejected.pointer, rejected.detail)
        for rejected in receipt.rejected[:100]
    )
    detail = "No event in the request could be accepted." if receipt.rejected else "The request holds no event."
    document = problem_document(SliceError(code, detail, fields=fields))
    document |= {"accepted": 0, "rejected": _rejections(receipt)}
    return STATUS[code], _encode(document), [(b"content-type", MEDIA_TYPE.encode())]


def _results(receipt: Receipt) -> dict[str, Any]:
    """What the writer decided, event by event."""
    settlement = receipt.settlement
    if settlement is None or not settlement.outcomes:
        raise SliceError(
            Code.UNAVAILABLE, "what became of the events is unknown: repeat with the same ids", retry_after_s=1
        )
    results = []
    for position, (place, outcome) in enumerate(zip(receipt.places, settlement.outcomes[0], strict=True)):
        result = {"index": place, "eventId": receipt.batch.event_id(position), "outcome": _OUTCOMES[outcome]}
        reason = settlement.reasons.get((0, position))
        results.append(result if reason is None else result | {"reason": reason})
    return {"results": results, "rejected": _rejections(receipt)}


def openapi() -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths and schemas that this module adds to the OpenAPI document."""
    _, schemas = msgspec.json.schema_components((WireV1, WireV2), ref_template="#/components/schemas/{name}")
    return {path: {"post": _operation(version)} for path, version in VERSIONS.items()}, schemas


def _operation(version: int) -> dict[str, Any]:
    event = {"$ref": f"#/components/schemas/WireV{version}"}
    events = {"type": "array", "items": event, "maxItems": 1000}
    envelope = {"type": "object", "properties": {"events": events}, "required": ["events"]}
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    rejected = {"type": "array", "items": {"type": "object"}}
    accepted = {"type": "object", "properties": {"accepted": {"type": "integer"}, "rejected": rejected}}
    results = {
        "type": "object",
        "properties": {"results": {"type": "array", "items": {"type": "object"}}, "rejected": rejected},
    }
    refusals = {
        400: "Malformed",
        401: "No valid key",
        403: "The key may not send this",
        408: "The body came too slowly",
        413: "Too large",
        415: "Media type or encoding not taken",
        422: "No event acceptable",
        429: "A quota, named in the answer",
        503: "Our capacity, or an unknown outcome",
    }
    return {
        "operationId": f"sendTelemetryV{version}",
        "tags": ["ingest"],
        "summary": 'Send one event, a list of events, {"events": […]} or NDJSON',
        "description": "Answered when the accepted events are durable. Repeating with the same ids is always safe.",
        "security": [{"bearer": []}, {"apiKey": []}],
        "parameters": [
            {
                "name": "Prefer",
                "in": "header",
                "required": False,
                "description": "wait=N: answer with the outcome of each event, at most N (30) seconds later",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [event, events, envelope]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "200": {"description": "Decided (with Prefer: wait)", "content": {"application/json": {"schema": results}}},
            "202": {"description": "Durable", "content": {"application/json": {"schema": accepted}}},
            **{str(status): {"description": text, "content": problem} for status, text in refusals.items()},
        },
    }
