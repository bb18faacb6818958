"""A load generator of its own process: closed loop for throughput, open loop for latency counted from the schedule.

Loopback only, bounded in time and count. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from collections import Counter
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from .events import bodies


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self.answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer = self._buffer[end + 4 + length :]
        answer, self.answer = self.answer, None
        if answer is not None and not answer.done():
            answer.set_result(int(head[9:12]))

    def connection_lost(self, _error: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)

    def request(self, payload: bytes) -> asyncio.Future[int]:
        """Send; the future is the status, 0 if the connection ended."""
        self.answer = asyncio.get_running_loop().create_future()
        assert self.transport is not None
        self.transport.write(payload)
        return self.answer


def quantile(values: list[float], q: float) -> float:
    """The value at or below which a share `q` of the sorted `values` lies."""
    return values[min(len(values) - 1, int(len(values) * q))] if values else float("nan")


async def closed_loop(
    connections: list[Connection], payloads: Iterable[bytes], seconds: float
) -> tuple[Counter[int], list[float], float]:
    """As fast as answers come. The statuses, latencies in seconds, and the time it took."""
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    waiting = iter(payloads)
    began = time.perf_counter()
    end = began + seconds

    async def one(connection: Connection) -> None:
        for payload in waiting:
            sent = time.perf_counter()
            if sent > end:
                return
            statuses[await connection.request(payload)] += 1
            latencies.append(time.perf_counter() - sent)

    await asyncio.gather(*(one(connection) for connection in connections))
    return statuses, latencies, time.perf_counter() - began


async def open_loop(
    connections: list[Connection], payloads: Iterable[bytes], seconds: float, rate: float
) -> tuple[Counter[int], list[float], float]:
    """At fixed instants, whatever the answers do: a late answer delays nobody's schedule and is counted in full."""
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    began = time.perf_counter() + 0.05
    tasks = []

    async def one(payload: bytes, due: float) -> None:
        connection = await free.get()
        statuses[await connection.request(payload)] += 1
        latencies.append(time.perf_counter() - due)
        free.put_nowait(connection)

    for index, payload in enumerate(payloads):
        due = began + index / rate
        if due > began + seconds:
            break
        ahead = due - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.create_task(one(payload, due)))
    await asyncio.gather(*tasks)
    return statuses, latencies, time.perf_counter() - began


async def run(options: argparse.Namespace) -> dict[str, object]:
    """One measurement."""
    address = urlsplit(options.url)
    assert address.hostname in ("127.0.0.1", "localhost", "::1"), "loads go to loopback only"
    made = bodies(options.requests, options.batch, options.seed, random_ids=options.random_ids)
    keys = [options.key] if options.key else options.keys.read_text().split()
    heads = [
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: ".encode()
        for key in keys
    ]
    payloads = [
        head + str(len(body)).encode() + b"\r\n\r\n" + body for head, body in zip(cycle(heads), made, strict=False)
    ]
    del made
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(Connection, address.hostname, address.port))[1]
        for _ in range(options.connections)
    ]
    before = resource.getrusage(resource.RUSAGE_SELF)
    if options.rate:
        statuses, latencies, took = await open_loop(connections, payloads, options.seconds, options.rate)
    else:
        statuses, latencies, took = await closed_loop(connections, payloads, options.seconds)
    after = resource.getrusage(resource.RUSAGE_SELF)
    latencies.sort()
    accepted = statuses[202] + statuses[200]
    return {
        "requests_per_s": accepted / took,
        "events_per_s": accepted * options.batch / took,
        "accepted_events": accepted * options.batch,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "seconds": took,
        "p50_ms": quantile(latencies, 0.5) * 1e3,
        "p99_ms": quantile(latencies, 0.99) * 1e3,
        "p999_ms": quantile(latencies, 0.999) * 1e3,
        "max_ms": latencies[-1] * 1e3 if latencies else None,
        "generator_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "generator_cpu": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / took,
    }


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--keys", type=Path, help="a file of keys, one a line, that take turns; instead of --key")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=0, help="requests a second, open loop; 0 = closed loop")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random-ids", action="store_true")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
