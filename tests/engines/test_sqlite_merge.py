"""The merge of recent rows against appends and retention in between, at every place where it may stand."""

from __future__ import annotations

import os
import struct

import pytest

from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sqlite import merge
from telemetry_slice.engines.sqlite.child import Child
from telemetry_slice.engines.sqlite.frames import decode_request, encode_append, encode_plain, request_frame
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.model.events import EventBatch, Kind, Message, TenantNo

T0 = 1_790_000_000_000_000
OLD = T0 - 10**12
SERIES = 5


class Store:
    """A writer child's insides, stepped by hand."""

    def __init__(self, folder):
        self.path = folder / "telemetry.db"
        database = open_database(self.path, name="merge")
        upgrade(database.writer, "telemetry")
        database.writer.dispose()
        database.reader.dispose()
        self.incarnation, self.sequence, self.count = os.urandom(16), 0, 0
        self.child = Child(self.path, 1_000)
        self.stored = set()

    def call(self, operation, arguments):
        self.child.answer(decode_request(request_frame(1, operation, arguments)[4:]))

    def append(self, rows, start_us):
        """One reading of every series in turn."""
        batch = EventBatch(TenantNo(1), T0)
        for _ in range(rows):
            self.count += 1
            key = struct.pack(">QQ", 7, self.count)
            batch.keys.append(key)
            batch.texts.append(None)
            batch.devices.append(self.count % SERIES + 1)
            batch.device_ids.append(f"dev-{self.count % SERIES}")
            batch.recorded_us.append(start_us + self.count)
            batch.meanings.append(self.count)
            batch.measurements.append((("temperature", "C", int(Kind.NUMBER), float(self.count)),))
            if start_us >= T0:
                self.stored.add(key)
        batch.total = batch.minute_total = self.count
        self.sequence += 1
        message = Message(self.incarnation, self.sequence, (batch,))
        self.call("append", encode_append([message], commit=True))

    def kept(self):
        found = self.child._connection.execute("SELECT event_key FROM telemetry_events").fetchall()
        assert len(found) == len({key for (key,) in found})
        return {key for (key,) in found}

    def tidy_until(self, reached):
        for _ in range(100_000):
            if reached():
                return
            self.child.tidy(idle=True)
        raise AssertionError("the merge did not come there")

    def restart(self):
        self.child.close()
        self.child = Child(self.path, 1_000)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "STEP_ROWS", 100)
    monkeypatch.setattr(merge, "DROP_ROWS", 150)
    made = Store(tmp_path)
    yield made
    made.child.close()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("steps", range(10))
def test_rows_that_arrive_after_retention_took_the_newest_of_a_merge_stay(store, steps, restarted):
    store.append(600, T0)
    store.append(20, OLD)
    merger = store.child._merger
    store.tidy_until(lambda: merger.active)
    for _ in range(steps):
        if merger.active:
            merger.step()
    if restarted:
        store.restart()
    # The rows with the highest numbers go, and others arrive while the merge is under way.
    store.call("expire", encode_plain((T0, None)))
    store.append(20, T0)
    assert store.kept() == store.stored
    store.tidy_until(lambda: not store.child._merger.active)
    assert store.kept() == store.stored
    assert len(store.stored) == 620


def test_the_newest_of_each_series_is_the_newest_of_what_was_merged(store):
    # The same moment with a greater key, then an older one: neither order of arrival nor of keys alone decides.
    for start_us in (T0 + 1_000, T0 + 2_000, T0):
        store.append(600, start_us)
        store.tidy_until(lambda: store.child._merger.active)
        store.tidy_until(lambda: not store.child._merger.active)
    latest = store.child._connection.execute("SELECT series_id, recorded_us, number FROM series_latest").fetchall()
    newest = store.child._connection.execute(
        "SELECT series_id, recorded_us, number FROM (SELECT *, row_number() OVER (PARTITION BY series_id"
        " ORDER BY recorded_us DESC, event_key DESC) AS place FROM telemetry_events) WHERE place=1 ORDER BY series_id"
    ).fetchall()
    assert sorted(latest) == newest
    assert len(newest) == SERIES
