"""Files of readings as events: CSV, JSON, NDJSON; each event with the place it came from and an id of its own."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ..model.times import rfc3339
from .failure import CliError
from .localtime import LocalTimes

TIME_NAMES = ("recordedat", "timestamp", "time", "ts", "datetime", "date")
DEVICE_NAMES = ("deviceid", "device")
LONG_NAMES = ("eventid", "type", "value", "unit")
OWN_NAMES = ("receivedat", "storedat", "customerid")
MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})


class ReadingError(CliError):
    """A file that cannot be read as readings; the text names file, line and field."""


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One event of a file. `body` is what is sent; `version` the API that takes it (1: one number, 2: the rest)."""

    body: dict[str, Any]
    version: int
    recorded_us: int


@dataclass(slots=True)
class Notes:
    """What a pass over a file met besides events."""

    missing: int = 0
    nonexistent: int = 0


def derived_id(device: str, kind: str, recorded_us: int, occurrence: int) -> str:
    """The id of the `occurrence`-th reading (from 0) of `kind` at one instant: a UUID (version 8) over BLAKE2b."""
    text = "\x1f".join((device, kind, str(recorded_us), str(occurrence)))
    digest = bytearray(blake2b(text.encode(), digest_size=16, person=b"tslice-reading").digest())
    digest[6] = 0x80 | digest[6] & 0x0F
    digest[8] = 0x80 | digest[8] & 0x3F
    digits = digest.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def plain_name(name: str) -> str:
    return name.strip().lower().replace("_", "").replace(" ", "")


