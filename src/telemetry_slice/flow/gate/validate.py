"""Wire events → an `EventBatch`: every field checked, every refusal with its field and reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from ...model.events import (
    MAX_DEVICE_ID,
    MAX_EVENT_ID,
    MAX_MEASUREMENTS,
    MAX_STRING_VALUE,
    MAX_TYPE,
    MAX_UNIT,
    DeadReason,
    EventBatch,
    Kind,
    Measurement,
    RejectCode,
    TenantNo,
    Value,
    event_key,
    meaning_of,
)
from ...model.times import EARLIEST_RECORDED_US, EPOCH, LATEST_AHEAD_US, MAX_EPOCH_MS
from .decode import Decoded, Measured, Rejected, Wire, WireV1, pointer_to
from .split import printable

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LARGEST = 1.7976931348623157e308
_NAMES_KEPT = 10_000

DELETED = -1
"""In a map of device numbers: the device exists and is deleted."""


class _InvalidError(Exception):
    def __init__(self, pointer: str, detail: str, code: RejectCode = RejectCode.INVALID) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail
        self.code = code


_good_names: set[tuple[str, str | None]] = set()


def _text(text: str, name: str, most: int, pointer: str | None = None) -> None:
    where = f"/{name}" if pointer is None else pointer
    if not 0 < len(text) <= most:
        raise _InvalidError(where, f"{name} must have 1 to {most} characters")
    if _CONTROL.search(text):
        raise _InvalidError(where, f"{name} must not contain control characters or lone surrogates")


def _names(kind_of: str, unit: str | None, pointer: str) -> None:
    """Check a type and its unit; the good ones are remembered, there are few."""
    if (kind_of, unit) in _good_names:
        return
    _text(kind_of, "type", MAX_TYPE, pointer or "/type")
    if unit is not None:
        _text(unit, "unit", MAX_UNIT, f"{pointer}/unit")
    if len(_good_names) >= _NAMES_KEPT:
        _good_names.clear()
    _good_names.add((kind_of, unit))


def _number(value: float, pointer: str) -> float:
    if not -_LARGEST <= value <= _LARGEST:
        raise _InvalidError(pointer, "value must be a finite number")
    return value


def _measurement(name: str, given: Value | Measured) -> Measurement:
    pointer = "/measurements" + pointer_to(name)
    unit = None
    if isinstance(given, Measured):
        unit = given.unit
        given = given.value
    _names(name, unit, pointer)
    if isinstance(given, bool):
        return (name, unit, Kind.BOOLEAN, 1.0 if given else 0.0)
    if isinstance(given, str):
        if len(given) > MAX_STRING_VALUE:
            raise _InvalidError(pointer, f"a string value has at most {MAX_STRING_VALUE} characters")
        if "\x00" in given:
            raise _InvalidError(pointer, "a string value must not contain U+0000")
        given.encode()
        return (name, unit, Kind.STRING, given)
    return (name, unit, Kind.NUMBER, _number(float(given), pointer))


def _measurements(event: Wire) -> tuple[Measurement, ...]:
    if isinstance(event, WireV1):
        _names(event.type, event.unit, "")
        return ((event.type, event.unit, 0, _number(event.value, "/value")),)
    given = event.measurements
    if not 0 < len(given) <= MAX_MEASUREMENTS:
        raise _InvalidError("/measurements", f"measurements must have 1 to {MAX_MEASUREMENTS} members")
    return tuple(sorted((_measurement(name, value) for name, value in given.items()), key=lambda m: m[0]))


def _recorded_us(moment: datetime | int) -> int:
    if isinstance(moment, int):
        if not -MAX_EPOCH_MS <= moment <= MAX_EPOCH_MS:
            raise _InvalidError("/recordedAt", "recordedAt is out of the range of epoch milliseconds")
        return moment * 1000
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def check_device_id(device_id: str) -> str | None:
    """Why a device id cannot be one, None if it can."""
    try:
        _text(device_id, "deviceId", MAX_DEVICE_ID)
    except _InvalidError as error:
        return error.detail
    return None


def validate(
    tenant: TenantNo, tenant_id: str, decoded: Decoded, devices: Mapping[str, int], received_us: int
) -> tuple[EventBatch, list[int]]:
    """The valid events of `decoded` as a batch, and their places in the request; the others go to `decoded.rejected`.

    Args:
        devices: device id → number for every device that may send here; `DELETED` for a deleted one. A device id that
            is missing is rejected as unknown.
    """
    batch = EventBatch(tenant, received_us)
    places: list[int] = []
    latest_us = received_us + LATEST_AHEAD_US
    for event, place in zip(decoded.events, decoded.places, strict=True):
        try:
            event_id = event.event_id
            key, text = event_key(event_id)
            if text is not None:
                _text(event_id, "eventId", MAX_EVENT_ID)
            if event.customer_id is not None and event.customer_id != tenant_id:
                raise _InvalidError("/customerId", "customerId is not the key's tenant", RejectCode.FOREIGN_TENANT)
            device_id = event.device_id
            device = devices.get(device_id)
            if device is None or device < 0:
                raise _refused_device(device_id, device)
            recorded_us = _recorded_us(event.recorded_at)
            measurements = _measurements(event)
            meaning = meaning_of(device_id, recorded_us, measurements)
        except _InvalidError as error:
            decoded.rejected.append(Rejected(place, printable(event.event_id), error.code, error.detail, error.pointer))
            continue
        except UnicodeEncodeError:
            detail = "a text contains a lone surrogate"
            decoded.rejected.append(Rejected(place, printable(event.event_id), RejectCode.INVALID, detail))
            continue
        if not EARLIEST_RECORDED_US <= recorded_us <= latest_us:
            batch.doomed[len(places)] = DeadReason.CLOCK.value
        batch.keys.append(key)
        batch.texts.append(text)
        batch.devices.append(device)
        batch.device_ids.append(device_id)
        batch.recorded_us.append(recorded_us)
        batch.meanings.append(meaning)
        batch.measurements.append(measurements)
        places.append(place)
    return batch, places


FOREIGN = -2
"""In a map of device numbers: the key may not send for this device."""


def _refused_device(device_id: str, device: int | None) -> _InvalidError:
    if device == DELETED:
        return _InvalidError("/deviceId", "the device was deleted", RejectCode.DEVICE_DELETED)
    if device == FOREIGN:
        return _InvalidError("/deviceId", "the key may not send for this device", RejectCode.FOREIGN_DEVICE)
    wrong = check_device_id(device_id)
    if wrong:
        return _InvalidError("/deviceId", wrong)
    return _InvalidError("/deviceId", "no such device", RejectCode.UNKNOWN_DEVICE)
