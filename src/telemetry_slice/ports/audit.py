"""The audit log: appended to, read, and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.audit import AuditEntry, AuditOutcome, AuditRecord
from ..model.events import TenantNo


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records are wanted; None = all. Times are [from, to) in µs; `actor` is an id or a name."""

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    outcome: AuditOutcome | None = None
    from_us: int | None = None
    to_us: int | None = None


EVERYTHING = AuditFilter()


class AuditLog(Protocol):
    """Chains of records, one for each tenant and `model.audit.INSTALLATION`; a tenant's outlives the tenant."""

    async def append(self, chain: TenantNo, entry: AuditEntry) -> AuditRecord:
        """Add the next record, durable on return. Whoever else appends waits: a chain never forks."""

    async def page(
        self, chain: TenantNo, wanted: AuditFilter = EVERYTHING, *, before: int | None = None, limit: int
    ) -> Sequence[AuditRecord]:
        """Newest first, of sequences below `before`."""

    async def after(
        self, chain: TenantNo, wanted: AuditFilter = EVERYTHING, *, sequence: int, limit: int
    ) -> Sequence[AuditRecord]:
        """Oldest first, of sequences above `sequence`."""

    async def head(self, chain: TenantNo) -> tuple[int, bytes]:
        """Sequence and hash of the last record, kept apart from the records; (0, FIRST_HASH) for an empty chain."""

    async def chains(self) -> Sequence[TenantNo]:
        """Every chain that has a record, by number."""
