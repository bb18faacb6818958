"""The tables of telemetry, as reads see them on every dialect; the migrations create them.

`telemetry_events` is one row per measurement. Numbers and booleans (0, 1) are in `number`, strings in `text`; the
series tells which. `event_text` is the event id where the key does not tell it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, SmallInteger, Table, Text

telemetry_metadata = MetaData()

series = Table(
    "series",
    telemetry_metadata,
    Column("series_id", Integer, primary_key=True),
    Column("tenant_no", Integer, nullable=False),
    Column("device_no", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("unit", Text),
    Column("kind", SmallInteger, nullable=False),
)

series_latest = Table(
    "series_latest",
    telemetry_metadata,
    Column("series_id", Integer, primary_key=True),
    Column("tenant_no", Integer, nullable=False),
    Column("device_no", Integer, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("event_key", LargeBinary(16), nullable=False),
    Column("number", Double),
    Column("text", Text),
    Column("received_us", BigInteger, nullable=False),
)

telemetry_events = Table(
    "telemetry_events",
    telemetry_metadata,
    Column("tenant_no", Integer, nullable=False),
    Column("series_id", Integer, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("event_key", LargeBinary(16), nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("stored_us", BigInteger, nullable=False),
    Column("number", Double),
    Column("text", Text),
    Column("event_text", Text),
)

dead_letters = Table(
    "dead_letters",
    telemetry_metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_no", Integer, nullable=False),
    Column("event_key", LargeBinary(16), nullable=False),
    Column("meaning", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("event_text", Text),
    Column("device_id", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
)
