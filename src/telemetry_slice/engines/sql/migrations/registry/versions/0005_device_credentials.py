"""Where keys were used from, what follows them, who was warned; `../postgresql/0005_device_credentials.sql`."""

from pathlib import Path

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    bind = op.get_bind()
    op.add_column("keys", Column("last_address", TEXT))
    op.add_column("keys", Column("replaced_by", TEXT))
    op.add_column("keys", Column("warned_us", BigInteger))
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0005_device_credentials.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
