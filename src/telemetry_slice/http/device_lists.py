"""Lists of devices as CSV: read row by row, each fault with its row and column."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from ..flow.access.provisioning import MAX_ROWS
from ..flow.access.provisioning import NewDevice as Wanted
from ..model.errors import Code, SliceError
from .devices import NewDevice

COLUMNS = ("deviceId", "label", "location", "type", "tags")
TYPE_TAG = "type:"
"""The type of a device is a tag that begins so."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row; `column` None = the row as a whole."""

    line: int
    device_id: str
    column: str | None
    detail: str


@dataclass(slots=True)
class DeviceList:
    """The rows of a list.

    Attributes:
        devices: by their line in the file, which begins with line 1, the header.
        faults: what is wrong with the other rows.
    """

    devices: dict[int, Wanted] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_list(body: bytes) -> DeviceList:
    """Read a list: RFC 4180 in UTF-8, a header with some of `COLUMNS` in any order, tags separated by `;`.

    Raises:
        SliceError: MALFORMED, TOO_LARGE: the file as a whole cannot be taken.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SliceError(Code.MALFORMED, f"The file is not UTF-8: byte {error.start}.") from None
    found = DeviceList()
    lines: dict[str, int] = {}
    for line, row in _rows(text.splitlines(keepends=True)):
        device_id = row.get("deviceId", "")
        try:
            device = _device(row)
        except ValidationError as error:
            found.faults += [Fault(line, device_id, *_told(item)) for item in error.errors()]
            continue
        if device.device_id in lines:
            twice = f"The device is in line {lines[device.device_id]} already."
            found.faults.append(Fault(line, device_id, "deviceId", twice))
            continue
        lines[device.device_id] = line
        found.devices[line] = device
    return found


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row by column, with its line; empty lines are none."""
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        count = 0
        for cells in reader:
            if not cells:
                continue
            count += 1
            if count > MAX_ROWS:
                raise SliceError(Code.TOO_LARGE, f"A list has at most {MAX_ROWS:,} rows; send the others in another.")
            if len(cells) != len(header):
                told = f"Line {reader.line_num} has {len(cells)} cells, the header has {len(header)}."
                raise SliceError(Code.MALFORMED, told)
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise SliceError(Code.MALFORMED, f"Line {reader.line_num} is not CSV: {error}.") from None


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or "deviceId" not in header or len(set(header)) != len(header):
        told = f"The first line must name columns, deviceId and any of {', '.join(COLUMNS[1:])}, each once"
        raise SliceError(Code.MALFORMED, f"{told}; {unknown[0][:100]!r} is none." if unknown else f"{told}.")


def _device(row: dict[str, str]) -> Wanted:
    """Raises ValidationError."""
    kind = row.get("type", "").strip()
    tags = [tag.strip() for tag in row.get("tags", "").split(";") if tag.strip()]
    if kind:
        tags.append(TYPE_TAG + kind)
    checked = NewDevice.model_validate(
        {
            "deviceId": row["deviceId"],
            "label": row.get("label") or None,
            "location": row.get("location", ""),
            "tags": tags,
        }
    )
    label = checked.device_id if checked.label is None else checked.label
    return Wanted(checked.device_id, label, checked.location, tuple(checked.tags))


def _told(item: object) -> tuple[str | None, str]:
    """Column and sentence of one of pydantic's findings."""
    if not isinstance(item, dict):
        raise TypeError(item)
    column = str(item["loc"][0]) if item["loc"] else None
    if column == "tags" and str(item.get("input", "")).startswith(TYPE_TAG):
        column = "type"
    return column, str(item["msg"]).removeprefix("Value error, ")
