"""Dead letters: see, mend, discard, replay."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from ..model.cursor import seal, unseal
from ..model.events import MAX_DEVICE_ID, Outcome
from ..model.permissions import Permission
from ..model.series import DeadLetter
from ..model.times import rfc3339
from .auditing import AuditedRoute
from .books import instant
from .principal import Caller, allowed_in_tenant
from .problems import problems
from .schemas import Wire
from .services import services_of

router = APIRouter(prefix="/api/v1/dead-letters", tags=["dead letters"], route_class=AuditedRoute)

LetterId = Annotated[int, Field(ge=1, le=(1 << 63) - 1)]


class DeadLetterBody(Wire):
    """An accepted event that could not be stored; `body` can be mended and replayed."""

    id: int
    reason: str
    detail: str
    event_id: str
    device_id: str
    received_at: str
    body: dict[str, Any]
    state: str


class DeadLettersBody(Wire):
    """A page, newest first."""

    dead_letters: list[DeadLetterBody]
    next: str | None


class MendBody(Wire):
    """The event as it should have been."""

    body: dict[str, Any]


class OutcomeBody(Wire):
    """What a replay came to."""

    outcome: str
    reason: str | None = None


class BulkBody(Wire):
    """Which letters to replay: these, or all open ones, or all of a reason."""

    reason: str | None = None
    ids: Annotated[list[LetterId], Field(max_length=1000)] | None = None


class BulkOutcomeBody(Wire):
    """How many letters came to which outcome."""

    replayed: dict[str, int]


def _body(letter: DeadLetter) -> DeadLetterBody:
    return DeadLetterBody(
        id=letter.id,
        reason=letter.reason,
        detail=letter.detail,
        event_id=letter.event_id,
        device_id=letter.device_id,
        received_at=rfc3339(letter.received_us),
        body=letter.body,
        state=letter.state,
    )


@router.get("", operation_id="listDeadLetters", summary="Dead letters, newest first", responses=problems())
async def list_dead_letters(
    request: Request,
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_DEAD_LETTERS)],
    reason: Annotated[str | None, Query(description="Only of this reason.")] = None,
    device: Annotated[str | None, Query(max_length=MAX_DEVICE_ID, description="Only of this device.")] = None,
    from_: Annotated[str | None, Query(alias="from", description="Received at or after.")] = None,
    to: Annotated[str | None, Query(description="Received before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
) -> DeadLettersBody:
    """Letters that are not yet replayed."""
    services = services_of(request)
    received = instant("from", from_), instant("to", to)
    asked = [reason, device, *received]
    # A cursor is bound to what was asked for.
    kind = "dead-letters:" + ("" if asked == [None] * 4 else json.dumps(asked))
    after = int(unseal(services.cursor_secret, caller.tenant.no, kind, cursor)[0]) if cursor else None
    letters = await services.letters.page(
        caller.tenant, reason=reason, after=after, limit=limit, device_id=device, received=received
    )
    more = len(letters) == limit
    return DeadLettersBody(
        dead_letters=[_body(letter) for letter in letters],
        next=seal(services.cursor_secret, caller.tenant.no, kind, [letters[-1].id]) if more else None,
    )


@router.post("/replay", operation_id="replayDeadLetters", summary="Replay many", responses=problems())
async def replay_dead_letters(
    request: Request, caller: Annotated[Caller, allowed_in_tenant(Permission.REPLAY_DEAD_LETTERS)], wanted: BulkBody
) -> BulkOutcomeBody:
    """Each exactly once; those that cannot be accepted as they are stay dead."""
    outcomes = await services_of(request).letters.replay_many(caller.tenant, reason=wanted.reason, ids=wanted.ids)
    caller.note.detail |= {outcome.name.lower(): outcomes[outcome] for outcome in Outcome} | {"reason": wanted.reason}
    return BulkOutcomeBody(replayed={outcome.name.lower(): outcomes[outcome] for outcome in Outcome})


@router.get("/{letter_id}", operation_id="readDeadLetter", summary="One dead letter", responses=problems(404))
async def read_dead_letter(
    request: Request, caller: Annotated[Caller, allowed_in_tenant(Permission.READ_DEAD_LETTERS)], letter_id: LetterId
) -> DeadLetterBody:
    """With its body."""
    return _body(await services_of(request).letters.get(caller.tenant, letter_id))


@router.patch("/{letter_id}", operation_id="mendDeadLetter", summary="Mend the event", responses=problems(404))
async def mend_dead_letter(
    request: Request,
    caller: Annotated[Caller, allowed_in_tenant(Permission.MEND_DEAD_LETTERS)],
    letter_id: LetterId,
    mended: MendBody,
) -> DeadLetterBody:
    """The mended event passes the gate's checks; it is stored when it is replayed."""
    return _body(await services_of(request).letters.mend(caller.tenant, letter_id, mended.body))


@router.delete(
    "/{letter_id}", operation_id="discardDeadLetter", summary="Discard", status_code=204, responses=problems(404)
)
async def discard_dead_letter(
    request: Request, caller: Annotated[Caller, allowed_in_tenant(Permission.DISCARD_DEAD_LETTERS)], letter_id: LetterId
) -> Response:
    """It stays `dead` in the books."""
    await services_of(request).letters.discard(caller.tenant, letter_id)
    return Response(status_code=204)


@router.post("/{letter_id}/replay", operation_id="replayDeadLetter", summary="Replay", responses=problems(404))
async def replay_dead_letter(
    request: Request, caller: Annotated[Caller, allowed_in_tenant(Permission.REPLAY_DEAD_LETTERS)], letter_id: LetterId
) -> OutcomeBody:
    """Exactly once: a second replay of the same letter finds none."""
    outcome, reason = await services_of(request).letters.replay(caller.tenant, letter_id)
    caller.note.detail |= {"outcome": outcome.name.lower(), "reason": reason}
    return OutcomeBody(outcome=outcome.name.lower(), reason=reason)
