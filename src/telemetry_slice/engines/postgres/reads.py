"""Reading telemetry on PostgreSQL: the shared statements, each in a transaction that sees one tenant."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from ...model.events import TenantNo
from ..sql.readers import DEADLINE_S, THREADS, Readers
from .connect import engine, sever

_BEGIN = text("SELECT set_config('app.tenant', :tenant, true)")


def open_reading(url: str, *, threads: int = THREADS) -> Engine:
    """The engine of `readers_over`; `url` signs in as the API role."""
    # One snapshot for all statements of a read: several of them make one page.
    return engine(url, size=threads, isolation_level="REPEATABLE READ", postgresql_readonly=True)


def readers_over(reading: Engine, *, threads: int = THREADS, deadline_s: float = DEADLINE_S) -> Readers:
    """Readers whose transactions are bound to their tenant by row-level security."""
    return Readers(reading, interrupt=sever, begin=see_only, threads=threads, deadline_s=deadline_s)


def see_only(connection: Connection, tenant: TenantNo) -> None:
    """Let the open transaction see one tenant, and nothing after its end."""
    connection.execute(_BEGIN, {"tenant": str(tenant)})
