"""The tables of the registry about signing in; the revision `0002` creates the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table

from .registry_tables import registry_metadata
from .types import TEXT

sign_ins = Table(
    "sign_ins",
    registry_metadata,
    # Of the sessions that came of it.
    Column("family", TEXT, primary_key=True),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("last_used_us", BigInteger, nullable=False),
    Column("address", TEXT),
    Column("user_agent", TEXT),
    Index(None, "user_id"),
)

signing_keys = Table(
    "signing_keys",
    registry_metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kid", TEXT, nullable=False),
    # The private key, as a JWE under a key that the installation's pepper makes.
    Column("sealed", TEXT, nullable=False),
    Column("signs_from_us", BigInteger, nullable=False),
)

links = Table(
    "links",
    registry_metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("link_id", TEXT, nullable=False, unique=True),
    Column("kind", TEXT, nullable=False),
    Column("email", TEXT, nullable=False),
    Column("email_folded", TEXT, nullable=False),
    # Of an invitation, the tenant; of a reset, the person.
    Column("tenant_no", ForeignKey("tenants.tenant_no", ondelete="CASCADE")),
    Column("role", TEXT),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE")),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index(None, "tenant_no"),
    Index(None, "user_id"),
)

second_factors = Table(
    "second_factors",
    registry_metadata,
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", TEXT, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    # The time step whose code was taken last: none is taken twice.
    Column("last_step", BigInteger, nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    registry_metadata,
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), primary_key=True),
    Column("code", LargeBinary(32), primary_key=True),
)
