"""Bounded memory, shared fairly: how many bytes of requests may be worked on at once, and by whom."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Self

from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...observe import INFLIGHT_BYTES


class Capacity:
    """Bytes in flight. A tenant holds at most as much as it leaves free for the others.

    So one that is alone gets half, n greedy ones come to 1/(n + 1) each, and a newcomer always finds that much free.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used = 0
        self._by_tenant: Counter[TenantNo] = Counter()
        INFLIGHT_BYTES.set_function(lambda: self._used)

    def hold(self, tenant: TenantNo, size: int) -> Held:
        """Hold `size` bytes for `tenant` within a `with`. Raises SliceError CAPACITY when they are not to be had."""
        self.take(tenant, size)
        return Held(self, tenant, size)

    def take(self, tenant: TenantNo, size: int) -> None:
        """Take `size` bytes, to be given back."""
        if self._used + self._by_tenant[tenant] + 2 * size > self._max_bytes:
            raise SliceError(Code.CAPACITY, "too many requests are being worked on", retry_after_s=1)
        self._used += size
        self._by_tenant[tenant] += size

    def give_back(self, tenant: TenantNo, size: int) -> None:
        """What `take` took."""
        self._used -= size
        self._by_tenant[tenant] -= size
        if not self._by_tenant[tenant]:
            del self._by_tenant[tenant]


class Held:
    """Bytes that are held until the end of a `with`."""

    __slots__ = ("_capacity", "_size", "_tenant")

    def __init__(self, capacity: Capacity, tenant: TenantNo, size: int) -> None:
        self._capacity = capacity
        self._tenant = tenant
        self._size = size

    def grow(self, size: int) -> None:
        """Hold `size` bytes in all, if that is more. Raises SliceError CAPACITY when they are not to be had."""
        if size > self._size:
            self._capacity.take(self._tenant, size - self._size)
            self._size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capacity.give_back(self._tenant, self._size)
