"""Keys that end soon: counted for whoever watches, and told to the audit of their tenant, once each."""

from __future__ import annotations

import structlog

from ...model.audit import entry_of_job
from ...model.tenancy import Duty, SystemJob
from ...model.times import rfc3339
from ...observe import KEYS_EXPIRING
from ...ports.audit import AuditLog
from ...ports.credentials import ExpiringKeys
from ...ports.edge import Clock

log = structlog.get_logger()

_AT_ONCE = 500


class ExpiryWatch:
    """Looks for keys that end within `warning_us` and are followed by none."""

    def __init__(self, keys: ExpiringKeys, audit: AuditLog, clock: Clock, warning_us: int) -> None:
        self._keys = keys
        self._audit = audit
        self._clock = clock
        self._warning_us = warning_us

    async def look(self) -> None:
        """Several processes may: each key is told by one of them. Raises UnavailableError."""
        now_us = self._clock.now_us()
        until_us = now_us + self._warning_us
        count, _ = await self._keys.soon(now_us, until_us, 0)
        KEYS_EXPIRING.set(count)
        while found := await self._keys.warn(now_us, until_us, _AT_ONCE):
            for key in found:
                expires_at = rfc3339(key.expires_us)
                log.warning("key_expires_soon", tenant=key.tenant.id, key_id=key.key_id, expires_at=expires_at)
                detail = {"kind": key.kind.value, "device": key.device_id, "name": key.name, "expiresAt": expires_at}
                job, resource = SystemJob(Duty.EXPIRY, key.tenant), "keys" if key.device_id is None else "device keys"
                entry = entry_of_job(job, now_us, "warn of", resource, target=key.key_id, detail=detail)
                await self._audit.append(key.tenant.no, entry)
