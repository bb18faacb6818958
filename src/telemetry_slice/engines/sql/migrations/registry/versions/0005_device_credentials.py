"""Enrolment tokens, and more about keys; rights and walls are in `../postgresql/0005_device_credentials.sql`."""

from pathlib import Path

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

revision = "0005"
down_revision = "0004"
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
Table("tenants", metadata, Column("tenant_no", Integer, primary_key=True))

enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
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


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind, tables=[enrolment_tokens])
    op.add_column("keys", Column("last_address", TEXT))
    op.add_column("keys", Column("replaced_by", TEXT))
    op.add_column("keys", Column("warned_us", BigInteger))
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0005_device_credentials.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
