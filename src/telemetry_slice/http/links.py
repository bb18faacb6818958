"""Invitations and new passwords, by one-time links."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from ..model.audit import actor_of
from ..model.errors import Code, SliceError
from ..model.permissions import Permission
from ..model.tenancy import Principal, Role
from ..model.times import rfc3339
from ..ports.signing_in import Link, LinkKind
from .access import Me, TenantName, open_session
from .auditing import AuditedRoute, note_of, tell
from .principal import (
    Caller,
    TheServices,
    allowed,
    allowed_in_tenant,
    client_address,
    person_of,
    require_same_origin,
    user_agent,
)
from .problems import problems
from .schemas import Email, Password, Text200, Wire
from .users import UserId, account_to_let_in, check_owner

router = APIRouter(tags=["users"], route_class=AuditedRoute)


class NewInvitation(Wire):
    """Whom to invite, and as what."""

    email: Email
    role: Role


class NewOwner(Wire):
    """Whom to invite as an owner."""

    email: Email


class Invitation(Wire):
    """An invitation that nobody has accepted yet."""

    id: str
    email: str
    role: Role
    created_at: str
    expires_at: str


class MadeInvitation(Invitation):
    """A new invitation; its link is shown this once. `sent`: by e-mail, too."""

    link: str
    sent: bool


class InvitationList(Wire):
    """The open invitations of the tenant, by e-mail."""

    invitations: list[Invitation]


class OneTimeToken(Wire):
    """The secret in a link."""

    token: Annotated[str, Field(max_length=128)]


class OfferedRole(Wire):
    """What an invitation offers; with `hasAccount` whoever signs in with this e-mail accepts."""

    email: str
    role: Role
    tenant: TenantName
    has_account: bool


class Acceptance(OneTimeToken):
    """The account that accepts."""

    name: Text200 = ""
    password: Password


class ResetLink(Wire):
    """A link that sets a new password; it is shown this once."""

    link: str
    expires_at: str


class ResetRequest(Wire):
    """The e-mail to send a link to."""

    email: Email


class Reset(OneTimeToken):
    """The password to have from now on."""

    new_password: Password


class SignInProvider(Wire):
    """A provider of OpenID Connect; the way to it is `/api/v1/auth/oidc/{name}/start`."""

    name: str
    label: str


class SignInMethods(Wire):
    """How people can sign in here."""

    password: bool
    reset_by_email: bool
    providers: list[SignInProvider]


def _invitation(link: Link) -> Invitation:
    return Invitation(
        id=link.link_id,
        email=link.email,
        role=link.role or Role.VIEWER,
        created_at=rfc3339(link.created_us),
        expires_at=rfc3339(link.expires_us),
    )


def _address(request: Request, services: TheServices, kind: LinkKind, token: str) -> str:
    return services.access.links.address(kind, token, str(request.base_url))


# ---------------------------------------------------------------------------------------------------- invitations
@router.get("/api/v1/invitations", operation_id="listInvitations", responses=problems())
async def list_invitations(
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_INVITATIONS)], services: TheServices
) -> InvitationList:
    """Who is invited and has not accepted yet."""
    found = await services.access.links.invitations(caller.tenant)
    return InvitationList(invitations=[_invitation(link) for link in found])


@router.post("/api/v1/invitations", operation_id="invite", status_code=201, responses=problems())
async def invite(
    body: NewInvitation,
    caller: Annotated[Caller, allowed_in_tenant(Permission.CREATE_INVITATIONS)],
    services: TheServices,
    request: Request,
) -> MadeInvitation:
    """Invite somebody into the tenant, whether they have an account or not."""
    caller.note.detail |= {"email": body.email, "role": body.role.value}
    check_owner(caller, body.role)
    token, link, sent = await services.access.links.invite(caller.tenant, body.email, body.role)
    caller.note.target = link.link_id
    address = _address(request, services, link.kind, token)
    return MadeInvitation(**_invitation(link).model_dump(), link=address, sent=sent)


@router.post(
    "/api/v1/tenants/{tenantId}/invitations",
    operation_id="inviteOwner",
    status_code=201,
    responses=problems(404),
    dependencies=[allowed(Permission.INVITE_OWNERS)],
)
async def invite_owner(
    tenant_id: Annotated[str, Path(alias="tenantId", max_length=64)],
    body: NewOwner,
    services: TheServices,
    request: Request,
) -> MadeInvitation:
    """Invite an owner into a tenant, as the platform's administrator: without one nobody can begin there."""
    tenant = await services.tenants.get(tenant_id)
    if tenant is None:
        raise SliceError(Code.NOT_FOUND, "There is no such tenant.")
    note = note_of(request)
    note.besides = tenant
    note.detail["email"] = body.email
    token, link, sent = await services.access.links.invite(tenant, body.email, Role.OWNER)
    address = _address(request, services, link.kind, token)
    return MadeInvitation(**_invitation(link).model_dump(), link=address, sent=sent)


