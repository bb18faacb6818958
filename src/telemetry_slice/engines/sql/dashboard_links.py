"""Links to dashboards on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select, text

from ...model.dashboards import MAX_LINKS
from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...ports.dashboards import DashboardLinkRecord
from ...ports.edge import Clock
from .dashboard_tables import dashboard_links as links
from .dashboard_tables import dashboards
from .database import AnyRow, Database
from .registry_tables import tenants
from .tenants import TENANT_COLUMNS, tenant_of

_NAMED = select(*links.c).where(links.c.link_id == bindparam("link_id"))
_NAMED_BEHIND_WALLS = text(f"SELECT {', '.join(column.name for column in links.c)} FROM dashboard_link(:link_id)")


class SqlDashboardLinks:
    """`ports.dashboards.DashboardLinks`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, link: DashboardLinkRecord) -> bool:
        tenant = link.tenant.no

        def work(connection: Connection) -> bool:
            there = select(dashboards.c.version).where(
                dashboards.c.tenant_no == tenant, dashboards.c.dashboard_id == link.dashboard_id
            )
            # Taking the row makes those who come at once wait for one another.
            if connection.execute(there.with_for_update()).one_or_none() is None:
                return False
            live = select(func.count()).where(
                links.c.tenant_no == tenant,
                links.c.dashboard_id == link.dashboard_id,
                links.c.revoked_us.is_(None),
                links.c.expires_us > link.created_us,
            )
            if connection.execute(live).scalar_one() >= MAX_LINKS:
                told = f"{MAX_LINKS} links open this dashboard already: revoke one first."
                raise SliceError(Code.CONFLICT, told)
            connection.execute(
                links.insert().values(
                    link_id=link.link_id,
                    tenant_no=tenant,
                    dashboard_id=link.dashboard_id,
                    digest=link.digest,
                    name=link.name,
                    created_us=link.created_us,
                    created_by=link.created_by,
                    expires_us=link.expires_us,
                    revoked_us=link.revoked_us,
                    last_used_us=link.last_used_us,
                )
            )
            return True

        return await self._database.write(work, tenant=tenant)

    async def find(self, link_id: str) -> DashboardLinkRecord | None:
        def work(connection: Connection) -> DashboardLinkRecord | None:
            named = _NAMED_BEHIND_WALLS if connection.dialect.name == "postgresql" else _NAMED
            found = _records(connection, connection.execute(named, {"link_id": link_id}).all())
            return found[0] if found else None

        return await self._database.read(work)

    async def list(self, tenant: TenantNo, dashboard_id: str) -> Sequence[DashboardLinkRecord]:
        wanted = (
            select(*links.c)
            .where(links.c.tenant_no == tenant, links.c.dashboard_id == dashboard_id)
            .order_by(links.c.created_us.desc(), links.c.link_id.desc())
        )
        return await self._database.read(
            lambda connection: _records(connection, connection.execute(wanted).all()), tenant=tenant
        )

    async def revoke(self, tenant: TenantNo, dashboard_id: str, link_id: str) -> bool:
        ended = (
            links.update()
            .where(
                links.c.tenant_no == tenant,
                links.c.dashboard_id == dashboard_id,
                links.c.link_id == link_id,
                links.c.revoked_us.is_(None),
            )
            .values(revoked_us=self._clock.now_us())
        )
        return await self._database.write(lambda connection: connection.execute(ended).rowcount > 0, tenant=tenant)

    async def touch(self, tenant: TenantNo, link_id: str, used_us: int) -> None:
        used = (
            links.update().where(links.c.tenant_no == tenant, links.c.link_id == link_id).values(last_used_us=used_us)
        )

        def work(connection: Connection) -> None:
            connection.execute(used)

        await self._database.write(work, tenant=tenant)


def _records(connection: Connection, rows: Sequence[AnyRow]) -> list[DashboardLinkRecord]:
    numbers = {row.tenant_no for row in rows}
    if not numbers:
        return []
    owners = connection.execute(select(*TENANT_COLUMNS).where(tenants.c.tenant_no.in_(numbers)))
    by_no = {owner.no: owner for owner in map(tenant_of, owners)}
    return [
        DashboardLinkRecord(
            row.link_id,
            by_no[row.tenant_no],
            row.dashboard_id,
            bytes(row.digest),
            row.name,
            row.created_us,
            row.created_by,
            row.expires_us,
            row.revoked_us,
            row.last_used_us,
        )
        for row in rows
    ]
