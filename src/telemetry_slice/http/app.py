"""The FastAPI application: the control plane, the reading routes and the page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from . import (
    access,
    audit,
    books,
    dashboards,
    dead_letters,
    device_certificates,
    devices,
    docs,
    enrolment,
    erasing,
    export,
    fleet,
    health,
    ingest,
    keys,
    links,
    live,
    oidc,
    page,
    panels,
    problems,
    provisioning,
    query,
    second_factor,
    sessions,
    settings,
    telemetry,
    tenants,
    users,
)
from .bodies import BodyBounds
from .paths import EncodedSlashes
from .services import Services

__all__ = ["ASGIApp", "create_app"]

ROUTERS: tuple[APIRouter, ...] = (
    access.router,
    sessions.router,
    second_factor.router,
    oidc.router,
    tenants.router,
    erasing.router,
    settings.router,
    users.router,
    audit.router,
    links.router,
    devices.router,
    fleet.router,
    keys.router,
    device_certificates.router,
    provisioning.router,
    enrolment.router,
    telemetry.router,
    query.router,
    export.router,
    live.router,
    dashboards.router,
    panels.router,
    books.router,
    dead_letters.router,
    health.router,
    docs.router,
)
"""Every module of routes; a new one adds its line here."""


def create_app(services: Services) -> ASGIApp:
    """The application over `services`, without the ingest routes, which stand in front of it."""
    app = FastAPI(
        title="Telemetry Slice",
        version=services.version,
        summary="Takes measurements from devices, keeps every accepted event exactly once, and accounts for each.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    app.add_middleware(BodyBounds)
    app.add_middleware(EncodedSlashes)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    page.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with the problem schema that `problems.problems` refers to."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        document = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(document.pop("$defs", {}))
        schemas["Problem"] = document
        paths, bodies = ingest.openapi()
        schema["paths"].update(paths)
        schemas.update(bodies)
        app.openapi_schema = schema
    return app.openapi_schema
