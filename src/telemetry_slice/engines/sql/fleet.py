"""What concerns all devices of a tenant, or many, in few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, FromClause, Select, column, func, select, table, union_all

from ...model.events import Kind, TenantNo
from ...model.fleet import Heard, Listed, Sparkline
from ...model.series import TimeRange
from .readers import TenantReaders
from .registry_tables import device_tags, devices
from .rows import fetch_rows
from .telemetry_tables import series, series_latest, telemetry_events

_e = telemetry_events.c
_s = series.c
# Whatever SQLite's `series_latest` looks at: rows in the order of time, and those that arrived last (docs/adr/0007).
_merged = table("series_merged", column("series_id"), column("tenant_no"), column("received_us"))
_recent = table("telemetry_recent", column("series_id"), column("tenant_no"), column("received_us"))


def roster_statement(tenant: TenantNo) -> Select[Any]:
    """Every device that is not deleted."""
    d = devices.c
    return select(d.device_no, d.device_id, d.label, d.location, d.created_us, d.search).where(
        d.tenant_no == tenant, d.deleted_us.is_(None)
    )


def roster_tags_statement(tenant: TenantNo) -> Select[Any]:
    """The tags of those."""
    return (
        select(device_tags.c.device_no, device_tags.c.position, device_tags.c.tag)
        .join_from(devices, device_tags, device_tags.c.device_no == devices.c.device_no)
        .where(devices.c.tenant_no == tenant, devices.c.deleted_us.is_(None))
    )


def heard_statement(tenant: TenantNo, dialect: str) -> Select[Any]:
    """When each device last sent something of each type."""
    received = _received(tenant, dialect)
    return (
        select(_s.device_no, _s.type, func.max(received.c.received_us).label("received_us"))
        .join_from(series, received, _s.series_id == received.c.series_id)
        .where(_s.tenant_no == tenant)
        .group_by(_s.device_no, _s.type)
    )


def _received(tenant: TenantNo, dialect: str) -> FromClause:
    """When each series last received anything, without looking for its newest reading where that can be had."""
    if dialect != "sqlite":
        latest = series_latest.c
        return select(latest.series_id, latest.received_us).where(latest.tenant_no == tenant).subquery()
    merged, recent = _merged.c, _recent.c
    arrived = select(recent.series_id, func.max(recent.received_us).label("received_us"))
    return union_all(
        select(merged.series_id, merged.received_us).where(merged.tenant_no == tenant),
        arrived.where(recent.tenant_no == tenant).group_by(recent.series_id),
    ).subquery()


def sparkline_statement(tenant: TenantNo, ids: Sequence[int], span: TimeRange, width_us: int) -> Select[Any]:
    """Least and greatest number of each series and bucket."""
    bucket = ((_e.recorded_us - span.from_us) // width_us).label("bucket")
    return (
        select(_e.series_id, bucket, func.min(_e.number).label("least"), func.max(_e.number).label("most"))
        .where(
            _e.series_id.in_(ids),
            _e.tenant_no == tenant,
            _e.recorded_us >= span.from_us,
            _e.recorded_us < span.to_us,
        )
        .group_by(_e.series_id, bucket)
    )


def read_roster(connection: Connection, tenant: TenantNo) -> list[Listed]:
    """As `ports.registry.Devices.roster`."""
    tags: defaultdict[int, list[str]] = defaultdict(list)
    for number, _, tag in sorted(fetch_rows(connection, roster_tags_statement(tenant))):
        tags[number].append(tag)
    return [
        Listed(number, device_id, label, location, tuple(tags.get(number, ())), created_us, search)
        for number, device_id, label, location, created_us, search in fetch_rows(connection, roster_statement(tenant))
    ]


class SqlFleetTelemetry:
    """The port `FleetTelemetry` over the tables of `telemetry_tables`."""

    def __init__(self, readers: TenantReaders) -> None:
        self._readers = readers

    async def heard(self, tenant: TenantNo) -> Sequence[Heard]:
        """See the port."""

        def read(connection: Connection) -> list[Heard]:
            return list(map(Heard._make, fetch_rows(connection, heard_statement(tenant, connection.dialect.name))))

        return await self._readers.run(tenant, read)

    async def sparklines(
        self,
        tenant: TenantNo,
        device_nos: Sequence[int],
        span: TimeRange,
        buckets: int,
        *,
        types: Sequence[str] | None = None,
    ) -> Sequence[Sparkline]:
        """See the port."""
        if not device_nos:
            return ()
        width_us = (span.to_us - span.from_us) // buckets
        known = select(_s.device_no, _s.type, func.coalesce(_s.unit, "").label("unit"), _s.series_id).where(
            _s.tenant_no == tenant, _s.device_no.in_(device_nos), _s.kind == Kind.NUMBER
        )
        if types is not None:
            known = known.where(_s.type.in_(types))

        def read(connection: Connection) -> list[Sparkline]:
            chosen: dict[int, tuple[str, str, int]] = {}
            for device_no, *rest in sorted(fetch_rows(connection, known)):
                chosen.setdefault(device_no, (rest[0], rest[1], rest[2]))
            least: dict[int, list[float | None]] = {number: [None] * buckets for _, _, number in chosen.values()}
            most = {number: list(empty) for number, empty in least.items()}
            if least:
                statement = sparkline_statement(tenant, sorted(least), span, width_us)
                for series_id, bucket, low, high in fetch_rows(connection, statement):
                    least[series_id][bucket], most[series_id][bucket] = low, high
            return [
                Sparkline(device_no, type_, unit or None, least[series_id], most[series_id])
                for device_no, (type_, unit, series_id) in chosen.items()
            ]

        return await self._readers.run(tenant, read)
