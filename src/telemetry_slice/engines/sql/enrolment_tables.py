"""The table of enrolment tokens; the revision `0005` creates the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table

from .registry_tables import registry_metadata
from .types import TEXT

enrolment_tokens = Table(
    "enrolment_tokens",
    registry_metadata,
    Column("token_id", TEXT, primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("name", TEXT, nullable=False),
    # What devices get that register with it; tags one a line.
    Column("prefix", TEXT, nullable=False),
    Column("location", TEXT, nullable=False),
    Column("tags", TEXT, nullable=False),
    Column("key_life_us", BigInteger),
    Column("max_uses", Integer, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    Column("last_used_us", BigInteger),
    Index(None, "tenant_no"),
)
