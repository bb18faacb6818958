"""Placements apart: migrations reach them, walls stand in them, no transaction spans two."""

import asyncio
from itertools import count

import psycopg
import pytest
from deploy.local.postgres import install_on

from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.postgres.connections import Connections
from telemetry_slice.engines.postgres.examine import examine, examine_placement, schema_problems
from telemetry_slice.engines.postgres.migrate import make_schema, migrate
from telemetry_slice.engines.postgres.placed import PlacedReaders, PlacedStore
from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.postgres.registry import open_registry
from telemetry_slice.engines.postgres.roles import schema_of
from telemetry_slice.engines.sql.migrate import head
from telemetry_slice.engines.sql.placements import Placements
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import TenantNo
from telemetry_slice.model.placement import SHARED, Placement
from telemetry_slice.model.times import DAY_US

NOW_US = 1_790_000_000_000_000
NAMES = count(1)
OWN = Placement("tenant_own-1")
AWAY = Placement(database="away")


class Placed:
    """An installation with the shared tables, a schema of a tenant, and a database that nobody can reach."""

    def __init__(self, server):
        self.database = "placement_tests"
        self.urls = install_on(server, self.database)
        make_schema(self.urls.migration_url, OWN.schema)
        self.registry = open_registry(self.urls.api_url, SystemClock())
        self.placements = Placements(self.registry.database)
        self.reading = open_reading(self.urls.api_url)
        self.direct = readers_over(self.reading)
        self.readers = PlacedReaders(self.placements, {None: self.direct})
        self.owner = psycopg.connect(server.url_of("postgres", server.password, self.database), autocommit=True)
        self.store = self.store_of(PlacedStore)

    def store_of(self, kind):
        nobody = "postgresql://tslice_writer:x@127.0.0.1:1/away"
        databases = {None: Connections(self.urls.writer_url, size=2), "away": Connections(nobody, size=1)}
        return kind(self.placements, databases, self.readers, series_limit=50)

    async def tenant(self, placement):
        return (await self.registry.tenants.create(f"t-{next(NAMES)}", "A tenant", placement=placement)).no

    def rows(self, schema, tenant):
        return self.owner.execute(
            f'SELECT count(*) FROM "{schema}".telemetry_events WHERE tenant_no = %s', (tenant,)
        ).fetchone()[0]

    def close(self):
        self.store.close()
        self.direct.close()
        self.reading.dispose()
        self.registry.close()
        self.owner.close()


@pytest.fixture(scope="module")
def placed(postgres_server):
    made = Placed(postgres_server)
    yield made
    made.close()


async def settle(store, messages):
    for part in await store.split(messages):
        await store.append(part)


async def test_each_tenant_is_stored_where_it_is_placed(placed, new_gate):
    shared, own = await placed.tenant(SHARED), await placed.tenant(OWN)
    gate, apart = new_gate(), new_gate()
    messages = [gate.message((shared, [("a", NOW_US, 1)])), apart.message((own, [("a", NOW_US, 2), ("b", NOW_US, 3)]))]
    await settle(placed.store, messages)
    assert [placed.rows("telemetry", shared), placed.rows(OWN.schema, own)] == [1, 2]
    assert [placed.rows("telemetry", own), placed.rows(OWN.schema, shared)] == [0, 0]
    books = await placed.store.books(own)
    assert (books.stored, books.announced, books.claimed) == (2, 2, {apart.incarnation: 1})


async def test_no_transaction_spans_two_placements(placed, new_gate):
    shared, own = await placed.tenant(SHARED), await placed.tenant(OWN)
    message = new_gate().message((shared, [("a", NOW_US, 1)]), (own, [("a", NOW_US, 2)]))
    with pytest.raises(ValueError, match="2 placements"):
        await placed.store.append([message])


async def test_without_the_split_a_tenant_would_be_stored_among_others(placed, new_gate):
    """Negative control: one transaction for the whole batch puts it where the first tenant is."""

    class Careless(PlacedStore):
        async def split(self, messages):
            return [messages]

        async def append(self, messages, *, commit=True):
            first = messages[0].batches[0].tenant
            return await self.at(await self._placements.of(first)).append(messages, commit=commit)

    store = placed.store_of(Careless)
    try:
        shared, own = await placed.tenant(SHARED), await placed.tenant(OWN)
        gate, apart = new_gate(), new_gate()
        await settle(store, [gate.message((shared, [("a", NOW_US, 1)])), apart.message((own, [("a", NOW_US, 2)]))])
        assert placed.rows(OWN.schema, own) == 0
        assert placed.rows("telemetry", own) == 1
    finally:
        store.close()


async def test_a_database_that_is_away_keeps_nobody_else(placed, new_gate):
    shared, away = await placed.tenant(SHARED), await placed.tenant(AWAY)
    parts = await placed.store.split(
        [new_gate().message((away, [("a", NOW_US, 1)])), new_gate().message((shared, [("a", NOW_US, 1)]))]
    )
    told = await asyncio.gather(*map(placed.store.append, parts), return_exceptions=True)
    assert isinstance(told[0], UnavailableError)
    assert placed.rows("telemetry", shared) == 1
    await placed.store.count_rejected([(away, 0, "invalid", 2), (shared, 0, "invalid", 3)])
    assert (await placed.store.books(shared)).rejected == {"invalid": 3}
    await placed.store.open_counts()
    assert await placed.store.expire(0) == 0
    assert await placed.store.ensure_partitions(0, 0) == 0
    with pytest.raises(UnavailableError):
        await placed.store.books(away)


