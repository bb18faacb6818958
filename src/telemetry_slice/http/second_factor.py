"""The second factor of the person who calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request

from ..model.permissions import Permission
from ..model.tenancy import Principal
from .auditing import AuditedRoute
from .principal import TheServices, allowed, client_address, person_of
from .problems import problems
from .schemas import FactorCode, Password, Wire

router = APIRouter(prefix="/api/v1/me/second-factor", tags=["access"], route_class=AuditedRoute)


class SecondFactorState(Wire):
    """Whether a code is asked for, and how many recovery codes are left."""

    enabled: bool
    recovery_codes: int


class Proof(Wire):
    """The password, which a session alone does not prove."""

    password: Password


class OfferedSecret(Wire):
    """A secret for an authenticator, as text and as a URI for its camera; shown this once."""

    secret: str
    uri: str


class ShownCode(Wire):
    """A code of the authenticator."""

    code: FactorCode


class RecoveryCodes(Wire):
    """Each is good once, in place of a code; shown this once."""

    recovery_codes: list[str]


class FullProof(Proof):
    """The password and a code."""

    code: FactorCode


@router.get("", operation_id="getSecondFactor", responses=problems())
async def get_second_factor(
    principal: Annotated[Principal, allowed(Permission.READ_OWN_SECOND_FACTOR)], services: TheServices
) -> SecondFactorState:
    """Whether the caller is asked for a code when signing in."""
    enabled, left = await services.access.second_factors.state(person_of(principal).user_id)
    return SecondFactorState(enabled=enabled, recovery_codes=left)


@router.post("", operation_id="offerSecondFactor", responses=problems(409))
async def offer_second_factor(
    body: Proof,
    principal: Annotated[Principal, allowed(Permission.ADD_OWN_SECOND_FACTOR)],
    services: TheServices,
    request: Request,
) -> OfferedSecret:
    """A new secret; it is asked for once it is confirmed."""
    user = person_of(principal)
    await services.access.people.prove(user, body.password, client_address(request))
    secret, uri = await services.access.second_factors.offer(user)
    return OfferedSecret(secret=secret, uri=uri)


@router.post("/confirm", operation_id="confirmSecondFactor", responses=problems(409))
async def confirm_second_factor(
    body: ShownCode, principal: Annotated[Principal, allowed(Permission.ADD_OWN_SECOND_FACTOR)], services: TheServices
) -> RecoveryCodes:
    """Show that the authenticator works: from now on a code is asked for."""
    codes = await services.access.second_factors.confirm(person_of(principal).user_id, body.code)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/remove", operation_id="removeSecondFactor", status_code=204, responses=problems())
async def remove_second_factor(
    body: FullProof,
    principal: Annotated[Principal, allowed(Permission.REMOVE_OWN_SECOND_FACTOR)],
    services: TheServices,
    request: Request,
) -> None:
    """Be asked for no code any more."""
    user = person_of(principal)
    await services.access.people.check(user.email, body.password, client_address(request), body.code)
    await services.access.second_factors.remove(user.user_id)
