"""The users of a tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from ..model.errors import Code, SliceError, invalid
from ..model.permissions import Permission, may
from ..model.tenancy import Role
from ..ports.accounts import Account
from .auditing import AuditedRoute
from .principal import Caller, TheServices, allowed_in_tenant
from .problems import problems
from .schemas import Email, Password, Text200, Wire

router = APIRouter(prefix="/api/v1/users", tags=["users"], route_class=AuditedRoute)

UserId = Annotated[str, Path(alias="userId", max_length=64)]


class Member(Wire):
    """A user with a role in the tenant."""

    id: str
    email: str
    name: str
    role: Role


class MemberList(Wire):
    """The users of the tenant, by e-mail."""

    users: list[Member]


class NewMember(Wire):
    """A user to add. Without a password an existing account joins, which is the platform's to do."""

    email: Email
    name: Text200 = ""
    role: Role
    password: Password | None = None


class RoleChange(Wire):
    """The role to have from now on."""

    role: Role


def check_owner(caller: Caller, *roles: Role) -> None:
    """Raises SliceError FORBIDDEN if `roles` name owner and the caller is no master of owners."""
    if Role.OWNER in roles and not may(caller.principal, Permission.MAKE_OWNERS):
        raise SliceError(Code.FORBIDDEN, "Only an owner makes or unmakes owners.")


async def role_of(caller: Caller, services: TheServices, user_id: str) -> Role:
    """The role of a user in the caller's tenant. Raises SliceError NOT_FOUND."""
    for account, role in await services.accounts.of_tenant(caller.tenant.no):
        if account.user_id == user_id:
            return role
    raise _missing()


async def account_to_let_in(caller: Caller, services: TheServices, user_id: str) -> Account:
    """The account of a user who has lost a secret, if it is the caller's to give a way in without it.

    Raises SliceError NOT_FOUND, or FORBIDDEN: who administers one tenant gets into no other, nor the platform.
    """
    check_owner(caller, await role_of(caller, services, user_id))
    found = await services.accounts.by_id(user_id)
    if found is None:
        raise _missing()
    account, memberships = found
    if (account.platform_admin or len(memberships) > 1) and not may(caller.principal, Permission.RESET_ACCOUNTS):
        raise SliceError(
            Code.FORBIDDEN, "The account is not this tenant's alone: a platform administrator can do that."
        )
    return account


def _missing() -> SliceError:
    return SliceError(Code.NOT_FOUND, "There is no such user in this tenant.")


@router.get("", operation_id="listUsers", responses=problems())
async def list_users(
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_USERS)], services: TheServices
) -> MemberList:
    """Everyone with a role in the tenant."""
    found = await services.accounts.of_tenant(caller.tenant.no)
    return MemberList(users=[Member(id=a.user_id, email=a.email, name=a.name, role=role) for a, role in found])


@router.post("", operation_id="createUser", status_code=201, responses=problems(409))
async def create_user(
    body: NewMember, caller: Annotated[Caller, allowed_in_tenant(Permission.ADD_USERS)], services: TheServices
) -> Member:
    """Add a user with a password of their own, or let an existing account join."""
    caller.note.detail |= {"email": body.email, "role": body.role.value}
    check_owner(caller, body.role)
    people = services.access.people
    if body.password is not None:
        account = await people.add(body.email, body.name, body.password, [(caller.tenant.no, body.role)])
        caller.note.target = account.user_id
        return Member(id=account.user_id, email=account.email, name=account.name, role=body.role)
    joins = may(caller.principal, Permission.JOIN_ACCOUNTS)
    existing = await services.accounts.by_email(body.email) if joins else None
    if existing is None:
        raise invalid("/password", "A new account needs a password.")
    caller.note.target = existing.user_id
    await people.join(caller.tenant.no, existing.user_id, body.role)
    return Member(id=existing.user_id, email=existing.email, name=existing.name, role=body.role)


@router.patch("/{userId}", operation_id="changeUser", responses=problems(404, 409))
async def change_user(
    user_id: UserId,
    body: RoleChange,
    caller: Annotated[Caller, allowed_in_tenant(Permission.CHANGE_USERS)],
    services: TheServices,
) -> Member:
    """Change a user's role in the tenant."""
    before = await role_of(caller, services, user_id)
    caller.note.detail |= {"role": body.role.value, "before": before.value}
    check_owner(caller, body.role, before)
    if not await services.access.people.set_role(caller.tenant.no, user_id, body.role):
        raise _missing()
    found = await services.accounts.by_id(user_id)
    if found is None:
        raise _missing()
    account, _ = found
    return Member(id=user_id, email=account.email, name=account.name, role=body.role)


@router.delete("/{userId}", operation_id="removeUser", status_code=204, responses=problems(404, 409))
async def remove_user(
    user_id: UserId, caller: Annotated[Caller, allowed_in_tenant(Permission.REMOVE_USERS)], services: TheServices
) -> None:
    """End a user's membership; the account itself stays."""
    before = await role_of(caller, services, user_id)
    caller.note.detail["before"] = before.value
    check_owner(caller, before)
    if not await services.access.people.set_role(caller.tenant.no, user_id, None):
        raise _missing()


@router.delete(
    "/{userId}/second-factor", operation_id="removeUserSecondFactor", status_code=204, responses=problems(404)
)
async def remove_user_second_factor(
    user_id: UserId,
    caller: Annotated[Caller, allowed_in_tenant(Permission.REMOVE_SECOND_FACTORS)],
    services: TheServices,
) -> None:
    """Ask a user who has lost authenticator and recovery codes for no code any more."""
    account = await account_to_let_in(caller, services, user_id)
    caller.note.target, caller.note.detail["email"] = user_id, account.email
    caller.note.detail["removed"] = await services.access.second_factors.remove(user_id)
