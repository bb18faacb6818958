"""Dashboards of a tenant: their documents, versions, and the links that open one of them."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from ..model.audit import actor_of
from ..model.dashboards import Dashboard, DashboardChange, DashboardHead
from ..model.errors import Code, SliceError, invalid
from ..model.permissions import Permission
from ..model.tenancy import Console, Principal, Role, Scope, ServiceKey, User
from ..model.times import DAY_US, rfc3339
from ..ports.dashboards import DashboardLinkRecord
from .auditing import AuditedRoute
from .dashboard_documents import DashboardDocument, document_of, text_of
from .keys import expiry
from .principal import Caller, TheServices, allowed_in_tenant
from .problems import problems
from .schemas import Name, Text200, Wire
from .services import Services

router = APIRouter(prefix="/api/v1/dashboards", tags=["dashboards"], route_class=AuditedRoute)

DEFAULT_LINK_DAYS = 30
MAX_LINK_DAYS = 365
_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2, Role.OWNER: 3}

DashboardId = Annotated[str, Path(alias="dashboardId", max_length=64)]
Version = Annotated[int, Path(ge=1, le=(1 << 31) - 1)]
GivenVersion = Annotated[int, Field(ge=1, lt=(1 << 31) - 1)]
ReaderOfDashboards = Annotated[Caller, allowed_in_tenant(Permission.READ_DASHBOARDS)]
ChangerOfDashboards = Annotated[Caller, allowed_in_tenant(Permission.CHANGE_DASHBOARDS)]


class NewDashboard(Wire):
    """A dashboard; who has a weaker role than `visibleTo` does not see it."""

    name: Name
    visible_to: Role = Role.VIEWER
    document: DashboardDocument


class ChangedDashboard(NewDashboard):
    """The whole of it anew; `version` is the one that was changed, and must be the newest."""

    version: GivenVersion


class BasedOn(Wire):
    """The newest version, as the caller knows it."""

    version: GivenVersion


class DashboardView(Wire):
    """A dashboard without its document; `changedBy` is whoever made this version."""

    id: str
    name: str
    visible_to: Role
    version: int
    created_at: str
    changed_at: str
    changed_by: str


class WholeDashboard(DashboardView):
    """A dashboard."""

    document: DashboardDocument


class DashboardList(Wire):
    """The tenant's dashboards that the caller may see, by name."""

    dashboards: list[DashboardView]


class DashboardVersions(Wire):
    """The versions that are kept of a dashboard, newest first."""

    versions: list[DashboardView]


class NewDashboardLink(Wire):
    """A link that opens the dashboard: until when, or for how many days (30 unless told)."""

    name: Text200 = ""
    expires_at: str | None = None
    days: Annotated[int, Field(ge=1, le=MAX_LINK_DAYS)] | None = None


class DashboardLinkView(Wire):
    """A link without its secret."""

    link_id: str
    name: str
    created_at: str
    created_by: str
    expires_at: str
    revoked_at: str | None
    last_used_at: str | None


class MadeDashboardLink(DashboardLinkView):
    """A new link; `link` and the `token` in it are shown this once."""

    token: str
    link: str


class DashboardLinkList(Wire):
    """Links to a dashboard, newest first."""

    links: list[DashboardLinkView]


def _view(head: DashboardHead) -> DashboardView:
    return DashboardView(
        id=head.id,
        name=head.name,
        visible_to=head.visible_to,
        version=head.version,
        created_at=rfc3339(head.created_us),
        changed_at=rfc3339(head.changed_us),
        changed_by=head.changed_by,
    )


def _whole(dashboard: Dashboard) -> WholeDashboard:
    return WholeDashboard(**_view(dashboard.head).model_dump(), document=document_of(dashboard.document))


def _link_view(link: DashboardLinkRecord) -> DashboardLinkView:
    return DashboardLinkView(
        link_id=link.link_id,
        name=link.name,
        created_at=rfc3339(link.created_us),
        created_by=link.created_by,
        expires_at=rfc3339(link.expires_us),
        revoked_at=None if link.revoked_us is None else rfc3339(link.revoked_us),
        last_used_at=None if link.last_used_us is None else rfc3339(link.last_used_us),
    )


def _rank(principal: Principal) -> int:
    """How strong a caller is, for what is visible from a role upwards."""
    match principal:
        case User(role=role) if role is not None:
            return _RANK[role]
        case ServiceKey(scopes=scopes):
            return _RANK[Role.ADMIN] if Scope.ADMIN in scopes else _RANK[Role.VIEWER]
        case Console():
            return _RANK[Role.OWNER]
        case _:
            return -1


