"""Erasing a tenant's telemetry; PostgreSQL's function is in `../postgresql/0002_erasing.sql`. SQLite needs nothing."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0002_erasing.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
