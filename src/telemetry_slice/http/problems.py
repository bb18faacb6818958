"""Refusals as RFC 9457 problem documents: one table from code to status, and nobody else writes an error body."""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..model.errors import Code, FieldError, SliceError, UnavailableError

_log = structlog.get_logger(__name__)

STATUS: dict[Code, int] = {
    Code.MALFORMED: 400,
    Code.INVALID: 422,
    Code.SECOND_FACTOR_NEEDED: 401,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.GONE: 410,
    Code.TOO_LARGE: 413,
    Code.TOO_SLOW: 408,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.QUOTA_EXCEEDED: 429,
    Code.CAPACITY: 503,
    Code.UNAVAILABLE: 503,
}
TITLES: dict[Code, str] = {
    Code.MALFORMED: "The request cannot be read",
    Code.INVALID: "The request is not valid",
    Code.UNAUTHENTICATED: "A valid credential is needed",
    Code.SECOND_FACTOR_NEEDED: "A second factor is needed",
    Code.FORBIDDEN: "Not allowed",
    Code.NOT_FOUND: "Not found",
    Code.CONFLICT: "In conflict with what is there",
    Code.GONE: "No longer offered",
    Code.TOO_LARGE: "Too large",
    Code.TOO_SLOW: "Too slow",
    Code.UNSUPPORTED_MEDIA_TYPE: "Media type or encoding not supported",
    Code.QUOTA_EXCEEDED: "Quota exceeded",
    Code.CAPACITY: "At capacity",
    Code.UNAVAILABLE: "Temporarily unavailable",
}
TYPE_PREFIX = "urn:telemetry-slice:problem:"
MEDIA_TYPE = "application/problem+json"
UNAVAILABLE_RETRY_S = 2.0
MOST_SHOWN = 300
_CODE_OF_STATUS = {status: code for code, status in reversed(STATUS.items())}


class ProblemField(BaseModel):
    """One field at fault."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemField] | None = None
    policy: str | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: the statuses it names, and those that every route may answer."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({400, 401, 403, 408, 413, 422, 429, 503, *statuses})
    }


def problem_document(error: SliceError) -> dict[str, Any]:
    """The body that tells `error`."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + error.code,
        "title": TITLES[error.code],
        "status": STATUS[error.code],
        "detail": error.detail,
    }
    if error.fields:
        body["errors"] = [{"pointer": field.pointer, "detail": field.detail} for field in error.fields]
    if error.policy is not None:
        body["policy"] = error.policy
    return body


def problem_headers(error: SliceError) -> dict[str, str]:
    """Retry-After in whole seconds, and the challenge that a 401 must carry."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if STATUS[error.code] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def problem(error: SliceError) -> Response:
    """The answer that tells `error`."""
    return JSONResponse(
        problem_document(error), STATUS[error.code], headers=problem_headers(error), media_type=MEDIA_TYPE
    )


def unavailable() -> SliceError:
    """What the outside hears when an engine cannot be reached."""
    return SliceError(
        Code.UNAVAILABLE,
        "A part of the platform cannot be reached right now; repeat the request.",
        retry_after_s=UNAVAILABLE_RETRY_S,
    )


def _pointer(loc: Sequence[str | int]) -> str:
    """A JSON pointer into the body, or the name of a parameter."""
    if not loc:
        return ""
    if loc[0] != "body":
        return str(loc[1] if len(loc) > 1 else loc[0])
    return "".join("/" + _shown(str(part)).replace("~", "~0").replace("/", "~1") for part in loc[1:])


def _shown(text: str) -> str:
    """What a caller has sent, as it can be sent back: not endless, without halves of characters."""
    return text[:MOST_SHOWN].encode("utf-8", "replace").decode()


def refusal_of_validation(error: RequestValidationError) -> SliceError:
    """The framework's findings as one refusal with a pointer each."""
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        # The location of this finding is an offset, not a field.
        reason = found[0].get("ctx", {}).get("error", "not JSON")
        return SliceError(Code.MALFORMED, f"The body is not valid JSON: {reason}.")
    fields = tuple(
        FieldError(_pointer(item["loc"]), _shown(item["msg"].removeprefix("Value error, "))) for item in found[:100]
    )
    return SliceError(
        Code.INVALID, fields[0].detail if len(fields) == 1 else "Several fields are at fault.", fields=fields
    )


def _refusal_of_status(error: HTTPException) -> Response:
    code = _CODE_OF_STATUS.get(error.status_code)
    detail = {404: "There is nothing at this address.", 405: "This address does not know this method."}.get(
        error.status_code, str(error.detail)
    )
    if code is not None:
        answer = problem(SliceError(code, detail))
    else:
        title = HTTPStatus(error.status_code).phrase
        body = {"type": "about:blank", "title": title, "status": error.status_code, "detail": detail}
        answer = JSONResponse(body, error.status_code, media_type=MEDIA_TYPE)
    answer.headers.update(error.headers or {})
    return answer


def response_of(error: Exception) -> Response:
    """The answer to any error; an unknown one is logged and tells the outside nothing."""
    match error:
        case SliceError():
            return problem(error)
        case UnavailableError():
            _log.warning("engine unavailable", error=repr(error))
            return problem(unavailable())
        case RequestValidationError():
            return problem(refusal_of_validation(error))
        case HTTPException():
            return _refusal_of_status(error)
        case _:
            _log.error("unexpected error", exc_info=error)
            body = {
                "type": "about:blank",
                "title": "Internal Server Error",
                "status": 500,
                "detail": "Something went wrong here. The log of the server says more.",
            }
            return JSONResponse(body, 500, media_type=MEDIA_TYPE)


async def _handle(connection: Request | WebSocket, error: Exception) -> Response:
    if isinstance(error, RequestValidationError) and _is_not_json(connection, error):
        error = SliceError(Code.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON with Content-Type: application/json.")
    # The framework sends it; where a WebSocket is not accepted yet, as the refusal of its handshake.
    return response_of(error)


def _is_not_json(connection: Request | WebSocket, error: RequestValidationError) -> bool:
    """Whether the body was not even tried as JSON: the framework then takes it for a wrong value."""
    essence = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    found = any(tuple(item["loc"]) == ("body",) and item.get("input") is not None for item in error.errors())
    return found and essence != "application/json" and not essence.endswith("+json")


class UnexpectedErrors:
    """Answers what no handler caught, so that neither the framework nor the server writes a page of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer with a 500 problem if the answer has not begun."""
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if begun or scope["type"] != "http":
                _log.exception("unexpected error after the answer began", path=scope.get("path"))
                raise
            await response_of(error)(scope, receive, send)


def install(app: FastAPI) -> None:
    """Make `app` answer every error with a problem document."""
    for kind in (SliceError, UnavailableError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _handle)
    app.add_middleware(UnexpectedErrors)
