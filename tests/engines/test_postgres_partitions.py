"""Uniqueness over partitions: no event makes one, none is without one, and cutting them moves no wall."""

import asyncio
from datetime import UTC, datetime

import pytest

from telemetry_slice.engines.postgres.identity import PERMANENT, WEEK_MS, bucket_of
from telemetry_slice.flow.history import keep_ledger, keep_retention
from telemetry_slice.model.errors import UnavailableError
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


async def test_cutting_partitions_disturbs_no_append(new_store, new_gate, tenant, superuser, id_at):
    head = dict(superuser.execute("SELECT parent, head FROM partition_heads").fetchall())["event_ledger"]
    scheduler, writers = new_store(), [new_store(connections=1) for _ in range(3)]
    cutting = True

    async def write(store, writer):
        gate, sent = new_gate(), 0
        while cutting or sent < 5:
            at_ms = (head + sent % 12) * WEEK_MS + writer
            events = [(id_at(at_ms, bytes([writer, n]) * 4), at_ms * 1000, n) for n in range(50)]
            await store.append([gate.message((tenant, events))])
            sent += 1
        return min(sent, 12)

    async def cut():
        nonlocal cutting
        for week in range(head, head + 12, 3):
            async with asyncio.timeout(30):
                while True:
                    try:
                        await scheduler.ensure_partitions(week * WEEK_MS * 1000, 3 * WEEK_MS * 1000)
                    except UnavailableError:
                        # It waits for the appends under way for 2 s at most.
                        await asyncio.sleep(0.01)
                    else:
                        break
        cutting = False

    *sent, _ = await asyncio.gather(*(write(store, number) for number, store in enumerate(writers)), cut())
    assert (await scheduler.books(tenant)).stored == 50 * sum(sent)
    rows = superuser.execute("SELECT count(*) FROM telemetry_events WHERE tenant_no = %s", (tenant,)).fetchone()
    assert rows == (50 * sum(sent),)


@pytest.fixture
def undropped(superuser):
    """Puts the dropped weeks back after the test: others of this module send ids of those times."""
    yield
    start, horizon = superuser.execute(
        "SELECT start, horizon FROM partition_heads WHERE parent = 'event_ledger'"
    ).fetchone()
    for week in range(start, horizon):
        superuser.execute(
            f"CREATE TABLE event_ledger_w{week} PARTITION OF event_ledger FOR VALUES FROM ({week}) TO ({week + 1})"
        )
        superuser.execute(f"ALTER TABLE event_ledger_w{week} OWNER TO tslice_owner")
    superuser.execute("UPDATE partition_heads SET horizon = start WHERE parent = 'event_ledger'")


