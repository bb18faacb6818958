"""Made up for tests, and as a revision should be: it adds, locks nothing for long, and leaves rows to a backfill."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

POSTGRESQL = """
ALTER TABLE dead_letters ADD COLUMN note text COLLATE "C";
CREATE TABLE notices (
    notice_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant_no integer NOT NULL,
    body text NOT NULL
);
ALTER TABLE notices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api ON notices TO tslice_api
    USING (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int))
    WITH CHECK (tenant_no = (SELECT NULLIF(current_setting('app.tenant', true), '')::int));
CREATE POLICY filling ON dead_letters TO tslice_owner USING (true) WITH CHECK (true);
CREATE FUNCTION fill_notes(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    filled integer;
BEGIN
    UPDATE dead_letters d SET note = d.reason
    WHERE d.id = ANY (ARRAY(SELECT o.id FROM dead_letters o WHERE o.note IS NULL LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS filled = ROW_COUNT;
    RETURN filled;
END
$$;
REVOKE ALL ON FUNCTION fill_notes(integer) FROM PUBLIC;
INSERT INTO backfills (name) VALUES ('fill_notes');
"""


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        op.execute("ALTER TABLE dead_letters ADD COLUMN note TEXT")
        return
    bind.exec_driver_sql(POSTGRESQL, execution_options={"no_parameters": True})
    with op.get_context().autocommit_block():
        # An earlier attempt may have left it unfinished.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS dead_letters_note")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS dead_letters_note ON dead_letters (note)")
