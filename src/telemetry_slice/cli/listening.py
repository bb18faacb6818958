"""The socket that a server listens on, and its address."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from ..settings import Settings
from .failure import CliError

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet. Raises CliError when that address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CliError(f"{host} is not an address of this machine: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Without a queue of callers yet: they are refused until the platform is ready.
        probe_in_use(listener, address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CliError(f"port {port} of {host} is in use by another program; choose another with --port") from error
        if error.errno == errno.EACCES:
            raise CliError(f"port {port} may not be used by this user; choose one above 1023 with --port") from error
        raise CliError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listener


def probe_in_use(listener: socket.socket, address: Any) -> None:
    """With SO_REUSEADDR some systems bind beside a listening socket; asking it tells. Raises OSError EADDRINUSE."""
    if address[1] == 0:
        return
    with socket.socket(listener.family, socket.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        if caller.connect_ex((ANY_ADDRESS.get(address[0], address[0]), *address[1:])) == 0:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def address_of(listener: socket.socket, settings: Settings) -> str:
    """The address to open, from this machine where the platform listens on all of its addresses."""
    port = listener.getsockname()[1]
    host = ANY_ADDRESS.get(settings.host, settings.host)
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's factory where there is one."""
    try:
        import uvloop  # noqa: PLC0415  # absent on some systems
    except ImportError:
        return None
    return uvloop.new_event_loop
