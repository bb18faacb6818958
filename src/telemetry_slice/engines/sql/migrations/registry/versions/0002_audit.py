"""The audit, and the suspension of tenants; rights, walls and a trigger are in `../postgresql/0002_audit.sql`."""

from pathlib import Path

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# In the order of code points, whatever the locale of the database.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData(naming_convention={"pk": "%(table_name)s_pkey"})

audit = Table(
    "audit",
    metadata,
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

audit_heads = Table(
    "audit_heads",
    metadata,
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


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind)
    op.add_column("tenants", Column("suspended", TEXT))
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0002_audit.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
    else:
        for trigger in TRIGGERS:
            bind.exec_driver_sql(trigger)