@router.delete(
    "/api/v1/invitations/{invitationId}", operation_id="withdrawInvitation", status_code=204, responses=problems(404)
)
async def withdraw_invitation(
    invitation_id: Annotated[str, Path(alias="invitationId", max_length=64)],
    caller: Annotated[Caller, allowed_in_tenant(Permission.WITHDRAW_INVITATIONS)],
    services: TheServices,
) -> None:
    """End an invitation."""
    if not await services.access.links.withdraw(caller.tenant, invitation_id):
        raise SliceError(Code.NOT_FOUND, "There is no such invitation in this tenant.")


@router.post("/api/v1/auth/invitation", operation_id="readInvitation", responses=problems())
async def read_invitation(body: OneTimeToken, services: TheServices, request: Request) -> OfferedRole:
    """What a link invites to."""
    require_same_origin(request)
    link, tenant, known = await services.access.links.invitation(body.token, client_address(request))
    return OfferedRole(
        email=link.email,
        role=link.role or Role.VIEWER,
        tenant=TenantName(id=tenant.id, name=tenant.name),
        has_account=known,
    )


@router.post("/api/v1/auth/invitation/accept", operation_id="acceptInvitation", responses=problems(409))
async def accept_invitation(body: Acceptance, services: TheServices, request: Request, response: Response) -> Me:
    """Accept with a new account, and sign in."""
    require_same_origin(request)
    signed_in = await services.access.links.accept(
        body.token, body.name, body.password, client_address(request), user_agent(request)
    )
    user = signed_in.profile.user
    await tell(request, actor_of(user), "accept", "invitation", tenant=user.tenant, target=user.email)
    return open_session(request, response, signed_in)


@router.post("/api/v1/me/invitations", operation_id="joinByInvitation", responses=problems(409))
async def join_by_invitation(
    body: OneTimeToken,
    principal: Annotated[Principal, allowed(Permission.ACCEPT_OWN_INVITATION)],
    services: TheServices,
    request: Request,
) -> TenantName:
    """Accept with the account that one is signed in with; its e-mail must be the invited one."""
    tenant = await services.access.links.join(body.token, person_of(principal), client_address(request))
    note_of(request).tenant = tenant
    return TenantName(id=tenant.id, name=tenant.name)


# -------------------------------------------------------------------------------------------------- new passwords
@router.post("/api/v1/users/{userId}/reset", operation_id="makeResetLink", status_code=201, responses=problems(404))
async def make_reset_link(
    user_id: UserId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.RESET_USERS)],
    services: TheServices,
    request: Request,
) -> ResetLink:
    """A link by which a user sets a new password; of an account of several tenants, the platform's to make."""
    account = await account_to_let_in(caller, services, user_id)
    token, link = await services.access.links.reset_of(account)
    return ResetLink(link=_address(request, services, link.kind, token), expires_at=rfc3339(link.expires_us))


@router.post("/api/v1/auth/reset", operation_id="askForReset", status_code=202, responses=problems())
async def ask_for_reset(body: ResetRequest, services: TheServices, request: Request) -> None:
    """Send a link for a new password, if the e-mail has an account; the answer is the same if not."""
    require_same_origin(request)
    services.access.links.ask_for_reset(body.email, client_address(request))


@router.post("/api/v1/auth/reset/confirm", operation_id="resetPassword", status_code=204, responses=problems())
async def reset_password(body: Reset, services: TheServices, request: Request) -> None:
    """Set a new password by a link; every session of the account ends."""
    require_same_origin(request)
    await services.access.links.reset(body.token, body.new_password, client_address(request))


@router.get("/api/v1/auth/methods", operation_id="listSignInMethods", responses=problems())
async def list_sign_in_methods(services: TheServices) -> SignInMethods:
    """How people can sign in here."""
    return SignInMethods(
        password=True,
        reset_by_email=services.access.links.by_email,
        providers=[SignInProvider(name=each.name, label=each.label) for each in services.access.oidc.providers],
    )
