"""The way from one release to the next on PostgreSQL: additive, in small steps, without stopping anybody for long.

The releases to come are made up (tests/next_release); what is tested is what carries them.
"""

import asyncio
import subprocess
import time
from contextlib import suppress

import psycopg
import pytest
from deploy.local.postgres import install_on
from psycopg.errors import UndefinedColumn
from tests.next_release import next_release

from telemetry_slice.engines.postgres.connect import engine
from telemetry_slice.engines.postgres.migrate import migrate
from telemetry_slice.engines.postgres.store import PostgresStore
from telemetry_slice.engines.sql.migrate import StillNeededError, head, refuse_while_needed, release_name
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.events import Outcome

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def installed(postgres_server, request):
    """A database at this release's revision: its URLs, and a superuser's connection."""
    name = request.node.name
    urls = install_on(postgres_server, name)
    with psycopg.connect(postgres_server.url_of("postgres", postgres_server.password, name), autocommit=True) as owner:
        owner.execute("SET search_path = telemetry")
        yield urls, owner


@pytest.fixture
def store(installed):
    """A store of this release."""
    opened = PostgresStore(installed[0].writer_url, None, series_limit=50)
    yield opened
    opened.close()


def revision(owner):
    return owner.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def columns(owner, table):
    asked = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
    return {name for (name,) in owner.execute(asked, (table,))}


async def test_a_migration_that_would_wait_for_long_gives_up_and_is_repeated(
    installed, store, new_gate, tenant, tmp_path
):
    """Somebody reads for longer than a migration may wait. Ingest, which would queue behind it, goes on."""
    urls, owner = installed
    gate, sent, longest = new_gate(), 0, 0.0
    migrating = True

    async def ingest():
        nonlocal sent, longest
        while migrating or sent < 3:
            # Dead ones too: they go to the table that is to be changed.
            message = gate.message((tenant, [(f"e{sent}", NOW_US, sent), (f"dead {sent}", NOW_US, sent)]))
            message.batches[0].doomed[1] = "clock"
            began = time.monotonic()
            [settlement] = await store.append([message])
            assert list(settlement.outcomes[0]) == [Outcome.STORED, Outcome.DEAD]
            longest = max(longest, time.monotonic() - began)
            sent += 1

    async def upgrade():
        nonlocal migrating
        try:
            with next_release(tmp_path):
                with psycopg.connect(owner.info.dsn, password=owner.info.password) as reader:
                    reader.execute("SELECT count(*) FROM telemetry.dead_letters")
                    with pytest.raises(UnavailableError, match=r"schema telemetry: .*lock timeout"):
                        await asyncio.to_thread(migrate, urls.migration_url)
                    assert revision(owner) == "0002"
                    assert "note" not in columns(owner, "dead_letters")
                await asyncio.to_thread(migrate, urls.migration_url)
        finally:
            migrating = False

    await asyncio.gather(ingest(), upgrade())
    assert revision(owner) == "0003"
    assert "note" in columns(owner, "dead_letters")
    assert owner.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'dead_letters_note'::regclass").fetchone()[
        0
    ]
    books = await store.books(tenant)
    assert (books.stored, books.dead) == (sent, {"clock": sent})
    print(f"{sent} appends, the longest took {longest:.1f} s")


def schema_of(server, database):
    """The whole schema as pg_dump writes it."""
    done = subprocess.run(
        [server.program("pg_dump"), "--schema-only", server.url_of("postgres", server.password, database)],
        capture_output=True,
        text=True,
        check=True,
    )
    # Differs from one dump to the next.
    return [line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


async def test_a_fresh_schema_is_the_migrated_one(installed, postgres_server, store, gate, tenant, tmp_path):
    urls, _ = installed
    await store.append([gate.message((tenant, [("a", NOW_US, 1)]))])
    before = schema_of(postgres_server, "test_a_fresh_schema_is_the_migrated_one")
    with next_release(tmp_path):
        migrate(urls.migration_url)
        migrate(urls.migration_url)
        install_on(postgres_server, "fresh_next_release")
    migrated = schema_of(postgres_server, "test_a_fresh_schema_is_the_migrated_one")
    assert migrated == schema_of(postgres_server, "fresh_next_release")
    assert migrated != before


async def test_a_backfill_goes_on_where_it_was_killed(installed, store, new_gate, tenant, tmp_path):
    """In small steps, each kept; connections are cut meanwhile, and an older release writes on."""
    urls, owner = installed
    gate = new_gate()

    async def bury(name, count):
        message = gate.message((tenant, [(f"{name}{n}", NOW_US, n) for n in range(count)]))
        message.batches[0].doomed.update(dict.fromkeys(range(count), "clock"))
        await store.append([message])

    def empty():
        return owner.execute("SELECT count(*) FROM dead_letters WHERE note IS NULL").fetchone()[0]

    assert await store.backfill() == 0
    await bury("before", 500)
    with next_release(tmp_path):
        migrate(urls.migration_url)
    assert empty() == 500
    left, kills = 500, 0
    while left:
        if kills < 5:
            kills += 1
            owner.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = 'tslice_writer'"
            )
        changed = 0
        with suppress(UnavailableError):
            changed = await store.backfill(40)
        assert changed <= 40
        assert empty() == left - changed
        left -= changed
    assert await store.backfill() == 0
    await bury("by the older release, after", 7)
    assert await store.backfill() == 7
    assert empty() == 0


async def test_nothing_is_taken_away_that_somebody_still_reads(installed, store, gate, tenant, tmp_path, until):
    urls, owner = installed
    message = gate.message((tenant, [("a", NOW_US, 1)]))
    message.batches[0].doomed[0] = "clock"
    await store.append([message])
    with next_release(tmp_path / "4", "0004"):
        newer = release_name()
        # A backfill may have rows left; this release is connected.
        with pytest.raises(StillNeededError, match=f"tslice registry-{head('registry')} telemetry-0002"):
            migrate(urls.migration_url)
        # What adds has been done; what takes away has not.
        assert revision(owner) == "0003"
        assert "detail" in columns(owner, "dead_letters")
        store.close()
        # An administrator's own look is none of our releases.
        gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
        await until(
            lambda: (
                owner.execute(gone, (release_name().replace("telemetry-0004", "telemetry-0002"),)).fetchone()[0] == 0
            ),
            "gone",
        )
        with pytest.raises(StillNeededError, match="fill_notes"):
            migrate(urls.migration_url)
        with psycopg.connect(urls.writer_url, application_name=newer, autocommit=True) as served:
            while served.execute("SELECT backfill_step(10)").fetchone()[0]:
                pass
            # A process of the new release may be connected.
            migrate(urls.migration_url)
    assert revision(owner) == "0004"
    assert "detail" not in columns(owner, "dead_letters")
    with pytest.raises(UndefinedColumn):
        owner.execute("SELECT detail FROM dead_letters")


def test_the_registry_has_readers_too(installed):
    urls, _ = installed
    owning = engine(urls.migration_url, size=1, options="-c role=tslice_owner -c search_path=registry")
    with owning.connect() as connection, psycopg.connect(urls.api_url, application_name=release_name()):
        refuse_while_needed(connection, "registry", head("registry"))
        with pytest.raises(StillNeededError, match=f"registry-{head('registry')}"):
            refuse_while_needed(connection, "registry", "9999")
    owning.dispose()
