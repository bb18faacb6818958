"""Keys that end soon, of every tenant, on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, ColumnElement, Connection, FromClause, and_, bindparam, func, select, text

from ...model.tenancy import KeyKind
from ...ports.credentials import ExpiringKey
from .database import AnyRow, Database, has_walls
from .registry_tables import devices, keys
from .tenants import tenants_of

_NOW: BindParameter[int] = bindparam("now_us")
_UNTIL: BindParameter[int] = bindparam("until_us")


def _ends_soon() -> ColumnElement[bool]:
    return and_(
        keys.c.revoked_us.is_(None), keys.c.replaced_by.is_(None), keys.c.expires_us > _NOW, keys.c.expires_us <= _UNTIL
    )


_EXPIRING = (
    select(keys.c.key_id, keys.c.kind, keys.c.tenant_no, devices.c.device_id, keys.c.name, keys.c.expires_us)
    .select_from(keys.outerjoin(devices, devices.c.device_no == keys.c.device_no))
    .where(_ends_soon())
    .subquery()
)
_EXPIRING_BEHIND_WALLS = (
    text("SELECT * FROM keys_expiring(:now_us, :until_us)")
    .columns(keys.c.key_id, keys.c.kind, keys.c.tenant_no, devices.c.device_id, keys.c.name, keys.c.expires_us)
    .subquery()
)
_UNWARNED = (
    select(keys.c.key_id)
    .where(_ends_soon(), keys.c.warned_us.is_(None))
    .order_by(keys.c.key_id)
    .limit(bindparam("at_most"))
)
_WARN = keys.update().where(keys.c.key_id.in_(_UNWARNED)).values(warned_us=_NOW).returning(keys.c.key_id)
_WARN_BEHIND_WALLS = text("SELECT warn_keys(:now_us, :until_us, :at_most)")


class SqlExpiringKeys:
    """`ports.credentials.ExpiringKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def soon(self, now_us: int, until_us: int, at_most: int) -> tuple[int, Sequence[ExpiringKey]]:
        times = {"now_us": now_us, "until_us": until_us}

        def work(connection: Connection) -> tuple[int, list[ExpiringKey]]:
            ending = _ending(connection)
            counted = connection.execute(select(func.count()).select_from(ending), times).scalar_one()
            first = select(ending).order_by(ending.c.expires_us, ending.c.key_id).limit(at_most)
            return counted, _keys(connection, connection.execute(first, times).all())

        return await self._database.read(work)

    async def warn(self, now_us: int, until_us: int, at_most: int) -> Sequence[ExpiringKey]:
        times = {"now_us": now_us, "until_us": until_us}

        def work(connection: Connection) -> list[ExpiringKey]:
            warn = _WARN_BEHIND_WALLS if has_walls(connection) else _WARN
            key_ids = connection.execute(warn, times | {"at_most": at_most}).scalars().all()
            if not key_ids:
                return []
            ending = _ending(connection)
            named = select(ending).where(ending.c.key_id.in_(key_ids)).order_by(ending.c.expires_us, ending.c.key_id)
            return _keys(connection, connection.execute(named, times).all())

        return await self._database.write(work)


def _ending(connection: Connection) -> FromClause:
    return _EXPIRING_BEHIND_WALLS if has_walls(connection) else _EXPIRING


def _keys(connection: Connection, rows: Sequence[AnyRow]) -> list[ExpiringKey]:
    owners = tenants_of(connection, rows)
    return [
        ExpiringKey(row.key_id, KeyKind(row.kind), owners[row.tenant_no], row.device_id, row.name, row.expires_us)
        for row in rows
    ]
