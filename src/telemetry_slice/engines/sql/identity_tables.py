"""The tables of the registry about people who sign in with a provider; the revision `0004` creates the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table

from .registry_tables import registry_metadata
from .types import TEXT

identities = Table(
    "identities",
    registry_metadata,
    Column("issuer", TEXT, primary_key=True),
    Column("subject", TEXT, primary_key=True),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Index(None, "user_id"),
)

provided_sign_ins = Table(
    "provided_sign_ins",
    registry_metadata,
    Column("family", ForeignKey("sign_ins.family", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), nullable=False),
    Column("provider", TEXT, nullable=False),
    # The provider's name for its own session.
    Column("session", TEXT),
    # The id token, as a JWE under a key that the installation's pepper makes.
    Column("sealed", TEXT, nullable=False),
    Index(None, "user_id"),
    Index(None, "provider", "session"),
)
