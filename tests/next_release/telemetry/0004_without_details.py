"""Made up for tests: takes away what the release before the last one reads."""

from alembic import op

from telemetry_slice.engines.sql.migrate import refuse_while_needed

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    refuse_while_needed(op.get_bind(), "telemetry", "0003")
    op.execute("DELETE FROM backfills WHERE name = 'fill_notes'")
    op.execute("DROP FUNCTION fill_notes(integer)")
    op.execute("DROP POLICY filling ON dead_letters")
    op.execute("ALTER TABLE dead_letters DROP COLUMN detail")
