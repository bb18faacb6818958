"""Many devices at once, each with its key: a list in, keys out once."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from ..flow.access.provisioning import Provisioned, Terms
from ..model.errors import Code, FieldError, SliceError
from ..model.permissions import Permission
from ..ports.provisioning import Fate
from .auditing import AuditedRoute
from .device_lists import COLUMNS, DeviceList, Fault, read_list
from .export import plain_cell
from .keys import DEFAULT_OVERLAP_S, MAX_OVERLAP_S, expiry
from .principal import Caller, TheServices, allowed_in_tenant
from .problems import problems

router = APIRouter(prefix="/api/v1/provisioning", tags=["devices"], route_class=AuditedRoute)

ANSWER = ("line", "deviceId", "outcome", "keyId", "key", "column", "detail")
MOST_FAULTS = 100
_AT_ONCE = 500
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
_WHY = {
    Fate.DELETED: "There was a device with this id; its history is still there.",
    Fate.FULL: "The device has two live keys; revoke one first, or let the old ones end at once.",
    Fate.SPENT: "The key that belongs to this Idempotency-Key has ended, or is older than a day; choose another.",
}
_encode = msgspec.json.Encoder().encode


class OnError(StrEnum):
    """What becomes of a list with rows at fault."""

    REFUSE = "refuse"
    SKIP = "skip"


class Existing(StrEnum):
    """What becomes of the keys of a device that is there already."""

    KEEP = "keep"
    ROTATE = "rotate"


def _refused(found: DeviceList, results: Sequence[Provisioned]) -> list[Fault]:
    """The rows at fault, those that the registry refuses included, by line."""
    by_registry = [
        Fault(line, result.device_id, "deviceId", _WHY[result.fate])
        for line, result in zip(found.devices, results, strict=True)
        if result.fate.is_refusal
    ]
    return sorted([*found.faults, *by_registry], key=lambda fault: fault.line)


def _refusal(faults: Sequence[Fault]) -> SliceError:
    rows = len({fault.line for fault in faults})
    fields = tuple(
        FieldError(f"line {fault.line}" + (f", {fault.column}" if fault.column else ""), fault.detail)
        for fault in faults[:MOST_FAULTS]
    )
    return SliceError(Code.INVALID, f"{rows:,} rows are at fault; nothing was done.", fields=fields)


def _answers(found: DeviceList, results: Sequence[Provisioned]) -> list[dict[str, Any]]:
    answers = [
        {
            "line": line,
            "deviceId": result.device_id,
            "outcome": result.fate.value,
            "keyId": result.key_id,
            "key": result.key,
        }
        for line, result in zip(found.devices, results, strict=True)
        if not result.fate.is_refusal
    ]
    answers += [
        {
            "line": fault.line,
            "deviceId": fault.device_id[:200],
            "outcome": "error",
            "column": fault.column,
            "detail": fault.detail,
        }
        for fault in _refused(found, results)
    ]
    return sorted(answers, key=lambda answer: int(answer["line"]))


def _written(answers: Sequence[dict[str, Any]], format_: str) -> Iterator[bytes]:
    if format_ == "csv":
        yield (",".join(ANSWER) + "\r\n").encode()
    for start in range(0, len(answers), _AT_ONCE):
        part = answers[start : start + _AT_ONCE]
        if format_ == "ndjson":
            yield b"".join(_encode(answer) + b"\n" for answer in part)
            continue
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerows([plain_cell(answer.get(name) or "") for name in ANSWER] for answer in part)
        yield text.getvalue().encode()


async def _body(request: Request) -> bytes:
    """The list; that it is not too large is seen to outside (`bodies.py`)."""
    essence = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if essence != "text/csv":
        raise SliceError(Code.UNSUPPORTED_MEDIA_TYPE, "The body must be CSV with Content-Type: text/csv.")
    return await request.body()


@router.post(
    "",
    operation_id="provisionDevices",
    response_class=StreamingResponse,
    responses=problems(415)
    | {200: {"description": "What became of each row.", "content": {"text/csv": {}, "application/x-ndjson": {}}}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string"}, "example": ",".join(COLUMNS) + "\r\ndev-1,,,,\r\n"}},
        }
    },
)
async def provision_devices(
    request: Request,
    caller: Annotated[Caller, allowed_in_tenant(Permission.PROVISION_DEVICES)],
    services: TheServices,
    *,
    on_error: Annotated[OnError, Query(alias="onError", description="refuse = all rows or none.")] = OnError.REFUSE,
    existing: Annotated[
        Existing, Query(description="rotate = a device that has a key gets a new one.")
    ] = Existing.KEEP,
    overlap_seconds: Annotated[
        int, Query(alias="overlapSeconds", ge=0, le=MAX_OVERLAP_S, description="How long keys that are rotated go on.")
    ] = DEFAULT_OVERLAP_S,
    expires_at: Annotated[
        str | None, Query(alias="expiresAt", max_length=64, description="When the new keys end.")
    ] = None,
    dry_run: Annotated[bool, Query(alias="dryRun", description="Say what would be done, and do nothing.")] = False,
    format_: Annotated[Literal["csv", "ndjson"], Query(alias="format")] = "csv",
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=r'^"?[\x21\x23-\x7e]{22,200}"?$',
            description="A random text: whoever repeats the call with it within a day is given the same keys again.",
        ),
    ] = None,
) -> Response:
    """Create devices by a list, at most 10,000, each with a key that is told this once. A device that is there stays
    as it is, and keeps its key unless asked otherwise.
    """
    terms = Terms(
        overlap_s=overlap_seconds if existing == Existing.ROTATE else None,
        expires_us=expiry(services, expires_at, "expiresAt"),
        all_or_nothing=on_error == OnError.REFUSE,
        dry_run=dry_run,
    )
    caller.note.silent = dry_run
    with services.access.provisioner.turn():
        found = await asyncio.to_thread(read_list, await _body(request))
        if found.faults and terms.all_or_nothing and not dry_run:
            raise _refusal(found.faults)
        seed = None if idempotency_key is None else idempotency_key.strip('"')
        devices = list(found.devices.values())
        results, done = await services.access.provisioner.provision(caller.tenant, devices, terms, seed)
    if not (done or dry_run):
        raise _refusal(_refused(found, results))
    if done:
        counts = {fate: sum(result.fate == fate for result in results) for fate in Fate}
        caller.note.detail |= {fate.value: count for fate, count in counts.items() if count}
        services.devices_changed(caller.tenant.no)
    return StreamingResponse(
        _written(_answers(found, results), format_),
        media_type=_MEDIA_TYPES[format_],
        headers={"Content-Disposition": f'attachment; filename="keys.{format_}"', "Cache-Control": "no-store"},
    )
