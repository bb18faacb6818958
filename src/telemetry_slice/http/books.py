"""The books, and how full the disk is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from ..flow.history import Storage
from ..model.books import Books
from ..model.errors import invalid
from ..model.permissions import Permission
from ..model.tenancy import Principal
from ..model.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US, parse_time, rfc3339
from .principal import Caller, allowed, allowed_in_tenant
from .problems import problems
from .schemas import Wire
from .services import services_of

MAX_STEPS = 800
_STEPS_US = {"minute": MINUTE_US, "hour": HOUR_US, "day": DAY_US}

router = APIRouter(prefix="/api/v1", tags=["books"])


class BooksBody(Wire):
    """What became of everything that arrived; times are whole minutes of receipt."""

    from_: str | None = Field(alias="from")
    to: str | None
    received: int
    accepted: int
    rejected: dict[str, int]
    stored: int
    duplicate: int
    dead: dict[str, int]
    in_flight: int
    balanced: bool


class Step(StrEnum):
    """How long the steps of a history are; a day has 24 hours."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class StepBody(Wire):
    """Events received within one step; `accepted` is the gates' own count, so that what is missing is seen."""

    start: str
    accepted: int
    stored: int
    duplicate: int
    dead: dict[str, int]
    rejected: dict[str, int]


class HistoryBody(Wire):
    """The books over time, oldest first; steps in which nothing was received are left out."""

    from_: str = Field(alias="from")
    to: str
    step_seconds: int
    steps: list[StepBody]


class StorageBody(Wire):
    """How full the disk is; `daysLeft` at the pace of the last day."""

    data_bytes: int
    free_bytes: int
    bytes_per_day: int | None
    days_left: float | None
    ingest: str
    reason: str | None = None


class StatusBody(Wire):
    """The server's state; without `storage` where the data lies on servers of their own."""

    version: str
    now: str
    storage: StorageBody | None


def instant(name: str, text: str | None) -> int | None:
    """Microseconds of a time in the query. Raises SliceError INVALID, naming the parameter."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except (ValueError, OverflowError) as error:
        raise invalid(name, str(error)) from None


@router.get("/books", operation_id="readBooks", summary="The books", responses=problems())
async def read_books(
    request: Request,
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_BOOKS)],
    from_: Annotated[
        str | None, Query(alias="from", description="Received at or after (rounded down to the minute).")
    ] = None,
    to: Annotated[str | None, Query(description="Received before (rounded up to the minute).")] = None,
) -> BooksBody:
    """received = accepted + rejected; accepted = stored + duplicate + dead + inFlight, of three independent counts."""
    from_us, to_us = instant("from", from_), instant("to", to)
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise invalid("to", "to must lie after from")
    return shown(await services_of(request).books.books(caller.tenant.no, from_us, to_us))


def shown(books: Books) -> BooksBody:
    """Books as they are shown."""
    return BooksBody(
        from_=None if books.from_us is None else rfc3339(books.from_us),
        to=None if books.to_us is None else rfc3339(books.to_us),
        received=books.received,
        accepted=books.accepted,
        rejected=books.rejected,
        stored=books.stored,
        duplicate=books.duplicate,
        dead=books.dead,
        in_flight=books.in_flight,
        balanced=books.balanced,
    )


@router.get("/books/history", operation_id="readBooksHistory", summary="The books over time", responses=problems())
async def read_books_history(
    request: Request,
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_BOOKS)],
    from_: Annotated[
        str | None,
        Query(alias="from", description="Received at or after (rounded down to the minute); a day before `to`."),
    ] = None,
    to: Annotated[str | None, Query(description="Received before (rounded up to the minute); now.")] = None,
    step: Annotated[Step, Query(description="Counted from `from`; at most 800 of them.")] = Step.HOUR,
) -> HistoryBody:
    """What became of what was received when. Without what is in flight, and the rejects of the last seconds."""
    services = services_of(request)
    to_us, from_us = instant("to", to), instant("from", from_)
    to_us = -(-(services.clock.now_us() if to_us is None else to_us) // MINUTE_US) * MINUTE_US
    from_us = (to_us - DAY_US if from_us is None else from_us) // MINUTE_US * MINUTE_US
    if from_us >= to_us:
        raise invalid("to", "to must lie after from")
    step_us = _STEPS_US[step]
    if (to_us - from_us) / step_us > MAX_STEPS:
        raise invalid("step", f"There would be more than {MAX_STEPS} steps: ask for longer ones, or a shorter range.")
    steps = await services.books.history(caller.tenant.no, from_us, to_us, step_us)
    return HistoryBody(
        from_=rfc3339(from_us),
        to=rfc3339(to_us),
        step_seconds=step_us // SECOND_US,
        steps=[
            StepBody(
                start=rfc3339(each.start_us),
                accepted=each.announced,
                stored=each.stored,
                duplicate=each.duplicate,
                dead=each.dead,
                rejected=each.rejected,
            )
            for each in steps
        ],
    )


@router.get("/status", operation_id="readStatus", summary="The server's state and storage", responses=problems())
async def read_status(
    request: Request, _principal: Annotated[Principal, allowed(Permission.READ_STATUS)]
) -> StatusBody:
    """For everybody who has signed in: the forecast concerns all."""
    services = services_of(request)
    return StatusBody(
        version=services.version,
        now=rfc3339(services.clock.now_us()),
        storage=None if services.storage is None else _storage(services.storage.look()),
    )


def _storage(storage: Storage) -> StorageBody:
    return StorageBody(
        data_bytes=storage.data_bytes,
        free_bytes=storage.free_bytes,
        bytes_per_day=storage.bytes_per_day,
        days_left=storage.days_left,
        ingest="open" if storage.closed is None else "refused",
        reason=storage.closed,
    )
