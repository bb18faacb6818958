"""The schemas on PostgreSQL: made once, by whoever comes first, as the tables of the program say."""

import asyncio

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from deploy.local.postgres import install_on
from sqlalchemy import inspect

from telemetry_slice.engines.postgres.connect import engine
from telemetry_slice.engines.postgres.migrate import migrate
from telemetry_slice.engines.sql.migrate import NewerSchemaError
from telemetry_slice.engines.sql.registry_tables import registry_metadata
from telemetry_slice.engines.sql.telemetry_tables import telemetry_metadata


def test_the_registry_that_is_migrated_is_the_one_of_the_tables(postgres):
    opened = engine(postgres.migration_url, size=1, options="-c role=tslice_owner -c search_path=registry")
    with opened.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, registry_metadata) == []
    opened.dispose()


def test_reads_find_every_column_that_they_name(postgres):
    opened = engine(postgres.migration_url, size=1, options="-c role=tslice_owner -c search_path=telemetry")
    looked = inspect(opened)
    for table in telemetry_metadata.tables.values():
        assert {column["name"] for column in looked.get_columns(table.name)} >= set(table.c.keys())
    opened.dispose()


async def test_two_who_migrate_at_once_and_one_who_comes_again(postgres_server):
    urls = install_on(postgres_server, "migrated_twice")
    await asyncio.gather(*(asyncio.to_thread(migrate, urls.migration_url) for _ in range(2)))


def test_a_newer_database_is_refused(postgres_server):
    urls = install_on(postgres_server, "newer")
    with psycopg.connect(postgres_server.url_of("postgres", postgres_server.password, "newer")) as administrator:
        administrator.execute("UPDATE telemetry.alembic_version SET version_num = '9999'")
    with pytest.raises(NewerSchemaError, match="9999"):
        migrate(urls.migration_url)
