"""Serving over HTTP: a platform to everybody, what a role measures to who watches it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..http.app import ASGIApp
from ..http.client_certificates import ClientCertificates
from ..http.heads import BoundedHeads
from ..http.watch import Watch
from ..settings import Settings
from .platform import Platform, Role


def behind_proxies(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application as it is called from outside: what trusted proxies say is believed, of others it is not."""
    if settings.trusted_proxies:
        # The server's types of messages are narrower than the framework's, which are the same messages.
        trusting: Any = ProxyHeadersMiddleware(cast("Any", app), list(settings.trusted_proxies))
        app = trusting
    if settings.client_cert_header is not None:
        # Outermost: the address of a connection is the proxy's until the proxy's word is taken for it.
        app = ClientCertificates(app, settings.client_cert_header, settings.trusted_proxies)
    return app


def uvicorn_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How the doors are served."""
    return uvicorn.Config(
        behind_proxies(app, settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="off",
        http=BoundedHeads,
        loop="uvloop",
        ws="websockets-sansio",
        ws_max_size=64 << 10,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        proxy_headers=False,
        ssl_certfile=settings.tls_cert and str(settings.tls_cert),
        ssl_keyfile=settings.tls_key and str(settings.tls_key),
    )


class Doors(uvicorn.Server):
    """The HTTP server. Signals are the business of whoever runs it."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_started()


async def serve(
    platform: Platform, settings: Settings, listener: socket.socket, stop: asyncio.Event, on_started: Callable[[], None]
) -> None:
    """Serve a started platform on the bound `listener` until `stop` is set; open requests are finished."""
    await _serve(Doors(uvicorn_config(platform.app, settings), on_started), listener, stop)


async def serve_watch(role: Role, settings: Settings, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve a role's health and metrics on the bound `listener` until `stop` is set."""
    app = Watch(role.state, settings.metrics_token)
    await _serve(Doors(uvicorn_config(app, settings), lambda: None), listener, stop)


async def _serve(doors: Doors, listener: socket.socket, stop: asyncio.Event) -> None:

    async def close_when_told() -> None:
        await stop.wait()
        doors.should_exit = True

    watch = asyncio.create_task(close_when_told())
    try:
        await doors.serve(sockets=[listener])
    finally:
        watch.cancel()
