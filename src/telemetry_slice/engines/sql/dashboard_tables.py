"""The tables of dashboards; the revision `0007` creates the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Index, Integer, LargeBinary, Table

from .registry_tables import registry_metadata
from .types import TEXT

dashboards = Table(
    "dashboards",
    registry_metadata,
    Column("tenant_no", ForeignKey("tenants.tenant_no", ondelete="CASCADE"), primary_key=True),
    Column("dashboard_id", TEXT, primary_key=True),
    Column("visible_to", TEXT, nullable=False),
    # The newest one, whose row has the name and the document.
    Column("version", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

dashboard_versions = Table(
    "dashboard_versions",
    registry_metadata,
    Column("tenant_no", Integer, primary_key=True),
    Column("dashboard_id", TEXT, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("document", TEXT, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("changed_by", TEXT, nullable=False),
    ForeignKeyConstraint(
        ["tenant_no", "dashboard_id"], ["dashboards.tenant_no", "dashboards.dashboard_id"], ondelete="CASCADE"
    ),
)

dashboard_links = Table(
    "dashboard_links",
    registry_metadata,
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
    ForeignKeyConstraint(
        ["tenant_no", "dashboard_id"], ["dashboards.tenant_no", "dashboards.dashboard_id"], ondelete="CASCADE"
    ),
    Index(None, "tenant_no", "dashboard_id"),
)
