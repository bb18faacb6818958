"""The table of erased tenants; the revision `0006` creates the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from .registry_tables import registry_metadata
from .types import TEXT

# Without a foreign key: it outlives the tenant, so that number and id are not given out again.
erasures = Table(
    "erasures",
    registry_metadata,
    Column("tenant_no", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", TEXT, nullable=False, index=True),
    Column("placement_schema", TEXT),
    Column("placement_database", TEXT),
    Column("actor_kind", TEXT, nullable=False),
    Column("actor_id", TEXT, nullable=False),
    Column("actor_name", TEXT, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    # JSON: part → rows that there were.
    Column("counts", TEXT, nullable=False),
    Column("finished_us", BigInteger),
    Column("swept_us", BigInteger),
)
