"""Keys on SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, or_, select, text
from sqlalchemy.exc import IntegrityError

from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...model.tenancy import KeyKind, Scope
from ...ports.edge import Clock
from ...ports.registry import KeyRecord
from .database import AnyRow, Database, has_walls
from .registry_tables import devices, keys, tenants
from .tenants import tenants_of
from .together import Together

MAX_LIVE_DEVICE_KEYS = 2
_FROM = keys.join(tenants, tenants.c.tenant_no == keys.c.tenant_no).outerjoin(
    devices, devices.c.device_no == keys.c.device_no
)
_SELECT = select(
    keys.c.key_id,
    keys.c.kind,
    keys.c.tenant_no,
    keys.c.device_no,
    devices.c.device_id,
    keys.c.name,
    keys.c.scopes,
    keys.c.addresses,
    keys.c.mac,
    keys.c.created_us,
    keys.c.expires_us,
    keys.c.revoked_us,
    keys.c.last_used_us,
    keys.c.last_address,
    keys.c.replaced_by,
).select_from(_FROM)
# Built once: every key in use is read every few seconds.
_FIND = _SELECT.where(keys.c.key_id.in_(bindparam("key_ids", expanding=True)))
# The same where keys are walled off until their tenant is known; migrations/registry/postgresql.
_NAMES = [column.name for column in _SELECT.selected_columns]
_WHOLE = ("device_id" if name == "device_id" else f"(kept).{name}" for name in _NAMES)
_FIND_BEHIND_WALLS = text(f"SELECT {', '.join(_WHOLE)} FROM keys_whole(:key_ids)")
_TOUCH = (
    keys.update()
    .where(
        keys.c.key_id == bindparam("used_key"),
        keys.c.last_used_us.is_(None) | (keys.c.last_used_us <= bindparam("used_us")),
    )
    .values(last_used_us=bindparam("used_us"), last_address=bindparam("used_from"))
)
_TOUCH_BEHIND_WALLS = text("SELECT use_keys(:key_ids, :used_us, :used_from)")


def rows_of_keys(connection: Connection, key_ids: Sequence[str]) -> Sequence[AnyRow]:
    """Rows of `_SELECT` of the keys named, before it is known whose they are."""
    find = _FIND_BEHIND_WALLS if has_walls(connection) else _FIND
    return connection.execute(find, {"key_ids": list(key_ids)}).all()


def _records(connection: Connection, rows: Sequence[AnyRow]) -> list[KeyRecord]:
    """The records of rows of `_SELECT`; keys of one tenant share its object."""
    owners = tenants_of(connection, rows)
    return [
        KeyRecord(
            key_id,
            KeyKind(kind),
            owners[tenant_no],
            device_no,
            device_id,
            name,
            frozenset(Scope(scope) for scope in scopes.split()),
            tuple(addresses.split()),
            *times,
        )
        for key_id, kind, tenant_no, device_no, device_id, name, scopes, addresses, *times in rows
    ]


def is_live(now_us: int) -> ColumnElement[bool]:
    """Of a key that works then."""
    return and_(keys.c.revoked_us.is_(None), or_(keys.c.expires_us.is_(None), keys.c.expires_us > now_us))


class SqlKeys:
    """`ports.registry.Keys`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._finding = Together(self._find)

    async def add(
        self, record: KeyRecord, *, pepper: str | None = None, replaces: tuple[str, int] | None = None
    ) -> None:
        now_us = self._clock.now_us()

        def work(connection: Connection) -> None:
            if replaces is not None:
                _end(connection, record, *replaces, now_us)
            if record.device_no is not None:
                _check_device(connection, record, now_us)
            added = keys.insert().values(
                key_id=record.key_id,
                tenant_no=record.tenant.no,
                device_no=record.device_no,
                kind=record.kind,
                name=record.name,
                scopes=" ".join(sorted(record.scopes)),
                addresses=" ".join(record.addresses),
                mac=record.mac,
                created_us=record.created_us,
                expires_us=record.expires_us,
                revoked_us=record.revoked_us,
                last_used_us=record.last_used_us,
                pepper=pepper,
            )
            try:
                connection.execute(added)
            except IntegrityError:
                raise SliceError(Code.CONFLICT, "This is registered already.") from None

        await self._database.write(work, tenant=record.tenant.no)

    async def find(self, key_id: str) -> KeyRecord | None:
        return (await self.find_many([key_id])).get(key_id)

    async def find_many(self, key_ids: Sequence[str]) -> Mapping[str, KeyRecord]:
        return await self._finding(None, key_ids)

    async def _find(self, _: None, key_ids: Sequence[str]) -> Mapping[str, KeyRecord]:
        def work(connection: Connection) -> dict[str, KeyRecord]:
            return {record.key_id: record for record in _records(connection, rows_of_keys(connection, key_ids))}

        return await self._database.read(work)

    async def list(self, tenant: TenantNo, device_id: str | None) -> Sequence[KeyRecord]:
        whose = keys.c.device_no.is_(None) if device_id is None else devices.c.device_id == device_id
        wanted = _SELECT.where(keys.c.tenant_no == tenant, whose).order_by(
            keys.c.created_us.desc(), keys.c.key_id.desc()
        )
        return await self._database.read(
            lambda connection: _records(connection, connection.execute(wanted).all()), tenant=tenant
        )

    async def revoke(self, tenant: TenantNo, key_id: str) -> bool:
        now_us = self._clock.now_us()
        ended = (
            keys.update()
            .where(keys.c.tenant_no == tenant, keys.c.key_id == key_id, keys.c.revoked_us.is_(None))
            .values(revoked_us=now_us)
        )
        return await self._database.write(lambda connection: connection.execute(ended).rowcount > 0, tenant=tenant)

    async def touch(self, used: Sequence[tuple[str, int, str | None]]) -> None:
        if not used:
            return
        # In one order: two who write down the same keys wait for one another instead of crosswise.
        last = {key_id: (used_us, address) for key_id, used_us, address in sorted(used, key=lambda use: use[:2])}

        def work(connection: Connection) -> None:
            if has_walls(connection):
                used_us, used_from = zip(*last.values(), strict=True)
                told = {"key_ids": list(last), "used_us": list(used_us), "used_from": list(used_from)}
                connection.execute(_TOUCH_BEHIND_WALLS, told)
            else:
                uses = [{"used_key": key, "used_us": at_us, "used_from": come} for key, (at_us, come) in last.items()]
                connection.execute(_TOUCH, uses)

        await self._database.write(work)


