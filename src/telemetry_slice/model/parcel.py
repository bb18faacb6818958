"""A tenant on its way from one installation to another: what a parcel holds, in the order in which it travels.

Rows refer to devices and series by the numbers these had where they come from; where they arrive they get numbers of
that installation's own. Times are int microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from .tenancy import KeyKind, Limits, Role, Scope


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a tenant before its rows.

    Attributes:
        tenant_id, name, auto_register, limits, created_us: as in the registry.
        pepper: a fingerprint of the pepper that the keys are kept with; another one recognises none of them.
        exported_us: when the snapshot was taken.
        stored_until_us: the store's clock then: nothing in the parcel was stored later.
        forgotten_weeks: [from, to) the weeks of UUIDv7 whose ids the ledger knew no more; (0, 0) for none.
    """

    tenant_id: str
    name: str
    auto_register: bool
    limits: Limits
    created_us: int
    pepper: str
    exported_us: int
    stored_until_us: int
    forgotten_weeks: tuple[int, int]


class DeviceRow(NamedTuple):
    """A device, deleted ones included."""

    no: int
    device_id: str
    label: str
    location: str
    tags: tuple[str, ...]
    created_us: int
    deleted_us: int | None


class KeyRow(NamedTuple):
    """A key; its secret is not in it, only its HMAC under the pepper."""

    key_id: str
    kind: KeyKind
    device_no: int | None
    name: str
    scopes: tuple[Scope, ...]
    addresses: tuple[str, ...]
    mac: bytes
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None


class MemberRow(NamedTuple):
    """An account with its role in the tenant; `password` is an argon2id string."""

    user_id: str
    email: str
    name: str
    password: str
    created_us: int
    role: Role


class DashboardRow(NamedTuple):
    """A dashboard in its newest version. Versions before it, and links to it, stay where they are."""

    dashboard_id: str
    name: str
    visible_to: Role
    document: str
    created_us: int
    changed_us: int
    changed_by: str


class SeriesRow(NamedTuple):
    """A series, and its newest reading where it has one; `received_us` is when it last received anything."""

    no: int
    device_no: int
    type: str
    unit: str | None
    kind: Literal[0, 1, 2]
    recorded_us: int | None
    event_key: bytes | None
    number: float | None
    text: str | None
    received_us: int | None


class ReadingRow(NamedTuple):
    """One stored measurement. In the order of (series, recorded_us, event_key)."""

    series_no: int
    recorded_us: int
    event_key: bytes
    received_us: int
    stored_us: int
    number: float | None
    text: str | None
    event_text: str | None


class ClaimRow(NamedTuple):
    """An event id that is taken, with its meaning. In the order of keys."""

    event_key: bytes
    meaning: int


class LetterRow(NamedTuple):
    """A dead letter, also a closed one. In the order in which they were buried."""

    event_key: bytes
    meaning: int
    reason: str
    detail: str
    event_text: str | None
    device_id: str
    received_us: int
    body: str
    state: Literal["dead", "replayed", "discarded"]


class CountRow(NamedTuple):
    """What the books counted in one minute of receipt, or with `minute_us` None since creation."""

    minute_us: int | None
    entry: Literal["stored", "duplicate", "dead", "rejected"]
    code: str
    events: int


class AnnouncedRow(NamedTuple):
    """How many events all gates together announced in one minute, or with `minute_us` None since creation."""

    minute_us: int | None
    total: int


PARTS: dict[str, type[Any]] = {
    "devices": DeviceRow,
    "keys": KeyRow,
    "members": MemberRow,
    "dashboards": DashboardRow,
    "series": SeriesRow,
    "readings": ReadingRow,
    "claims": ClaimRow,
    "letters": LetterRow,
    "counts": CountRow,
    "announced": AnnouncedRow,
}
"""The parts of a parcel, in their order."""

Rows = Sequence[Any]
"""Some rows of one part: of the type that `PARTS` names."""


def is_live(key: KeyRow, now_us: int) -> bool:
    """Whether the key may still be used."""
    return key.revoked_us is None and (key.expires_us is None or key.expires_us > now_us)