@pytest.mark.usefixtures("undropped")
async def test_an_id_below_the_horizon_dies_and_is_never_stored_again(store, gate, tenant, superuser, id_at):
    start = superuser.execute("SELECT start FROM partition_heads WHERE parent = 'event_ledger'").fetchone()[0]

    def of_week(week):
        return (id_at(week * WEEK_MS + 5), week * WEEK_MS * 1000, 1)

    older, dropped, kept, plain = of_week(start - 1), of_week(start), of_week(start + 1), ("plain", 1, 1)
    await store.append([gate.message((tenant, [older, dropped, kept, plain]))])
    assert await store.drop_ledger_weeks((start + 1) * WEEK_MS * 1000) == 1
    assert await store.drop_ledger_weeks((start + 1) * WEEK_MS * 1000) == 0
    [settlement] = await store.append([gate.message((tenant, [older, dropped, kept, plain]))])
    # What is older than the installation, and what carries no time, is in the permanent branch.
    assert list(settlement.outcomes[0]) == [Outcome.DUPLICATE, Outcome.DEAD, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert settlement.reasons == {(0, 1): "id_expired"}
    assert superuser.execute("SELECT count(*) FROM telemetry_events WHERE tenant_no = %s", (tenant,)).fetchone() == (4,)
    [letter] = await store.list(tenant, reason="id_expired", after=None, limit=5)
    again = gate.message((tenant, [dropped])).batches[0]
    replayed = await store.replay(tenant, letter.id, again)
    assert replayed.reasons == {(0, 0): "id_expired"}
    assert (await store.books(tenant)).dead == {"id_expired": 1}


def noting(told):
    async def note(count):
        told.append(count)

    return note


@pytest.fixture
async def on_duty():
    """Starts what goes on for ever, and ends it after the test."""
    async with asyncio.TaskGroup() as group:
        tasks = []
        yield lambda duty: tasks.append(group.create_task(duty))
        for task in tasks:
            task.cancel()


@pytest.mark.usefixtures("undropped")
async def test_the_ledger_keeps_the_days_it_is_told_to(store, superuser, clock, on_duty, until):
    start, head = superuser.execute("SELECT start, head FROM partition_heads WHERE parent = 'event_ledger'").fetchone()

    def known_from():
        return superuser.execute("SELECT horizon FROM partition_heads WHERE parent = 'event_ledger'").fetchone()[0]

    # 14 days before half of the fourth week lies half of the second.
    clock.us = (start + 3) * WEEK_MS * 1000 + 3 * DAY_US
    assert start + 3 < head
    told = []
    on_duty(keep_ledger(store, clock, 14, noting(told)))
    await until(lambda: known_from() == start + 1, "one whole week is older")
    assert f"event_ledger_w{start}" not in partitions(superuser)
    assert f"event_ledger_w{start + 1}" in partitions(superuser)
    await until(lambda: told, "the week is told")


async def test_readings_are_kept_for_the_days_they_are_told_to(store, gate, tenant, superuser, clock, on_duty, until):
    clock.us = server_now_us(superuser)
    edge_us = clock.us - 40 * DAY_US
    await store.append([gate.message((tenant, [(f"kept-{at}", at, 1) for at in (edge_us - 1, edge_us)]))])
    told = []
    on_duty(keep_retention(store, clock, 40, noting(told)))
    left = "SELECT array_agg(recorded_us) FROM telemetry_events WHERE tenant_no = %s"
    await until(lambda: superuser.execute(left, (tenant,)).fetchone() == ([edge_us],), "the older one is gone")
    await until(lambda: told, "what is gone is told")


async def test_retention_reaches_every_partition(store, gate, tenant, superuser):
    now_us = server_now_us(superuser)
    events = [(f"e{n}", at, n) for n, at in enumerate((1, now_us - 40 * DAY_US, now_us, YEAR_2099_US))]
    await store.append([gate.message((tenant, events))])
    gone = 0
    while step := await store.expire(now_us, tenant):
        gone += step
    assert gone == 2


async def test_a_month_that_is_over_is_emptied_at_once_and_its_neighbours_stay(store, gate, tenant, superuser):
    bounds = "SELECT start, head FROM partition_heads WHERE parent = 'telemetry_events'"
    start_us = superuser.execute(bounds).fetchone()[0]
    second_us = superuser.execute(
        "SELECT 1000000 * extract(epoch FROM (to_timestamp(%s / 1000000) AT TIME ZONE 'UTC' + interval '1 month')"
        " AT TIME ZONE 'UTC')::bigint",
        (start_us,),
    ).fetchone()[0]
    first = f"telemetry_events_{datetime.fromtimestamp(start_us / 1e6, UTC):%Y_%m}"
    events = [(f"month-{at}", at, 1) for at in (start_us - 1, start_us, second_us - 1, second_us)]
    await store.append([gate.message((tenant, events))])

    def file_of_first():
        return superuser.execute("SELECT pg_relation_filenode(%s::regclass)", (first,)).fetchone()[0]

    before = file_of_first()
    while await store.expire(second_us - 1):
        pass
    assert file_of_first() == before, "a month of which a moment is kept goes row by row"
    left = "SELECT array_agg(recorded_us ORDER BY recorded_us) FROM telemetry_events WHERE tenant_no = %s"
    assert superuser.execute(left, (tenant,)).fetchone() == ([second_us - 1, second_us],)
    assert await store.expire(second_us) >= 1
    assert await store.expire(second_us) == 0
    assert superuser.execute(left, (tenant,)).fetchone() == ([second_us],)
    assert file_of_first() != before