class FileReader:
    """Reads one file, from the start each time it is iterated.

    Args:
        path: a .csv, .tsv, .json, .ndjson or .jsonl file, perhaps .gz; other names are told by their content.
        device: device id of readings that do not name one.
        type_: measurement type of a `value` column; with several columns, the only one to send.
        unit: unit of readings that do not name one.
        zone: where times without offset were written.
    """

    def __init__(self, path: Path, *, device: str, type_: str | None, unit: str | None, zone: ZoneInfo) -> None:
        self.path = path
        self.device = device
        self.type = type_
        self.unit = unit
        self.zone = zone
        self.notes = Notes()
        self._times: dict[str, LocalTimes] = {}
        self._seen: dict[tuple[str, str, int], int] = {}
        self._text_columns: dict[str, bool] = {}

    def __iter__(self) -> Iterator[FileEvent]:
        self.notes = Notes()
        self._times, self._seen, self._text_columns = {}, {}, {}
        try:
            with self._open() as stream:
                yield from self._events(stream)
        except UnicodeDecodeError as error:
            raise ReadingError(
                f"{self.path}: not a text file in UTF-8 ({error.reason} at byte {error.start})"
            ) from None
        except (OSError, EOFError) as error:
            raise ReadingError(f"{self.path}: {getattr(error, 'strerror', None) or error}") from None
        self.notes.nonexistent = sum(times.nonexistent for times in self._times.values())

    def _open(self) -> io.TextIOBase:
        if self.path.suffix.lower() == ".gz":
            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return self.path.open(encoding="utf-8-sig", newline="")

    def _events(self, stream: io.TextIOBase) -> Iterator[FileEvent]:
        suffixes = [suffix.lower() for suffix in self.path.suffixes if suffix.lower() != ".gz"]
        form = suffixes[-1] if suffixes else ""
        if form not in {".csv", ".tsv", ".json", ".ndjson", ".jsonl"}:
            head = stream.read(4096).lstrip()
            stream.seek(0)
            form = {"[": ".json", "{": ".ndjson"}.get(head[:1], ".csv")
        if form == ".json":
            yield from self._json(stream)
        elif form in {".ndjson", ".jsonl"}:
            yield from self._ndjson(stream)
        else:
            yield from self._csv(stream)

    # ------------------------------------------------------------------------------------------------ CSV
    def _csv(self, stream: io.TextIOBase) -> Iterator[FileEvent]:
        first = next((line for line in stream if line.strip()), "")
        if not first:
            raise ReadingError(f"{self.path}: the file is empty")
        stream.seek(0)
        delimiter = max(",;\t", key=first.count)
        rows = csv.reader(stream, delimiter=delimiter, strict=True)
        columns: list[str] | None = None
        try:
            for cells in rows:
                if not any(cell.strip() for cell in cells):
                    continue
                if columns is None:
                    columns = self._columns(cells)
                    if columns is not None:
                        continue
                    columns = ["timestamp", "value"]
                place = f"{self.path}:{rows.line_num}"
                if len(cells) != len(columns):
                    raise ReadingError(f"{place}: {len(cells)} fields where the first line has {len(columns)}")
                yield from self._row(place, dict(zip(columns, cells, strict=True)))
        except csv.Error as error:
            raise ReadingError(f"{self.path}:{rows.line_num}: {error}") from None

    def _columns(self, cells: list[str]) -> list[str] | None:
        """The column names of the first line, None if it is a reading already."""
        names = [cell.strip() for cell in cells]
        if len(names) < 2:
            raise ReadingError(f"{self.path}:1: expected a time column and at least one value column")
        try:
            LocalTimes(self.zone).read(names[0])
        except ValueError:
            pass
        else:
            if len(names) == 2:
                return None
            raise ReadingError(f"{self.path}:1: the first line must name the columns, it begins with a time")
        if len(set(names)) != len(names):
            raise ReadingError(f"{self.path}:1: two columns have the same name")
        if "" in names:
            raise ReadingError(f"{self.path}:1: column {names.index('') + 1} has no name")
        return names

    def _row(self, place: str, row: dict[str, Any]) -> Iterator[FileEvent]:
        """The events of one CSV line or one flat JSON object."""
        plain = {plain_name(name): name for name in row}
        time_name = next((plain[name] for name in TIME_NAMES if name in plain), next(iter(row)))
        device_name = next((plain[name] for name in DEVICE_NAMES if name in plain), None)
        device = str(row[device_name]).strip() if device_name and row[device_name] not in {"", None} else self.device
        recorded_us = self._time(place, time_name, row[time_name], device)
        if "value" in plain:
            own = {name: row[plain[name]] for name in LONG_NAMES if name in plain}
            kind = str(own.get("type") or self.type or "value").strip()
            value = self._value(place, plain["value"], own["value"], textual="type" in plain)
            if value is not None:
                unit = str(own.get("unit") or self.unit or "") or None
                yield self._single(device, recorded_us, kind, value, unit=unit, event_id=str(own.get("eventid") or ""))
            return
        taken = {time_name, device_name}
        kinds = [name for name in row if name not in taken and plain_name(name) not in (*LONG_NAMES, *OWN_NAMES)]
        if self.type is not None and len(kinds) > 1:
            if self.type not in kinds:
                raise ReadingError(f"{place}: there is no column {self.type!r}; the file has {', '.join(kinds)}")
            kinds = [self.type]
        for name in kinds:
            value = self._value(place, name, row[name], textual=True)
            if value is not None:
                kind = self.type if self.type is not None and len(kinds) == 1 else name
                yield self._single(device, recorded_us, kind, value, unit=self.unit, event_id="")

    def _time(self, place: str, field: str, value: Any, device: str) -> int:
        times = self._times.get(device)
        if times is None:
            times = self._times[device] = LocalTimes(self.zone)
        try:
            return times.read(str(value))
        except (ValueError, OverflowError) as error:
            raise ReadingError(f"{place}: field {field!r}: {error}") from None

    def _value(self, place: str, field: str, cell: Any, *, textual: bool) -> float | bool | str | None:
        """A cell's value: a number, a boolean, or text where the whole column is text; None where it is missing."""
        if cell is None:
            self.notes.missing += 1
            return None
        if isinstance(cell, bool):
            return cell
        if isinstance(cell, int | float):
            if math.isfinite(cell):
                return cell
            raise ReadingError(f"{place}: field {field!r}: {cell} is not a finite number")
        if not isinstance(cell, str):
            raise ReadingError(f"{place}: field {field!r}: expected a number, true, false or text")
        text = cell.strip()
        if text.lower() in MISSING:
            self.notes.missing += 1
            return None
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        try:
            number = float(text)
        except ValueError:
            # A column is text if its first value is; a later text among numbers is a mistake in the file.
            if textual and self._text_columns.setdefault(field, True):
                return text
            raise ReadingError(f"{place}: field {field!r}: {text!r} is not a number") from None
        if self._text_columns.setdefault(field, False):
            return text
        if not math.isfinite(number):
            raise ReadingError(f"{place}: field {field!r}: {text} is not a finite number")
        return number

    def _single(
        self, device: str, recorded_us: int, kind: str, value: float | bool | str, *, unit: str | None, event_id: str
    ) -> FileEvent:
        body: dict[str, Any] = {
            "eventId": event_id or self._derived(device, kind, recorded_us),
            "deviceId": device,
            "recordedAt": rfc3339(recorded_us),
        }
        if isinstance(value, bool | str):
            body["measurements"] = {kind: {"value": value, "unit": unit} if unit else value}
            return FileEvent(body, 2, recorded_us)
        body |= {"type": kind, "value": value} | ({"unit": unit} if unit else {})
        return FileEvent(body, 1, recorded_us)

    def _derived(self, device: str, kind: str, recorded_us: int) -> str:
        occurrence = self._seen.get((device, kind, recorded_us), 0)
        self._seen[(device, kind, recorded_us)] = occurrence + 1
        return derived_id(device, kind, recorded_us, occurrence)

    # ----------------------------------------------------------------------------------------------- JSON
    def _json(self, stream: io.TextIOBase) -> Iterator[FileEvent]:
        whole = self._decode(stream.read().rstrip(), first_line=1)
        if isinstance(whole, dict):
            whole = whole["events"] if isinstance(whole.get("events"), list) else [whole]
        if not isinstance(whole, list):
            raise ReadingError(f"{self.path}:1: expected an array of events")
        for index, item in enumerate(whole):
            yield from self._item(f"{self.path}: item {index}", item)

    def _ndjson(self, stream: io.TextIOBase) -> Iterator[FileEvent]:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield from self._item(f"{self.path}:{number}", self._decode(line.rstrip(), first_line=number))

    def _decode(self, text: str, *, first_line: int) -> Any:
        def refuse(constant: str) -> Any:
            raise ReadingError(f"{self.path}:{first_line}: {constant} is not a JSON number")

        try:
            return json.loads(text, parse_constant=refuse)
        except json.JSONDecodeError as error:
            line = first_line + error.lineno - 1
            raise ReadingError(f"{self.path}:{line}: not JSON: {error.msg} at column {error.colno}") from None
        except RecursionError:
            raise ReadingError(f"{self.path}:{first_line}: nested too deeply") from None

    def _item(self, place: str, item: Any) -> Iterator[FileEvent]:
        if not isinstance(item, dict) or not item:
            raise ReadingError(f"{place}: expected an object")
        measurements = item.get("measurements")
        if measurements is None:
            yield from self._row(place, item)
            return
        if not isinstance(measurements, dict) or not measurements:
            raise ReadingError(f"{place}: field 'measurements': expected an object with at least one measurement")
        plain = {plain_name(name): name for name in item}
        time_name = next((plain[name] for name in TIME_NAMES if name in plain), None)
        if time_name is None:
            raise ReadingError(f"{place}: field 'recordedAt' is missing")
        device_name = next((plain[name] for name in DEVICE_NAMES if name in plain), None)
        device = str(item[device_name]) if device_name else self.device
        recorded_us = self._time(place, time_name, item[time_name], device)
        event_id = item.get("eventId") or self._derived(device, "\x1e".join(sorted(measurements)), recorded_us)
        body = {
            "eventId": event_id,
            "deviceId": device,
            "recordedAt": rfc3339(recorded_us),
            "measurements": measurements,
        }
        yield FileEvent(body, 2, recorded_us)
