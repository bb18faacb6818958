"""Identities at providers, and the sign-ins that came of them; rights and walls: `../postgresql/0004_oidc.sql`."""

from pathlib import Path

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table, Text

revision = "0004"
down_revision = "0003"
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

# What is referred to, as far as is needed; made by earlier revisions.
Table("accounts", metadata, Column("user_id", TEXT, primary_key=True))
Table("sign_ins", metadata, Column("family", TEXT, primary_key=True))

identities = Table(
    "identities",
    metadata,
    Column("issuer", TEXT, primary_key=True),
    Column("subject", TEXT, primary_key=True),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Index(None, "user_id"),
)

provided_sign_ins = Table(
    "provided_sign_ins",
    metadata,
    Column("family", ForeignKey("sign_ins.family", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("accounts.user_id", ondelete="CASCADE"), nullable=False),
    Column("provider", TEXT, nullable=False),
    Column("session", TEXT),
    Column("sealed", TEXT, nullable=False),
    Index(None, "user_id"),
    Index(None, "provider", "session"),
)


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind, tables=[identities, provided_sign_ins])
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0004_oidc.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
