"""Many devices with their keys, on SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from ...model.events import TenantNo
from ...model.tenancy import KeyKind, Scope
from ...ports.edge import Clock
from ...ports.provisioning import REPEATABLE_US, Fate, WantedDevice
from .database import AnyRow, Database
from .devices import insert_new, search_text
from .keys import MAX_LIVE_DEVICE_KEYS, ends_by, is_live
from .registry_tables import device_tags, devices, keys

AT_ONCE = 500
"""Rows of one statement."""


class _UndoneError(Exception):
    """Takes everything back that the transaction has done."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose devices and keys, made when; `old_end_us`: when keys end that are replaced, None to keep them."""

    tenant: TenantNo
    now_us: int
    expires_us: int | None
    old_end_us: int | None = None


def _parts(wanted: Sequence[WantedDevice]) -> Iterator[Sequence[WantedDevice]]:
    # In one order, so that two who provision the same devices wait for one another instead of crosswise.
    in_order = sorted(wanted, key=lambda each: each.device_id)
    return (in_order[start : start + AT_ONCE] for start in range(0, len(in_order), AT_ONCE))


class SqlProvisioning:
    """`ports.provisioning.Provisioning`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def provision(
        self,
        tenant: TenantNo,
        wanted: Sequence[WantedDevice],
        *,
        expires_us: int | None,
        old_end_us: int | None,
        all_or_nothing: bool,
        dry_run: bool,
    ) -> tuple[Sequence[Fate], bool]:
        terms = Terms(tenant, self._clock.now_us(), expires_us, old_end_us)
        fates: dict[str, Fate] = {}

        def work(connection: Connection) -> None:
            fates.clear()
            for part in _parts(wanted):
                fates.update(_provision(connection, terms, part))
            if dry_run or (all_or_nothing and any(fate.is_refusal for fate in fates.values())):
                raise _UndoneError

        try:
            await self._database.write(work, tenant=tenant)
            done = True
        except _UndoneError:
            done = False
        return [fates[each.device_id] for each in wanted], done


def _provision(connection: Connection, terms: Terms, wanted: Sequence[WantedDevice]) -> dict[str, Fate]:
    created = create_devices(connection, terms, wanted)
    # Taking the rows makes whoever issues keys for the same devices wait, where several writers exist.
    rows = connection.execute(
        select(devices.c.device_no, devices.c.device_id, devices.c.deleted_us)
        .where(devices.c.tenant_no == terms.tenant, devices.c.device_id.in_([each.device_id for each in wanted]))
        .order_by(devices.c.device_id)
        .with_for_update()
    ).all()
    there = {row.device_id: row for row in rows}
    live: dict[int, list[AnyRow]] = {}
    for key in connection.execute(
        select(keys.c.device_no, keys.c.key_id, keys.c.mac, keys.c.created_us).where(
            keys.c.tenant_no == terms.tenant,
            keys.c.device_no.in_([row.device_no for row in rows]),
            keys.c.kind == KeyKind.DEVICE,
            is_live(terms.now_us),
        )
    ):
        live.setdefault(key.device_no, []).append(key)
    offered = keys.c.key_id.in_([each.key_id for each in wanted])
    used = set(connection.execute(select(keys.c.key_id).where(keys.c.tenant_no == terms.tenant, offered)).scalars())
    fates: dict[str, Fate] = {}
    for each in wanted:
        row = there[each.device_id]
        if each.device_id in created:
            fates[each.device_id] = Fate.CREATED
        elif row.deleted_us is not None:
            fates[each.device_id] = Fate.DELETED
        else:
            fates[each.device_id] = _fate(terms, each, live.get(row.device_no, []), used=each.key_id in used)
    numbers = {device_id: row.device_no for device_id, row in there.items()}
    rotated = [(numbers[each.device_id], each.key_id) for each in wanted if fates[each.device_id] == Fate.ROTATED]
    _end_keys(connection, terms, rotated)
    add_keys(connection, terms, [(numbers[each.device_id], each) for each in wanted if _is_new(fates[each.device_id])])
    return fates


def _is_new(fate: Fate) -> bool:
    return fate.has_new_key and fate != Fate.REPEATED


def _fate(terms: Terms, wanted: WantedDevice, live: Sequence[AnyRow], *, used: bool) -> Fate:
    """Of a device that was there; `used`: it has, or had, the key that is offered."""
    if any(
        key.key_id == wanted.key_id and key.mac == wanted.mac and key.created_us > terms.now_us - REPEATABLE_US
        for key in live
    ):
        return Fate.REPEATED
    if live and terms.old_end_us is None:
        return Fate.KEPT
    if used:
        return Fate.SPENT
    if not live:
        return Fate.ISSUED
    going_on = len(live) if terms.old_end_us is not None and terms.old_end_us > terms.now_us else 0
    return Fate.ROTATED if going_on < MAX_LIVE_DEVICE_KEYS else Fate.FULL


def create_devices(connection: Connection, terms: Terms, wanted: Sequence[WantedDevice]) -> dict[str, int]:
    """Insert the devices that are not there, with their tags; their numbers by id."""
    created = insert_new(
        connection,
        devices,
        [
            {
                "tenant_no": terms.tenant,
                "device_id": each.device_id,
                "label": each.label,
                "location": each.location,
                "search": search_text(each.device_id, each.label, each.location),
                "created_us": terms.now_us,
            }
            for each in wanted
        ],
        devices.c.device_id,
        devices.c.device_no,
    )
    tags = {each.device_id: each.tags for each in wanted}
    rows = [
        {"device_no": number, "position": position, "tag": tag}
        for device_id, number in created
        for position, tag in enumerate(tags[device_id])
    ]
    if rows:
        connection.execute(device_tags.insert(), rows)
    return {row.device_id: row.device_no for row in created}


def _end_keys(connection: Connection, terms: Terms, rotated: Sequence[tuple[int, str]]) -> None:
    """Let the live keys of devices end, each device's replaced by the one named."""
    if not rotated or terms.old_end_us is None:
        return
    whose = and_(
        keys.c.tenant_no == terms.tenant,
        keys.c.device_no == bindparam("whose"),
        keys.c.kind == KeyKind.DEVICE,
        is_live(terms.now_us),
    )
    ended = keys.update().where(whose).values(expires_us=ends_by(terms.old_end_us), replaced_by=bindparam("next"))
    connection.execute(ended, [{"whose": device_no, "next": key_id} for device_no, key_id in rotated])


def add_keys(connection: Connection, terms: Terms, added: Sequence[tuple[int, WantedDevice]]) -> None:
    """Insert the keys of devices, each with the number of its device."""
    rows: list[dict[str, Any]] = [
        {
            "key_id": each.key_id,
            "tenant_no": terms.tenant,
            "device_no": device_no,
            "kind": KeyKind.DEVICE,
            "name": "",
            "scopes": Scope.INGEST,
            "addresses": "",
            "mac": each.mac,
            "pepper": each.pepper,
            "created_us": terms.now_us,
            "expires_us": terms.expires_us,
        }
        for device_no, each in added
    ]
    if rows:
        connection.execute(keys.insert(), rows)
