"""More requests than a platform can take, from a process of its own; prints what became of them as one JSON object."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import uvloop
from bench.load import Connection, closed_loop, open_loop, quantile

MARK = b"feedface"
DEVICES = 50


def requests(url: str, key: str, batch: int, count: int) -> Iterator[bytes]:
    """Requests of new events, each made from the same text when it is due."""
    address = urlsplit(url)
    assert address.hostname == "127.0.0.1", "loads go to loopback only"
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    rest = [str(uuid.uuid4())[8:] for _ in range(batch)]
    body = json.dumps(
        [
            {
                "eventId": MARK.decode() + tail,
                "deviceId": f"flood-{at % DEVICES}",
                "recordedAt": moment,
                "type": "n",
                "value": at,
            }
            for at, tail in enumerate(rest)
        ]
    ).encode()
    head = (
        f"POST /api/v1/telemetry HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    for number in range(count):
        yield head + body.replace(MARK, b"%08x" % number)


async def offered(
    connections: list[Connection], payloads: Iterator[bytes], seconds: float, rate: float
) -> tuple[Counter[int], list[float], float]:
    """At fixed instants; what is due while every connection waits for an answer is not sent, and counted as -1."""
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    free = list(connections)
    tasks: set[asyncio.Task[None]] = set()

    async def one(connection: Connection, sent: float) -> None:
        statuses[await connection.request(next(payloads))] += 1
        latencies.append(time.perf_counter() - sent)
        free.append(connection)

    began = time.perf_counter()
    due = began
    while due < began + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if free:
            task = asyncio.create_task(one(free.pop(), time.perf_counter()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            statuses[-1] += 1
        due += 1 / rate
    taken = statuses.copy()
    took = time.perf_counter() - began
    await asyncio.gather(*tasks)
    # What was answered after the end counts as an answer, but not for the rate.
    late = statuses[202] - taken[202]
    return statuses, latencies, took * (1 + late / max(1, taken[202]))


async def run(options: argparse.Namespace) -> dict[str, object]:
    address = urlsplit(options.url)
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(Connection, address.hostname, address.port))[1]
        for _ in range(options.connections)
    ]
    made = requests(options.url, options.key, options.batch, 1 << 31)
    if options.rate and options.skip:
        statuses, latencies, took = await offered(connections, made, options.seconds, options.rate)
    elif options.rate:
        statuses, latencies, took = await open_loop(connections, made, options.seconds, options.rate)
    else:
        statuses, latencies, took = await closed_loop(connections, made, options.seconds)
    latencies.sort()
    return {
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "events": statuses[202] * options.batch,
        "seconds": took,
        "p99_s": quantile(latencies, 0.99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=0, help="requests a second, open loop; 0 = closed loop")
    parser.add_argument("--skip", type=int, default=0, help="1: what is due while no connection is free is not sent")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
