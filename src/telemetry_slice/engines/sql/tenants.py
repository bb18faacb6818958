"""Tenants on SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...model.placement import SHARED, Placement
from ...model.tenancy import Limits, Tenant
from ...ports.edge import Clock
from ...ports.registry import NO_LIMITS
from .database import AnyRow, Database
from .erasure_tables import erasures
from .registry_tables import tenants

TENANT_COLUMNS = tuple(tenants.c)
_NUMBERED = select(*TENANT_COLUMNS).where(tenants.c.tenant_no.in_(bindparam("tenant_nos", expanding=True)))


def tenant_of(row: AnyRow) -> Tenant:
    """The tenant in a row that has `TENANT_COLUMNS`."""
    at = row._mapping  # noqa: SLF001 - the documented way to read by column
    return Tenant(
        no=TenantNo(at[tenants.c.tenant_no]),
        id=at[tenants.c.tenant_id],
        name=at[tenants.c.name],
        auto_register=at[tenants.c.auto_register],
        limits=Limits(
            at[tenants.c.key_per_second],
            at[tenants.c.tenant_per_second],
            at[tenants.c.key_events_per_second],
            at[tenants.c.tenant_events_per_second],
        ),
        created_us=at[tenants.c.created_us],
        placement=Placement(at[tenants.c.placement_schema], at[tenants.c.placement_database]),
        suspended=at[tenants.c.suspended],
    )


def tenants_of(connection: Connection, rows: Sequence[AnyRow]) -> Mapping[int, Tenant]:
    """The tenants of rows that have a `tenant_no`, by it."""
    numbers = {row.tenant_no for row in rows}
    if not numbers:
        return {}
    owners = map(tenant_of, connection.execute(_NUMBERED, {"tenant_nos": list(numbers)}))
    return {owner.no: owner for owner in owners}


def _limit_columns(limits: Limits) -> dict[str, int | None]:
    return {
        "key_per_second": limits.key_per_second,
        "tenant_per_second": limits.tenant_per_second,
        "key_events_per_second": limits.key_events_per_second,
        "tenant_events_per_second": limits.tenant_events_per_second,
    }


def is_being_erased(connection: Connection, tenant: TenantNo) -> bool:
    """Whether its erasing has begun."""
    asked = select(erasures.c.tenant_no).where(erasures.c.tenant_no == tenant)
    return connection.execute(asked).one_or_none() is not None


def insert_tenant(
    connection: Connection,
    tenant_id: str,
    name: str,
    *,
    auto_register: bool,
    limits: Limits,
    now_us: int,
    placement: Placement = SHARED,
    again: bool = False,
) -> Tenant:
    """Raises SliceError CONFLICT if the id is taken, or was by a tenant that was erased, unless it is that one which
    comes back (`again`). The transaction is spoilt then.
    """
    erased = select(erasures.c.tenant_no).where(erasures.c.tenant_id == tenant_id).limit(1)
    if not again and connection.execute(erased).first() is not None:
        raise SliceError(Code.CONFLICT, f"There was a tenant {tenant_id}, which was erased: its id is not given again.")
    try:
        row = connection.execute(
            tenants.insert()
            .values(
                tenant_id=tenant_id,
                name=name,
                auto_register=auto_register,
                created_us=now_us,
                placement_schema=placement.schema,
                placement_database=placement.database,
                **_limit_columns(limits),
            )
            .returning(*TENANT_COLUMNS)
        ).one()
    except IntegrityError:
        raise SliceError(Code.CONFLICT, f"There is a tenant {tenant_id} already.") from None
    return tenant_of(row)


class SqlTenants:
    """`ports.registry.Tenants`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        tenant_id: str,
        name: str,
        *,
        auto_register: bool = True,
        limits: Limits = NO_LIMITS,
        placement: Placement = SHARED,
    ) -> Tenant:
        now_us = self._clock.now_us()
        return await self._database.write(
            lambda connection: insert_tenant(
                connection,
                tenant_id,
                name,
                auto_register=auto_register,
                limits=limits,
                now_us=now_us,
                placement=placement,
            )
        )

    async def get(self, tenant_id: str) -> Tenant | None:
        return await self._one(tenants.c.tenant_id == tenant_id)

    async def by_no(self, tenant: TenantNo) -> Tenant | None:
        return await self._one(tenants.c.tenant_no == tenant)

    async def _one(self, condition: ColumnElement[bool]) -> Tenant | None:
        def work(connection: Connection) -> Tenant | None:
            row = connection.execute(select(*TENANT_COLUMNS).where(condition)).one_or_none()
            return tenant_of(row) if row else None

        return await self._database.read(work)

    async def list(self) -> Sequence[Tenant]:
        return await self._database.read(
            lambda connection: [
                tenant_of(row) for row in connection.execute(select(*TENANT_COLUMNS).order_by(tenants.c.tenant_id))
            ]
        )

    async def change(
        self,
        tenant_id: str,
        *,
        name: str | None = None,
        auto_register: bool | None = None,
        limits: Limits | None = None,
    ) -> Tenant | None:
        values: dict[str, Any] = {} if limits is None else dict(_limit_columns(limits))
        if name is not None:
            values["name"] = name
        if auto_register is not None:
            values["auto_register"] = auto_register
        return await self._update(tenant_id, values) if values else await self.get(tenant_id)

    async def suspend(self, tenant_id: str, reason: str | None) -> Tenant | None:
        return await self._update(tenant_id, {"suspended": reason}, unless_erased=True)

    async def _update(self, tenant_id: str, values: dict[str, Any], *, unless_erased: bool = False) -> Tenant | None:
        def work(connection: Connection) -> Tenant | None:
            row = connection.execute(
                tenants.update().where(tenants.c.tenant_id == tenant_id).values(**values).returning(*TENANT_COLUMNS)
            ).one_or_none()
            # After the update, which waits for whoever lets the erasing begin.
            if row is not None and unless_erased and is_being_erased(connection, TenantNo(row.tenant_no)):
                raise SliceError(Code.CONFLICT, "The tenant is being erased, which cannot be stopped.")
            return tenant_of(row) if row else None

        return await self._database.write(work)
