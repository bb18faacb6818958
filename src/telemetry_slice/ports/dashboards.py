"""Dashboards of tenants with their versions, and the links that open one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.dashboards import Dashboard, DashboardChange, DashboardHead
from ..model.events import TenantNo
from ..model.tenancy import Tenant


class Dashboards(Protocol):
    """Dashboards by tenant. Every change makes a version; the last `MAX_VERSIONS` are kept."""

    async def create(self, tenant: TenantNo, dashboard_id: str, change: DashboardChange) -> Dashboard:
        """Its first version. Raises SliceError CONFLICT if the tenant has `MAX_DASHBOARDS` already."""

    async def list(self, tenant: TenantNo) -> Sequence[DashboardHead]:
        """All of a tenant, by name and id."""

    async def get(self, tenant: TenantNo, dashboard_id: str) -> Dashboard | None: ...

    async def change(
        self, tenant: TenantNo, dashboard_id: str, version: int, change: DashboardChange
    ) -> Dashboard | None:
        """The version after `version`; None if there is no such dashboard.

        Raises SliceError CONFLICT, and changes nothing, if `version` is not the newest: of several who change the same
        one at once, one is let in.
        """

    async def delete(self, tenant: TenantNo, dashboard_id: str) -> bool:
        """With its versions and links; False if there is none."""

    async def versions(self, tenant: TenantNo, dashboard_id: str) -> Sequence[DashboardHead]:
        """What is kept of it, newest first; none of an unknown one."""

    async def version(self, tenant: TenantNo, dashboard_id: str, version: int) -> Dashboard | None:
        """It as of one version; to whom it is visible is as of now."""


@dataclass(frozen=True, slots=True)
class DashboardLinkRecord:
    """A link to a dashboard as it is kept: only the SHA-256 of its text.

    Attributes:
        created_by: the name of whoever made it, as it was then.
    """

    link_id: str
    tenant: Tenant
    dashboard_id: str
    digest: bytes
    name: str
    created_us: int
    created_by: str
    expires_us: int
    revoked_us: int | None = None
    last_used_us: int | None = None


class DashboardLinks(Protocol):
    """Links that open a dashboard for whoever has them."""

    async def add(self, link: DashboardLinkRecord) -> bool:
        """False if its tenant has no such dashboard. Raises SliceError CONFLICT if it has `MAX_LINKS` live ones."""

    async def find(self, link_id: str) -> DashboardLinkRecord | None:
        """Whatever its state, and whosever."""

    async def list(self, tenant: TenantNo, dashboard_id: str) -> Sequence[DashboardLinkRecord]:
        """All of a dashboard, ended ones included, newest first."""

    async def revoke(self, tenant: TenantNo, dashboard_id: str, link_id: str) -> bool:
        """End it now; False if the dashboard has no such link that is not revoked."""

    async def touch(self, tenant: TenantNo, link_id: str, used_us: int) -> None:
        """Remember when it was used."""
