"""Where tenants are placed: what must be there before one is, and what migrations reach."""

from __future__ import annotations

import asyncio

from ..engines.postgres.examine import schema_problems
from ..engines.postgres.migrate import make_schema, migrate
from ..engines.postgres.roles import API, MIGRATION, TELEMETRY_SCHEMA, WRITER, install_named, schema_of
from ..model.errors import Code, SliceError, UnavailableError, invalid
from ..model.placement import SHARED, Placement, PlacementKind
from ..settings import Settings


async def place(settings: Settings, tenant_id: str, kind: PlacementKind, database: str | None) -> Placement:
    """The placement that is asked for, if events can be stored there.

    Raises:
        SliceError: INVALID if there cannot be such a placement, CONFLICT if it has not been made ready.
        UnavailableError: its database cannot be reached.
    """
    placement = _placement(settings, tenant_id, kind, database)
    if placement != SHARED:
        url = settings.placement_databases[database].url if database else settings.database_url
        problems = await asyncio.to_thread(schema_problems, url or "", placement.schema or TELEMETRY_SCHEMA)
        if problems:
            what = f"tslice migrate --tenant {tenant_id}" if placement.schema else "tslice migrate"
            raise SliceError(Code.CONFLICT, f"The placement is not ready ({problems[0][0]}): run `{what}` first.")
    return placement


def _placement(settings: Settings, tenant_id: str, kind: PlacementKind, database: str | None) -> Placement:
    if kind == PlacementKind.DATABASE:
        if database not in settings.placement_databases:
            known = ", ".join(settings.placement_databases) or "none"
            raise invalid("/database", f"Must be one of TSLICE_PLACEMENT_DATABASES: {known}.")
        return Placement(database=database)
    if database is not None:
        raise invalid("/database", "Only a tenant with the placement `database` has one.")
    if kind == PlacementKind.SHARED:
        return SHARED
    try:
        return Placement(schema=schema_of(tenant_id))
    except ValueError as error:
        raise invalid("/tenantId", f"Of a tenant with a schema of its own {error}.") from error


def migrate_distributed(settings: Settings) -> None:
    """Bring every schema of every database up to date; with an administrator's address, after making what is missing
    of its roles. A placement that fails does not keep the others.

    Raises:
        ValueError: an address is missing or does not fit.
        UnavailableError: a server cannot be reached or refuses.
        NewerSchemaError: a newer release has written one.
        StillNeededError: a revision takes away what a release that is being served needs.
    """
    migration_url = _migration_url(settings)
    if settings.database_admin_url is not None:
        urls = _urls(settings.database_url, settings.database_writer_url, migration_url)
        install_named(settings.database_admin_url, urls)
    failed = []
    try:
        migrate(migration_url)
    except UnavailableError as error:
        failed.append(str(error))
    for name, database in settings.placement_databases.items():
        try:
            if database.admin_url is not None:
                urls = _urls(database.url, database.writer_url, database.migration_url)
                install_named(database.admin_url, urls, (TELEMETRY_SCHEMA,))
            if database.migration_url is None:
                raise ValueError("migration_url must be given: the role that may change tables")
            migrate(database.migration_url, with_registry=False)
        except (UnavailableError, ValueError) as error:
            failed.append(f"placement database {name}: {error}")
    if failed:
        raise UnavailableError("\n".join(failed))


def make_tenant_schema(settings: Settings, tenant_id: str) -> None:
    """Make the schema of a tenant that is to be created. Raises as `migrate_distributed`."""
    make_schema(_migration_url(settings), schema_of(tenant_id))


def _migration_url(settings: Settings) -> str:
    if settings.database_migration_url is None:
        raise ValueError("TSLICE_DATABASE_MIGRATION_URL must be set: the role that may change tables")
    return settings.database_migration_url


def _urls(api: str | None, writer: str | None, migration: str | None) -> dict[str, str]:
    return {API: api or "", WRITER: writer or "", MIGRATION: migration or ""}
