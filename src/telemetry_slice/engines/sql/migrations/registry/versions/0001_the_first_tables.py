"""The first tables of the registry; rights and walls on PostgreSQL are in `../postgresql/0001.sql`."""

from pathlib import Path

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

# In the order of code points, whatever the locale of the database.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")

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
    # Numbers are in the events for good: none is given out twice.
    sqlite_autoincrement=True,
)

devices = Table(
    "devices",
    metadata,
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
    metadata,
    Column("device_no", ForeignKey("devices.device_no", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("tag", TEXT, nullable=False),
    Index(None, "tag"),
)

keys = Table(
    "keys",
    metadata,
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
    Index(None, "tenant_no", "device_no"),
)

accounts = Table(
    "accounts",
    metadata,
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
    metadata,
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_no", ForeignKey("tenants.tenant_no"), primary_key=True),
    Column("role", TEXT, nullable=False),
    Index(None, "tenant_no"),
)

sessions = Table(
    "sessions",
    metadata,
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
    metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("expires_us", BigInteger, nullable=False),
)


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind)
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0001.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
