"""Sending as fast as a quota allows and no faster: what is refused is work for both sides and a line in the books."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_ITEM = re.compile(r'^\s*"(?P<name>[^"]*)"(?P<parameters>(?:;[a-z]+=\d+)*)\s*$')
_SHARE = 0.98
"""How much of a quota is used: two clocks never run quite alike."""


def quota_of(headers: Mapping[str, str]) -> tuple[str, int, float, int] | None:
    """(policy, limit, window in seconds, remaining) of the RateLimit fields; None without or with unreadable ones."""
    state = _ITEM.match(headers.get("RateLimit", ""))
    policy = _ITEM.match(headers.get("RateLimit-Policy", ""))
    if state is None or policy is None or state["name"] != policy["name"]:
        return None
    told = dict(part.split("=") for part in (state["parameters"] + policy["parameters"]).split(";") if part)
    try:
        return state["name"], int(told["q"]), float(told.get("w", 1)), int(told["r"])
    except (KeyError, ValueError):
        return None


@dataclass(slots=True)
class _Bucket:
    size: float
    per_second: float
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second)
        self.at = now


class Pacer:
    """Shared by all requests that one key has in flight. Learns the quotas from the answers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    async def turn(self, events: int) -> None:
        """Wait until a request with `events` events is within what is known of the quotas, and take it from them."""
        while True:
            now = self._clock()
            wait = 0.0
            for name, bucket in self._buckets.items():
                bucket.refill(now)
                # More than a bucket holds is admitted from a full one.
                needed = min(self._cost(name, events), bucket.size)
                wait = max(wait, (needed - bucket.tokens) / bucket.per_second)
            if wait <= 0:
                break
            await asyncio.sleep(wait)
        for name, bucket in self._buckets.items():
            bucket.tokens -= self._cost(name, events)

    @staticmethod
    def _cost(policy: str, events: int) -> int:
        return events if policy.endswith("events") else 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer says of the quota that is nearest to its end."""
        found = quota_of(headers)
        if found is None or found[1] <= 0 or found[2] <= 0:
            return
        name, limit, window_s, remaining = found
        now = self._clock()
        known = self._buckets.get(name)
        if known is None:
            self._buckets[name] = _Bucket(float(limit), _SHARE * limit / window_s, float(remaining), now)
            return
        known.refill(now)
        known.size, known.per_second = float(limit), _SHARE * limit / window_s
        # What is in flight is already taken from ours and perhaps not yet from theirs.
        known.tokens = min(known.tokens, float(remaining))
