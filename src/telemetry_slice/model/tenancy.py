"""Tenants, devices, and the closed union of everyone who may call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .events import TenantNo
from .placement import SHARED, Placement


@dataclass(frozen=True, slots=True)
class Limits:
    """A tenant's own quotas; None = the installation's setting, 0 = none. Per second."""

    key_per_second: int | None = None
    tenant_per_second: int | None = None
    key_events_per_second: int | None = None
    tenant_events_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the installation grants each tenant that has no limits of its own; 0 = none.

    Attributes:
        limits: per second; none of them is None.
        dead_letters: open ones, above which ingest is refused.
        series: above which events die.
        retention_days: after which readings are deleted, by the time they were recorded; None = never.
    """

    limits: Limits
    dead_letters: int
    series: int
    retention_days: int | None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer. `no` is the internal number, `id` what the outside sees."""

    no: TenantNo
    id: str
    name: str
    auto_register: bool
    limits: Limits
    created_us: int
    placement: Placement = SHARED
    suspended: str | None = None
    """Why nothing is taken from its senders at present; None while it is."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a tenant. A deleted device keeps its number and history."""

    no: int
    id: str
    label: str
    location: str
    tags: tuple[str, ...]
    created_us: int
    deleted_us: int | None = None


class Scope(StrEnum):
    """What a service key may do."""

    READ = "read"
    INGEST = "ingest"
    ADMIN = "admin"


class Role(StrEnum):
    """What a user is in a tenant, strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


class KeyKind(StrEnum):
    """What a key stands for."""

    DEVICE = "device"
    GATEWAY = "gateway"
    SERVICE = "service"
    CERTIFICATE = "certificate"
    """Of a device, too; shown to a proxy that we trust."""


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device: may send for itself only."""

    tenant: Tenant
    key_id: str
    device_no: int
    device_id: str
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """A gateway: may send for any device of its tenant."""

    tenant: Tenant
    key_id: str
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A program of the tenant, as far as its scopes go."""

    tenant: Tenant
    key_id: str
    scopes: frozenset[Scope]
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in person, acting in one tenant at a time; a platform administrator may be in none.

    Attributes:
        family: the sign-in by which the person is here, None where no credential of one was shown.
    """

    user_id: str
    email: str
    name: str
    tenant: Tenant | None
    role: Role | None
    platform_admin: bool
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Console:
    """The person at the data folder's own machine, by a token signed with the folder's key."""

    tenant: Tenant | None


@dataclass(frozen=True, slots=True)
class DashboardLink:
    """Whoever has a link to one dashboard: may read its panels, and nothing else."""

    tenant: Tenant
    link_id: str
    name: str
    dashboard_id: str
    expires_us: int


class Duty(StrEnum):
    """What the installation does by itself."""

    SIGNING_KEYS = "signing keys"
    RETENTION = "retention"
    LEDGER = "ledger"
    BACKFILL = "backfill"
    EXPIRY = "keys that end soon"


@dataclass(frozen=True, slots=True)
class SystemJob:
    """The installation itself, on one of its duties. It has no credential: nothing from outside is taken for it."""

    duty: Duty
    tenant: Tenant | None = None


KeyPrincipal = DeviceKey | GatewayKey | ServiceKey
Principal = DeviceKey | GatewayKey | ServiceKey | User | Console | DashboardLink | SystemJob
