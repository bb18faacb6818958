"""Bounded memory, shared fairly: how many bytes of requests may be worked on at once, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...observe import INFLIGHT_BYTES


class Capacity:
    """Bytes in flight. Of what there is, a tenant gets at most an equal share beside one newcomer more."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used = 0
        self._by_tenant: dict[TenantNo, int] = {}

    @contextmanager
    def hold(self, tenant: TenantNo, size: int) -> Iterator[None]:
        """Hold `size` bytes for `tenant`. Raises SliceError CAPACITY when they are not to be had."""
        own = self._by_tenant.get(tenant, 0)
        active = len(self._by_tenant) + (0 if own else 1)
        if self._used + size > self._max_bytes or own + size > self._max_bytes // (active + 1):
            raise SliceError(Code.CAPACITY, "too many requests are being worked on", retry_after_s=1)
        self._used += size
        self._by_tenant[tenant] = own + size
        INFLIGHT_BYTES.set(self._used)
        try:
            yield
        finally:
            self._used -= size
            left = self._by_tenant[tenant] - size
            if left:
                self._by_tenant[tenant] = left
            else:
                del self._by_tenant[tenant]
            INFLIGHT_BYTES.set(self._used)
