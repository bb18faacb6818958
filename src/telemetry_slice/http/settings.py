"""What a tenant sees of itself, and may change."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter

from ..model.permissions import Permission
from ..model.tenancy import Limits, Tenant
from ..model.times import rfc3339
from .auditing import AuditedRoute
from .principal import Caller, TheServices, allowed_in_tenant
from .problems import problems
from .schemas import Name, Wire
from .services import Services

router = APIRouter(prefix="/api/v1/tenant", tags=["tenants"], route_class=AuditedRoute)


class Quotas(Wire):
    """Requests and events per second that are taken; 0 = as many as come."""

    key_per_second: int
    tenant_per_second: int
    key_events_per_second: int
    tenant_events_per_second: int


class TenantSettings(Wire):
    """The tenant one acts in. `quotas` are those that hold; the names of those that were set for it alone are in
    `ownQuotas`. Above `maxDeadLetters` open ones nothing more is taken; readings are deleted after `retentionDays`.
    """

    id: str
    name: str
    auto_register: bool
    created_at: str
    suspended: str | None
    quotas: Quotas
    own_quotas: list[str]
    max_dead_letters: int
    max_series: int
    retention_days: int | None


class SettingsChange(Wire):
    """What to change; absent fields stay. `autoRegister`: gateway keys make devices by sending for them."""

    name: Name | None = None
    auto_register: bool | None = None


def _view(tenant: Tenant, services: Services) -> TenantSettings:
    allowance, own, held = services.allowance, [], {}
    for field in fields(Limits):
        limit = getattr(tenant.limits, field.name)
        if limit is not None:
            own.append(_outside(field.name))
        held[field.name] = getattr(allowance.limits, field.name) if limit is None else limit
    return TenantSettings(
        id=tenant.id,
        name=tenant.name,
        auto_register=tenant.auto_register,
        created_at=rfc3339(tenant.created_us),
        suspended=tenant.suspended,
        quotas=Quotas(**held),
        own_quotas=own,
        max_dead_letters=allowance.dead_letters,
        max_series=allowance.series,
        retention_days=allowance.retention_days,
    )


def _outside(name: str) -> str:
    return Quotas.model_fields[name].alias or name


@router.get("", operation_id="getSettings", responses=problems())
async def get_settings(
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_SETTINGS)], services: TheServices
) -> TenantSettings:
    """Name, quotas and limits."""
    return _view(await services.tenants.get(caller.tenant.id) or caller.tenant, services)


@router.patch("", operation_id="changeSettings", responses=problems())
async def change_settings(
    body: SettingsChange,
    caller: Annotated[Caller, allowed_in_tenant(Permission.CHANGE_SETTINGS)],
    services: TheServices,
) -> TenantSettings:
    """Change what is the tenant's own to change; its keys follow at once here, within seconds elsewhere."""
    changed = await services.tenants.change(caller.tenant.id, name=body.name, auto_register=body.auto_register)
    caller.note.target = caller.tenant.id
    caller.note.detail["fields"] = ", ".join(sorted(body.model_fields_set))
    services.access.keys.forget_tenant(caller.tenant.no)
    services.access.people.forget_profiles()
    return _view(changed or caller.tenant, services)
