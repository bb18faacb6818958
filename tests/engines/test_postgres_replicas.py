"""Reads on a real streaming replica: never behind what the caller has seen, never lost with the replica."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from itertools import count

import psycopg
import pytest
from deploy.local.postgres import install_on
from deploy.local.standby import LocalStandby
from sqlalchemy import text
from tests.engines.replica_cluster import (
    DATABASE,
    PATIENCE_S,
    SPAN,
    ZONES,
    Cluster,
    Writer,
    answered_by,
    eventually,
    fallbacks,
    is_replica,
    list_all,
    page,
    reading,
    roam,
    zones_of,
)

from telemetry_slice.engines.inprocess import LocalCache, SystemClock
from telemetry_slice.engines.postgres import replicas as module
from telemetry_slice.engines.postgres.examine_replicas import examine_replicas
from telemetry_slice.engines.postgres.positions import LogPosition, of_primary
from telemetry_slice.engines.postgres.replicas import Replica, name_of
from telemetry_slice.engines.postgres.roles import API
from telemetry_slice.engines.sql.readers import DEADLINE_S
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.engines.sqlite.registry import open_registry
from telemetry_slice.flow.gate.letters import Letters
from telemetry_slice.flow.query import Query
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import Outcome, TenantNo
from telemetry_slice.model.series import Seen
from telemetry_slice.runtime.distributed import build_api
from telemetry_slice.runtime.examination import examine_servers
from telemetry_slice.settings import Settings

NUMBERS = count()
SMALL = {"shared_buffers": "32MB"}


@pytest.fixture(autouse=True)
def often_looked_at(monkeypatch):
    """A lag that outlasts the pauses of a busy machine, and looks as often as with a short one."""
    monkeypatch.setattr(module, "LOOKS", 20)


@pytest.fixture(scope="module")
def cluster(postgres_server):
    urls = install_on(postgres_server, DATABASE)
    with LocalStandby(postgres_server, options=SMALL) as standby:
        yield Cluster(postgres_server, standby, urls)


@pytest.fixture(scope="module")
def registry_of_all(tmp_path_factory):
    registry = open_registry(tmp_path_factory.mktemp("replicas") / "registry.db", SystemClock())
    yield registry
    registry.close()


@pytest.fixture
async def acme(registry_of_all):
    name = f"acme-{next(NUMBERS)}"
    tenant = await registry_of_all.tenants.create(name, name)
    await registry_of_all.devices.create(tenant.no, "dev-1", label="", location="", tags=())
    return tenant


@pytest.fixture
async def replicated(cluster):
    async with reading(cluster, cluster.replica_url) as made:
        await eventually(lambda: made.replicas[0].may_answer, "the replica serves")
        yield made


@pytest.fixture
def replica(replicated):
    return replicated.replicas[0]


@pytest.fixture
def query(replicated, registry_of_all):
    return Query(SqlTelemetry(replicated), registry_of_all.devices, SystemClock(), b"secret" * 6, LocalCache())


@pytest.fixture
async def writer(cluster, acme, registry_of_all, new_gate):
    device = await registry_of_all.devices.get(acme.no, "dev-1")
    made = Writer(cluster, acme, device.no, new_gate())
    yield made
    await asyncio.to_thread(made.close)


async def test_a_replica_that_is_close_answers_and_keeps_tenants_apart(replicated, replica, query, acme, writer):
    await writer.write()
    before = answered_by(replica.name)
    assert await replicated.run(acme.no, is_replica)
    assert answered_by(replica.name) == before + 1

    def kind(connection):
        return connection.scalar(text("SHOW transaction_isolation")), is_replica(connection)

    assert await replicated.run(acme.no, kind) == ("repeatable read", True)

    def everything(connection):
        return is_replica(connection), connection.scalars(text("SELECT tenant_no FROM telemetry_events")).all()

    async with asyncio.timeout(PATIENCE_S):
        while len((await replicated.run(acme.no, everything))[1]) < ZONES:
            pass
    assert await replicated.run(acme.no, everything) == (True, [acme.no] * ZONES)
    assert await replicated.run(TenantNo(2**30), everything) == (True, [])


async def test_a_replica_that_stands_still_leaves_and_comes_back(cluster, replicated, replica, query, acme, writer):
    await writer.write()
    with cluster.paused():
        await writer.write()
        await eventually(lambda: not replica.may_answer, "the replica has left")
        for _ in range(5):
            await writer.write()
            assert await list_all(query, acme, limit=3) == [writer.written] * ZONES
        assert not await replicated.run(acme.no, is_replica)
    await eventually(lambda: replica.may_answer, "the replica is back")
    assert await replicated.run(acme.no, is_replica)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "negative control"])
async def test_a_page_never_comes_from_a_node_behind_the_one_before(
    cluster, replicated, replica, query, acme, writer, monkeypatch, guarded
):
    with cluster.paused():
        for _ in range(5):
            await writer.write()
        # The primary answers the first page, and the others would come from where nothing is known of all that.
        monkeypatch.setattr(Replica, "may_answer", False)
        found, cursor = await page(query, acme, limit=5)
        monkeypatch.setattr(Replica, "may_answer", True)
        if not guarded:
            monkeypatch.setattr(module, "has_replayed", lambda connection, _lsn: connection.rollback() or True)
        found, behind = list(found), fallbacks("behind")
        while cursor:
            more, cursor = await page(query, acme, limit=5, cursor=cursor)
            found += more
        if guarded:
            assert zones_of(found) == [5] * ZONES
            assert fallbacks("behind") > behind
        else:
            assert zones_of(found) != [5] * ZONES


async def test_what_only_replicas_show_yet_is_waited_for_on_the_primary(
    cluster, replicated, replica, acme, monkeypatch
):
    """A commit that waits for a synchronous standby is seen on replicas before it is seen on the primary."""
    cluster.on_primary("CREATE TABLE IF NOT EXISTS early (tenant int); TRUNCATE early")
    cluster.on_primary(f"GRANT USAGE ON SCHEMA public TO {API}; GRANT SELECT ON early TO {API}")

    def shown(connection):
        return is_replica(connection), connection.scalar(text("SELECT count(*) FROM public.early"))

    commit = threading.Thread(target=cluster.on_primary, args=("INSERT INTO early VALUES (1)",))
    cluster.on_primary("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    try:
        cluster.on_primary("SELECT pg_reload_conf()")
        await eventually(
            lambda: cluster.on_primary("SHOW synchronous_standby_names").fetchone() == ("nobody",), "it waits"
        )
        commit.start()
        seen = Seen()
        async with asyncio.timeout(PATIENCE_S):
            while await replicated.run(acme.no, shown, seen) != (True, 1):
                pass
        with monkeypatch.context() as patch:
            patch.setattr(Replica, "may_answer", False)
            # Negative control: who has seen nothing is not made to wait.
            assert await replicated.run(acme.no, shown) == (False, 0)
            with pytest.raises(UnavailableError, match="synchronous"):
                await replicated.run(acme.no, shown, seen)
    finally:
        cluster.on_primary("ALTER SYSTEM RESET synchronous_standby_names")
        cluster.on_primary("SELECT pg_reload_conf()")
    await asyncio.to_thread(commit.join, PATIENCE_S)
    monkeypatch.setattr(Replica, "may_answer", False)
    assert await replicated.run(acme.no, shown, seen) == (False, 1)


async def test_a_long_transaction_of_others_does_not_hold_up_the_primary(cluster, replicated, acme, monkeypatch):
    seen = Seen()
    url = cluster.primary.url_of("postgres", cluster.primary.password, DATABASE)
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE never_committed ()")
        cluster.on_primary("CREATE TABLE IF NOT EXISTS committed ()")
        before = fallbacks("none_serves")

        async with asyncio.timeout(PATIENCE_S):
            assert await replicated.run(acme.no, is_replica, seen)
            monkeypatch.setattr(Replica, "may_answer", False)
            assert not await replicated.run(acme.no, is_replica, seen)
        assert fallbacks("none_serves") == before + 1
        other.rollback()


def slow_on_replica(seconds):
    """(set once a replica reads, a read that takes `seconds` there and tells whether it was one)."""
    begun = threading.Event()

    def read(connection):
        where = is_replica(connection)
        if where:
            begun.set()
            connection.execute(text(f"SELECT pg_sleep({seconds})"))
        return where

    return begun, read


async def test_a_read_in_the_way_of_the_replay_is_read_again_on_the_primary(cluster, replicated, replica, acme):
    cluster.on_primary("CREATE TABLE IF NOT EXISTS conflicts AS SELECT generate_series(1, 1000) AS x")
    begun, read = slow_on_replica(14)
    cluster.on_standby("ALTER SYSTEM SET max_standby_streaming_delay = 0")
    try:
        cluster.on_standby("SELECT pg_reload_conf()")
        before = fallbacks("conflict")
        work = asyncio.create_task(replicated.run(acme.no, read))
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        cluster.on_primary("DELETE FROM conflicts")
        cluster.on_primary("VACUUM conflicts")
        async with asyncio.timeout(PATIENCE_S):
            assert await work is False
        assert fallbacks("conflict") == before + 1
        assert replica.serves, "a conflict says nothing of the replica"
    finally:
        cluster.on_standby("ALTER SYSTEM RESET max_standby_streaming_delay")
        cluster.on_standby("SELECT pg_reload_conf()")


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_read_on_a_replica_that_goes_is_read_again_on_the_primary(cluster, replicated, replica, acme, how):
    begun, read = slow_on_replica(300)
    work = asyncio.create_task(replicated.run(acme.no, read))
    assert await asyncio.to_thread(begun.wait, PATIENCE_S)
    started = time.monotonic()
    if how == "killed":
        cluster.standby.kill()
        assert await work is False
        await asyncio.to_thread(cluster.standby.start)
    else:
        with cluster.frozen():
            assert await work is False
    # Without being moved it would end at its deadline, and as an error.
    assert time.monotonic() - started < DEADLINE_S
    await eventually(lambda: replica.may_answer, "the replica is back")


async def test_what_is_no_standby_of_the_primary_never_serves(cluster, replicated, replica, acme):
    async with reading(cluster, cluster.urls.api_url, "postgresql://tslice_api:x@127.0.0.1:1/none") as other:
        for _ in range(20):
            assert not await other.run(acme.no, is_replica)
            assert not any(each.serves for each in other.replicas)
            await asyncio.sleep(0.01)
    with psycopg.connect(cluster.urls.api_url) as connection:
        here = of_primary(connection)
    for stranger in (LogPosition(here.cluster + 1, here.timeline, 0), LogPosition(here.cluster, here.timeline + 1, 0)):
        lonely = Replica(cluster.replica_url, max_lag_s=PATIENCE_S)
        for position, serves in ((stranger, False), (LogPosition(here.cluster, here.timeline, 0), True)):
            for _ in range(module.RETURN_LOOKS):
                await lonely.look(time.monotonic(), position)
            assert lonely.serves == serves
        await lonely.look(time.monotonic(), stranger)
        assert not lonely.serves
        await asyncio.to_thread(lonely.close)


async def test_a_replica_that_begins_again_at_an_older_state_proves_itself_anew(cluster):
    with psycopg.connect(cluster.urls.api_url) as connection:
        here = of_primary(connection)
    older = Replica(cluster.replica_url, max_lag_s=PATIENCE_S)
    reached = LogPosition(here.cluster, here.timeline, 0)
    for _ in range(module.RETURN_LOOKS):
        await older.look(time.monotonic(), reached)
    assert older.serves
    # As it would be had it replayed more before it was killed.
    older._replayed = 2**62
    await older.look(time.monotonic(), LogPosition(here.cluster, here.timeline, 2**62))
    assert not older.serves
    await asyncio.to_thread(older.close)


async def test_an_answer_from_before_a_replay_is_forgotten_once_replicas_have_it(
    cluster, replicated, replica, registry_of_all, acme, writer, monkeypatch
):
    cache = LocalCache()
    query = Query(SqlTelemetry(replicated), registry_of_all.devices, SystemClock(), b"secret" * 6, cache)
    letters = Letters(writer.store, registry_of_all.devices, cache, lag_s=3.0)

    async def stored():
        answer = await query.series(acme, "dev-1", SPAN, type_="temperature", unit=None, points=1)
        assert answer.settled
        return sum(bucket.count for bucket in answer.buckets)

    await writer.write(doomed=True)
    [letter] = await letters.page(acme, reason=None, after=None, limit=9)
    async with asyncio.timeout(PATIENCE_S):
        while await stored() != ZONES - 1:
            cache.forget(acme.no)
    with cluster.paused():
        monkeypatch.setattr(Replica, "may_answer", True)
        assert (await letters.replay(acme, letter.id))[0] == Outcome.STORED
        assert await stored() == ZONES - 1
    async with asyncio.timeout(PATIENCE_S):
        while await stored() != ZONES:
            await asyncio.sleep(0.05)


async def test_an_api_process_reads_from_the_replicas_of_its_settings(cluster, nats_server, valkey, tmp_path):
    settings = Settings(
        data=tmp_path,
        database_url=cluster.urls.api_url,
        database_writer_url=cluster.urls.writer_url,
        queue_url=nats_server.url,
        queue_monitor_url=nats_server.monitor_url,
        redis_url=valkey.url,
        replica_urls=(cluster.replica_url,),
    )
    platform = build_api(settings)
    await platform.start()
    try:
        services = platform.services
        tenant = await services.tenants.create("replicated", "Replicated")
        await services.devices.create(tenant.no, "dev-1", label="", location="", tags=())
        name = name_of(cluster.replica_url)
        before = answered_by(name)
        async with asyncio.timeout(PATIENCE_S):
            while answered_by(name) == before:
                await page(services.query, tenant, limit=9)
    finally:
        await platform.stop()
    assert (await examine_servers(settings))["replicas"] == []


def test_the_doctor_names_what_is_wrong(cluster):
    def found(*urls, max_lag_s=30.0):
        return [problem for problem, _ in examine_replicas(cluster.urls.api_url, urls, max_lag_s)]

    assert found(cluster.replica_url) == []
    nowhere = "postgresql://tslice_api@127.0.0.1:1/none"
    superuser = cluster.standby.url_of("postgres", cluster.standby.password, DATABASE)
    with cluster.paused():
        cluster.on_primary("CREATE TABLE IF NOT EXISTS news (); DROP TABLE news")
        told = found(nowhere, cluster.urls.api_url, superuser, max_lag_s=0.1)
    cluster.on_standby("ALTER SYSTEM SET recovery_min_apply_delay = '5s'")
    try:
        cluster.on_standby("SELECT pg_reload_conf()")
        told += found(cluster.replica_url)
    finally:
        cluster.on_standby("ALTER SYSTEM RESET recovery_min_apply_delay")
        cluster.on_standby("SELECT pg_reload_conf()")
    for problem, expected in zip(
        told,
        ("cannot be used", "no standby", "tenants are not kept apart", "paused", "bytes behind", "back for 5s"),
        strict=True,
    ):
        assert expected in problem


@pytest.fixture(scope="module")
def late(cluster):
    """Another replica, which shows every commit a moment later than the first."""
    with LocalStandby(cluster.primary, options=SMALL | {"recovery_min_apply_delay": "300ms"}) as standby:
        yield Cluster(cluster.primary, standby, cluster.urls)


async def test_nothing_steps_back_while_replicas_come_and_go(cluster, late, registry_of_all, acme, writer, seed):
    """A writer writes and a reader lists all of it, page by page, while replicas are paused, killed and restarted."""
    await roam((cluster, late), registry_of_all, acme, writer, random.Random(seed), steps=5)


@pytest.mark.long
@pytest.mark.parametrize("tour", range(10))
async def test_nothing_steps_back_for_long(cluster, late, registry_of_all, acme, writer, seed, tour):
    await roam((cluster, late), registry_of_all, acme, writer, random.Random(seed + tour), steps=10)


async def test_what_was_seen_is_what_keeps_it_from_stepping_back(
    cluster, late, registry_of_all, acme, writer, seed, monkeypatch
):
    """Negative control: replicas that are close enough by all looks are not enough."""
    monkeypatch.setattr(module, "has_replayed", lambda connection, _lsn: connection.rollback() or True)
    with pytest.raises(AssertionError, match="a later page saw less"):
        await roam((cluster, late), registry_of_all, acme, writer, random.Random(seed), steps=100)


async def test_a_promoted_replica_is_none_any_more(late, acme):
    """The last of these tests: the replica is lost with it."""
    async with reading(late, late.replica_url) as replicated:
        [promoted] = replicated.replicas
        await eventually(lambda: promoted.may_answer, "the replica serves")
        late.on_standby("SELECT pg_promote()")
        before = answered_by(promoted.name)
        for _ in range(5):
            # Before any look as well: the read itself asks.
            await replicated.run(acme.no, is_replica)
        await eventually(lambda: not promoted.serves, "it has left")
        await replicated.run(acme.no, is_replica)
        assert answered_by(promoted.name) == before
