"""The tables of the registry; `migrations/registry` creates the same."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from .types import TEXT

registry_metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

tenants = Table(
    "tenants",
    registry_metadata,
    Column("tenant_no", Integer, primary_key=True),
    Column("tenant_id", TEXT, nullable=False, unique=True),
    Column("name", TEXT, nullable=False),
    Column("auto_register", Boolean, nullable=False),
    Column("key_per_second", Integer),
    Column("tenant_per_second", Integer),
    Column("key_events_per_second", Integer),
    Column("tenant_events_per_second", Integer),
    Column("created_us", BigInteger, nullable=False),
    # Where its telemetry lies; both NULL: in the shared tables.
    Column("placement_schema", TEXT),
    Column("placement_database", TEXT),
    # Why nothing is taken from its senders; NULL while it is.
    Column("suspended", TEXT),
    # Numbers are in the events for good: none is given out twice.
    sqlite_autoincrement=True,
)

devices = Table(
    "devices",
    registry_metadata,
    Column("device_no", Integer, primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no"), nullable=False),
    Column("device_id", TEXT, nullable=False),
    Column("label", TEXT, nullable=False),
    Column("location", TEXT, nullable=False),
    # Id, label and location, case-folded: the databases fold beyond ASCII each in its own way, or not at all.
    Column("search", TEXT, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("deleted_us", BigInteger),
    UniqueConstraint("tenant_no", "device_id"),
    sqlite_autoincrement=True,
)

device_tags = Table(
    "device_tags",
    registry_metadata,
    Column("device_no", ForeignKey("devices.device_no", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("tag", TEXT, nullable=False),
    Index(None, "tag"),
)

keys = Table(
    "keys",
    registry_metadata,
    Column("key_id", TEXT, primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no"), nullable=False),
    Column("device_no", ForeignKey("devices.device_no")),
    Column("kind", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("scopes", TEXT, nullable=False),
    Column("addresses", TEXT, nullable=False),
    Column("mac", LargeBinary(32), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
    Column("last_used_us", BigInteger),
    Column("last_address", TEXT),
    # The key that follows it, once there is one.
    Column("replaced_by", TEXT),
    # When its tenant was told that it ends soon.
    Column("warned_us", BigInteger),
    # The name of the pepper under which `mac` was made; NULL: that of the first release.
    Column("pepper", TEXT),
    Index(None, "tenant_no", "device_no"),
)

accounts = Table(
    "accounts",
    registry_metadata,
    Column("user_id", TEXT, primary_key=True),
    Column("email", TEXT, nullable=False),
    Column("email_folded", TEXT, nullable=False, unique=True),
    Column("name", TEXT, nullable=False),
    Column("password", TEXT, nullable=False),
    Column("platform_admin", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

memberships = Table(
    "memberships",
    registry_metadata,
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no"), primary_key=True),
    Column("role", TEXT, nullable=False),
    Index(None, "tenant_no"),
)

sessions = Table(
    "sessions",
    registry_metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("family", TEXT, nullable=False),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", TEXT),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("used", Boolean, nullable=False),
    Index(None, "family"),
    Index(None, "user_id"),
    Index(None, "expires_us"),
)

first_run_offers = Table(
    "first_run_offers",
    registry_metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("expires_us", BigInteger, nullable=False),
)
