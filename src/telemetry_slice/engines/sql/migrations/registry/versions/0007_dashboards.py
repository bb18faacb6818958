"""Dashboards, their versions and links; rights and walls are in `../postgresql/0007_dashboards.sql`."""

from pathlib import Path

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

# What is referred to, as far as is needed; made by the first revision.
Table("tenants", metadata, Column("tenant_no", Integer, primary_key=True))


def _of_a_dashboard() -> ForeignKeyConstraint:
    there = ["dashboards.tenant_no", "dashboards.dashboard_id"]
    return ForeignKeyConstraint(["tenant_no", "dashboard_id"], there, ondelete="CASCADE")


dashboards = Table(
    "dashboards",
    metadata,
    Column("tenant_no", ForeignKey("tenants.tenant_no", ondelete="CASCADE"), primary_key=True),
    Column("dashboard_id", TEXT, primary_key=True),
    Column("visible_to", TEXT, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)
dashboard_versions = Table(
    "dashboard_versions",
    metadata,
    Column("tenant_no", Integer, primary_key=True),
    Column("dashboard_id", TEXT, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("document", TEXT, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("changed_by", TEXT, nullable=False),
    _of_a_dashboard(),
)
dashboard_links = Table(
    "dashboard_links",
    metadata,
    Column("link_id", TEXT, primary_key=True),
    Column("tenant_no", Integer, nullable=False),
    Column("dashboard_id", TEXT, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("name", TEXT, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("created_by", TEXT, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    Column("last_used_us", BigInteger),
    _of_a_dashboard(),
    Index(None, "tenant_no", "dashboard_id"),
)


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind, tables=[dashboards, dashboard_versions, dashboard_links])
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0007_dashboards.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