def _sees(caller: Caller, head: DashboardHead) -> bool:
    return _rank(caller.principal) >= _RANK[head.visible_to]


def _who(caller: Caller) -> str:
    actor = actor_of(caller.principal)
    return actor.name or actor.id


async def _seen(services: Services, caller: Caller, dashboard_id: str) -> Dashboard:
    """A dashboard that the caller sees. Raises SliceError NOT_FOUND for every other one alike."""
    dashboard = await services.dashboards.get(caller.tenant.no, dashboard_id)
    if dashboard is None or not _sees(caller, dashboard.head):
        raise _no_dashboard()
    return dashboard


def _no_dashboard() -> SliceError:
    return SliceError(Code.NOT_FOUND, "There is no such dashboard.")


def _change(services: Services, caller: Caller, body: NewDashboard) -> DashboardChange:
    if _rank(caller.principal) < _RANK[body.visible_to]:
        raise invalid("/visibleTo", "You would not see the dashboard yourself any more.")
    document = text_of(body.document)
    return DashboardChange(body.name, body.visible_to, document, _who(caller), services.clock.now_us())


# ------------------------------------------------------------------------------------------------------- dashboards
@router.get("", operation_id="listDashboards", responses=problems())
async def list_dashboards(caller: ReaderOfDashboards, services: TheServices) -> DashboardList:
    """The tenant's dashboards."""
    found = await services.dashboards.list(caller.tenant.no)
    return DashboardList(dashboards=[_view(head) for head in found if _sees(caller, head)])


@router.post(
    "", operation_id="createDashboard", response_model_exclude_none=True, status_code=201, responses=problems(409)
)
async def create_dashboard(
    body: NewDashboard,
    caller: Annotated[Caller, allowed_in_tenant(Permission.CREATE_DASHBOARDS)],
    services: TheServices,
) -> WholeDashboard:
    """A new dashboard."""
    change = _change(services, caller, body)
    made = await services.dashboards.create(caller.tenant.no, secrets.token_hex(8), change)
    caller.note.target = made.head.id
    caller.note.detail["name"] = body.name
    return _whole(made)


@router.get(
    "/{dashboardId}", operation_id="readDashboard", response_model_exclude_none=True, responses=problems(404, 409)
)
async def read_dashboard(
    dashboard_id: DashboardId, caller: ReaderOfDashboards, services: TheServices
) -> WholeDashboard:
    """A dashboard in its newest version."""
    return _whole(await _seen(services, caller, dashboard_id))


@router.put(
    "/{dashboardId}", operation_id="changeDashboard", response_model_exclude_none=True, responses=problems(404, 409)
)
async def change_dashboard(
    dashboard_id: DashboardId, body: ChangedDashboard, caller: ChangerOfDashboards, services: TheServices
) -> WholeDashboard:
    """Its next version. A 409 says that somebody else has made one meanwhile: read it, and decide."""
    await _seen(services, caller, dashboard_id)
    change = _change(services, caller, body)
    changed = await services.dashboards.change(caller.tenant.no, dashboard_id, body.version, change)
    if changed is None:
        raise _no_dashboard()
    caller.note.detail |= {"name": body.name, "version": changed.head.version}
    return _whole(changed)


@router.delete("/{dashboardId}", operation_id="deleteDashboard", status_code=204, responses=problems(404))
async def delete_dashboard(
    dashboard_id: DashboardId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.DELETE_DASHBOARDS)],
    services: TheServices,
) -> None:
    """Delete it with its versions; its links open nothing any more."""
    dashboard = await _seen(services, caller, dashboard_id)
    caller.note.detail["name"] = dashboard.head.name
    if not await services.dashboards.delete(caller.tenant.no, dashboard_id):
        raise _no_dashboard()
    services.access.dashboard_links.forget()


# --------------------------------------------------------------------------------------------------------- versions
@router.get("/{dashboardId}/versions", operation_id="listDashboardVersions", responses=problems(404))
async def list_dashboard_versions(
    dashboard_id: DashboardId, caller: ReaderOfDashboards, services: TheServices
) -> DashboardVersions:
    """The last 50 versions."""
    await _seen(services, caller, dashboard_id)
    found = await services.dashboards.versions(caller.tenant.no, dashboard_id)
    return DashboardVersions(versions=[_view(head) for head in found])


