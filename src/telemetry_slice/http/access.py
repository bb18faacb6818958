"""Signing in and out, tokens, and who one is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_never

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.responses import JSONResponse

from ..flow.access import Profile, ReusedTokenError, SignIn, Tokens
from ..model.audit import Actor, ActorKind, AuditOutcome, actor_of
from ..model.errors import Code, SliceError
from ..model.permissions import Permission
from ..model.tenancy import (
    Console,
    DashboardLink,
    DeviceKey,
    GatewayKey,
    KeyPrincipal,
    Principal,
    Role,
    ServiceKey,
    SystemJob,
    Tenant,
    User,
)
from .auditing import AuditedRoute, note_of, tell
from .principal import (
    SESSION_COOKIE,
    TheServices,
    allowed,
    client_address,
    person_of,
    require_same_origin,
    session_cookie,
    user_agent,
)
from .problems import problems
from .schemas import Email, FactorCode, Name, NewTenantId, Password, Wire
from .services import services_of

router = APIRouter(tags=["access"], route_class=AuditedRoute)
_COOKIE_S = 7 * 24 * 3600


class TenantName(Wire):
    """A tenant as its members see it."""

    id: str
    name: str


class OwnTenant(TenantName):
    """A tenant that one is a member of."""

    role: Role


class Person(Wire):
    """Somebody with an account."""

    id: str
    email: str
    name: str


class Me(Wire):
    """Who the credential stands for."""

    kind: Literal["user", "service", "device", "gateway", "console"]
    user: Person | None
    tenant: TenantName | None
    role: Role | None
    platform_admin: bool
    tenants: list[OwnTenant]


class Login(Wire):
    """E-mail and password, and a code where the answer has been `second_factor_needed`."""

    email: Email
    password: Password
    code: FactorCode | None = None


class PasswordGrant(Wire):
    """Tokens for e-mail and password; `tenantId` chooses among several tenants."""

    grant_type: Literal["password"]
    email: Email
    password: Password
    tenant_id: str | None = None
    code: FactorCode | None = None


class RefreshGrant(Wire):
    """New tokens for a refresh token, which ends by that."""

    grant_type: Literal["refresh"]
    refresh_token: Annotated[str, Field(max_length=128)]
    tenant_id: str | None = None


class TokenPair(Wire):
    """An access token, its seconds to live, and the token that gets the next pair."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind of token
    expires_in: int
    refresh_token: str


class ChosenTenant(Wire):
    """The tenant to act in from now on."""

    tenant_id: str


class WayOut(Wire):
    """Where the browser goes to sign out at the provider that it has signed in with."""

    next: str


class Setup(Wire):
    """The first administrator and the first tenant."""

    token: Annotated[str, Field(max_length=128)]
    email: Email
    password: Password
    tenant_id: NewTenantId
    tenant_name: Name


class NewPassword(Wire):
    """The old password and the one to replace it."""

    current_password: Password
    new_password: Password


def _tenant(tenant: Tenant | None) -> TenantName | None:
    return TenantName(id=tenant.id, name=tenant.name) if tenant else None


def _me_of_profile(profile: Profile) -> Me:
    user = profile.user
    return Me(
        kind="user",
        user=Person(id=user.user_id, email=user.email, name=user.name),
        tenant=_tenant(user.tenant),
        role=user.role,
        platform_admin=user.platform_admin,
        tenants=[OwnTenant(id=m.tenant.id, name=m.tenant.name, role=m.role) for m in profile.memberships],
    )


def _me_of_program(principal: KeyPrincipal | Console | DashboardLink | SystemJob) -> Me:
    kind: Literal["service", "device", "gateway", "console"]
    match principal:
        case ServiceKey():
            kind = "service"
        case GatewayKey():
            kind = "gateway"
        case DeviceKey():
            kind = "device"
        case Console():
            kind = "console"
        case DashboardLink():
            raise AssertionError("a link asks for nothing but its dashboard")
        case SystemJob():
            raise AssertionError("no credential stands for a system job")
        case _:
            assert_never(principal)
    return Me(
        kind=kind,
        user=None,
        tenant=_tenant(principal.tenant),
        role=None,
        platform_admin=isinstance(principal, Console),
        tenants=[],
    )


async def tell_sign_in(request: Request, profile: Profile, by: str) -> None:
    actor = actor_of(profile.user)
    await tell(
        request, actor, "sign in", "account", tenant=profile.user.tenant, target=profile.user.email, detail={"by": by}
    )


def _refused_sign_in(request: Request, email: str, by: str, error: SliceError) -> None:
    """Tell the tenant in which the account would have acted; of an unknown one, the installation."""
    if error.code == Code.SECOND_FACTOR_NEEDED:
        # Half of a sign-in.
        return
    services = services_of(request)

    async def work() -> None:
        account = await services.accounts.by_email(email)
        found = None if account is None else await services.accounts.by_id(account.user_id)
        tenant = found[1][0].tenant if found is not None and found[1] else None
        actor = Actor(ActorKind.UNKNOWN, "", email)
        refused = AuditOutcome.REFUSED
        await tell(
            request, actor, "sign in", "account", tenant=tenant, target=email, outcome=refused, detail={"by": by}
        )

    # Not before the answer: how long it takes must not tell whether the account exists.
    services.auditor.beside(work())


