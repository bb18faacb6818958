"""Dead letters taken up again: mended bodies pass the gate's own checks before they are kept or replayed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from ...model.errors import Code, FieldError, SliceError
from ...model.events import DeadReason, EventBatch, Outcome, Settlement
from ...model.series import DeadLetter
from ...model.tenancy import Tenant
from ...ports.cache import Cache
from ...ports.events import DeadLetters
from ...ports.registry import Devices
from .decode import decode
from .validate import DELETED, validate

REPLAY_STEP = 200

T = TypeVar("T")


class Letters:
    """What a tenant may do with its dead letters. What is read elsewhere is at most `lag_s` behind the store."""

    def __init__(self, letters: DeadLetters, devices: Devices, cache: Cache, lag_s: float = 0.0) -> None:
        self._letters = letters
        self._cache = cache
        self._lag_s = lag_s
        self._devices = devices

    async def page(
        self,
        tenant: Tenant,
        *,
        reason: str | None,
        after: int | None,
        limit: int,
        device_id: str | None = None,
        received: tuple[int | None, int | None] = (None, None),
    ) -> Sequence[DeadLetter]:
        """Up to `limit` letters, newest first, ids below `after`; of a device, received in [from, to), if given."""
        if reason is not None and reason not in set(DeadReason):
            known = ", ".join(DeadReason)
            raise SliceError(
                Code.INVALID, f"no such reason; there are {known}", fields=(FieldError("reason", "unknown"),)
            )
        return await self._letters.list(
            tenant.no, reason=reason, after=after, limit=limit, device_id=device_id, received=received
        )

    async def get(self, tenant: Tenant, letter_id: int) -> DeadLetter:
        """One letter. Raises SliceError NOT_FOUND."""
        return _found(await self._letters.get(tenant.no, letter_id))

    async def mend(self, tenant: Tenant, letter_id: int, body: dict[str, object]) -> DeadLetter:
        """Replace a letter's event. Raises SliceError NOT_FOUND, or INVALID naming the field under /body."""
        letter = _found(await self._letters.get(tenant.no, letter_id))
        event = await self._event(tenant, body, letter.received_us)
        return _found(await self._letters.mend(tenant.no, letter_id, event))

    async def replay(self, tenant: Tenant, letter_id: int) -> tuple[Outcome, str | None]:
        """Give a letter another try, exactly once; its outcome and, if it died again, the reason."""
        letter = _found(await self._letters.get(tenant.no, letter_id))
        event = await self._event(tenant, letter.body, letter.received_us)
        settlement: Settlement = _found(await self._letters.replay(tenant.no, letter_id, event))
        # Its reading may belong to a range that was taken for settled.
        self._cache.forget(tenant.no)
        if self._lag_s:
            # What is read meanwhile may still lack it.
            asyncio.get_running_loop().call_later(self._lag_s, self._cache.forget, tenant.no)
        return Outcome(settlement.outcomes[0][0]), settlement.reasons.get((0, 0))

    async def replay_many(self, tenant: Tenant, *, reason: str | None, ids: Sequence[int] | None) -> Counter[Outcome]:
        """Replay the named letters, or all open ones (of a reason), each once; how many came to which outcome."""
        outcomes: Counter[Outcome] = Counter()
        if ids is not None:
            for letter_id in ids:
                await self._replay_into(outcomes, tenant, letter_id)
            return outcomes
        after: int | None = None
        while True:
            letters = await self.page(tenant, reason=reason, after=after, limit=REPLAY_STEP)
            for letter in letters:
                if letter.state == "dead":
                    await self._replay_into(outcomes, tenant, letter.id)
            if len(letters) < REPLAY_STEP:
                return outcomes
            after = letters[-1].id

    async def _replay_into(self, outcomes: Counter[Outcome], tenant: Tenant, letter_id: int) -> None:
        try:
            outcome, _ = await self.replay(tenant, letter_id)
        except SliceError as error:
            if error.code == Code.NOT_FOUND:
                return
            outcome = Outcome.DEAD
        outcomes[outcome] += 1

    async def discard(self, tenant: Tenant, letter_id: int) -> None:
        """Close a letter. Raises SliceError NOT_FOUND."""
        if not await self._letters.discard(tenant.no, letter_id):
            raise _no_letter()

    async def _event(self, tenant: Tenant, body: dict[str, object], received_us: int) -> EventBatch:
        decoded = decode(
            json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"),
            2 if "measurements" in body else 1,
            ndjson=False,
            max_events=1,
        )
        wanted = {event.device_id for event in decoded.events}
        devices = await self._devices.resolve(tenant.no, list(wanted))
        numbers = {name: device.no if device.deleted_us is None else DELETED for name, device in devices.items()}
        batch, _ = validate(tenant.no, tenant.id, decoded, numbers, received_us)
        if len(batch) != 1:
            fields = tuple(FieldError(f"/body{rejected.pointer}", rejected.detail) for rejected in decoded.rejected)
            raise SliceError(Code.INVALID, "The event cannot be accepted.", fields=fields)
        return batch


def _found(value: T | None) -> T:
    if value is None:
        raise _no_letter()
    return value


def _no_letter() -> SliceError:
    return SliceError(Code.NOT_FOUND, "There is no such open dead letter.")
