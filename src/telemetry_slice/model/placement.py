"""Where a tenant's telemetry lies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PlacementKind(StrEnum):
    """How far a tenant is kept apart."""

    SHARED = "shared"
    SCHEMA = "schema"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Placement:
    """One set of tables; a tenant is in one for good.

    Attributes:
        schema: the schema that is one tenant's own; None = the one that tenants share.
        database: the name of the placement database, as the settings have it; None = the installation's own.
    """

    schema: str | None = None
    database: str | None = None

    @property
    def kind(self) -> PlacementKind:
        if self.database is not None:
            return PlacementKind.DATABASE
        return PlacementKind.SHARED if self.schema is None else PlacementKind.SCHEMA

    def __str__(self) -> str:
        """As people are told of it."""
        name = self.schema or self.database
        return self.kind.value if name is None else f"{self.kind} {name}"


SHARED = Placement()