@router.get(
    "/{dashboardId}/versions/{version}",
    operation_id="readDashboardVersion",
    response_model_exclude_none=True,
    responses=problems(404, 409),
)
async def read_dashboard_version(
    dashboard_id: DashboardId, version: Version, caller: ReaderOfDashboards, services: TheServices
) -> WholeDashboard:
    """The dashboard as of one version."""
    return _whole(await _version(services, caller, dashboard_id, version))


@router.post(
    "/{dashboardId}/versions/{version}/restore",
    operation_id="restoreDashboardVersion",
    response_model_exclude_none=True,
    responses=problems(404, 409),
)
async def restore_dashboard_version(
    dashboard_id: DashboardId, version: Version, body: BasedOn, caller: ChangerOfDashboards, services: TheServices
) -> WholeDashboard:
    """A next version with name and document of an earlier one."""
    old = await _version(services, caller, dashboard_id, version)
    change = DashboardChange(old.head.name, old.head.visible_to, old.document, _who(caller), services.clock.now_us())
    changed = await services.dashboards.change(caller.tenant.no, dashboard_id, body.version, change)
    if changed is None:
        raise _no_dashboard()
    caller.note.target = dashboard_id
    caller.note.detail |= {"version": changed.head.version, "restored": version}
    return _whole(changed)


async def _version(services: Services, caller: Caller, dashboard_id: str, version: int) -> Dashboard:
    await _seen(services, caller, dashboard_id)
    found = await services.dashboards.version(caller.tenant.no, dashboard_id, version)
    if found is None:
        raise SliceError(Code.NOT_FOUND, "This version of the dashboard is not kept.")
    return found


# ------------------------------------------------------------------------------------------------------------ links
@router.get("/{dashboardId}/links", operation_id="listDashboardLinks", responses=problems(404))
async def list_dashboard_links(
    dashboard_id: DashboardId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_DASHBOARD_LINKS)],
    services: TheServices,
) -> DashboardLinkList:
    """The links that open it, or did."""
    await _seen(services, caller, dashboard_id)
    found = await services.access.dashboard_links.list(caller.tenant.no, dashboard_id)
    return DashboardLinkList(links=[_link_view(link) for link in found])


@router.post("/{dashboardId}/links", operation_id="createDashboardLink", status_code=201, responses=problems(404, 409))
async def create_dashboard_link(
    dashboard_id: DashboardId,
    body: NewDashboardLink,
    caller: Annotated[Caller, allowed_in_tenant(Permission.CREATE_DASHBOARD_LINKS)],
    services: TheServices,
    request: Request,
    response: Response,
) -> MadeDashboardLink:
    """A link with which anybody reads this dashboard and nothing else, until it ends."""
    await _seen(services, caller, dashboard_id)
    now_us, longest_us = services.clock.now_us(), MAX_LINK_DAYS * DAY_US
    if body.expires_at is not None and body.days is not None:
        raise invalid("/days", "Say either when the link ends or after how many days.")
    expires_us = expiry(services, body.expires_at) or now_us + (body.days or DEFAULT_LINK_DAYS) * DAY_US
    if expires_us > now_us + longest_us:
        raise invalid("/expiresAt", f"A link lives for {MAX_LINK_DAYS} days at most.")
    made = await services.access.dashboard_links.create(
        caller.tenant, dashboard_id, name=body.name, expires_us=expires_us, by=_who(caller)
    )
    if made is None:
        raise _no_dashboard()
    link, token = made
    caller.note.target = f"{dashboard_id}/{link.link_id}"
    caller.note.detail |= {"name": body.name, "expiresAt": rfc3339(expires_us)}
    response.headers["Cache-Control"] = "no-store"
    # Behind the #: a browser sends it to no server, and so no log has it.
    page = services.access.links.page(str(request.base_url))
    return MadeDashboardLink(**_link_view(link).model_dump(), token=token, link=f"{page}/shared#{token}")


@router.delete(
    "/{dashboardId}/links/{linkId}", operation_id="revokeDashboardLink", status_code=204, responses=problems(404)
)
async def revoke_dashboard_link(
    dashboard_id: DashboardId,
    link_id: Annotated[str, Path(alias="linkId", max_length=32)],
    caller: Annotated[Caller, allowed_in_tenant(Permission.REVOKE_DASHBOARD_LINKS)],
    services: TheServices,
) -> None:
    """End a link now; everywhere within five seconds."""
    await _seen(services, caller, dashboard_id)
    if not await services.access.dashboard_links.revoke(caller.tenant.no, dashboard_id, link_id):
        raise SliceError(Code.NOT_FOUND, "There is no such link.")
