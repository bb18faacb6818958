"""Readings of one device as a file, streamed: one chunk of it is in memory at a time.

CSV follows RFC 4180 (CRLF, quotes where needed, header). A text that a spreadsheet would take for a formula (beginning
with = + - @, tab or carriage return) gets an apostrophe before it; numbers stay numbers, also negative ones. NDJSON is
the faithful form.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from ..model.errors import invalid
from ..model.series import Reading
from .paths import DeviceId
from .principal import Reader, TheServices
from .problems import problems
from .reading import Range, Types, reading_body

router = APIRouter(tags=["telemetry"])

COLUMNS = ("eventId", "deviceId", "type", "kind", "value", "unit", "recordedAt", "receivedAt", "storedAt")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_encode = msgspec.json.Encoder().encode


def plain_cell(value: object) -> object:
    """A value of CSV that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def csv_rows(device_id: str, readings: Sequence[Reading]) -> bytes:
    """The readings as lines of CSV. Numbers are written so that reading them back gives the same bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for reading in readings:
        body = reading_body(reading) | {"deviceId": device_id, "kind": _kind(reading.value)}
        if isinstance(reading.value, bool):
            body["value"] = "true" if reading.value else "false"
        writer.writerow([plain_cell("" if body[column] is None else body[column]) for column in COLUMNS])
    return text.getvalue().encode()


def ndjson_rows(device_id: str, readings: Sequence[Reading]) -> bytes:
    """The readings as lines of JSON."""
    return b"".join(_encode({"deviceId": device_id, **reading_body(reading)}) + b"\n" for reading in readings)


_FORMATS: dict[str, tuple[str, bytes, Callable[[str, Sequence[Reading]], bytes]]] = {
    "csv": ("text/csv; charset=utf-8", (",".join(COLUMNS) + "\r\n").encode(), csv_rows),
    "ndjson": ("application/x-ndjson", b"", ndjson_rows),
}


async def _body(
    head: bytes,
    first: Sequence[Reading],
    rest: AsyncIterator[Sequence[Reading]],
    write: Callable[[Sequence[Reading]], bytes],
) -> AsyncIterator[bytes]:
    yield head + write(first)
    async for readings in rest:
        yield write(readings)


@router.get(
    "/api/v1/devices/{deviceId}/export",
    operation_id="exportTelemetry",
    response_class=StreamingResponse,
    responses=problems(404)
    | {200: {"description": "The file.", "content": {"text/csv": {}, "application/x-ndjson": {}}}},
)
async def export_telemetry(
    device_id: DeviceId,
    caller: Reader,
    services: TheServices,
    *,
    asked: Range,
    format_: Annotated[str, Query(alias="format", max_length=20, description="csv or ndjson.")] = "csv",
    types: Types = None,
) -> Response:
    """All readings of a range as CSV or NDJSON, oldest first. If the connection breaks off, the file is not whole."""
    if format_ not in _FORMATS:
        raise invalid("format", f"Must be one of: {', '.join(_FORMATS)}.")
    media_type, head, write = _FORMATS[format_]
    chunks = await services.query.export(caller.tenant, device_id, asked, types=types)
    # The first chunk is read before the answer begins, so that what is wrong still gets its own status.
    try:
        first = await anext(chunks)
    except StopAsyncIteration:
        first = ()
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", device_id)
    names = f"filename=\"{plain}.{format_}\"; filename*=UTF-8''{quote(device_id, safe='')}.{format_}"
    headers = {
        "Content-Disposition": f"attachment; {names}",
        "Cache-Control": "no-store",
    }

    def rows(readings: Sequence[Reading]) -> bytes:
        return write(device_id, readings)

    return StreamingResponse(_body(head, first, chunks, rows), media_type=media_type, headers=headers)
