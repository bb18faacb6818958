"""Open sign-ins, one-time links, keys of access tokens; rights and walls: `../postgresql/0003_signing_in.sql`."""

from pathlib import Path

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

# What is referred to, as far as is needed; made by the first revision.
Table("accounts", metadata, Column("user_id", TEXT, primary_key=True))
Table("tenants", metadata, Column("tenant_no", Integer, primary_key=True))

sign_ins = Table(
    "sign_ins",
    metadata,
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
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kid", TEXT, nullable=False),
    Column("sealed", TEXT, nullable=False),
    Column("signs_from_us", BigInteger, nullable=False),
)

links = Table(
    "links",
    metadata,
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
    metadata,
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", TEXT, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    # The time step whose code was taken last: none is taken twice.
    Column("last_step", BigInteger, nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), primary_key=True),
    Column("code", LargeBinary(32), primary_key=True),
)

TABLES = [sign_ins, signing_keys, links, second_factors, recovery_codes]


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind, tables=TABLES)
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0003_signing_in.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
