"""The tables of telemetry, as reads see them on every dialect; the migrations create them.

`telemetry_events` is one row per measurement. Numbers and booleans (0, 1) are in `number`, strings in `text`; the
series tells which. `event_text` is the event id where the key does not tell it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, SmallInteger, Table

from .types import EVENT_KEY, TEXT

telemetry_metadata = MetaData()

series = Table(
    "series",
    telemetry_metadata,
    Column("series_id", Integer, primary_key=True),
    Column("tenant_no", Integer, nullable=False),
    Column("device_no", Integer, nullable=False),
    Column("type", TEXT, nullable=False),
    Column("unit", TEXT),
    Column("kind", SmallInteger, nullable=False),
)

series_latest = Table(
    "series_latest",
    telemetry_metadata,
    Column("series_id", Integer, primary_key=True),
    Column("tenant_no", Integer, nullable=False),
    Column("device_no", Integer, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("event_key", EVENT_KEY, nullable=False),
    Column("number", Double),
    Column("text", TEXT),
    Column("received_us", BigInteger, nullable=False),
)

telemetry_events = Table(
    "telemetry_events",
    telemetry_metadata,
    Column("tenant_no", Integer, nullable=False),
    Column("series_id", Integer, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("event_key", EVENT_KEY, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("stored_us", BigInteger, nullable=False),
    Column("number", Double),
    Column("text", TEXT),
    Column("event_text", TEXT),
)

dead_letters = Table(
    "dead_letters",
    telemetry_metadata,
    Column("id", BigInteger, primary_key=True),
    Column("tenant_no", Integer, nullable=False),
    Column("event_key", EVENT_KEY, nullable=False),
    Column("meaning", BigInteger, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("detail", TEXT, nullable=False),
    Column("event_text", TEXT),
    Column("device_id", TEXT, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("body", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
)