async def test_what_is_owed_to_a_placement_is_told_once_when_it_is_back(placed):
    own = await placed.tenant(OWN)
    placed.owner.execute('ALTER SCHEMA "tenant_own-1" RENAME TO away')
    try:
        for _ in range(2):
            await placed.store.count_rejected([(own, 0, "invalid", 2)])
    finally:
        placed.owner.execute('ALTER SCHEMA away RENAME TO "tenant_own-1"')
    for _ in range(2):
        await placed.store.open_counts()
    assert (await placed.store.books(own)).rejected == {"invalid": 4}


async def test_partitions_are_made_and_readings_expire_in_every_placement(placed, new_gate, id_at):
    shared, own = await placed.tenant(SHARED), await placed.tenant(OWN)
    for tenant in (shared, own):
        await placed.store.append([new_gate().message((tenant, [("old", 5, 1), ("new", NOW_US, 2)]))])
    while await placed.store.expire(10):
        pass
    assert placed.rows("telemetry", shared) == placed.rows(OWN.schema, own) == 1
    now_us = placed.owner.execute("SELECT (extract(epoch FROM now()) * 1000000)::int8").fetchone()[0]
    month = placed.owner.execute("SELECT to_char(now() + interval '100 days', 'YYYY_MM')").fetchone()[0]
    assert await placed.store.ensure_partitions(now_us, 100 * DAY_US) >= 4
    names = placed.owner.execute(
        "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = %s AND relkind = 'r' ORDER BY 1",
        (f"telemetry_events_{month}",),
    ).fetchall()
    assert [name for (name,) in names] == ['"tenant_own-1"', "telemetry"]


async def test_a_database_that_the_settings_do_not_name_is_away(placed, new_gate):
    lost = await placed.tenant(Placement(database="lost"))
    with pytest.raises(UnavailableError, match="lost"):
        await placed.store.append([new_gate().message((lost, [("a", NOW_US, 1)]))])
    with pytest.raises(UnavailableError, match="lost"):
        await placed.readers.run(lost, lambda connection: None)
    assert any("'lost'" in found for found, _ in examine(placed.urls.api_url, placed.urls.writer_url, {"away"}))


async def test_the_wall_stands_in_a_schema_of_its_own_as_well(placed, new_gate):
    """A tenant that looks into the schema of another sees nothing, reading or writing."""
    own = await placed.tenant(OWN)
    stranger = await placed.tenant(SHARED)
    await placed.store.append([new_gate().message((own, [("a", NOW_US, 1)]))])
    for url, setting in ((placed.urls.api_url, "app.tenant"), (placed.urls.writer_url, "app.tenants")):
        with psycopg.connect(url) as connection:
            for tenant, seen in ((own, True), (stranger, False), (TenantNo(0), False)):
                connection.execute("SELECT set_config(%s, %s, true)", (setting, str(tenant)))
                rows = connection.execute('SELECT 1 FROM "tenant_own-1".telemetry_events').fetchall()
                assert bool(rows) == seen
    with psycopg.connect(placed.urls.writer_url) as connection:
        connection.execute("SELECT set_config('app.tenants', %s, true)", (str(stranger),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"""INSERT INTO "tenant_own-1".book_totals VALUES ({own}, 0, 1, 'stored', '')""")


def test_functions_of_a_schema_work_on_that_schema(placed):
    found = placed.owner.execute(
        "SELECT proname, array_to_string(proconfig, ' ') FROM pg_proc WHERE pronamespace = 'tenant_own-1'::regnamespace"
        " AND prosecdef"
    ).fetchall()
    assert len(found) == 6
    assert all('search_path="tenant_own-1", pg_temp' in settings for _, settings in found)


def test_migrations_reach_every_schema_and_stragglers_are_named(placed):
    make_schema(placed.urls.migration_url, OWN.schema)
    asked = (placed.urls.api_url, placed.urls.writer_url, {"away", "lost"})
    assert examine(*asked) == []
    assert schema_problems(placed.urls.api_url, "tenant_missing")
    placed.owner.execute('DROP SCHEMA "tenant_own-1" CASCADE')
    assert any("tenant_own-1" in found for found, _ in examine(*asked))
    # What an interrupted run may leave.
    placed.owner.execute('CREATE SCHEMA "tenant_own-1" AUTHORIZATION tslice_owner')
    assert schema_problems(placed.urls.api_url, OWN.schema)
    migrate(placed.urls.migration_url)
    assert schema_problems(placed.urls.api_url, OWN.schema) == []
    assert examine(*asked) == []
    placed.owner.execute('UPDATE "tenant_own-1".alembic_version SET version_num = %s', ("0000",))
    stragglers = [found for found, _ in examine(*asked)]
    placed.owner.execute('UPDATE "tenant_own-1".alembic_version SET version_num = %s', (head("telemetry"),))
    assert stragglers == [f"schema tenant_own-1 0000, this release has {head('telemetry')}"]


def test_a_placement_database_that_is_behind_is_named(postgres_server):
    urls = install_on(postgres_server, "placement_database", placement=True)
    assert examine_placement(urls.api_url, urls.writer_url) == []
    with psycopg.connect(postgres_server.url_of("postgres", postgres_server.password, "placement_database")) as owner:
        assert owner.execute("SELECT to_regnamespace('registry')").fetchone() == (None,)
        owner.execute("UPDATE telemetry.alembic_version SET version_num = '0000'")
    behind = [found for found, _ in examine_placement(urls.api_url, urls.writer_url)]
    assert behind == [f"schema telemetry 0000, this release has {head('telemetry')}"]


def test_a_name_that_the_server_would_cut_off_is_refused():
    assert schema_of("a" * 56) == "tenant_" + "a" * 56
    with pytest.raises(ValueError, match="56"):
        schema_of("a" * 57)
