"""Tenants, for platform administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from ..model.errors import Code, SliceError, invalid
from ..model.permissions import Permission
from ..model.placement import PlacementKind
from ..model.tenancy import Limits, Tenant
from ..model.times import rfc3339
from .auditing import AuditedRoute, note_of
from .books import BooksBody, instant, shown
from .principal import TheServices, allowed
from .problems import problems
from .schemas import DatabaseName, Name, NewTenantId, Wire
from .services import Services

router = APIRouter(prefix="/api/v1/tenants", tags=["tenants"], route_class=AuditedRoute)

PerSecond = Annotated[int, Field(ge=0, le=1_000_000_000)]
TenantId = Annotated[str, Path(alias="tenantId", max_length=64)]


class TenantLimits(Wire):
    """A tenant's own quotas per second; null = the installation's setting, 0 = none."""

    key_per_second: PerSecond | None = None
    tenant_per_second: PerSecond | None = None
    key_events_per_second: PerSecond | None = None
    tenant_events_per_second: PerSecond | None = None


class TenantView(Wire):
    """A tenant."""

    id: str
    name: str
    auto_register: bool
    created_at: str
    limits: TenantLimits | None
    placement: PlacementKind
    database: str | None
    suspended: str | None


class TenantList(Wire):
    """All tenants, by id."""

    tenants: list[TenantView]


class NewTenant(Wire):
    """A tenant to create. `placement` is where its telemetry lies, for good; `database` names a placement database."""

    tenant_id: NewTenantId
    name: Name
    auto_register: bool = True
    limits: TenantLimits | None = None
    placement: PlacementKind = PlacementKind.SHARED
    database: DatabaseName | None = None


class Suspension(Wire):
    """Why; the tenant's senders are told."""

    reason: Name


class TenantChange(Wire):
    """What to change; absent fields stay. `limits` is replaced as a whole."""

    name: Name | None = None
    auto_register: bool | None = None
    limits: TenantLimits | None = None


def _limits(limits: TenantLimits | None) -> Limits | None:
    return Limits(**limits.model_dump()) if limits else None


def view(tenant: Tenant) -> TenantView:
    """A tenant as it is shown."""
    limits = tenant.limits
    return TenantView(
        id=tenant.id,
        name=tenant.name,
        auto_register=tenant.auto_register,
        created_at=rfc3339(tenant.created_us),
        limits=None
        if limits == Limits()
        else TenantLimits(
            key_per_second=limits.key_per_second,
            tenant_per_second=limits.tenant_per_second,
            key_events_per_second=limits.key_events_per_second,
            tenant_events_per_second=limits.tenant_events_per_second,
        ),
        placement=tenant.placement.kind,
        database=tenant.placement.database,
        suspended=tenant.suspended,
    )


def _missing() -> SliceError:
    return SliceError(Code.NOT_FOUND, "There is no such tenant.")


@router.get("", operation_id="listTenants", responses=problems(), dependencies=[allowed(Permission.READ_TENANTS)])
async def list_tenants(services: TheServices) -> TenantList:
    """Every tenant of the installation."""
    return TenantList(tenants=[view(tenant) for tenant in await services.tenants.list()])


@router.post(
    "",
    operation_id="createTenant",
    status_code=201,
    responses=problems(409),
    dependencies=[allowed(Permission.CREATE_TENANTS)],
)
async def create_tenant(body: NewTenant, services: TheServices, request: Request) -> TenantView:
    """Create a tenant. 409 also if its placement has not been made ready."""
    placement = await services.place(body.tenant_id, body.placement, body.database)
    tenant = await services.tenants.create(
        body.tenant_id,
        body.name,
        auto_register=body.auto_register,
        limits=_limits(body.limits) or Limits(),
        placement=placement,
    )
    note = note_of(request)
    note.target, note.besides = tenant.id, tenant
    note.detail |= {"name": tenant.name, "placement": tenant.placement.kind.value}
    return view(tenant)


@router.get(
    "/{tenantId}", operation_id="getTenant", responses=problems(404), dependencies=[allowed(Permission.READ_TENANTS)]
)
async def get_tenant(tenant_id: TenantId, services: TheServices) -> TenantView:
    """One tenant."""
    tenant = await services.tenants.get(tenant_id)
    if tenant is None:
        raise _missing()
    return view(tenant)


@router.patch(
    "/{tenantId}",
    operation_id="changeTenant",
    responses=problems(404),
    dependencies=[allowed(Permission.CHANGE_TENANTS)],
)
async def change_tenant(tenant_id: TenantId, body: TenantChange, services: TheServices, request: Request) -> TenantView:
    """Change a tenant; its keys follow at once here, within seconds elsewhere."""
    tenant = await services.tenants.change(
        tenant_id, name=body.name, auto_register=body.auto_register, limits=_limits(body.limits)
    )
    note_of(request).detail["fields"] = ", ".join(sorted(body.model_fields_set))
    return _changed(services, request, tenant)


def _changed(services: Services, request: Request, tenant: Tenant | None) -> TenantView:
    """What is known of the tenant is read again, here at once. Raises SliceError NOT_FOUND for None."""
    if tenant is None:
        raise _missing()
    note_of(request).besides = tenant
    services.access.keys.forget_tenant(tenant.no)
    services.access.people.forget_profiles()
    return view(tenant)


@router.get(
    "/{tenantId}/figures",
    operation_id="readTenantFigures",
    responses=problems(404),
    dependencies=[allowed(Permission.READ_TENANT_FIGURES)],
)
async def read_tenant_figures(
    tenant_id: TenantId,
    services: TheServices,
    from_: Annotated[str | None, Query(alias="from", description="Received at or after.")] = None,
    to: Annotated[str | None, Query(description="Received before.")] = None,
) -> BooksBody:
    """A tenant's books: how much, not what."""
    from_us, to_us = instant("from", from_), instant("to", to)
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise invalid("to", "to must lie after from")
    tenant = await services.tenants.get(tenant_id)
    if tenant is None:
        raise _missing()
    return shown(await services.books.books(tenant.no, from_us, to_us))


@router.post(
    "/{tenantId}/suspend",
    operation_id="suspendTenant",
    responses=problems(404),
    dependencies=[allowed(Permission.SUSPEND_TENANTS)],
)
async def suspend_tenant(tenant_id: TenantId, body: Suspension, services: TheServices, request: Request) -> TenantView:
    """Take nothing more from the tenant's senders: at once here, within seconds elsewhere. Reading goes on."""
    note_of(request).detail["reason"] = body.reason
    return _changed(services, request, await services.tenants.suspend(tenant_id, body.reason))


@router.post(
    "/{tenantId}/resume",
    operation_id="resumeTenant",
    responses=problems(404),
    dependencies=[allowed(Permission.RESUME_TENANTS)],
)
async def resume_tenant(tenant_id: TenantId, services: TheServices, request: Request) -> TenantView:
    """Take telemetry of the tenant again."""
    return _changed(services, request, await services.tenants.suspend(tenant_id, None))
