"""Connecting to PostgreSQL, with a deadline for every wait."""

from __future__ import annotations

import select
import socket
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from ..sql.migrate import release_name

CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    # What was sent is acknowledged by the other machine within this time, or the connection is given up.
    "tcp_user_timeout": 15_000,
    # By this a revision that takes something away sees who still needs it.
    "application_name": release_name(),
}
"""Of every connection: a dead machine is noticed within some 20 s. How long a statement may take is its role's."""

POOL_WAIT_S = 10


def engine(url: str, *, size: int, options: str = "", **execution_options: object) -> Engine:
    """An SQLAlchemy engine with at most `size` connections, over a URL as libpq reads it.

    `options` are settings of the session as libpq's parameter `options` takes them.
    """
    given = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
    arguments = {**CONNECT, **given, **({"options": options} if options else {})}
    made = create_engine(
        URL.create("postgresql+psycopg"),
        connect_args=arguments,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        execution_options=execution_options,
    )
    event.listen(made, "handle_error", _keep_the_others)
    event.listen(made, "checkout", _replace_if_gone)
    return made


def _keep_the_others(context: ExceptionContext) -> None:
    """One connection that is gone, most often severed by us, says nothing of the others in its pool."""
    context.invalidate_pool_on_disconnect = False


def is_alive(idle: psycopg.Connection) -> bool:
    """Whether the server has not hung up: an idle connection has nothing to read but its end.

    Nothing is asked, since a server that has fallen silent would not answer.
    """
    poll = select.poll()
    try:
        poll.register(idle.fileno(), select.POLLIN)
    except (OSError, psycopg.Error):
        return False
    return not poll.poll(0)


def _replace_if_gone(idle: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
    """A connection that died in the pool, as all do with the server, is replaced instead of failing a request."""
    driver: Any = idle
    if not is_alive(driver):
        raise DisconnectionError("the server has hung up")


def sever(connection: psycopg.Connection) -> None:
    """End whatever the connection is waiting for, at once and from any thread; the connection is dead afterwards.

    A request to cancel would need the server's answer, and might reach the next statement instead. The server sees
    within `client_connection_check_interval` that nobody waits any more.
    """
    if connection.closed:
        return
    try:
        with socket.socket(fileno=socket.dup(connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):
        # It ended by itself meanwhile.
        return
