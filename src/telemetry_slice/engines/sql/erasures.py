"""Erased tenants on SQL: the registry's part of erasing them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select

from ...model.audit import Actor, ActorKind
from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...model.placement import Placement
from ...ports.erasing import Erasure
from .dashboard_tables import dashboard_links, dashboards
from .database import AnyRow, Database
from .enrolment_tables import enrolment_tokens
from .erasure_tables import erasures
from .registry_tables import accounts, devices, keys, memberships, sessions, tenants
from .signing_in_tables import links

AT_ONCE = 2_000
BEING_ERASED = "The tenant is being erased."
_COUNTED: Mapping[str, Table] = {
    "devices": devices,
    "keys": keys,
    "members": memberships,
    "links": links,
    "enrolment tokens": enrolment_tokens,
    "dashboards": dashboards,
    "dashboard links": dashboard_links,
}


class SqlErasures:
    """`ports.erasing.Erasures`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, tenant_id: str, actor: Actor, now_us: int) -> Erasure | None:
        named = select(tenants).where(tenants.c.tenant_id == tenant_id)
        found = await self._database.read(lambda connection: connection.execute(named).one_or_none())
        if found is None:
            return None
        tenant = TenantNo(found.tenant_no)

        def work(connection: Connection) -> Erasure | None:
            # Whoever resumes the tenant, or begins this as well, waits here.
            row = connection.execute(named.with_for_update()).one_or_none()
            if row is None:
                return None
            begun = connection.execute(select(erasures).where(erasures.c.tenant_no == tenant)).one_or_none()
            if begun is not None:
                return _erasure(begun)
            if row.suspended is None:
                raise SliceError(Code.CONFLICT, "Only a suspended tenant can be erased: suspend it first.")
            counts = _counts(connection, tenant)
            counts["accounts"] = self._remove_people(connection, tenant)
            connection.execute(
                keys.update().where(keys.c.tenant_no == tenant, keys.c.revoked_us.is_(None)).values(revoked_us=now_us)
            )
            connection.execute(dashboard_links.delete().where(dashboard_links.c.tenant_no == tenant))
            _leave(connection, tenant_id)
            connection.execute(tenants.update().where(tenants.c.tenant_no == tenant).values(suspended=BEING_ERASED))
            connection.execute(
                erasures.insert().values(
                    tenant_no=tenant,
                    tenant_id=tenant_id,
                    placement_schema=row.placement_schema,
                    placement_database=row.placement_database,
                    actor_kind=actor.kind,
                    actor_id=actor.id,
                    actor_name=actor.name,
                    asked_us=now_us,
                    counts=json.dumps(counts),
                )
            )
            return _erasure(connection.execute(select(erasures).where(erasures.c.tenant_no == tenant)).one())

        return await self._database.write(work, tenant=tenant)

    def _remove_people(self, connection: Connection, tenant: TenantNo) -> int:
        """End every membership, and delete the accounts that have no other; how many accounts."""
        members = connection.scalars(
            select(memberships.c.user_id).where(memberships.c.tenant_no == tenant).order_by(memberships.c.user_id)
        ).all()
        removed = 0
        for user_id in members:
            mine = accounts.c.user_id == user_id
            self._database.see(connection, tenant, user_id)
            # Whoever lets the person join another tenant at this moment waits, or is waited for and counted.
            connection.execute(select(accounts.c.user_id).where(mine).with_for_update())
            connection.execute(
                memberships.delete().where(memberships.c.tenant_no == tenant, memberships.c.user_id == user_id)
            )
            others = select(func.count()).select_from(memberships).where(memberships.c.user_id == user_id)
            if connection.execute(others).scalar_one() == 0:
                removed += connection.execute(
                    accounts.delete().where(mine, accounts.c.platform_admin.is_(False))
                ).rowcount
        self._database.see(connection, tenant, None)
        return removed

    async def get(self, tenant_id: str) -> Erasure | None:
        wanted = select(erasures).where(erasures.c.tenant_id == tenant_id).order_by(erasures.c.tenant_no.desc())

        def work(connection: Connection) -> Erasure | None:
            row = connection.execute(wanted.limit(1)).one_or_none()
            return None if row is None else _erasure(row)

        return await self._database.read(work)

    async def due(self, finished_before_us: int) -> Sequence[Erasure]:
        wanted = (
            select(erasures)
            .where(
                erasures.c.swept_us.is_(None),
                erasures.c.finished_us.is_(None) | (erasures.c.finished_us < finished_before_us),
            )
            .order_by(erasures.c.tenant_no)
        )
        return await self._database.read(lambda connection: [_erasure(row) for row in connection.execute(wanted)])

    async def keep_counts(self, tenant: TenantNo, counts: Mapping[str, int]) -> None:
        await self._change(tenant, counts=json.dumps(dict(counts)))

    async def erase_some(self, tenant: TenantNo) -> int:
        def work(connection: Connection) -> int:
            # Somebody may have joined meanwhile, by what another process still believed.
            gone = self._remove_people(connection, tenant)
            gone += connection.execute(links.delete().where(links.c.tenant_no == tenant)).rowcount
            gone += connection.execute(enrolment_tokens.delete().where(enrolment_tokens.c.tenant_no == tenant)).rowcount
            # With their versions, and links that somebody has made meanwhile.
            gone += connection.execute(dashboards.delete().where(dashboards.c.tenant_no == tenant)).rowcount
            for table, number in ((keys, keys.c.key_id), (devices, devices.c.device_no)):
                some = select(number).where(table.c.tenant_no == tenant).limit(AT_ONCE)
                gone += connection.execute(table.delete().where(table.c.tenant_no == tenant, number.in_(some))).rowcount
                if gone >= AT_ONCE:
                    break
            return gone

        return await self._database.write(work, tenant=tenant)

    async def finish(self, tenant: TenantNo, now_us: int) -> Mapping[str, int]:
        def work(connection: Connection) -> Mapping[str, int]:
            left = _counts(connection, tenant)
            if any(left.values()):
                return left
            tenant_id = connection.scalar(select(tenants.c.tenant_id).where(tenants.c.tenant_no == tenant))
            if tenant_id is not None:
                _leave(connection, tenant_id)
                connection.execute(tenants.delete().where(tenants.c.tenant_no == tenant))
            connection.execute(_of(tenant).values(finished_us=now_us))
            return left

        return await self._database.write(work, tenant=tenant)

    async def swept(self, tenant: TenantNo, now_us: int) -> None:
        await self._change(tenant, swept_us=now_us)

    async def _change(self, tenant: TenantNo, **values: object) -> None:
        def work(connection: Connection) -> None:
            connection.execute(_of(tenant).values(**values))

        await self._database.write(work)


def _of(tenant: TenantNo) -> Any:
    return erasures.update().where(erasures.c.tenant_no == tenant)


def _counts(connection: Connection, tenant: TenantNo) -> dict[str, int]:
    return {
        part: connection.execute(
            select(func.count()).select_from(table).where(table.c.tenant_no == tenant)
        ).scalar_one()
        for part, table in _COUNTED.items()
    }


def _leave(connection: Connection, tenant_id: str) -> None:
    """Whoever is signed in and acts in the tenant acts in none."""
    connection.execute(sessions.update().where(sessions.c.tenant_id == tenant_id).values(tenant_id=None))


def _erasure(row: AnyRow) -> Erasure:
    return Erasure(
        TenantNo(row.tenant_no),
        row.tenant_id,
        Placement(row.placement_schema, row.placement_database),
        Actor(ActorKind(row.actor_kind), row.actor_id, row.actor_name),
        row.asked_us,
        json.loads(row.counts),
        row.finished_us,
    )
