"""The tables of the audit, which nothing changes or deletes; `migrations/registry` creates the same."""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Column, Integer, LargeBinary, Table, event

from .registry_tables import registry_metadata
from .types import TEXT

# Without a foreign key: a chain outlives its tenant. Tenant 0 is the installation.
audit = Table(
    "audit",
    registry_metadata,
    Column("tenant_no", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor_kind", TEXT, nullable=False),
    Column("actor_id", TEXT, nullable=False),
    Column("actor_name", TEXT, nullable=False),
    Column("action", TEXT, nullable=False),
    Column("resource", TEXT, nullable=False),
    Column("target", TEXT, nullable=False),
    Column("tenant_id", TEXT),
    Column("address", TEXT),
    Column("agent", TEXT),
    Column("outcome", TEXT, nullable=False),
    Column("detail", TEXT, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

# The last record of each chain, kept by a trigger: a chain that was cut off at its end is shorter than it says.
audit_heads = Table(
    "audit_heads",
    registry_metadata,
    Column("tenant_no", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

TRIGGERS = (
    (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END"
    ),
    (
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END"
    ),
    (
        "CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads"
        " BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END"
    ),
    (
        "CREATE TRIGGER audit_head AFTER INSERT ON audit BEGIN"
        " INSERT INTO audit_heads (tenant_no, sequence, hash) VALUES (NEW.tenant_no, NEW.sequence, NEW.hash)"
        " ON CONFLICT (tenant_no) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash; END"
    ),
)
"""Of SQLite; on PostgreSQL rights and a trigger do the same (`migrations/registry/postgresql`)."""

for _trigger in TRIGGERS:
    event.listen(audit_heads, "after_create", DDL(_trigger).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
