"""Erasing tenants, for platform administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from ..model.audit import actor_of
from ..model.errors import Code, SliceError, invalid
from ..model.permissions import Permission
from ..model.tenancy import Principal
from ..model.times import rfc3339
from ..ports.erasing import Erasure
from .auditing import AuditedRoute, note_of
from .principal import TheServices, allowed
from .problems import problems
from .schemas import Wire

router = APIRouter(prefix="/api/v1/tenants", tags=["tenants"], route_class=AuditedRoute)

TenantId = Annotated[str, Path(alias="tenantId", max_length=64)]


class EraseConfirmation(Wire):
    """The tenant's id once more: what is erased does not come back."""

    tenant_id: str


class ErasureView(Wire):
    """How far it has come. `erased` counts the rows that there were; telemetry is counted once nothing comes any more.
    When `finishedAt` is set, every table was counted and found empty of the tenant.
    """

    tenant_id: str
    asked_at: str
    finished_at: str | None
    erased: dict[str, int]


def view(erasure: Erasure) -> ErasureView:
    """An erasure as it is shown."""
    return ErasureView(
        tenant_id=erasure.tenant_id,
        asked_at=rfc3339(erasure.asked_us),
        finished_at=None if erasure.finished_us is None else rfc3339(erasure.finished_us),
        erased=dict(erasure.counts),
    )


def _missing() -> SliceError:
    return SliceError(Code.NOT_FOUND, "There is no such tenant.")


@router.post("/{tenantId}/erase", operation_id="eraseTenant", status_code=202, responses=problems(404, 409))
async def erase_tenant(
    tenant_id: TenantId,
    body: EraseConfirmation,
    principal: Annotated[Principal, allowed(Permission.ERASE_TENANTS)],
    services: TheServices,
    request: Request,
) -> ErasureView:
    """Erase a suspended tenant for good, with everything that is its own; its audit is kept. Keys and memberships end
    at once, the rest goes in the background.
    """
    if body.tenant_id != tenant_id:
        raise invalid("/tenantId", "Repeat the id of the tenant that is to be erased.")
    tenant = await services.tenants.get(tenant_id)
    erasure = await services.erasures.begin(tenant_id, actor_of(principal), services.clock.now_us())
    if erasure is None:
        raise _missing()
    note = note_of(request)
    note.besides = tenant
    note.detail["state"] = "begun"
    services.access.keys.forget_tenant(erasure.tenant_no)
    services.access.people.forget_profiles()
    services.devices_changed(erasure.tenant_no)
    return view(erasure)


@router.get(
    "/{tenantId}/erasure",
    operation_id="getErasure",
    responses=problems(404),
    dependencies=[allowed(Permission.READ_TENANTS)],
)
async def get_erasure(tenant_id: TenantId, services: TheServices) -> ErasureView:
    """What was erased of a tenant, also when there is no such tenant any more."""
    erasure = await services.erasures.get(tenant_id)
    if erasure is None:
        raise _missing()
    return view(erasure)
