"""The browser's way to a provider of OpenID Connect and back, and the provider's own word that somebody has left."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs, urlencode

import structlog
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from ..flow.access import AWAY_S, Arrival, Refusal, RefusedError
from ..model.audit import Actor, ActorKind, AuditOutcome, actor_of
from ..model.errors import Code, SliceError
from ..model.tenancy import Tenant
from .access import set_session, tell_sign_in
from .auditing import AuditedRoute, tell
from .principal import TheServices, client_address, user_agent
from .problems import problems
from .services import Services

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1/auth/oidc", tags=["access"], route_class=AuditedRoute)

Detail = dict[str, str | int | bool | None]

COOKIE = "tslice_provider"
MAX_LOGOUT_BYTES = 64 << 10
# What anybody can bring about, and what is nobody's fault, is not told to the audit.
_TOLD = frozenset({Refusal.DENIED, Refusal.UNTRUSTED, Refusal.TOO_MANY})
ProviderName = Annotated[str, Path(alias="provider", max_length=64)]
_REDIRECT: dict[int | str, dict[str, str]] = {303: {"description": "The way on"}}
_LOGOUT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["logout_token"],
                    "properties": {"logout_token": {"type": "string"}},
                }
            }
        },
    }
}


def _refused(error: RefusedError, provider: str) -> Response:
    """Back to the page, which says in words why."""
    log.warning("provider_sign_in_refused", provider=provider, refusal=error.refusal.value, why=str(error))
    return RedirectResponse(f"/sign-in?{urlencode({'refused': error.refusal.value})}", 303)


@router.get(
    "/{provider}/start",
    operation_id="startProviderSignIn",
    status_code=303,
    response_class=Response,
    responses=_REDIRECT | problems(404),
)
async def start(
    provider: ProviderName,
    services: TheServices,
    request: Request,
    next_: Annotated[str | None, Query(alias="next", max_length=600)] = None,
) -> Response:
    """Send the browser to a provider, to come back signed in and go on at `next`, a path of the page."""
    try:
        address, cookie = await services.access.oidc.start(provider, next_, str(request.base_url))
    except RefusedError as error:
        return _refused(error, provider)
    response = RedirectResponse(address, 303)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=AWAY_S,
        path=f"/api/v1/auth/oidc/{provider}",
        secure=request.url.scheme == "https",
        httponly=True,
        # The provider sends the browser back by a link: with Strict the cookie would stay at home.
        samesite="lax",
    )
    return response


@router.get(
    "/{provider}/callback",
    operation_id="finishProviderSignIn",
    status_code=303,
    response_class=Response,
    responses=_REDIRECT | problems(404),
)
async def callback(provider: ProviderName, services: TheServices, request: Request) -> Response:
    """Where a provider sends the browser back to: open a session, and go on with the page."""
    try:
        arrival = await services.access.oidc.finish(
            provider,
            dict(request.query_params),
            request.cookies.get(COOKIE),
            asked_at=str(request.base_url),
            address=client_address(request),
            user_agent=user_agent(request),
        )
    except RefusedError as error:
        if error.refusal in _TOLD:
            await _tell_refusal(request, services, provider, error.refusal)
        response = _refused(error, provider)
    else:
        response = await _arrived(request, services, provider, arrival)
    response.delete_cookie(COOKIE, path=f"/api/v1/auth/oidc/{provider}")
    return response


async def _arrived(request: Request, services: Services, provider: str, arrival: Arrival) -> Response:
    await _tell_changes(request, provider, arrival)
    if arrival.sign_in is None:
        await _tell_refusal(request, services, provider, Refusal.NO_ROLE, arrival.name)
        return _refused(RefusedError(Refusal.NO_ROLE, "none of the person's groups has a role here"), provider)
    await tell_sign_in(request, arrival.sign_in.profile, f"provider {provider}")
    response = RedirectResponse(arrival.next, 303)
    set_session(request, response, arrival.sign_in.token)
    return response


async def _tell_changes(request: Request, provider: str, arrival: Arrival) -> None:
    """What has become of the person's roles is told to each tenant concerned."""
    if arrival.profile is None:
        return
    user, by = arrival.profile.user, f"provider {provider}"
    actor = actor_of(user)
    if arrival.came is not None:
        verb = "create" if arrival.came == "made" else "link"
        await tell(request, actor, verb, "account", tenant=None, target=user.user_id, detail={"by": by})
    if arrival.platform_admin is not None:
        detail: Detail = {"by": by, "platformAdmin": arrival.platform_admin}
        await tell(request, actor, "change", "account", tenant=None, target=user.user_id, detail=detail)
    for change in arrival.changes:
        action = "add" if change.before is None else "remove" if change.now is None else "change"
        roles = {"role": change.now, "before": change.before}
        told: Detail = {"by": by}
        told |= {name: role.value for name, role in roles.items() if role is not None}
        await tell(request, actor, action, "users", tenant=change.tenant, target=user.user_id, detail=told)


async def _tell_refusal(request: Request, services: Services, provider: str, why: Refusal, name: str = "") -> None:
    """To the provider's tenant, or of one for several to the installation."""
    of = next(each for each in services.access.oidc.providers if each.name == provider).tenant
    tenant: Tenant | None = None if of is None else await services.tenants.get(of)
    actor, refused = Actor(ActorKind.UNKNOWN, "", name), AuditOutcome.REFUSED
    detail: Detail = {"by": f"provider {provider}", "refusal": why.value}
    await tell(request, actor, "sign in", "account", tenant=tenant, target=name, outcome=refused, detail=detail)


@router.post(
    "/{provider}/backchannel-logout",
    operation_id="providerLogout",
    responses=problems(404),
    openapi_extra=_LOGOUT_BODY,
)
async def backchannel_logout(
    provider: ProviderName, services: TheServices, request: Request, response: Response
) -> None:
    """OpenID Connect Back-Channel Logout: a provider says that a session there has ended, and here end those of it."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_LOGOUT_BYTES:
            raise SliceError(Code.TOO_LARGE, f"A logout token has at most {MAX_LOGOUT_BYTES} bytes.")
    try:
        tokens = parse_qs(body.decode("ascii"), max_num_fields=10).get("logout_token", [])
    except ValueError:
        tokens = []
    if len(tokens) != 1:
        raise SliceError(Code.MALFORMED, "The body must be a form with one logout_token.")
    try:
        ended = await services.access.oidc.ended_there(provider, tokens[0])
    except RefusedError as error:
        log.warning("provider_logout_refused", provider=provider, why=str(error))
        raise SliceError(Code.MALFORMED, "The logout token does not hold.") from error
    for profile in ended:
        user = profile.user
        tenant = user.tenant or next((each.tenant for each in profile.memberships), None)
        detail: Detail = {"by": f"provider {provider}"}
        await tell(request, actor_of(user), "end", "session", tenant=tenant, target=user.email, detail=detail)
    response.headers["Cache-Control"] = "no-store"
