"""What the routes work with: put together once by the composition root, found at `request.app.state.services`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from ..flow.access import Access
from ..flow.audit import Auditor
from ..flow.books import Bookkeeper
from ..flow.fleet import Fleet
from ..flow.gate.letters import Letters
from ..flow.history import StorageGuard
from ..flow.live import Hub
from ..flow.panels import Panels
from ..flow.query import Query
from ..model.events import TenantNo
from ..model.placement import Placement, PlacementKind
from ..model.tenancy import Allowance
from ..ports.accounts import Accounts
from ..ports.audit import AuditLog
from ..ports.dashboards import Dashboards
from ..ports.edge import Clock
from ..ports.erasing import Erasures
from ..ports.registry import Devices, Keys, Tenants

Place = Callable[[str, PlacementKind, str | None], Awaitable[Placement]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The flow and the ports behind the HTTP door.

    Attributes:
        access: who calls, and everything about keys, accounts, sessions and tokens.
        tenants, devices, keys, accounts: the registry.
        audit: who did what, read; auditor: appends to it.
        erasures: tenants that are erased, or were.
        clock: wall-clock time.
        cursor_secret: seals the cursors of listings (`model/cursor.py`).
        version: of the package.
        query: stored telemetry; fleet: all devices at once; live: news of what is stored.
        dashboards: what tenants have made of panels; panels: what these show.
        books: the books of a tenant; letters: its dead letters.
        allowance: what a tenant may use that has no limits of its own.
        storage: how full the disk is; None where the data lies on servers of their own.
        readiness: why the server is not ready, None when it is.
        metrics_token: opens /metrics beyond loopback.
        place: the placement that is asked for a tenant id, by kind and name of a placement database, when it is ready.
        devices_changed: called with the tenant when a device was created, changed or deleted; tells every process.
    """

    access: Access
    tenants: Tenants
    devices: Devices
    keys: Keys
    accounts: Accounts
    audit: AuditLog
    auditor: Auditor
    erasures: Erasures
    clock: Clock
    cursor_secret: bytes
    version: str
    query: Query
    fleet: Fleet
    live: Hub
    dashboards: Dashboards
    panels: Panels
    books: Bookkeeper
    letters: Letters
    allowance: Allowance
    storage: StorageGuard | None
    readiness: Callable[[], str | None]
    metrics_token: str | None
    place: Place
    devices_changed: Callable[[TenantNo], None]


def services_of(connection: HTTPConnection) -> Services:
    """What the composition root gave to the application."""
    services: Services = connection.app.state.services
    return services
