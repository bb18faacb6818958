"""Uniqueness over partitions: no event makes one, none is without one, and cutting them moves no wall."""

from datetime import UTC, datetime

import pytest

from telemetry_slice.engines.postgres.identity import PERMANENT, WEEK_MS, bucket_of
from telemetry_slice.model.events import Outcome, event_key
from telemetry_slice.model.times import DAY_US, to_us

YEAR_2099_US = to_us(datetime(2099, 5, 5, tzinfo=UTC))


def partitions(superuser):
    return sorted(
        name
        for (name,) in superuser.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent IN ('telemetry_events'::regclass, 'event_ledger'::regclass)"
        )
    )


def server_now_us(superuser):
    return superuser.execute("SELECT (extract(epoch FROM now()) * 1000000)::int8").fetchone()[0]


@pytest.mark.parametrize(
    ("event_id", "bucket"),
    [
        ("01900000-0000-7000-8000-000000000000", 0x019000000000 // WEEK_MS),
        ("01900000-0000-7000-b000-000000000000", 0x019000000000 // WEEK_MS),
        ("ffffffff-ffff-7fff-8fff-ffffffffffff", (2**48 - 1) // WEEK_MS),
        ("01900000-0000-4000-8000-000000000000", PERMANENT),
        ("01900000-0000-7000-c000-000000000000", PERMANENT),
    ],
)
def test_the_bucket_is_told_by_the_id(event_id, bucket):
    assert bucket_of(event_key(event_id)[0]) == bucket


async def test_forged_times_make_no_partition(store, gate, tenant, superuser, id_at):
    before = partitions(superuser)
    events = [
        (id_at(YEAR_2099_US // 1000), YEAR_2099_US, 1),
        (id_at(1), 1, 2),
        ("ffffffff-ffff-7fff-8fff-ffffffffffff", YEAR_2099_US * 2, 3),
        ("plain", -5, 4),
    ]
    [settlement] = await store.append([gate.message((tenant, events))])
    assert set(settlement.outcomes[0]) == {Outcome.STORED}
    [again] = await store.append([gate.message((tenant, events))])
    assert set(again.outcomes[0]) == {Outcome.DUPLICATE}
    assert partitions(superuser) == before


async def test_what_is_needed_within_a_day_exists(superuser):
    now_us = server_now_us(superuser)
    heads = dict(superuser.execute("SELECT parent, head FROM partition_heads").fetchall())
    assert heads["telemetry_events"] > now_us + DAY_US
    assert heads["event_ledger"] > (now_us + DAY_US) // 1000 // WEEK_MS


async def test_an_id_stays_claimed_when_its_week_is_cut_off(store, gate, tenant, superuser, id_at):
    """The id was ahead of every partition when it came first; then the scheduler catches up with it."""
    head = dict(superuser.execute("SELECT parent, head FROM partition_heads").fetchall())
    week = head["event_ledger"] + 2
    at_us = week * WEEK_MS * 1000 + DAY_US
    month_us = max(at_us, head["telemetry_events"] + DAY_US)
    events = [(id_at(at_us // 1000), month_us, 1), (id_at(at_us // 1000 + 1), month_us + 1, 2)]
    await store.append([gate.message((tenant, events))])
    assert superuser.execute("SELECT count(*) FROM event_ledger_beyond WHERE tenant_no = %s", (tenant,)).fetchone() == (
        2,
    )
    before = partitions(superuser)
    made = await store.ensure_partitions(max(at_us, month_us), DAY_US)
    assert made >= 3
    assert len(partitions(superuser)) == len(before) + made
    assert await store.ensure_partitions(max(at_us, month_us), DAY_US) == 0
    assert superuser.execute(
        f"SELECT count(*) FROM event_ledger_w{week} WHERE tenant_no = %s", (tenant,)
    ).fetchone() == (2,)
    assert superuser.execute(
        "SELECT count(*) FROM telemetry_events_beyond WHERE tenant_no = %s", (tenant,)
    ).fetchone() == (0,)
    assert superuser.execute("SELECT count(*) FROM telemetry_events WHERE tenant_no = %s", (tenant,)).fetchone() == (2,)
    [again] = await store.append([gate.message((tenant, events))])
    assert set(again.outcomes[0]) == {Outcome.DUPLICATE}
    # Negative control: were the bucket not a function of the id alone, the same id would be claimed twice.
    superuser.execute(
        "INSERT INTO event_ledger SELECT 0, tenant_no, meaning, event_key FROM event_ledger WHERE tenant_no = %s",
        (tenant,),
    )


async def test_retention_reaches_every_partition(store, gate, tenant, superuser):
    now_us = server_now_us(superuser)
    events = [(f"e{n}", at, n) for n, at in enumerate((1, now_us - 40 * DAY_US, now_us, YEAR_2099_US))]
    await store.append([gate.message((tenant, events))])
    gone = 0
    while step := await store.expire(now_us, tenant):
        gone += step
    assert gone == 2
