"""The users of a tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from ..model.errors import Code, SliceError, invalid
from ..model.tenancy import Console, Principal, Role, User
from .principal import Administrator, Caller, TheServices
from .problems import problems
from .schemas import Email, Password, Text200, Wire

router = APIRouter(prefix="/api/v1/users", tags=["users"])

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


def _rules_owners(principal: Principal) -> bool:
    """Who may make and unmake owners: owners, platform administrators, the console."""
    if isinstance(principal, User):
        return principal.role == Role.OWNER or principal.platform_admin
    return isinstance(principal, Console)


def check_owner(caller: Caller, *roles: Role) -> None:
    """Raises SliceError FORBIDDEN if `roles` name owner and the caller is no master of owners."""
    if Role.OWNER in roles and not _rules_owners(caller.principal):
        raise SliceError(Code.FORBIDDEN, "Only an owner makes or unmakes owners.")


async def role_of(caller: Caller, services: TheServices, user_id: str) -> Role:
    """The role of a user in the caller's tenant. Raises SliceError NOT_FOUND."""
    for account, role in await services.accounts.of_tenant(caller.tenant.no):
        if account.user_id == user_id:
            return role
    raise _missing()


def _missing() -> SliceError:
    return SliceError(Code.NOT_FOUND, "There is no such user in this tenant.")


@router.get("", operation_id="listUsers", responses=problems())
async def list_users(caller: Administrator, services: TheServices) -> MemberList:
    """Everyone with a role in the tenant."""
    found = await services.accounts.of_tenant(caller.tenant.no)
    return MemberList(users=[Member(id=a.user_id, email=a.email, name=a.name, role=role) for a, role in found])


@router.post("", operation_id="createUser", status_code=201, responses=problems(409))
async def create_user(body: NewMember, caller: Administrator, services: TheServices) -> Member:
    """Add a user with a password of their own, or let an existing account join."""
    check_owner(caller, body.role)
    people = services.access.people
    if body.password is not None:
        account = await people.add(body.email, body.name, body.password, [(caller.tenant.no, body.role)])
        return Member(id=account.user_id, email=account.email, name=account.name, role=body.role)
    principal = caller.principal
    rules = isinstance(principal, Console) or (isinstance(principal, User) and principal.platform_admin)
    existing = await services.accounts.by_email(body.email) if rules else None
    if existing is None:
        raise invalid("/password", "A new account needs a password.")
    await people.join(caller.tenant.no, existing.user_id, body.role)
    return Member(id=existing.user_id, email=existing.email, name=existing.name, role=body.role)


@router.patch("/{userId}", operation_id="changeUser", responses=problems(404, 409))
async def change_user(user_id: UserId, body: RoleChange, caller: Administrator, services: TheServices) -> Member:
    """Change a user's role in the tenant."""
    check_owner(caller, body.role, await role_of(caller, services, user_id))
    if not await services.access.people.set_role(caller.tenant.no, user_id, body.role):
        raise _missing()
    found = await services.accounts.by_id(user_id)
    if found is None:
        raise _missing()
    account, _ = found
    return Member(id=user_id, email=account.email, name=account.name, role=body.role)


@router.delete("/{userId}", operation_id="removeUser", status_code=204, responses=problems(404, 409))
async def remove_user(user_id: UserId, caller: Administrator, services: TheServices) -> None:
    """End a user's membership; the account itself stays."""
    check_owner(caller, await role_of(caller, services, user_id))
    if not await services.access.people.set_role(caller.tenant.no, user_id, None):
        raise _missing()
