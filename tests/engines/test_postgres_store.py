"""Several writers at once, and everything that can be the matter with a server."""

import asyncio
import random
import struct
import time

import psycopg
import pytest
from sqlalchemy import text

from telemetry_slice.engines.postgres import claims
from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.postgres.transaction import as_store_error
from telemetry_slice.model.errors import Code, DataError, SliceError, UnavailableError
from telemetry_slice.model.events import Outcome, TenantNo

NOW_US = 1_790_000_000_000_000
WRITERS = 4


async def test_writers_at_once_store_each_event_once_and_none_deadlocks(
    new_store, new_gate, tenant, other, id_at, seed
):
    chance = random.Random(seed)
    ids = [id_at(NOW_US // 1000 + n) for n in range(150)] + [f"plain {n}" for n in range(150)]
    stores = [new_store(connections=2) for _ in range(WRITERS)]
    sent = 0

    async def write(store):
        nonlocal sent
        gate, chances = new_gate(), random.Random(chance.random())
        for _ in range(25):
            batches = []
            for owner in chances.sample([tenant, other], 2):
                picked = chances.choices(ids, k=60)
                # One value in ten is another one: a conflict for whoever comes second.
                batches.append((owner, [(i, NOW_US, 1 if chances.random() < 0.1 else 0) for i in picked]))
            sent += 120
            # An UnavailableError here would be a deadlock.
            [settlement] = await store.append([gate.message(*batches)])
            assert len(settlement.outcomes) == 2

    await asyncio.gather(*(write(store) for store in stores))
    settled = 0
    for owner in (tenant, other):
        books = await stores[0].books(owner)
        assert books.stored == len(ids)
        assert books.announced == books.stored + books.duplicate + sum(books.dead.values())
        settled += books.announced
    assert settled == sent


@pytest.mark.parametrize("fold_every", [2, 256])
async def test_a_message_is_settled_by_one_of_several_writers(new_store, gate, tenant, monkeypatch, fold_every):
    """Also while its row is folded into the floor of its gate, again and again."""
    monkeypatch.setattr(claims, "FOLD_EVERY", fold_every)
    stores = [new_store(connections=2) for _ in range(WRITERS)]
    messages = [gate.message((tenant, [(f"e{n}", NOW_US, n)])) for n in range(40)]
    settled = await asyncio.gather(*(store.append([message]) for message in messages for store in stores))
    fresh = [settlements[0] for settlements in settled if not settlements[0].redelivered]
    assert len(fresh) == len(messages)
    books = await stores[0].books(tenant)
    assert (books.stored, books.duplicate, books.claimed[gate.incarnation]) == (40, 0, 40)


async def test_without_the_look_at_the_floor_a_folded_message_is_settled_again(store, gate, tenant, monkeypatch):
    """Negative control of the above."""
    monkeypatch.setattr(claims, "FOLD_EVERY", 1)
    message = gate.message((tenant, [("a", NOW_US, 1)]))
    await store.append([message])
    assert (await store.append([message]))[0].redelivered
    await store.append([gate.message((tenant, [("b", NOW_US, 1)]))])
    monkeypatch.setattr(claims, "_FLOORS", claims._FLOORS + " AND false")
    assert not (await store.append([message]))[0].redelivered


async def test_claims_are_folded_and_stay_claimed(store, gate, tenant, superuser):
    messages = [gate.message((tenant, [(f"e{n}", NOW_US, n)])) for n in range(600)]
    late = messages.pop(300)
    for start in range(0, len(messages), 50):
        await store.append(messages[start : start + 50])
    rows = superuser.execute(
        "SELECT count(*) FROM message_claims WHERE incarnation = %s", (gate.incarnation.hex(),)
    ).fetchone()[0]
    assert rows < 599
    books = await store.books(tenant)
    assert (books.claimed[gate.incarnation], len(books.ahead[gate.incarnation])) == (300, 299)
    assert all(settlement.redelivered for settlement in await store.append(messages))
    assert not (await store.append([late]))[0].redelivered
    books = await store.books(tenant)
    assert (books.stored, books.claimed[gate.incarnation], books.ahead[gate.incarnation]) == (600, 600, frozenset())


async def test_the_quota_of_series_holds_with_several_writers(new_store, new_gate, tenant):
    stores = [new_store(series_limit=10, connections=2) for _ in range(WRITERS)]

    def message(writer):
        made = new_gate().message((tenant, [(f"{writer}-{n}", NOW_US, n) for n in range(8)]))
        for n in range(8):
            made.batches[0].measurements[n] = ((f"type-{writer}-{n}", None, 0, 1.0),)
        return made

    settled = await asyncio.gather(*(store.append([message(n)]) for n, store in enumerate(stores)))
    outcomes = b"".join(settlements[0].outcomes[0] for settlements in settled)
    assert outcomes.count(Outcome.STORED) == 10
    assert outcomes.count(Outcome.DEAD) == WRITERS * 8 - 10


async def test_stored_us_does_not_step_back_with_the_servers_clock(new_store, gate, tenant, superuser):
    first = (await new_store().append([gate.message((tenant, [("a", NOW_US, 1)]))]))[0].stored_us
    # As if the clock had been an hour ahead until now.
    ahead_us = first + 3_600_000_000
    superuser.execute("SELECT setval('store_clock', %s)", (ahead_us,))
    try:
        store = new_store()
        second = (await store.append([gate.message((tenant, [("b", NOW_US, 1)]))]))[0].stored_us
        third = (await store.append([gate.message((tenant, [("c", NOW_US, 1)]))]))[0].stored_us
        assert ahead_us < second < third
    finally:
        superuser.execute("SELECT setval('store_clock', %s)", (first,))


async def test_late_readings_are_seen_within_a_minute(store, new_gate, tenant, superuser):
    """`received_us` of a series: exact in order, and never lost for what arrives late."""

    def received(at_us, event_id, recorded_us):
        made = new_gate().message((tenant, [(event_id, recorded_us, 1)]))
        made.batches[0].received_us = at_us
        return made

    def seen():
        return superuser.execute("SELECT received_us FROM series_latest WHERE tenant_no = %s", (tenant,)).fetchone()[0]

    await store.append([received(NOW_US, "new", NOW_US)])
    assert seen() == NOW_US
    await store.append([received(NOW_US + 1_000_000, "newer", NOW_US + 1)])
    assert seen() == NOW_US + 1_000_000
    await store.append([received(NOW_US + 90_000_000, "late", NOW_US - 5)])
    assert seen() == NOW_US + 90_000_000


async def test_a_server_that_dies_is_unavailable_and_comes_back(postgres_server, new_store, gate, tenant):
    store = new_store()
    await store.append([gate.message((tenant, [("a", NOW_US, 1)]))])
    message = gate.message((tenant, [("b", NOW_US, 1)]))
    postgres_server.kill()
    try:
        with pytest.raises(UnavailableError):
            await store.append([message])
    finally:
        await asyncio.to_thread(postgres_server.start)
    [settlement] = await store.append([message])
    assert not settlement.redelivered
    assert (await store.books(tenant)).stored == 2


async def test_an_error_of_data_costs_no_connection(new_store, gate, tenant, superuser):
    store = new_store(connections=1)

    def backends():
        return superuser.execute(
            "SELECT array_agg(pid) FROM pg_stat_activity"
            " WHERE usename = 'tslice_writer' AND datname = current_database()"
        ).fetchone()[0]

    await store.append([gate.message((tenant, [("a", NOW_US, 1)]))])
    before = backends()
    bad = gate.message((tenant, [("b", NOW_US, 1), ("c", NOW_US, 2)]))
    bad.batches[0].texts[1] = "\0"
    with pytest.raises(DataError):
        await store.append([bad])
    bad.batches[0].texts[1] = "c"
    [settlement] = await store.append([bad])
    assert set(settlement.outcomes[0]) == {Outcome.STORED}
    assert set(backends()) <= set(before)


async def test_killed_again_and_again_nothing_is_lost_or_doubled(postgres_server, new_store, new_gate, tenant, seed):
    """The server dies under two writers who repeat what was not answered: everything is settled once."""
    chance = random.Random(seed)
    stores = [new_store(connections=2) for _ in range(2)]
    answered = 0

    async def write(number, store):
        nonlocal answered
        gate = new_gate()
        for batch in range(60):
            message = gate.message((tenant, [(f"{number}-{batch}-{n}", NOW_US, n) for n in range(20)]))
            async with asyncio.timeout(60):
                while True:
                    try:
                        await store.append([message])
                    except UnavailableError:
                        await asyncio.sleep(0.02)
                    else:
                        break
            answered += 1

    async def kill(times):
        for n in range(times):
            due = (n + chance.random()) * 120 / times
            while answered < due:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(postgres_server.kill)
            await asyncio.to_thread(postgres_server.start)

    await asyncio.gather(*(write(number, store) for number, store in enumerate(stores)), kill(3))
    books = await stores[0].books(tenant)
    assert (books.announced, books.stored, books.duplicate, books.dead) == (2400, 2400, 0, {})


async def test_no_call_outlasts_its_deadline(new_store, gate, tenant, superuser):
    store = new_store(deadline_s=0.5)
    message = gate.message((tenant, [("a", NOW_US, 1)]))
    with superuser.transaction():
        superuser.execute("LOCK TABLE telemetry_events IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            await store.append([message])
        assert time.monotonic() - started < 15
    assert not (await store.append([message]))[0].redelivered


async def test_a_read_past_its_deadline_ends_and_the_next_is_served(postgres):
    engine = open_reading(postgres.api_url)
    readers = readers_over(engine, threads=1, deadline_s=2.0)
    try:
        with pytest.raises(SliceError) as refusal:
            await readers.run(TenantNo(1), lambda connection: connection.execute(text("SELECT pg_sleep(30)")))
        assert refusal.value.code == Code.CAPACITY
        assert await readers.run(TenantNo(1), lambda connection: connection.scalar(text("SELECT 7"))) == 7
    finally:
        readers.close()
        engine.dispose()


async def test_a_cancelled_read_ends_on_the_server_too(postgres, superuser, until):
    engine = open_reading(postgres.api_url)
    readers = readers_over(engine, threads=1)

    def sleeping():
        return superuser.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(29)%' AND pid <> pg_backend_pid()"
        ).fetchone()[0]

    try:
        read = asyncio.create_task(
            readers.run(TenantNo(1), lambda connection: connection.execute(text("SELECT pg_sleep(29)")))
        )
        await until(lambda: sleeping() == 1, "the read runs")
        read.cancel()
        with pytest.raises(asyncio.CancelledError):
            await read
        await until(lambda: sleeping() == 0, "the read has ended")
    finally:
        readers.close()
        engine.dispose()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (psycopg.errors.NumericValueOutOfRange(), DataError),
        (psycopg.errors.CharacterNotInRepertoire(), DataError),
        (psycopg.errors.UniqueViolation(), DataError),
        (psycopg.errors.CheckViolation(), UnavailableError),
        (psycopg.errors.SerializationFailure(), UnavailableError),
        (psycopg.errors.DeadlockDetected(), UnavailableError),
        (psycopg.errors.DiskFull(), UnavailableError),
        (psycopg.errors.AdminShutdown(), UnavailableError),
        (psycopg.errors.LockNotAvailable(), UnavailableError),
        (psycopg.errors.QueryCanceled(), UnavailableError),
        (psycopg.errors.ReadOnlySqlTransaction(), UnavailableError),
        (psycopg.errors.UndefinedTable(), UnavailableError),
        (psycopg.OperationalError("the connection is lost"), UnavailableError),
        (psycopg.DataError("a text cannot contain NUL"), DataError),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), DataError),
        (struct.error("out of range"), DataError),
    ],
)
def test_errors_of_values_are_told_from_errors_of_the_server(error, told):
    assert type(as_store_error(error)) is told
