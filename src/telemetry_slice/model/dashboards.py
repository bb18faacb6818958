"""Dashboards of a tenant: what is kept of them, and what their panels ask of the telemetry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from .tenancy import Role

MAX_DASHBOARDS = 200
"""Of one tenant."""
MAX_VERSIONS = 50
"""Of one dashboard; the oldest one goes when another comes."""
MAX_LINKS = 50
"""Of one dashboard, those that still open it."""
MAX_DOCUMENT_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class DashboardHead:
    """A dashboard but for its document.

    Attributes:
        visible_to: the weakest role that sees it.
        version: counts 1, 2, 3, … with every change.
        changed_by: the name of whoever made this version, as it was then.
    """

    id: str
    name: str
    visible_to: Role
    version: int
    created_us: int
    changed_us: int
    changed_by: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard as of one version; `document` is JSON, checked by whoever let it in."""

    head: DashboardHead
    document: str


@dataclass(frozen=True, slots=True)
class DashboardChange:
    """What a new version is: its name, who may see the dashboard, its document, who made it and when."""

    name: str
    visible_to: Role
    document: str
    by: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Devices that a panel is about: those with these ids; or those of a variable; or those with location and tag."""

    device_ids: tuple[str, ...] = ()
    variable: str | None = None
    location: str | None = None
    tag: str | None = None


class VariableKind(StrEnum):
    """What is chosen at the top of a dashboard."""

    DEVICE = "device"
    LOCATION = "location"


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a dashboard.

    Attributes:
        choices: what it may be; else devices with `location` and `tag`, or their locations.
        default: what it is until somebody chooses; empty = all.
    """

    name: str
    kind: VariableKind
    choices: tuple[str, ...] = ()
    location: str | None = None
    tag: str | None = None
    default: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PanelAsk:
    """What one panel needs to know.

    Attributes:
        types: of which measurements; empty = all, which series cannot be asked for.
        points: buckets of each series at most; 0 = no series.
        latest: also the newest reading of each series.
        roll_up, attention: how many devices of each location report, and which devices do not.
    """

    id: str
    selection: Selection
    types: tuple[str, ...] = ()
    points: int = 0
    latest: bool = False
    roll_up: bool = False
    attention: bool = False


class Reporting(StrEnum):
    """Whether a device is heard of, by when it was received last."""

    ONLINE = "online"
    LATE = "late"
    SILENT = "silent"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class RollUp:
    """How many devices of one location are what."""

    location: str
    online: int = 0
    late: int = 0
    silent: int = 0
    new: int = 0

    def and_one(self, reporting: Reporting) -> RollUp:
        """With one more device."""
        match reporting:
            case Reporting.ONLINE:
                return replace(self, online=self.online + 1)
            case Reporting.LATE:
                return replace(self, late=self.late + 1)
            case Reporting.SILENT:
                return replace(self, silent=self.silent + 1)
            case Reporting.NEW:
                return replace(self, new=self.new + 1)
