"""Devices on SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, insert, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...model.fleet import Listed
from ...model.tenancy import Device
from ...ports.edge import Clock
from .database import AnyRow, Database
from .fleet import read_roster
from .registry_tables import device_tags, devices, keys
from .together import Together

_COLUMNS = (
    devices.c.device_no,
    devices.c.device_id,
    devices.c.label,
    devices.c.location,
    devices.c.created_us,
    devices.c.deleted_us,
)
_SORT = {
    "deviceId": devices.c.device_id,
    "label": devices.c.label,
    "location": devices.c.location,
    "createdAt": devices.c.created_us,
}


def search_text(device_id: str, label: str, location: str) -> str:
    """What a query looks in."""
    return f"{device_id}\n{label}\n{location}".casefold()


def insert_new(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *returning: Column[Any]
) -> Sequence[AnyRow]:
    """Insert the rows whose unique key is not there yet; `returning` of those."""
    insert_into = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    inserted = insert_into(table).on_conflict_do_nothing()
    if not returning:
        connection.execute(inserted, rows)
        return ()
    return connection.execute(inserted.returning(*returning), rows).all()


def with_tags(connection: Connection, rows: Iterable[AnyRow]) -> list[Device]:
    """The devices of rows that have their columns."""
    rows = list(rows)
    tags: dict[int, list[str]] = {}
    if rows:
        for number, tag in connection.execute(
            select(device_tags.c.device_no, device_tags.c.tag)
            .where(device_tags.c.device_no.in_([row.device_no for row in rows]))
            .order_by(device_tags.c.device_no, device_tags.c.position)
        ):
            tags.setdefault(number, []).append(tag)
    return [
        Device(
            row.device_no,
            row.device_id,
            row.label,
            row.location,
            tuple(tags.get(row.device_no, ())),
            row.created_us,
            row.deleted_us,
        )
        for row in rows
    ]


def _set_tags(connection: Connection, device_no: int, tags: Sequence[str]) -> None:
    connection.execute(device_tags.delete().where(device_tags.c.device_no == device_no))
    if tags:
        connection.execute(
            insert(device_tags),
            [{"device_no": device_no, "position": position, "tag": tag} for position, tag in enumerate(tags)],
        )


def _resolve(connection: Connection, tenant: TenantNo, device_ids: Sequence[str]) -> dict[str, Device]:
    rows = connection.execute(
        select(*_COLUMNS).where(devices.c.tenant_no == tenant, devices.c.device_id.in_(device_ids))
    )
    return {device.id: device for device in with_tags(connection, rows)}


def _live(connection: Connection, tenant: TenantNo, device_id: str) -> Device | None:
    device = _resolve(connection, tenant, [device_id]).get(device_id)
    return device if device is not None and device.deleted_us is None else None


class SqlDevices:
    """`ports.registry.Devices`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._resolving = Together(self._resolve)
        self._registering = Together(self._register)

    async def resolve(self, tenant: TenantNo, device_ids: Sequence[str]) -> dict[str, Device]:
        return await self._resolving(tenant, device_ids)

    async def register(self, tenant: TenantNo, device_ids: Sequence[str]) -> dict[str, Device]:
        return await self._registering(tenant, device_ids)

    async def _resolve(self, tenant: TenantNo, device_ids: Sequence[str]) -> dict[str, Device]:
        return await self._database.read(lambda connection: _resolve(connection, tenant, device_ids), tenant=tenant)

    async def _register(self, tenant: TenantNo, device_ids: Sequence[str]) -> dict[str, Device]:
        now_us = self._clock.now_us()
        rows = [
            {
                "tenant_no": tenant,
                "device_id": device_id,
                "label": device_id,
                "location": "",
                "search": search_text(device_id, device_id, ""),
                "created_us": now_us,
            }
            # In one order, so that two registrations at once wait for one another instead of crosswise.
            for device_id in sorted(device_ids)
        ]

        def work(connection: Connection) -> dict[str, Device]:
            insert_new(connection, devices, rows)
            return _resolve(connection, tenant, device_ids)

        return await self._database.write(work, tenant=tenant)

    async def create(
        self, tenant: TenantNo, device_id: str, *, label: str, location: str, tags: Sequence[str]
    ) -> Device:
        now_us = self._clock.now_us()

        def work(connection: Connection) -> Device:
            try:
                device_no = connection.execute(
                    devices.insert()
                    .values(
                        tenant_no=tenant,
                        device_id=device_id,
                        label=label,
                        location=location,
                        search=search_text(device_id, label, location),
                        created_us=now_us,
                    )
                    .returning(devices.c.device_no)
                ).scalar_one()
            except IntegrityError:
                raise SliceError(Code.CONFLICT, "There is, or was, a device with this id.") from None
            _set_tags(connection, device_no, tags)
            return Device(device_no, device_id, label, location, tuple(tags), now_us)

        return await self._database.write(work, tenant=tenant)

    async def get(self, tenant: TenantNo, device_id: str) -> Device | None:
        return await self._database.read(lambda connection: _live(connection, tenant, device_id), tenant=tenant)

    async def change(
        self,
        tenant: TenantNo,
        device_id: str,
        *,
        label: str | None = None,
        location: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> Device | None:
        def work(connection: Connection) -> Device | None:
            old = _live(connection, tenant, device_id)
            if old is None:
                return None
            new_label = old.label if label is None else label
            new_location = old.location if location is None else location
            connection.execute(
                devices.update()
                .where(devices.c.tenant_no == tenant, devices.c.device_no == old.no)
                .values(label=new_label, location=new_location, search=search_text(device_id, new_label, new_location))
            )
            if tags is not None:
                _set_tags(connection, old.no, tags)
            return _live(connection, tenant, device_id)

        return await self._database.write(work, tenant=tenant)

    async def delete(self, tenant: TenantNo, device_id: str) -> bool:
        now_us = self._clock.now_us()

        def work(connection: Connection) -> bool:
            device_no = connection.execute(
                devices.update()
                .where(devices.c.tenant_no == tenant, devices.c.device_id == device_id, devices.c.deleted_us.is_(None))
                .values(deleted_us=now_us)
                .returning(devices.c.device_no)
            ).scalar_one_or_none()
            if device_no is None:
                return False
            connection.execute(
                keys.update()
                .where(keys.c.tenant_no == tenant, keys.c.device_no == device_no, keys.c.revoked_us.is_(None))
                .values(revoked_us=now_us)
            )
            return True

        return await self._database.write(work, tenant=tenant)

    async def page(
        self,
        tenant: TenantNo,
        *,
        query: str | None,
        tag: str | None,
        location: str | None,
        sort: str,
        descending: bool,
        after: tuple[str, str] | None,
        limit: int,
    ) -> Sequence[Device]:
        column = _SORT[sort]
        wanted = select(*_COLUMNS).where(devices.c.tenant_no == tenant, devices.c.deleted_us.is_(None))
        if query:
            wanted = wanted.where(devices.c.search.contains(query.casefold(), autoescape=True))
        if location is not None:
            wanted = wanted.where(devices.c.location == location)
        if tag is not None:
            tagged = select(device_tags.c.device_no).where(device_tags.c.tag == tag)
            wanted = wanted.where(devices.c.device_no.in_(tagged))
        if after is not None:
            place = tuple_(column, devices.c.device_id)
            value: str | int = int(after[0]) if sort == "createdAt" else after[0]
            bound = tuple_(value, after[1])
            wanted = wanted.where(place < bound if descending else place > bound)
        order = [column, devices.c.device_id]
        wanted = wanted.order_by(*(part.desc() if descending else part for part in order)).limit(limit)
        return await self._database.read(
            lambda connection: with_tags(connection, connection.execute(wanted)), tenant=tenant
        )

    async def roster(self, tenant: TenantNo) -> Sequence[Listed]:
        return await self._database.read(lambda connection: read_roster(connection, tenant), tenant=tenant)
