"""The audit on SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, Select, or_, select, text

from ...model.audit import (
    FIRST_HASH,
    INSTALLATION,
    Actor,
    ActorKind,
    AuditEntry,
    AuditOutcome,
    AuditRecord,
    detail_text,
    hash_after,
)
from ...model.events import TenantNo
from ...ports.audit import EVERYTHING, AuditFilter
from .audit_tables import audit, audit_heads
from .database import AnyRow, Database, has_walls

_LOCK_CLASS = 1_129_270_612
"""Of PostgreSQL's advisory locks, so that a chain's number is no other lock's."""
_LOCK = text("SELECT pg_advisory_xact_lock(:class, :chain)")
_CHAINS_BEHIND_WALLS = text("SELECT tenant_no FROM audit_chains() AS tenant_no ORDER BY 1")


def _whose(chain: TenantNo) -> TenantNo | None:
    """Whose transaction sees a chain: that of nobody sees the installation's."""
    return None if chain == INSTALLATION else chain


def _record(row: AnyRow) -> AuditRecord:
    entry = AuditEntry(
        row.at_us,
        Actor(ActorKind(row.actor_kind), row.actor_id, row.actor_name),
        row.action,
        row.resource,
        row.target,
        row.tenant_id,
        row.address,
        row.agent,
        AuditOutcome(row.outcome),
        json.loads(row.detail),
    )
    return AuditRecord(row.sequence, entry, bytes(row.hash))


class SqlAudit:
    """`ports.audit.AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, chain: TenantNo, entry: AuditEntry) -> AuditRecord:
        def work(connection: Connection) -> AuditRecord:
            if has_walls(connection):
                # Held until the commit, for this chain alone; SQLite has one writer anyway. Were it forgotten, the
                # primary key would refuse the second of two records that follow the same one.
                connection.execute(_LOCK, {"class": _LOCK_CLASS, "chain": chain})
            last = connection.execute(
                select(audit.c.sequence, audit.c.hash)
                .where(audit.c.tenant_no == chain)
                .order_by(audit.c.sequence.desc())
                .limit(1)
            ).one_or_none()
            sequence = 1 if last is None else last.sequence + 1
            hash_ = hash_after(FIRST_HASH if last is None else bytes(last.hash), sequence, entry)
            connection.execute(
                audit.insert().values(
                    tenant_no=chain,
                    sequence=sequence,
                    at_us=entry.at_us,
                    actor_kind=entry.actor.kind,
                    actor_id=entry.actor.id,
                    actor_name=entry.actor.name,
                    action=entry.action,
                    resource=entry.resource,
                    target=entry.target,
                    tenant_id=entry.tenant_id,
                    address=entry.address,
                    agent=entry.agent,
                    outcome=entry.outcome,
                    detail=detail_text(entry.detail),
                    hash=hash_,
                )
            )
            return AuditRecord(sequence, entry, hash_)

        return await self._database.write(work, tenant=_whose(chain))

    async def page(
        self, chain: TenantNo, wanted: AuditFilter = EVERYTHING, *, before: int | None = None, limit: int
    ) -> Sequence[AuditRecord]:
        found = _wanted(chain, wanted).order_by(audit.c.sequence.desc()).limit(limit)
        return await self._read(chain, found if before is None else found.where(audit.c.sequence < before))

    async def after(
        self, chain: TenantNo, wanted: AuditFilter = EVERYTHING, *, sequence: int, limit: int
    ) -> Sequence[AuditRecord]:
        found = _wanted(chain, wanted).where(audit.c.sequence > sequence)
        return await self._read(chain, found.order_by(audit.c.sequence).limit(limit))

    async def _read(self, chain: TenantNo, found: Select[AnyRow]) -> Sequence[AuditRecord]:
        return await self._database.read(
            lambda connection: [_record(row) for row in connection.execute(found)], tenant=_whose(chain)
        )

    async def head(self, chain: TenantNo) -> tuple[int, bytes]:
        wanted = select(audit_heads.c.sequence, audit_heads.c.hash).where(audit_heads.c.tenant_no == chain)

        def work(connection: Connection) -> tuple[int, bytes]:
            row = connection.execute(wanted).one_or_none()
            return (0, FIRST_HASH) if row is None else (row.sequence, bytes(row.hash))

        return await self._database.read(work, tenant=_whose(chain))

    async def chains(self) -> Sequence[TenantNo]:
        def work(connection: Connection) -> list[TenantNo]:
            behind_walls = has_walls(connection)
            wanted = _CHAINS_BEHIND_WALLS if behind_walls else select(audit_heads.c.tenant_no).order_by("tenant_no")
            return [TenantNo(number) for number in connection.scalars(wanted)]

        return await self._database.read(work)


def _wanted(chain: TenantNo, wanted: AuditFilter) -> Select[AnyRow]:
    found = select(audit).where(audit.c.tenant_no == chain)
    if wanted.actor is not None:
        found = found.where(or_(audit.c.actor_id == wanted.actor, audit.c.actor_name == wanted.actor))
    if wanted.action is not None:
        found = found.where(audit.c.action == wanted.action)
    if wanted.resource is not None:
        found = found.where(audit.c.resource == wanted.resource)
    if wanted.outcome is not None:
        found = found.where(audit.c.outcome == wanted.outcome)
    if wanted.from_us is not None:
        found = found.where(audit.c.at_us >= wanted.from_us)
    if wanted.to_us is not None:
        found = found.where(audit.c.at_us < wanted.to_us)
    return found
