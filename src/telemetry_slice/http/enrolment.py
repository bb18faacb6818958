"""Enrolment tokens of a tenant, and devices that register themselves with one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, StringConstraints

from ..model.audit import Actor, ActorKind, AuditOutcome
from ..model.errors import Code, SliceError, invalid
from ..model.events import MAX_DEVICE_ID
from ..model.permissions import Permission
from ..model.times import DAY_US, rfc3339
from ..ports.credentials import EnrolmentToken
from .auditing import AuditedRoute, tell
from .devices import Tags
from .keys import expiry
from .principal import Caller, TheServices, allowed_in_tenant, bearer_of, client_address
from .problems import problems
from .schemas import NewDeviceId, Plain, Text200, Wire

router = APIRouter(tags=["enrolment"], route_class=AuditedRoute)

DEFAULT_LIFE_US = 7 * DAY_US
MAX_LIFE_US = 366 * DAY_US
_REFUSALS = frozenset({Code.CONFLICT, Code.INVALID, Code.FORBIDDEN})


class NewEnrolmentToken(Wire):
    """What devices may register themselves with: how many, until when (a week unless told), with ids that begin how.
    They get location and tags, and keys that live for so many days.
    """

    name: Text200 = ""
    max_uses: Annotated[int, Field(ge=1, le=100_000)] = 1
    expires_at: str | None = None
    device_id_prefix: Annotated[str, StringConstraints(max_length=MAX_DEVICE_ID - 1), Plain] = ""
    location: Text200 = ""
    tags: Tags = Field(default_factory=list)
    key_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class EnrolmentTokenView(Wire):
    """An enrolment token without its secret."""

    token_id: str
    name: str
    max_uses: int
    uses: int
    device_id_prefix: str
    location: str
    tags: list[str]
    key_days: int | None
    created_at: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None


class MadeEnrolmentToken(EnrolmentTokenView):
    """A new token; `token` is shown this once."""

    token: str


class EnrolmentTokenList(Wire):
    """Enrolment tokens, newest first."""

    tokens: list[EnrolmentTokenView]


class NewEnrolment(Wire):
    """A device that registers itself. `nonce` is a random text that it makes for itself and keeps until it has its key:
    with it, and with nothing else, the same answer is had again.
    """

    device_id: NewDeviceId
    nonce: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{22,128}$")]
    label: Text200 | None = None


class EnrolledDevice(Wire):
    """The device's own key."""

    device_id: str
    key_id: str
    key: str
    expires_at: str | None


def _view(token: EnrolmentToken) -> EnrolmentTokenView:
    return EnrolmentTokenView(
        token_id=token.token_id,
        name=token.name,
        max_uses=token.max_uses,
        uses=token.uses,
        device_id_prefix=token.prefix,
        location=token.location,
        tags=list(token.tags),
        key_days=None if token.key_life_us is None else token.key_life_us // DAY_US,
        created_at=rfc3339(token.created_us),
        expires_at=rfc3339(token.expires_us),
        last_used_at=None if token.last_used_us is None else rfc3339(token.last_used_us),
        revoked_at=None if token.revoked_us is None else rfc3339(token.revoked_us),
    )


@router.get("/api/v1/enrolment-tokens", operation_id="listEnrolmentTokens", responses=problems())
async def list_enrolment_tokens(
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_ENROLMENT_TOKENS)], services: TheServices
) -> EnrolmentTokenList:
    """The tenant's enrolment tokens, ended ones included."""
    found = await services.access.enrolment.list(caller.tenant.no)
    return EnrolmentTokenList(tokens=[_view(token) for token in found])


@router.post("/api/v1/enrolment-tokens", operation_id="createEnrolmentToken", status_code=201, responses=problems())
async def create_enrolment_token(
    body: NewEnrolmentToken,
    caller: Annotated[Caller, allowed_in_tenant(Permission.CREATE_ENROLMENT_TOKENS)],
    services: TheServices,
) -> MadeEnrolmentToken:
    """A token with which devices register themselves."""
    now_us = services.clock.now_us()
    expires_us = expiry(services, body.expires_at) or now_us + DEFAULT_LIFE_US
    if expires_us > now_us + MAX_LIFE_US:
        raise invalid("/expiresAt", "A token lives for a year at most.")
    token, text = await services.access.enrolment.create(
        caller.tenant,
        name=body.name,
        prefix=body.device_id_prefix,
        location=body.location,
        tags=body.tags,
        key_life_us=None if body.key_days is None else body.key_days * DAY_US,
        max_uses=body.max_uses,
        expires_us=expires_us,
    )
    caller.note.target = token.token_id
    caller.note.detail |= {"name": token.name, "maxUses": token.max_uses, "expiresAt": rfc3339(expires_us)}
    caller.note.detail["deviceIdPrefix"] = token.prefix
    return MadeEnrolmentToken(**_view(token).model_dump(), token=text)


@router.delete(
    "/api/v1/enrolment-tokens/{tokenId}",
    operation_id="revokeEnrolmentToken",
    status_code=204,
    responses=problems(404),
)
async def revoke_enrolment_token(
    token_id: Annotated[str, Path(alias="tokenId", max_length=32)],
    caller: Annotated[Caller, allowed_in_tenant(Permission.REVOKE_ENROLMENT_TOKENS)],
    services: TheServices,
) -> None:
    """End a token now. Devices that have registered with it keep their keys."""
    if not await services.access.enrolment.revoke(caller.tenant.no, token_id):
        raise SliceError(Code.NOT_FOUND, "There is no such enrolment token.")


@router.post(
    "/api/v1/enrol",
    operation_id="enrol",
    status_code=201,
    responses=problems(409),
)
async def enrol(body: NewEnrolment, services: TheServices, request: Request, response: Response) -> EnrolledDevice:
    """Register the device that calls, with an enrolment token (`tse_…`) as its bearer. A device that is, or was, there
    cannot be taken over; one that has lost its answer asks again with the same `nonce` within a day.
    """
    desk, address = services.access.enrolment, client_address(request)
    token = await desk.token_of(bearer_of(request) or "", address)
    actor = Actor(ActorKind.ENROLMENT, token.token_id, token.name)
    try:
        enrolled = await desk.enrol(token, body.device_id, body.label, body.nonce, address)
    except SliceError as error:
        if error.code in _REFUSALS:
            refused = AuditOutcome.REFUSED
            await tell(request, actor, "enrol", "devices", tenant=token.tenant, target=body.device_id, outcome=refused)
        raise
    detail: dict[str, str | int | bool | None] = {"keyId": enrolled.key_id, "repeated": enrolled.is_repeated}
    await tell(request, actor, "enrol", "devices", tenant=token.tenant, target=body.device_id, detail=detail)
    services.devices_changed(token.tenant.no)
    response.headers["Cache-Control"] = "no-store"
    return EnrolledDevice(
        device_id=enrolled.device_id,
        key_id=enrolled.key_id,
        key=enrolled.key,
        expires_at=None if enrolled.expires_us is None else rfc3339(enrolled.expires_us),
    )
