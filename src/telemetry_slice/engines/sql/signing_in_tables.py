"""The tables of the registry about signing in; the revision `0002` creates the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table

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
