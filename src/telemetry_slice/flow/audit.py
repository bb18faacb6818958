"""Writing down who did what: soon, in order, and without holding anybody up while the registry is away."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from ..model.audit import Actor, AuditEntry, AuditOutcome, ChainCheck
from ..model.errors import UnavailableError
from ..model.events import TenantNo
from ..observe import AUDIT_LOST
from ..ports.audit import AuditLog

log = structlog.get_logger()

PATIENCE_S = 2.0
"""For so long whoever did something waits until it is written down; then it is written down without them."""
MAX_WAITING = 1_000
REFUSALS = 10
REFUSALS_PER_S = 60.0
"""Of so many refusals of one actor in so many seconds each is kept: a program gone wrong must not fill the disk."""
VERIFY_STEP = 1_000
_BELOW_ALL = -(1 << 62)


class Auditor:
    """Appends to the audit. What cannot be written waits, `MAX_WAITING` entries at most, until `write_down` can."""

    def __init__(self, audit: AuditLog, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._now = monotonic
        self._waiting: deque[tuple[TenantNo, AuditEntry]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._refused: dict[Actor, tuple[float, int]] = {}
        self._beside: set[asyncio.Task[None]] = set()

    async def tell(self, chain: TenantNo, entry: AuditEntry) -> None:
        """Write an entry down; on return it is durable, unless the registry is slow or away."""
        if entry.outcome == AuditOutcome.REFUSED and self._is_tiring(entry.actor):
            return
        if len(self._waiting) >= MAX_WAITING:
            AUDIT_LOST.inc()
            log.error("audit_lost", chain=chain, action=entry.action, resource=entry.resource, target=entry.target)
            return
        self._waiting.append((chain, entry))
        await asyncio.wait((self._written(),), timeout=PATIENCE_S)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what ends in `tell` beside the answer, whose time would betray what was looked up."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def write_down(self) -> None:
        """Write down what waits, as far as possible."""
        await asyncio.gather(*self._beside, return_exceptions=True)
        if self._waiting:
            await asyncio.shield(self._written())

    def _written(self) -> asyncio.Task[None]:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return self._writing

    async def _write(self) -> None:
        while self._waiting:
            try:
                await self._audit.append(*self._waiting[0])
            except UnavailableError as error:
                log.warning("audit_waits", entries=len(self._waiting), error=str(error))
                return
            except Exception:
                # One entry that cannot be kept must not keep the others.
                AUDIT_LOST.inc()
                log.exception("audit_lost", entry=self._waiting[0])
            self._waiting.popleft()

    def _is_tiring(self, actor: Actor) -> bool:
        now = self._now()
        since, count = self._refused.get(actor, (now, 0))
        if now - since > REFUSALS_PER_S:
            since, count = now, 0
        if len(self._refused) >= MAX_WAITING:
            self._refused.clear()
        self._refused[actor] = since, count + 1
        return count >= REFUSALS


async def verify(audit: AuditLog, chain: TenantNo) -> ChainCheck:
    """Read a chain whole, some records at a time, and compare it with its head. Raises UnavailableError."""
    # Before the records: those that are appended meanwhile are beyond it.
    sequence, hash_ = await audit.head(chain)
    check, after = ChainCheck(), _BELOW_ALL
    while check.fault is None and check.sequence < sequence:
        records = await audit.after(chain, sequence=after, limit=min(VERIFY_STEP, sequence - check.sequence))
        if not records:
            break
        check.read(records)
        after = check.sequence
    check.end(sequence, hash_)
    if check.fault is None and await audit.after(chain, sequence=sequence, limit=1):
        # Appended since, or put there by somebody whom the head does not know.
        newer, _ = await audit.head(chain)
        if newer <= sequence:
            check.fault = f"there are records after {sequence}, which was the last"
    return check
