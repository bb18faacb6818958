"""Dashboards on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from ...model.dashboards import MAX_DASHBOARDS, MAX_VERSIONS, Dashboard, DashboardChange, DashboardHead
from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...model.tenancy import Role
from .dashboard_tables import dashboard_versions as versions
from .dashboard_tables import dashboards
from .database import AnyRow, Database
from .registry_tables import tenants

_HEAD = (
    dashboards.c.dashboard_id,
    versions.c.name,
    dashboards.c.visible_to,
    versions.c.version,
    dashboards.c.created_us,
    versions.c.changed_us,
    versions.c.changed_by,
)
_OF = (versions.c.tenant_no == dashboards.c.tenant_no) & (versions.c.dashboard_id == dashboards.c.dashboard_id)
_HEADS = select(*_HEAD).join_from(dashboards, versions, _OF)
_WHOLE = select(*_HEAD, versions.c.document).join_from(dashboards, versions, _OF)


class SqlDashboards:
    """`ports.dashboards.Dashboards`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant: TenantNo, dashboard_id: str, change: DashboardChange) -> Dashboard:
        def work(connection: Connection) -> Dashboard:
            # Who comes at once waits, so that all together do not exceed the limit.
            connection.execute(select(tenants.c.tenant_no).where(tenants.c.tenant_no == tenant).with_for_update())
            counted = select(func.count()).select_from(dashboards).where(dashboards.c.tenant_no == tenant)
            if connection.execute(counted).scalar_one() >= MAX_DASHBOARDS:
                raise SliceError(Code.CONFLICT, f"There are {MAX_DASHBOARDS} dashboards already: delete one first.")
            connection.execute(
                dashboards.insert().values(
                    tenant_no=tenant,
                    dashboard_id=dashboard_id,
                    visible_to=change.visible_to,
                    version=1,
                    created_us=change.at_us,
                )
            )
            _insert_version(connection, tenant, dashboard_id, 1, change)
            return _made(dashboard_id, 1, change.at_us, change)

        return await self._database.write(work, tenant=tenant)

    async def list(self, tenant: TenantNo) -> Sequence[DashboardHead]:
        newest = (dashboards.c.tenant_no == tenant) & (versions.c.version == dashboards.c.version)
        wanted = _HEADS.where(newest).order_by(versions.c.name, dashboards.c.dashboard_id)
        return await self._database.read(
            lambda connection: [_head(row) for row in connection.execute(wanted)], tenant=tenant
        )

    async def get(self, tenant: TenantNo, dashboard_id: str) -> Dashboard | None:
        return await self._one(tenant, dashboard_id, None)

    async def version(self, tenant: TenantNo, dashboard_id: str, version: int) -> Dashboard | None:
        return await self._one(tenant, dashboard_id, version)

    async def _one(self, tenant: TenantNo, dashboard_id: str, version: int | None) -> Dashboard | None:
        wanted = _WHOLE.where(
            dashboards.c.tenant_no == tenant,
            dashboards.c.dashboard_id == dashboard_id,
            versions.c.version == (dashboards.c.version if version is None else version),
        )

        def work(connection: Connection) -> Dashboard | None:
            row = connection.execute(wanted).one_or_none()
            return None if row is None else Dashboard(_head(row), row.document)

        return await self._database.read(work, tenant=tenant)

    async def change(
        self, tenant: TenantNo, dashboard_id: str, version: int, change: DashboardChange
    ) -> Dashboard | None:
        named = (dashboards.c.tenant_no == tenant) & (dashboards.c.dashboard_id == dashboard_id)

        def work(connection: Connection) -> Dashboard | None:
            row = connection.execute(select(dashboards).where(named).with_for_update()).one_or_none()
            if row is None:
                return None
            if row.version != version:
                told = f"Somebody has changed the dashboard meanwhile: it is at version {row.version}, not {version}."
                raise SliceError(Code.CONFLICT, told)
            connection.execute(
                dashboards.update().where(named).values(version=version + 1, visible_to=change.visible_to)
            )
            _insert_version(connection, tenant, dashboard_id, version + 1, change)
            connection.execute(
                versions.delete().where(
                    versions.c.tenant_no == tenant,
                    versions.c.dashboard_id == dashboard_id,
                    versions.c.version <= version + 1 - MAX_VERSIONS,
                )
            )
            return _made(dashboard_id, version + 1, row.created_us, change)

        return await self._database.write(work, tenant=tenant)

    async def delete(self, tenant: TenantNo, dashboard_id: str) -> bool:
        gone = dashboards.delete().where(dashboards.c.tenant_no == tenant, dashboards.c.dashboard_id == dashboard_id)
        return await self._database.write(lambda connection: connection.execute(gone).rowcount > 0, tenant=tenant)

    async def versions(self, tenant: TenantNo, dashboard_id: str) -> Sequence[DashboardHead]:
        named = (dashboards.c.tenant_no == tenant) & (dashboards.c.dashboard_id == dashboard_id)
        wanted = _HEADS.where(named).order_by(versions.c.version.desc())
        return await self._database.read(
            lambda connection: [_head(row) for row in connection.execute(wanted)], tenant=tenant
        )


def _insert_version(
    connection: Connection, tenant: TenantNo, dashboard_id: str, version: int, change: DashboardChange
) -> None:
    connection.execute(
        versions.insert().values(
            tenant_no=tenant,
            dashboard_id=dashboard_id,
            version=version,
            name=change.name,
            document=change.document,
            changed_us=change.at_us,
            changed_by=change.by,
        )
    )


def _made(dashboard_id: str, version: int, created_us: int, change: DashboardChange) -> Dashboard:
    head = DashboardHead(dashboard_id, change.name, change.visible_to, version, created_us, change.at_us, change.by)
    return Dashboard(head, change.document)


def _head(row: AnyRow) -> DashboardHead:
    return DashboardHead(
        row.dashboard_id,
        row.name,
        Role(row.visible_to),
        row.version,
        row.created_us,
        row.changed_us,
        row.changed_by,
    )
