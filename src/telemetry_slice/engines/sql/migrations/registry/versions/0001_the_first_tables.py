"""The first tables of the registry."""

from alembic import op
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
    Text,
    UniqueConstraint,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

tenants = Table(
    "tenants",
    metadata,
    Column("tenant_no", Integer, primary_key=True),
    Column("tenant_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("auto_register", Boolean, nullable=False),
    Column("key_per_second", Integer),
    Column("tenant_per_second", Integer),
    Column("key_events_per_second", Integer),
    Column("tenant_events_per_second", Integer),
    Column("created_us", BigInteger, nullable=False),
    # Numbers are in the events for good: none is given out twice.
    sqlite_autoincrement=True,
)

devices = Table(
    "devices",
    metadata,
    Column("device_no", Integer, primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no"), nullable=False),
    Column("device_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("location", Text, nullable=False),
    # Id, label and location, case-folded: the databases fold beyond ASCII each in its own way, or not at all.
    Column("search", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("deleted_us", BigInteger),
    UniqueConstraint("tenant_no", "device_id"),
    sqlite_autoincrement=True,
)

device_tags = Table(
    "device_tags",
    metadata,
    Column("device_no", ForeignKey("devices.device_no", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("tag", Text, nullable=False),
    Index(None, "tag"),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no"), nullable=False),
    Column("device_no", ForeignKey("devices.device_no")),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("addresses", Text, nullable=False),
    Column("mac", LargeBinary(32), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
    Column("last_used_us", BigInteger),
    Index(None, "tenant_no", "device_no"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_folded", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("platform_admin", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no"), primary_key=True),
    Column("role", Text, nullable=False),
    Index(None, "tenant_no"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("used", Boolean, nullable=False),
    Index(None, "family"),
    Index(None, "user_id"),
    Index(None, "expires_us"),
)

first_run_offers = Table(
    "first_run_offers",
    metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("expires_us", BigInteger, nullable=False),
)


def upgrade() -> None:
    metadata.create_all(op.get_bind())
