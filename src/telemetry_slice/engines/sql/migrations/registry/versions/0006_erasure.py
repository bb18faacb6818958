"""Erased tenants, and under which pepper a key is kept; rights and functions: `../postgresql/0006_erasure.sql`."""

from pathlib import Path

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData(naming_convention={"ix": "%(table_name)s_%(column_0_N_name)s", "pk": "%(table_name)s_pkey"})

erasures = Table(
    "erasures",
    metadata,
    Column("tenant_no", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", TEXT, nullable=False, index=True),
    Column("placement_schema", TEXT),
    Column("placement_database", TEXT),
    Column("actor_kind", TEXT, nullable=False),
    Column("actor_id", TEXT, nullable=False),
    Column("actor_name", TEXT, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("counts", TEXT, nullable=False),
    Column("finished_us", BigInteger),
    Column("swept_us", BigInteger),
)


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind)
    op.add_column("keys", Column("pepper", TEXT))
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0006_erasure.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
