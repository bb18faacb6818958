"""The books, and how full the disk is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from ..flow.history import Storage
from ..model.errors import invalid
from ..model.permissions import Permission
from ..model.tenancy import Principal
from ..model.times import parse_time, rfc3339
from .principal import Caller, allowed, allowed_in_tenant
from .problems import problems
from .schemas import Wire
from .services import services_of

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


def _instant(name: str, text: str | None) -> int | None:
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
    from_us, to_us = _instant("from", from_), _instant("to", to)
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise invalid("to", "to must lie after from")
    books = await services_of(request).books.books(caller.tenant.no, from_us, to_us)
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
