"""Ranges, pages and their cursors, resolution, the choice of a series: flow.query over the real reads."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from telemetry_slice.engines.inprocess import LocalCache
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.flow.query import (
    EXPORT_CHUNK,
    LADDER_S,
    MAX_BUCKETS_AT_ONCE,
    WEEK_S,
    Asked,
    Query,
    bucket_width_s,
    is_settled,
)
from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.series import TimeRange
from telemetry_slice.model.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US

NOW_US = 1_780_000_000_000_000


@given(st.integers(0, 10**15), st.integers(1, 10**16), st.integers(1, 2000))
def test_bucket_edges_cover_the_range_exactly_once(start, length, points):
    span = TimeRange(start, start + length)
    width_us = bucket_width_s(span, points) * SECOND_US
    edges = [*range(span.from_us, span.to_us, width_us)]
    assert len(edges) <= points
    assert edges[0] == span.from_us
    assert edges[-1] < span.to_us <= edges[-1] + width_us


@given(st.integers(1, 10**16), st.integers(1, 2000))
def test_the_width_is_round_and_the_narrowest_that_fits(length, points):
    width_s = bucket_width_s(TimeRange(0, length), points)
    narrower = [w for w in LADDER_S if w < width_s]
    if width_s > LADDER_S[-1]:
        assert width_s % WEEK_S == 0
        narrower.append(width_s - WEEK_S)
    else:
        assert width_s in LADDER_S
    assert all(w * SECOND_US * points < length for w in narrower)


def test_settled_means_beyond_the_late_window_or_seen_from_the_past():
    def settled(to_us, as_of_us=None):
        return is_settled(TimeRange(0, to_us, as_of_us), NOW_US)

    assert settled(NOW_US - DAY_US)
    assert not settled(NOW_US - DAY_US + 1)
    assert not settled(NOW_US + DAY_US)
    assert settled(NOW_US, NOW_US - MINUTE_US)
    assert not settled(NOW_US, NOW_US - SECOND_US)


def test_a_range_defaults_to_the_last_day_and_names_the_end_that_is_wrong():
    assert Asked().span(NOW_US) == TimeRange(NOW_US - DAY_US, NOW_US, None)
    assert Asked(to_us=50).span(NOW_US) == TimeRange(50 - DAY_US, 50)
    assert Asked(from_us=NOW_US - 5, as_of_us=9).span(NOW_US) == TimeRange(NOW_US - 5, NOW_US, 9)
    for asked in (Asked(from_us=NOW_US), Asked(5, 5), Asked(6, 5)):
        with pytest.raises(SliceError) as refusal:
            asked.span(NOW_US)
        assert [field.pointer for field in refusal.value.fields] == ["from"]


class Telemetry:
    """Rows put into telemetry.db with SQL."""

    def __init__(self, folder):
        database = open_database(folder / "telemetry.db", name="telemetry", readers=2)
        upgrade(database.writer, "telemetry")
        self.writer, self.reader = database.writer, database.reader
        self.readers = Readers(self.reader)

    def put(self, tenant, device, type_, unit, points, kind=0):
        """`points` is (recorded_us, value), each an event of its own."""
        column = "text" if kind == 2 else "number"
        with self.writer.begin() as connection:
            found = connection.execute(
                text("INSERT INTO series VALUES (NULL, :t, :d, :type, :unit, :kind) RETURNING series_id"),
                {"t": tenant.no, "d": device.no, "type": type_, "unit": unit, "kind": kind},
            )
            series_id = found.scalar_one()
            rows = [
                {"t": tenant.no, "s": series_id, "at": at, "key": uuid.uuid4().bytes, "value": value}
                for at, value in points
            ]
            connection.execute(
                text(
                    "INSERT INTO telemetry_recent (tenant_no, series_id, recorded_us, event_key, received_us,"
                    f" stored_us, {column}) VALUES (:t, :s, :at, :key, :at, :at, :value)"
                ),
                rows,
            )
            connection.execute(
                text(
                    f"INSERT INTO series_merged (series_id, tenant_no, device_no, recorded_us, event_key, {column},"
                    " received_us) VALUES (:s, :t, :d, :at, :key, :value, :at)"
                ),
                {**max(rows, key=lambda row: row["at"]), "d": device.no},
            )

    def close(self):
        self.readers.close()
        self.reader.dispose()
        self.writer.dispose()


@pytest.fixture
def telemetry(tmp_path):
    opened = Telemetry(tmp_path)
    yield opened
    opened.close()


def forgetful():
    """A cache with a clock of its own, on which every answer is old: what is stored here is read at once."""
    return LocalCache(now_s=itertools.count(0, 1_000_000).__next__)


@pytest.fixture
def query(telemetry, registry, clock):
    clock.us = NOW_US
    return Query(SqlTelemetry(telemetry.readers), registry.devices, clock, b"secret" * 6, forgetful())


@pytest.fixture
async def boiler(registry, acme):
    return await registry.devices.create(acme.no, "boiler/3", label="", location="", tags=())


async def refused(asking):
    with pytest.raises(SliceError) as refusal:
        await asking
    return refusal.value.code, [field.pointer for field in refusal.value.fields]


async def test_a_foreign_an_unknown_and_a_deleted_device_are_not_found(query, registry, acme, beta, boiler):
    for tenant, device_id in ((beta, "boiler/3"), (acme, "nobody")):
        asks = [
            query.readings(tenant, device_id, Asked(), types=None, descending=False, limit=5, cursor=None),
            query.whole_events(tenant, device_id, Asked(), descending=False, limit=5, cursor=None),
            query.series(tenant, device_id, Asked(), type_="t", unit=None, points=9),
            query.insights(tenant, device_id, 24),
            query.types(tenant, device_id),
            query.export(tenant, device_id, Asked(), types=None),
        ]
        for ask in asks:
            assert (await refused(ask))[0] == Code.NOT_FOUND
        for many in (
            query.many_latest(tenant, [device_id], None),
            query.many_series(tenant, [device_id], ["t"], Asked(), 9),
        ):
            assert await refused(many) == (Code.NOT_FOUND, ["/devices/0"])
    await registry.devices.delete(acme.no, "boiler/3")
    assert (await refused(query.types(acme, "boiler/3")))[0] == Code.NOT_FOUND
    assert (await refused(query.many_latest(acme, ["boiler/3"], None)))[0] == Code.NOT_FOUND


async def test_a_cursor_goes_on_in_the_same_range_and_nowhere_else(
    query, telemetry, registry, acme, beta, boiler, clock
):
    telemetry.put(acme, boiler, "t", "C", [(NOW_US - n * SECOND_US, n) for n in range(1, 11)])
    await registry.devices.create(acme.no, "other", label="", location="", tags=())
    await registry.devices.create(beta.no, "boiler/3", label="", location="", tags=())

    def page(cursor, tenant=acme, device="boiler/3", asked=Asked(), **options):  # noqa: B008
        settings = {"types": None, "descending": False, "limit": 4} | options
        return query.readings(tenant, device, asked, cursor=cursor, **settings)

    first, cursor = await page(None)
    # Time goes on and with it the default range; the cursor keeps the range of the first page.
    clock.advance(DAY_US / SECOND_US)
    telemetry.put(acme, boiler, "later", "C", [(NOW_US + 5, 0.0)])
    second, cursor_2 = await page(cursor, limit=5)
    third, end = await page(cursor_2)
    assert [r.value for r in (*first, *second, *third)] == list(range(10, 0, -1))
    assert end is None
    span = Asked(NOW_US - DAY_US, NOW_US)
    assert (await page(cursor, asked=span))[0] == (await page(cursor))[0]

    for strange in (
        page(cursor, tenant=beta),
        page(cursor, device="other"),
        page(cursor, types=["t"]),
        page(cursor, descending=True),
        page(cursor, asked=Asked(from_us=5)),
        page(cursor, asked=Asked(as_of_us=5)),
        page(cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")),
        page("é"),
        page(""),
        query.whole_events(acme, "boiler/3", Asked(), descending=False, limit=4, cursor=cursor),
    ):
        assert await refused(strange) == (Code.INVALID, ["cursor"])


async def test_pages_of_whole_events_resume_too(query, telemetry, acme, boiler):
    telemetry.put(acme, boiler, "t", "C", [(NOW_US - n, n) for n in range(1, 8)])
    found, cursor = [], None
    while True:
        page, cursor = await query.whole_events(acme, "boiler/3", Asked(), descending=True, limit=3, cursor=cursor)
        found += page
        if cursor is None:
            break
    assert [event.measurements[0][3] for event in found] == [1, 2, 3, 4, 5, 6, 7]


async def test_several_units_of_one_type_ask_for_the_unit_and_list_them(query, telemetry, acme, boiler):
    for unit, value in (("C", 1.0), ("F", 2.0), (None, 3.0)):
        telemetry.put(acme, boiler, "t", unit, [(NOW_US - HOUR_US, value)])

    def series(unit, type_="t"):
        return query.series(acme, "boiler/3", Asked(), type_=type_, unit=unit, points=100)

    with pytest.raises(SliceError) as refusal:
        await series(None)
    assert [field.pointer for field in refusal.value.fields] == ["unit"]
    assert '"", "C", "F"' in refusal.value.detail
    for unit, kept, value in (("C", "C", 1.0), ("F", "F", 2.0), ("", None, 3.0)):
        answer = await series(unit)
        assert (answer.unit, [b.avg for b in answer.buckets]) == (kept, [value])
    for nothing in (await series("K"), await series(None, "unknown")):
        assert list(nothing.buckets) == []


async def test_numbers_are_meant_where_a_type_also_has_texts(query, telemetry, acme, boiler):
    telemetry.put(acme, boiler, "t", None, [(NOW_US - HOUR_US, "broken")], kind=2)
    telemetry.put(acme, boiler, "t", None, [(NOW_US - HOUR_US - 1, 4.0)])
    answer = await query.series(acme, "boiler/3", Asked(), type_="t", unit=None, points=9)
    assert [(b.count, b.avg, b.last) for b in answer.buckets] == [(1, 4.0, 4.0)]
    [insight] = await query.insights(acme, "boiler/3", 24)
    assert (insight.count, insight.latest, insight.avg) == (2, "broken", 4.0)


async def test_a_chart_that_ends_now_has_buckets_on_whole_seconds(query, telemetry, acme, boiler, clock):
    clock.us = NOW_US + 123_456
    telemetry.put(acme, boiler, "t", None, [(NOW_US, 4.0)])
    answer = await query.series(acme, "boiler/3", Asked(), type_="t", unit=None, points=300)
    assert answer.span == TimeRange(NOW_US + SECOND_US - DAY_US, NOW_US + SECOND_US)
    assert (answer.bucket_s, answer.settled) == (300, False)
    assert [b.start_us % SECOND_US for b in answer.buckets] == [0]


async def test_many_series_and_last_values_at_once(query, telemetry, registry, acme, boiler):
    pump = await registry.devices.create(acme.no, "pump", label="", location="", tags=())
    telemetry.put(acme, boiler, "t", "C", [(NOW_US - 5, 1.0)])
    telemetry.put(acme, boiler, "t", "F", [(NOW_US - 5, 2.0)])
    telemetry.put(acme, boiler, "on", None, [(NOW_US - 5, 1.0)], kind=1)
    telemetry.put(acme, pump, "t", "C", [(NOW_US - 5, 3.0)])
    found = await query.many_series(acme, ["pump", "boiler/3", "pump"], ["t", "none"], Asked(), 10)
    assert [(s.device_id, s.type, s.unit, s.buckets[0].avg) for s in found] == [
        ("pump", "t", "C", 3.0),
        ("boiler/3", "t", "C", 1.0),
        ("boiler/3", "t", "F", 2.0),
    ]
    assert len({s.span for s in found}) == 1
    latest = await query.many_latest(acme, ["boiler/3", "pump"], None)
    assert [(d.id, v.type, v.unit, v.value) for d, v in latest] == [
        ("boiler/3", "on", None, True),
        ("boiler/3", "t", "C", 1.0),
        ("boiler/3", "t", "F", 2.0),
        ("pump", "t", "C", 3.0),
    ]
    assert [d.id for d, _ in await query.many_latest(acme, ["boiler/3", "pump"], ["on"])] == ["boiler/3"]
    few = query.many_series(acme, ["pump", "boiler/3"], ["t"], Asked(), MAX_BUCKETS_AT_ONCE)
    assert await refused(few) == (Code.INVALID, ["/points"])
    for number in range(101):
        telemetry.put(acme, pump, f"x{number}", None, [(NOW_US - 5, 1.0)])
    lots = query.many_series(acme, ["pump"], [f"x{number}" for number in range(101)], Asked(), 1)
    assert await refused(lots) == (Code.INVALID, ["/devices"])


async def test_an_export_is_every_reading_in_chunks(query, telemetry, acme, boiler):
    count = 2 * EXPORT_CHUNK + 7
    telemetry.put(acme, boiler, "t", "C", [(NOW_US - n * 1000, n) for n in range(1, count + 1)])
    telemetry.put(acme, boiler, "u", "C", [(NOW_US - 1, 0.0)])
    chunks = [chunk async for chunk in await query.export(acme, "boiler/3", Asked(), types=["t"])]
    assert max(map(len, chunks)) == EXPORT_CHUNK
    assert [r.value for chunk in chunks for r in chunk] == list(range(count, 0, -1))
    assert [chunk async for chunk in await query.export(acme, "boiler/3", Asked(1, 2), types=None)] == []


async def test_series_insights_and_types_are_read_once_for_all_who_ask_within_a_second(
    telemetry, registry, clock, acme, boiler
):
    clock.us = NOW_US
    now_s = [0.0]
    cache = LocalCache(now_s=lambda: now_s[0])

    reads = Counter()

    class Counting(SqlTelemetry):
        async def types(self, *asked):
            reads["types"] += 1
            return await super().types(*asked)

        async def buckets(self, *asked):
            reads["buckets"] += 1
            return await super().buckets(*asked)

        async def insights(self, *asked):
            reads["insights"] += 1
            return await super().insights(*asked)

    query = Query(Counting(telemetry.readers), registry.devices, clock, b"secret" * 6, cache)
    old = Asked(NOW_US - 3 * DAY_US, NOW_US - 2 * DAY_US)
    points = [(NOW_US - 5 * SECOND_US, 1.0), (NOW_US - 2 * DAY_US - SECOND_US, 2.0)]
    telemetry.put(acme, boiler, "t", "C", points)

    async def ask(asked):
        answers = []
        for _ in range(3):
            answer = await query.series(acme, boiler.id, asked, type_="t", unit=None, points=10)
            answers.append([bucket.last for bucket in answer.buckets])
            await query.insights(acme, boiler.id, 24)
        assert answers[0] == answers[1] == answers[2]
        return answers[0]

    assert await ask(Asked()) == [1.0]
    assert await ask(old) == [2.0]
    assert reads == {"types": 1, "buckets": 2, "insights": 1}
    now_s[0] = 1.5
    await ask(Asked())
    await ask(old)
    # The range that ended long ago is kept longer.
    assert reads == {"types": 2, "buckets": 3, "insights": 2}
    now_s[0] = 301.0
    await ask(old)
    assert reads["buckets"] == 4
    cache.forget(acme.no)
    await ask(old)
    assert reads["buckets"] == 5


async def test_what_was_read_before_a_range_settled_is_not_kept_as_settled(telemetry, registry, clock, acme, boiler):
    cache = LocalCache(now_s=lambda: 0.0)
    query = Query(SqlTelemetry(telemetry.readers), registry.devices, clock, b"secret" * 6, cache)
    telemetry.put(acme, boiler, "t", "C", [(NOW_US - 1, 1.0)])
    answers = []
    for late_s in (-1, 1):
        clock.us = NOW_US + DAY_US + late_s * SECOND_US
        asked = Asked(NOW_US - HOUR_US, NOW_US)
        answer = await query.series(acme, boiler.id, asked, type_="t", unit=None, points=10)
        answers.append((answer.settled, [bucket.last for bucket in answer.buckets]))
        with telemetry.writer.begin() as connection:
            connection.execute(text("UPDATE telemetry_recent SET number = 7"))
    assert answers == [(False, [1.0]), (True, [7.0])]
