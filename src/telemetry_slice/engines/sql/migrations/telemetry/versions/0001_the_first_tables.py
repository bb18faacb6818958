"""The first tables of telemetry; PostgreSQL's are in `../postgresql/0001.sql`.

On SQLite `telemetry_events` is a view over two tables: `telemetry_recent` takes rows in order of arrival (one hot
page), and `telemetry_sorted` holds them clustered by series and time (docs/adr/0007). Rows of a merge under way are in
both; `telemetry_merge` tells which of the two counts, and the newest stored_us that was merged. In the same way
`series_latest` is a view over `series_merged`, the newest of what was merged, and the recent rows.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW = """
    tenant_no INTEGER NOT NULL,
    series_id INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    event_key BLOB NOT NULL,
    received_us INTEGER NOT NULL,
    stored_us INTEGER NOT NULL,
    number REAL,
    text TEXT,
    event_text TEXT
"""
COLUMNS = "tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text"

STATEMENTS = (
    """CREATE TABLE series (
        series_id INTEGER PRIMARY KEY,
        tenant_no INTEGER NOT NULL,
        device_no INTEGER NOT NULL,
        type TEXT NOT NULL,
        unit TEXT,
        kind INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX series_identity ON series (tenant_no, device_no, type, ifnull(unit, char(0)), kind)",
    """CREATE TABLE series_merged (
        series_id INTEGER PRIMARY KEY,
        tenant_no INTEGER NOT NULL,
        device_no INTEGER NOT NULL,
        recorded_us INTEGER NOT NULL,
        event_key BLOB NOT NULL,
        number REAL,
        text TEXT,
        received_us INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX series_merged_device ON series_merged (tenant_no, device_no)",
    """CREATE TABLE event_ledger (
        tenant_no INTEGER NOT NULL,
        event_key BLOB NOT NULL,
        meaning INTEGER NOT NULL,
        PRIMARY KEY (tenant_no, event_key)
    ) STRICT, WITHOUT ROWID""",
    # A number once given is never given again: a merge under way knows its rows by theirs.
    f"CREATE TABLE telemetry_recent (row_no INTEGER PRIMARY KEY AUTOINCREMENT, {ROW}) STRICT",
    f"CREATE TABLE telemetry_sorted ({ROW}, PRIMARY KEY (series_id, recorded_us, event_key)) STRICT, WITHOUT ROWID",
    "CREATE TABLE telemetry_merge (upto INTEGER NOT NULL, cursor INTEGER NOT NULL, stored_us INTEGER NOT NULL) STRICT",
    "INSERT INTO telemetry_merge VALUES (0, 0, 0)",
    f"""CREATE VIEW telemetry_events AS
        SELECT {COLUMNS} FROM telemetry_sorted
        UNION ALL
        SELECT {COLUMNS} FROM telemetry_recent
        WHERE row_no > (SELECT upto FROM telemetry_merge) OR series_id > (SELECT cursor FROM telemetry_merge)""",
    """CREATE VIEW series_latest AS
        SELECT series_id, tenant_no, device_no, recorded_us, event_key, number, text, last_received_us AS received_us
        FROM (
            SELECT series_id, tenant_no, device_no, recorded_us, event_key, number, text,
                row_number() OVER newest AS place,
                max(received_us) OVER (PARTITION BY tenant_no, device_no, series_id) AS last_received_us
            FROM (
                SELECT series_id, tenant_no, device_no, recorded_us, event_key, number, text, received_us
                FROM series_merged
                UNION ALL
                SELECT r.series_id, r.tenant_no, s.device_no, r.recorded_us, r.event_key, r.number, r.text,
                    r.received_us
                FROM telemetry_recent r CROSS JOIN series s ON s.series_id = r.series_id
            )
            WINDOW newest AS (
                PARTITION BY tenant_no, device_no, series_id ORDER BY recorded_us DESC, event_key DESC
            )
        )
        WHERE place = 1""",
    """CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_no INTEGER NOT NULL,
        event_key BLOB NOT NULL,
        meaning INTEGER NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        event_text TEXT,
        device_id TEXT NOT NULL,
        received_us INTEGER NOT NULL,
        body TEXT NOT NULL,
        state TEXT NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX dead_letters_identity ON dead_letters (tenant_no, event_key, meaning, reason)",
    "CREATE INDEX dead_letters_open ON dead_letters (tenant_no, id) WHERE state <> 'replayed'",
    "CREATE INDEX dead_letters_dead ON dead_letters (tenant_no) WHERE state = 'dead'",
    """CREATE TABLE book_counts (
        tenant_no INTEGER NOT NULL,
        minute_us INTEGER NOT NULL,
        entry TEXT NOT NULL,
        code TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (tenant_no, minute_us, entry, code)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE book_totals (
        tenant_no INTEGER NOT NULL,
        entry TEXT NOT NULL,
        code TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (tenant_no, entry, code)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE gate_totals (
        tenant_no INTEGER NOT NULL,
        incarnation BLOB NOT NULL,
        total INTEGER NOT NULL,
        PRIMARY KEY (tenant_no, incarnation)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE gate_minutes (
        tenant_no INTEGER NOT NULL,
        minute_us INTEGER NOT NULL,
        incarnation BLOB NOT NULL,
        total INTEGER NOT NULL,
        PRIMARY KEY (tenant_no, minute_us, incarnation)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE message_claims (
        incarnation BLOB PRIMARY KEY,
        claimed INTEGER NOT NULL,
        ahead TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        script = Path(__file__).parents[1] / "postgresql" / "0001.sql"
        bind.exec_driver_sql(script.read_text(), execution_options={"no_parameters": True})
        return
    for statement in STATEMENTS:
        op.execute(statement)
