"""The sign-ins of the person who calls: seen, and ended."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response

from ..model.errors import Code, SliceError
from ..model.permissions import Permission
from ..model.tenancy import Principal
from ..model.times import rfc3339
from .auditing import AuditedRoute
from .principal import SESSION_COOKIE, TheServices, allowed, person_of, session_cookie
from .problems import problems
from .schemas import Wire

router = APIRouter(prefix="/api/v1/me/sessions", tags=["access"], route_class=AuditedRoute)


class OwnSession(Wire):
    """A sign-in that has not ended; `lastUsedAt` is accurate to a minute."""

    id: str
    kind: Literal["browser", "refresh"]
    tenant: str | None
    created_at: str
    last_used_at: str
    expires_at: str
    address: str | None
    user_agent: str | None
    current: bool


class OwnSessionList(Wire):
    """The open sign-ins of the caller, used last first."""

    sessions: list[OwnSession]


@router.get("", operation_id="listOwnSessions", responses=problems())
async def list_own_sessions(
    principal: Annotated[Principal, allowed(Permission.READ_OWN_SESSIONS)], services: TheServices
) -> OwnSessionList:
    """Where the caller is signed in."""
    user = person_of(principal)
    return OwnSessionList(
        sessions=[
            OwnSession(
                id=found.family,
                kind="browser" if found.kind == "browser" else "refresh",
                tenant=found.tenant_id,
                created_at=rfc3339(found.created_us),
                last_used_at=rfc3339(found.last_used_us),
                expires_at=rfc3339(found.expires_us),
                address=found.address,
                user_agent=found.user_agent,
                current=found.family == user.family,
            )
            for found in await services.access.people.sign_ins(user.user_id)
        ]
    )


@router.delete("/{sessionId}", operation_id="endOwnSession", status_code=204, responses=problems(404))
async def end_own_session(
    session_id: Annotated[str, Path(alias="sessionId", max_length=64)],
    principal: Annotated[Principal, allowed(Permission.END_OWN_SESSIONS)],
    services: TheServices,
) -> None:
    """Sign out elsewhere, or here; tokens and open WebSockets of the session end too."""
    if not await services.access.people.end_sign_in(person_of(principal).user_id, session_id):
        raise SliceError(Code.NOT_FOUND, "You have no such session.")


@router.delete("", operation_id="endOwnSessions", status_code=204, responses=problems())
async def end_own_sessions(
    principal: Annotated[Principal, allowed(Permission.END_OWN_SESSIONS)],
    services: TheServices,
    request: Request,
    response: Response,
) -> None:
    """Sign out everywhere, here too."""
    await services.access.people.sign_out_everywhere(person_of(principal).user_id)
    if session_cookie(request) is not None:
        response.delete_cookie(SESSION_COOKIE, path="/")
