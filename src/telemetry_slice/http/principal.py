"""The only place where a header or a cookie becomes a Principal, and the one table of who may do what.

Routes depend on one of `Reader`, `Operator`, `Administrator`, `Platform`, `Anyone`; the tenant of a request is the
tenant of its credential, never a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security, WebSocket
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from ..flow.access import UNAUTHENTICATED_DETAIL
from ..model.errors import Code, SliceError
from ..model.tenancy import Console, Principal, Role, Scope, ServiceKey, Tenant, User
from .services import Services

SESSION_COOKIE = "tslice_session"
MAX_USER_AGENT = 200
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_ALL_ROLES = frozenset(Role)


class Act(StrEnum):
    """What a route lets its caller do."""

    READ = "read"
    OPERATE = "operate"
    ADMINISTER = "administer"
    RULE_PLATFORM = "rule the platform"


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may: users with one of `roles`, service keys with one of `scopes`, platform administrators.

    The console may do everything. Device and gateway keys may do none of this: they send.
    """

    roles: frozenset[Role]
    scopes: frozenset[Scope]
    platform_admin: bool = False


PERMISSIONS: dict[Act, Grant] = {
    Act.READ: Grant(_ALL_ROLES, frozenset({Scope.READ})),
    Act.OPERATE: Grant(_ALL_ROLES - {Role.VIEWER}, frozenset({Scope.ADMIN})),
    Act.ADMINISTER: Grant(frozenset({Role.OWNER, Role.ADMIN}), frozenset({Scope.ADMIN})),
    Act.RULE_PLATFORM: Grant(frozenset(), frozenset(), platform_admin=True),
}
"""What each act asks for. A platform administrator is no reader of tenants' telemetry."""


def may(principal: Principal, act: Act) -> bool:
    """Whether `principal` may do `act` (in its own tenant, where the act is about a tenant)."""
    grant = PERMISSIONS[act]
    if isinstance(principal, Console):
        return True
    if isinstance(principal, User):
        return principal.role in grant.roles or (grant.platform_admin and principal.platform_admin)
    if isinstance(principal, ServiceKey):
        return not principal.scopes.isdisjoint(grant.scopes)
    return False


class Caller(NamedTuple):
    """Who calls, and the tenant that the call is about."""

    principal: Principal
    tenant: Tenant


def services_of(connection: HTTPConnection) -> Services:
    """What the composition root gave to the application."""
    services: Services = connection.app.state.services
    return services


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


def _bearer(connection: HTTPConnection) -> str | None:
    """The token of the Authorization or X-API-Key header; None without such a header."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return connection.headers.get("x-api-key")


def session_cookie(connection: HTTPConnection) -> str | None:
    """The session's cookie where the request is authenticated by it: a header wins over the cookie."""
    return connection.cookies.get(SESSION_COOKIE) if _bearer(connection) is None else None


async def authenticate(connection: HTTPConnection) -> Principal:
    """Who calls. A header wins over the cookie, and a wrong one is not mended by a right cookie.

    Raises:
        SliceError: UNAUTHENTICATED without a valid credential, FORBIDDEN for a forged request with the cookie.
    """
    access = services_of(connection).access
    token = _bearer(connection)
    if token is not None:
        return await access.bearer(token, client_address(connection))
    cookie = session_cookie(connection)
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


def _caller(principal: Principal, act: Act) -> Caller:
    if not may(principal, act):
        raise SliceError(Code.FORBIDDEN, f"This credential may not {act}.")
    if principal.tenant is None:
        raise SliceError(Code.FORBIDDEN, "This credential acts in no tenant; choose one first.")
    return Caller(principal, principal.tenant)


async def reader(principal: Annotated[Principal, Depends(anyone)]) -> Caller:
    """A user of any role, a service key with scope read, the console with a tenant."""
    return _caller(principal, Act.READ)


async def operator(principal: Annotated[Principal, Depends(anyone)]) -> Caller:
    """Role operator or stronger, a service key with scope admin, the console with a tenant."""
    return _caller(principal, Act.OPERATE)


async def administrator(principal: Annotated[Principal, Depends(anyone)]) -> Caller:
    """Role admin or owner, a service key with scope admin, the console with a tenant."""
    return _caller(principal, Act.ADMINISTER)


async def platform(principal: Annotated[Principal, Depends(anyone)]) -> Principal:
    """A platform administrator, or the console."""
    if not may(principal, Act.RULE_PLATFORM):
        raise SliceError(Code.FORBIDDEN, f"This credential may not {Act.RULE_PLATFORM}.")
    return principal


async def socket_reader(socket: WebSocket) -> Caller:
    """`reader` for a WebSocket: the Authorization header, or the cookie together with an Origin of our own."""
    return _caller(await authenticate(socket), Act.READ)


Anyone = Annotated[Principal, Depends(anyone)]
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
Administrator = Annotated[Caller, Depends(administrator)]
Platform = Annotated[Principal, Depends(platform)]
SocketReader = Annotated[Caller, Depends(socket_reader)]
TheServices = Annotated[Services, Depends(services_of)]
