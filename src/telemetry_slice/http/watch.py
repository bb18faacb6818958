"""Health and metrics of a process that serves nothing else: a writer, the scheduler."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ..model.errors import Code, SliceError
from .health import metrics_for
from .problems import response_of


class Watch:
    """An ASGI application with `/health`, `/health/ready` and `/metrics` as an API process has them."""

    def __init__(self, readiness: Callable[[], str | None], metrics_token: str | None) -> None:
        self._readiness = readiness
        self._metrics_token = metrics_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET; there is nothing else."""
        if scope["type"] != "http":
            return
        try:
            response = self._answer(Request(scope))
        except SliceError as error:
            response = response_of(error)
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method in {"GET", "HEAD"}:
            match request.url.path:
                case "/health":
                    return JSONResponse({"status": "ok"})
                case "/health/ready":
                    if (why := self._readiness()) is not None:
                        raise SliceError(Code.UNAVAILABLE, why, retry_after_s=1)
                    return JSONResponse({"status": "ready"})
                case "/metrics":
                    return metrics_for(request, self._metrics_token)
        raise SliceError(Code.NOT_FOUND, "There is nothing at this address.")
