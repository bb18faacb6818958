"""`tslice tenants list | create | change`: the tenants of an installation, and their limits."""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..model.placement import PlacementKind
from .administration import Json, ask, given, show
from .failure import CliError
from .options import AsJson, Data, Key, PlacedIn, PlacementDatabase, Url

tenants = typer.Typer(help="Tenants of the installation.", no_args_is_help=True)

TENANT_COLUMNS = (
    ("id", "TENANT"),
    ("name", "NAME"),
    ("autoRegister", "AUTO-REGISTER"),
    ("placement", "PLACEMENT"),
    ("database", "DATABASE"),
    ("createdAt", "CREATED"),
    ("suspended", "SUSPENDED"),
)


@tenants.command("list")
def list_tenants(*, url: Url = None, key: Key = None, data: Data, as_json: AsJson = False) -> None:
    """List the tenants."""
    answer = ask(url, key, data, None, lambda api: api.call("GET", "/api/v1/tenants"), in_tenant=False)
    show(answer["tenants"], TENANT_COLUMNS, as_json, "no tenants")


def make_schema_of(tenant_id: str, data: Path) -> None:
    """Make the schema of a tenant to be, where the address is known that may do so."""
    from .configuration import settings_of

    settings = settings_of(data=data)
    if settings.database_migration_url is None:
        return
    from ..model.errors import UnavailableError
    from ..runtime.placing import make_tenant_schema

    try:
        make_tenant_schema(settings, tenant_id)
    except (UnavailableError, ValueError) as error:
        raise CliError(str(error)) from error


PerKey = Annotated[int | None, typer.Option("--key-per-second", min=0, help="Requests a second per key; 0 = none.")]
PerTenant = Annotated[
    int | None, typer.Option("--tenant-per-second", min=0, help="Requests a second in all; 0 = none.")
]
EventsPerKey = Annotated[
    int | None, typer.Option("--key-events-per-second", min=0, help="Events a second per key; 0 = none.")
]
EventsPerTenant = Annotated[
    int | None, typer.Option("--tenant-events-per-second", min=0, help="Events a second in all; 0 = none.")
]
WITH_LIMITS = (*TENANT_COLUMNS, ("limits", "LIMITS"))


def limits_of(
    key_per_second: int | None, tenant_per_second: int | None, key_events: int | None, tenant_events: int | None
) -> Json:
    """The quotas that were given."""
    return given(
        keyPerSecond=key_per_second,
        tenantPerSecond=tenant_per_second,
        keyEventsPerSecond=key_events,
        tenantEventsPerSecond=tenant_events,
    )


@tenants.command("create")
def create_tenant(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT")],
    *,
    name: Annotated[str | None, typer.Option(help="Name; default: the id.")] = None,
    auto_register: Annotated[bool, typer.Option(help="Gateway keys may create devices by sending for them.")] = True,
    placement: PlacedIn = PlacementKind.SHARED,
    database: PlacementDatabase = None,
    key_per_second: PerKey = None,
    tenant_per_second: PerTenant = None,
    key_events_per_second: EventsPerKey = None,
    tenant_events_per_second: EventsPerTenant = None,
    url: Url = None,
    key: Key = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Create a tenant. With --placement schema its schema is made first, if TSLICE_DATABASE_MIGRATION_URL is set here;
    else by `tslice migrate --tenant TENANT`.
    """
    if placement == PlacementKind.SCHEMA:
        make_schema_of(tenant_id, data)
    body = {"tenantId": tenant_id, "name": name or tenant_id, "autoRegister": auto_register}
    body |= given(placement=None if placement == PlacementKind.SHARED else placement.value, database=database)
    body |= given(
        limits=limits_of(key_per_second, tenant_per_second, key_events_per_second, tenant_events_per_second) or None
    )
    answer = ask(url, key, data, None, lambda api: api.call("POST", "/api/v1/tenants", json=body), in_tenant=False)
    show([answer], WITH_LIMITS, as_json, "")


@tenants.command("change")
def change_tenant(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT")],
    *,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    auto_register: Annotated[bool | None, typer.Option(help="Gateway keys may create devices.")] = None,
    key_per_second: PerKey = None,
    tenant_per_second: PerTenant = None,
    key_events_per_second: EventsPerKey = None,
    tenant_events_per_second: EventsPerTenant = None,
    default_limits: Annotated[
        bool, typer.Option("--default-limits", help="Follow the installation's quotas but for those given here.")
    ] = False,
    url: Url = None,
    key: Key = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Change a tenant's name or quotas; what is not given stays."""
    limits = limits_of(key_per_second, tenant_per_second, key_events_per_second, tenant_events_per_second)
    body = given(name=name, autoRegister=auto_register)
    if not (limits or body or default_limits):
        raise CliError("nothing to change; see --help")
    path = f"/api/v1/tenants/{tenant_id}"

    async def work(api: Any) -> Json:
        if limits or default_limits:
            # The server replaces quotas as a whole.
            kept = {} if default_limits else (await api.call("GET", path))["limits"] or {}
            body["limits"] = {**kept, **limits}
        answer: Json = await api.call("PATCH", path, json=body)
        return answer

    show([ask(url, key, data, None, work, in_tenant=False)], WITH_LIMITS, as_json, "")