def _end(connection: Connection, record: KeyRecord, key_id: str, at_us: int, now_us: int) -> None:
    """Let a live key, which `record` replaces, end at `at_us` at the latest.

    Raises SliceError CONFLICT if it is not live.
    """
    named = and_(keys.c.tenant_no == record.tenant.no, keys.c.key_id == key_id, is_live(now_us))
    ended = keys.update().where(named).values(expires_us=ends_by(at_us), replaced_by=record.key_id)
    if connection.execute(ended).rowcount <= 0:
        raise SliceError(Code.CONFLICT, "This key has ended; it cannot be rotated.")


def ends_by(at_us: int) -> ColumnElement[int]:
    """When a key ends that ends at `at_us` at the latest."""
    return case((keys.c.expires_us < at_us, keys.c.expires_us), else_=at_us)


def _check_device(connection: Connection, record: KeyRecord, now_us: int) -> None:
    # Taking the device's row makes two issues at once wait for one another where several writers exist.
    live = connection.execute(
        select(devices.c.device_no)
        .where(
            devices.c.tenant_no == record.tenant.no,
            devices.c.device_no == record.device_no,
            devices.c.deleted_us.is_(None),
        )
        .with_for_update()
    ).one_or_none()
    if live is None:
        raise SliceError(Code.NOT_FOUND, "There is no such device.")
    count = connection.execute(
        select(func.count())
        .select_from(keys)
        .where(keys.c.device_no == record.device_no, keys.c.kind == record.kind, is_live(now_us))
    ).scalar_one()
    if count >= MAX_LIVE_DEVICE_KEYS:
        raise SliceError(Code.CONFLICT, f"A device has at most {MAX_LIVE_DEVICE_KEYS} live keys; revoke one first.")
