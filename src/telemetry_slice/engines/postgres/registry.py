"""The registry on PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Connection, text

from ...model.events import TenantNo
from ...ports.edge import Clock
from ..sql.database import Database
from ..sql.registry import Registry, registry_over
from .connect import engine, sever

WRITERS = 2
READERS = 4
_BEGIN = text("SELECT set_config('app.tenant', :tenant, true), set_config('app.user', :user_id, true)")


def open_registry(url: str, clock: Clock) -> Registry:
    """The registry of a migrated database; `url` signs in as the API role. Connects at the first use."""
    writing = engine(url, size=WRITERS, isolation_level="READ COMMITTED")
    reading = engine(url, size=READERS, isolation_level="REPEATABLE READ", postgresql_readonly=True)
    database = Database(
        writing, reading, name="registry", readers=READERS, writers=WRITERS, begin=see_only, sever=sever
    )
    return registry_over(database, clock)


def see_only(connection: Connection, tenant: TenantNo | None, user_id: str | None) -> None:
    """Let the open transaction see one tenant or one person, and nothing after its end."""
    connection.execute(_BEGIN, {"tenant": "" if tenant is None else str(tenant), "user_id": user_id or ""})
