"""Which tenant is placed where, as the registry has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, or_, select

from ...model.events import TenantNo
from ...model.placement import SHARED, Placement
from .database import Database
from .registry_tables import tenants

_t = tenants.c


class Placements:
    """Tenants stay where they were placed, so what was looked up once is known for good, or until they are erased."""

    def __init__(self, registry: Database) -> None:
        self._registry = registry
        self._known: dict[TenantNo, Placement] = {}

    async def of(self, tenant: TenantNo) -> Placement:
        """Where `tenant` is placed. Raises UnavailableError."""
        return (await self.of_many([tenant]))[tenant]

    async def of_many(self, wanted: Iterable[TenantNo]) -> Mapping[TenantNo, Placement]:
        """At least `wanted`, each with its placement; whom the registry does not know is in the shared tables.

        Raises UnavailableError when one has to be looked up and the registry cannot be reached.
        """
        unknown = sorted(set(wanted) - self._known.keys())
        if not unknown:
            return self._known

        def work(connection: Connection) -> dict[TenantNo, Placement]:
            asked = select(_t.tenant_no, _t.placement_schema, _t.placement_database).where(_t.tenant_no.in_(unknown))
            return {TenantNo(no): Placement(schema, database) for no, schema, database in connection.execute(asked)}

        self._known |= await self._registry.read(work)
        return dict.fromkeys(unknown, SHARED) | self._known

    def forget(self, tenants: Iterable[TenantNo]) -> None:
        """Look them up again: a tenant may have been erased, and its schema with it."""
        for tenant in tenants:
            self._known.pop(tenant, None)

    async def every(self) -> Sequence[Placement]:
        """The shared tables, and wherever else a tenant is placed. Raises UnavailableError."""

        def work(connection: Connection) -> list[Placement]:
            asked = select(_t.placement_schema, _t.placement_database).distinct()
            apart = asked.where(or_(_t.placement_schema.is_not(None), _t.placement_database.is_not(None)))
            return [Placement(*row) for row in connection.execute(apart.order_by(*apart.selected_columns))]

        return [SHARED, *await self._registry.read(work)]
