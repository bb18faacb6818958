"""Quotas shared by all processes: one script, the server's clock, one round trip for all that arrives meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from ...ports.edge import Limiter, Quota, Verdict
from .connection import PREFIX, Connected, Link, Script, Server, within

ANSWER_S = 0.05
CALLS_AT_ONCE = 256
"""Bounds how long one script keeps the server: a call costs it some microseconds."""

# A bucket is kept as (tokens, µs of the server's clock at which they were counted). An absent one is full; it is kept
# some seconds longer than it takes to fill, so that a limit lowered meanwhile finds what was owed. One whose stamp lies
# in the future is full as well: the server's clock was set back, or a replica with another clock has taken over.
_ADMIT = Script("""
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local kept = redis.call('MGET', unpack(KEYS))
local tokens, limits, verdicts = {}, {}, {}
for _, call in ipairs(cmsgpack.unpack(ARGV[2])) do
  local cost, broken, retry_us, tightest, remaining, share = call[1], 0, 0, 0, 0, 2
  for place = 2, #call, 2 do
    local key, limit, left = call[place], call[place + 1], tokens[call[place]]
    if not left then
      left = limit
      if kept[key] then
        local counted, stamp = struct.unpack('<dd', kept[key])
        if stamp <= now then left = counted + (now - stamp) * limit / 1000000 end
      end
    end
    if left > limit then left = limit end
    tokens[key] = left
    if left < cost and left < limit then
      broken, tightest, remaining = place / 2, place / 2, left
      retry_us = (math.min(cost, limit) - left) / limit * 1000000
      break
    end
    if (left - cost) / limit < share then
      share, tightest, remaining = (left - cost) / limit, place / 2, left - cost
    end
  end
  if broken == 0 and cost > 0 then
    for place = 2, #call, 2 do
      tokens[call[place]] = tokens[call[place]] - cost
      limits[call[place]] = call[place + 1]
    end
  end
  verdicts[#verdicts + 1] = {broken, retry_us, tightest, math.max(0, math.floor(remaining))}
end
for key, limit in pairs(limits) do
  local fills_ms = math.ceil((limit - tokens[key]) / limit * 1000)
  redis.call('SET', KEYS[key], struct.pack('<dd', tokens[key], now), 'PX', fills_ms + 10000)
end
return cmsgpack.pack(verdicts)
""")

_encode = msgspec.msgpack.Encoder().encode
_verdicts = msgspec.msgpack.Decoder(list[tuple[int, float, int, int]], strict=False)


class _Call(NamedTuple):
    quotas: Sequence[Quota]
    cost: int
    verdict: asyncio.Future[Verdict | None]
    """None when the server did not say."""


class RedisLimiter(Connected):
    """Token buckets as those of one process, kept by the server. `local` decides while it is away or slow.

    One round trip is under way at a time; the calls that arrive meanwhile share the next one. When one takes longer
    than `answer_s`, all that wait are decided by `local`, and so is every later call until the server has answered
    again to a call that is nobody's, a second later at the earliest.
    """

    def __init__(
        self, url: str, local: Limiter, *, answer_s: float = ANSWER_S, now_s: Callable[[], float] | None = None
    ) -> None:
        """`now_s` replaces the server's clock; all processes must then share it."""
        super().__init__("limiter")
        self._server = Server(url)
        self._local = local
        self._answer_s = answer_s
        self._now_s = now_s
        self._waiting: list[_Call] = []
        self._arrived = asyncio.Event()
        self._connected = False

    async def admit(self, quotas: Sequence[Quota], cost: int) -> Verdict:
        if not quotas:
            return Verdict(None, 0.0, None, 0)
        if self._connected:
            call = _Call(quotas, cost, asyncio.get_running_loop().create_future())
            self._waiting.append(call)
            self._arrived.set()
            verdict = await call.verdict
            if verdict is not None:
                return verdict
        return await self._local.admit(quotas, cost)

    async def _live(self) -> None:
        link = await self._server.connect()
        try:
            self._connected = True
            self._outage.end()
            await self._decide(link)
        finally:
            self._connected = False
            self._give_up(self._waiting)
            self._waiting = []
            await link.close()

    async def _decide(self, link: Link) -> None:
        while True:
            await self._arrived.wait()
            calls = self._waiting[:CALLS_AT_ONCE]
            del self._waiting[:CALLS_AT_ONCE]
            if not self._waiting:
                self._arrived.clear()
            try:
                verdicts = await within(self._answer_s, self._ask(link, calls))
                for call, verdict in zip(calls, verdicts, strict=True):
                    if not call.verdict.done():
                        call.verdict.set_result(verdict)
            finally:
                self._give_up(calls)

    def _give_up(self, calls: Sequence[_Call]) -> None:
        for call in calls:
            if not call.verdict.done():
                call.verdict.set_result(None)

    async def _ask(self, link: Link, calls: Sequence[_Call]) -> list[Verdict]:
        keys: dict[tuple[str, str], int] = {}
        rows = []
        for quotas, cost, _ in calls:
            row = [cost]
            for quota in quotas:
                row += (keys.setdefault((quota.policy, quota.key), len(keys) + 1), quota.limit)
            rows.append(row)
        names = [f"{PREFIX}{{limits}}:{policy}:{key}" for policy, key in keys]
        now = "" if self._now_s is None else round(self._now_s() * 1e6)
        said = _verdicts.decode(await _ADMIT.run(link, names, now, _encode(rows)))
        return [_verdict(call.quotas, *told) for call, told in zip(calls, said, strict=True)]


def _verdict(quotas: Sequence[Quota], broken: int, retry_us: float, tightest: int, remaining: int) -> Verdict:
    """Places are counted from 1, 0 is none."""
    return Verdict(
        quotas[broken - 1] if broken else None, retry_us / 1e6, quotas[tightest - 1] if tightest else None, remaining
    )