def set_session(request: Request, response: Response, token: str) -> None:
    """Set the session's cookie."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=_COOKIE_S,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def open_session(request: Request, response: Response, signed_in: SignIn) -> Me:
    """Give the browser its session."""
    set_session(request, response, signed_in.token)
    return _me_of_profile(signed_in.profile)


def _pair(tokens: Tokens) -> TokenPair:
    return TokenPair(access_token=tokens.access_token, expires_in=tokens.expires_s, refresh_token=tokens.refresh_token)


@router.get("/api/v1/me", operation_id="getMe", responses=problems())
async def get_me(
    principal: Annotated[Principal, allowed(Permission.READ_SELF)],
    services: TheServices,
    request: Request,
    response: Response,
) -> Me:
    """Who the credential stands for, and in which tenants."""
    if not isinstance(principal, User):
        return _me_of_program(principal)
    cookie = session_cookie(request)
    if cookie is not None:
        # The session slides with its use, and so does the cookie.
        set_session(request, response, cookie)
    tenant_id = principal.tenant.id if principal.tenant else None
    profile = await services.access.people.profile(principal.user_id, tenant_id)
    return _me_of_profile(profile or Profile(principal, ()))


@router.post("/api/v1/auth/login", operation_id="login", responses=problems())
async def login(body: Login, services: TheServices, request: Request, response: Response) -> Me:
    """Open a browser session; the cookie is set."""
    require_same_origin(request)
    address, agent = client_address(request), user_agent(request)
    try:
        signed_in = await services.access.people.login(body.email, body.password, address, agent, body.code)
    except SliceError as error:
        _refused_sign_in(request, body.email, "password", error)
        raise
    await tell_sign_in(request, signed_in.profile, "password")
    return open_session(request, response, signed_in)


@router.post(
    "/api/v1/auth/logout",
    operation_id="logout",
    status_code=204,
    response_model=None,
    responses=problems() | {200: {"model": WayOut, "description": "Ended here; the browser goes on to `next`"}},
)
async def logout(
    principal: Annotated[Principal, allowed(Permission.END_OWN_SESSION)],
    services: TheServices,
    request: Request,
) -> Response:
    """End the browser session; of one that came of a provider, say where the browser signs out there, too."""
    cookie = session_cookie(request)
    note_of(request).silent = cookie is None
    if cookie is None or not isinstance(principal, User):
        return Response(status_code=204)
    way_out = await services.access.oidc.way_out(principal.user_id, principal.family, str(request.base_url))
    await services.access.people.logout(cookie)
    response = Response(status_code=204) if way_out is None else JSONResponse({"next": way_out})
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.post("/api/v1/auth/tenant", operation_id="chooseTenant", responses=problems())
async def choose_tenant(
    body: ChosenTenant,
    _principal: Annotated[Principal, allowed(Permission.CHANGE_OWN_SESSION)],
    services: TheServices,
    request: Request,
) -> Me:
    """Let the browser session act in another tenant of the user."""
    cookie = session_cookie(request)
    if cookie is None:
        raise SliceError(Code.FORBIDDEN, "Only a browser session can choose; ask for a token with tenantId instead.")
    profile = await services.access.people.switch(cookie, body.tenant_id)
    note_of(request).tenant = profile.user.tenant
    return _me_of_profile(profile)


@router.post("/api/v1/auth/token", operation_id="issueToken", responses=problems())
async def issue_token(
    body: Annotated[PasswordGrant | RefreshGrant, Field(discriminator="grant_type")],
    services: TheServices,
    request: Request,
) -> TokenPair:
    """Tokens for an API client. A refresh token serves once; using it again ends all that came of it."""
    people, address, agent = services.access.people, client_address(request), user_agent(request)
    if isinstance(body, PasswordGrant):
        try:
            tokens = await people.tokens_by_password(
                body.email, body.password, address, body.tenant_id, agent, body.code
            )
        except SliceError as error:
            _refused_sign_in(request, body.email, "password for tokens", error)
            raise
        await tell_sign_in(request, tokens.profile, "password for tokens")
        return _pair(tokens)
    try:
        return _pair(await people.tokens_by_refresh(body.refresh_token, body.tenant_id, address, agent))
    except ReusedTokenError as error:
        if error.profile is not None:
            user = error.profile.user
            actor, refused = actor_of(user), AuditOutcome.REFUSED
            await tell(request, actor, "reuse", "refresh token", tenant=user.tenant, target=user.email, outcome=refused)
        raise


@router.post("/api/v1/auth/password", operation_id="changePassword", status_code=204, responses=problems())
async def change_password(
    body: NewPassword,
    principal: Annotated[Principal, allowed(Permission.CHANGE_OWN_PASSWORD)],
    services: TheServices,
    request: Request,
) -> None:
    """Replace one's own password; every session of the account ends."""
    await services.access.people.change_password(
        person_of(principal), body.current_password, body.new_password, client_address(request)
    )


@router.post("/api/v1/auth/setup", operation_id="setUp", responses=problems(409))
async def set_up(body: Setup, services: TheServices, request: Request, response: Response) -> Me:
    """Take up the one-time set-up link: the first administrator, who owns the first tenant."""
    require_same_origin(request)
    signed_in = await services.access.people.set_up(
        body.token,
        body.email,
        body.password,
        tenant_id=body.tenant_id,
        tenant_name=body.tenant_name,
        address=client_address(request),
        user_agent=user_agent(request),
    )
    await tell(
        request,
        actor_of(signed_in.profile.user),
        "set up",
        "installation",
        tenant=None,
        of=signed_in.profile.user.tenant,
        target=body.tenant_id,
    )
    return open_session(request, response, signed_in)


@router.get("/.well-known/jwks.json", operation_id="getJwks", responses={200: {"description": "A JWK set"}})
async def get_jwks(services: TheServices, response: Response) -> dict[str, Any]:
    """The public keys that access tokens are signed with."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return await services.access.jwks()
