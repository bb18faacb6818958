"""The only place where a header or a cookie becomes a Principal, and where the table of permissions is asked.

A route has one parameter `Annotated[Caller, allowed_in_tenant(Permission.…)]`, or `Annotated[Principal, allowed(…)]`
where no tenant is concerned; the tenant of a request is the tenant of its credential, never a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security, WebSocket
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from ..flow.access import UNAUTHENTICATED_DETAIL
from ..model.errors import Code, SliceError
from ..model.permissions import Permission, may
from ..model.tenancy import Principal, Tenant, User
from .auditing import Note
from .client_certificates import client_certificate
from .services import Services, services_of

SESSION_COOKIE = "tslice_session"
MAX_USER_AGENT = 200
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Caller(NamedTuple):
    """Who calls, and the tenant that the call is about."""

    principal: Principal
    tenant: Tenant
    note: Note


def client_address(connection: HTTPConnection) -> str | None:
    """The caller's address as the server sees it (a trusted proxy's word is the server's business)."""
    return connection.client.host if connection.client else None


def user_agent(connection: HTTPConnection) -> str | None:
    """What the caller's program calls itself, as far as it can be shown."""
    told = connection.headers.get("user-agent")
    return None if told is None else "".join(filter(str.isprintable, told))[:MAX_USER_AGENT]


def _same_origin(connection: HTTPConnection) -> bool:
    """Whether the Origin header, where there is one, names the host that was asked, and no weaker scheme."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    try:
        named = urlsplit(origin)
    except ValueError:
        return False
    if named.scheme == "http" and connection.url.scheme in {"https", "wss"}:
        return False
    return named.netloc.lower() == connection.headers.get("host", "").lower()


def require_same_origin(connection: HTTPConnection) -> None:
    """Refuse what a foreign page sent. Raises SliceError FORBIDDEN."""
    if not _same_origin(connection):
        raise SliceError(Code.FORBIDDEN, "The request comes from a page of another origin.")


def bearer_of(connection: HTTPConnection) -> str | None:
    """The token of the Authorization or X-API-Key header; None without such a header."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return connection.headers.get("x-api-key")


def session_cookie(connection: HTTPConnection) -> str | None:
    """The session's cookie where the request is authenticated by it: a header wins over the cookie."""
    return connection.cookies.get(SESSION_COOKIE) if bearer_of(connection) is None else None


async def authenticate(connection: HTTPConnection) -> Principal:
    """Who calls. A header wins over the cookie, and the cookie over a certificate; a wrong one is mended by none.

    Raises:
        SliceError: UNAUTHENTICATED without a valid credential, FORBIDDEN for a forged request with the cookie.
    """
    access = services_of(connection).access
    token, thumbprint = bearer_of(connection), client_certificate(connection.scope)
    if token is not None:
        return await access.bearer(token, client_address(connection))
    cookie = session_cookie(connection)
    if cookie is None and thumbprint is not None:
        return await access.certificate(thumbprint, client_address(connection))
    if cookie is None:
        raise SliceError(Code.UNAUTHENTICATED, UNAUTHENTICATED_DETAIL)
    if connection.scope["type"] == "websocket":
        # A browser opens WebSockets across origins with cookies and without asking: here the Origin must be present.
        if "origin" not in connection.headers:
            raise SliceError(Code.FORBIDDEN, "A WebSocket opened with the cookie needs an Origin header.")
        require_same_origin(connection)
    elif connection.scope["method"] not in _SAFE_METHODS:
        require_same_origin(connection)
        if connection.headers.get("x-requested-with") != "tslice":
            raise SliceError(Code.FORBIDDEN, "Changes made with the cookie need the header X-Requested-With: tslice.")
        if "origin" not in connection.headers and connection.headers.get("sec-fetch-site") != "same-origin":
            raise SliceError(Code.FORBIDDEN, "Changes made with the cookie need an Origin header.")
    return await access.session(cookie, client_address(connection), user_agent(connection))


_bearer_scheme = HTTPBearer(auto_error=False, scheme_name="bearer", description="An access token or a key (`tsk_…`).")
_key_scheme = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="apiKey", description="A key (`tsk_…`).")
_cookie_scheme = APIKeyCookie(
    name=SESSION_COOKIE, auto_error=False, scheme_name="session", description="The browser's session."
)


async def anyone(
    request: Request,
    _bearer_shown: Annotated[object, Security(_bearer_scheme)],
    _key_shown: Annotated[object, Security(_key_scheme)],
    _cookie_shown: Annotated[object, Security(_cookie_scheme)],
) -> Principal:
    """Any valid principal."""
    return await authenticate(request)


def _caller(note: Note) -> Caller:
    require(note.principal, note.permission)
    if note.tenant is None:
        raise SliceError(Code.FORBIDDEN, "This credential acts in no tenant; choose one first.")
    return Caller(note.principal, note.tenant, note)


def require(principal: Principal, permission: Permission) -> None:
    """Raise SliceError FORBIDDEN unless the table grants `permission`."""
    if not may(principal, permission):
        raise SliceError(Code.FORBIDDEN, f"This credential may not {permission}.")


def person_of(principal: Principal) -> User:
    """The user who calls. Raises SliceError FORBIDDEN for every other principal."""
    if not isinstance(principal, User):
        raise SliceError(Code.FORBIDDEN, "This is for users: a key has no account.")
    return principal


@dataclass(frozen=True, slots=True)
class Allowed:
    """A route's condition: the caller has `permission`, whatever tenant it acts in."""

    permission: Permission

    async def __call__(self, request: Request, principal: Annotated[Principal, Depends(anyone)]) -> Principal:
        tenant = principal.tenant if self.permission.is_own else None
        request.state.note = Note(principal, self.permission, tenant)
        require(principal, self.permission)
        return principal


@dataclass(frozen=True, slots=True)
class AllowedInTenant:
    """A route's condition: the caller has `permission` and acts in a tenant, whose the route is then."""

    permission: Permission

    async def __call__(self, request: Request, principal: Annotated[Principal, Depends(anyone)]) -> Caller:
        request.state.note = note = Note(principal, self.permission, principal.tenant)
        return _caller(note)


@dataclass(frozen=True, slots=True)
class SocketAllowedInTenant:
    """The same for a WebSocket: by the Authorization header, or the cookie together with an Origin of our own."""

    permission: Permission

    async def __call__(self, socket: WebSocket) -> Caller:
        principal = await authenticate(socket)
        return _caller(Note(principal, self.permission, principal.tenant))


def allowed(permission: Permission) -> Any:
    """For a parameter that is a Principal."""
    return Depends(Allowed(permission))


def allowed_in_tenant(permission: Permission) -> Any:
    """For a parameter that is a Caller."""
    return Depends(AllowedInTenant(permission))


Reader = Annotated[Caller, allowed_in_tenant(Permission.READ_TELEMETRY)]
socket_reader = SocketAllowedInTenant(Permission.READ_TELEMETRY)
SocketReader = Annotated[Caller, Depends(socket_reader)]
TheServices = Annotated[Services, Depends(services_of)]
