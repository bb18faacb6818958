"""Liveness, readiness, metrics."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ..model.errors import Code, SliceError
from .principal import client_address
from .problems import problems
from .schemas import Wire
from .services import services_of

router = APIRouter(tags=["health"])


class HealthBody(Wire):
    """A word."""

    status: str


@router.get("/health", operation_id="health", summary="Liveness")
async def health() -> HealthBody:
    """The process answers."""
    return HealthBody(status="ok")


@router.get("/health/ready", operation_id="ready", summary="Readiness", responses={503: {"description": "Not ready"}})
async def ready(request: Request) -> HealthBody:
    """200 once everything has started, and until it begins to stop."""
    why = services_of(request).readiness()
    if why is not None:
        raise SliceError(Code.UNAVAILABLE, why, retry_after_s=1)
    return HealthBody(status="ready")


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False


@router.get(
    "/metrics", operation_id="metrics", summary="Prometheus metrics", responses=problems(), response_class=Response
)
async def metrics(request: Request) -> Response:
    """From loopback, or with the metrics token."""
    return metrics_for(request, services_of(request).metrics_token)


def metrics_for(request: Request, token: str | None) -> Response:
    """What this process measures. Raises SliceError UNAUTHENTICATED for who may not know it."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    allowed = hmac.compare_digest(given.encode(), token.encode()) if token else _is_loopback(client_address(request))
    if not allowed:
        raise SliceError(Code.UNAUTHENTICATED, "Metrics are read from loopback or with the metrics token.")
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
