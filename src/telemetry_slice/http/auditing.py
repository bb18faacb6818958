"""What the routes tell the audit: whatever asks for a permission to change something is told, done or refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from ..model.audit import INSTALLATION, Actor, AuditEntry, AuditOutcome, actor_of, shown
from ..model.errors import Code, SliceError
from ..model.permissions import Permission
from ..model.tenancy import Principal, Tenant
from .services import services_of

_REFUSALS = frozenset({Code.FORBIDDEN, Code.UNAUTHENTICATED})
_SLASH = "\x1f"


@dataclass(slots=True)
class Note:
    """What a route is about to do. Its handler adds what only it knows.

    Attributes:
        tenant: whose audit it belongs to, None for the installation's.
        besides: a tenant whose audit tells it, too: the installation's administrator has touched it.
        target: which one; the ids in the path unless the handler says otherwise.
        detail: small facts, never a secret.
        silent: nothing has happened that is worth a word.
    """

    principal: Principal
    permission: Permission
    tenant: Tenant | None
    besides: Tenant | None = None
    target: str | None = None
    detail: dict[str, str | int | bool | None] = field(default_factory=dict)
    silent: bool = False


def note_of(request: Request) -> Note:
    """The note of the route that answers `request`."""
    note: Note = request.state.note
    return note


async def tell(
    request: Request,
    actor: Actor,
    action: str,
    resource: str,
    *,
    tenant: Tenant | None,
    of: Tenant | None = None,
    target: str = "",
    outcome: AuditOutcome = AuditOutcome.DONE,
    detail: dict[str, str | int | bool | None] | None = None,
) -> None:
    """Append to the audit of `tenant`, or with None of the installation; `of` is the tenant concerned there."""
    services, agent, concerned = services_of(request), request.headers.get("user-agent"), of or tenant
    entry = AuditEntry(
        services.clock.now_us(),
        Actor(actor.kind, shown(actor.id), shown(actor.name)),
        action,
        resource,
        shown(target),
        concerned.id if concerned else None,
        request.client.host if request.client else None,
        shown(agent) if agent else None,
        outcome,
        {name: shown(value) if isinstance(value, str) else value for name, value in (detail or {}).items()},
    )
    await services.auditor.tell(INSTALLATION if tenant is None else tenant.no, entry)


async def _tell_note(request: Request, note: Note, outcome: AuditOutcome) -> None:
    target = note.target
    if target is None:
        target = "/".join(map(str, request.path_params.values())).replace(_SLASH, "/")
    for tenant in (note.tenant,) if note.besides is None else (note.tenant, note.besides):
        await tell(
            request,
            actor_of(note.principal),
            note.permission.action,
            note.permission.resource,
            tenant=tenant,
            of=note.besides,
            target=target,
            outcome=outcome,
            detail=note.detail,
        )


class AuditedRoute(APIRoute):
    """A route that is told to the audit, if the permission that it asks for is one to change something."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, and a word about it."""
        handle = super().get_route_handler()

        async def audited(request: Request) -> Response:
            try:
                response = await handle(request)
            except SliceError as error:
                note = _note_in(request)
                if note is not None and error.code in _REFUSALS:
                    await _tell_note(request, note, AuditOutcome.REFUSED)
                raise
            note = _note_in(request)
            if note is not None:
                await _tell_note(request, note, AuditOutcome.DONE)
            return response

        return audited


def _note_in(request: Request) -> Note | None:
    note: Note | None = getattr(request.state, "note", None)
    return note if note is not None and note.permission.is_audited and not note.silent else None
