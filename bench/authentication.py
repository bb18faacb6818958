"""What authentication costs the ingest route: `python -m bench.authentication`.

The embedded platform's route, called within its process: requests of one event, each with the key of its own device.
Rounds take turns: the route as it is, and the same route with the principal looked up by the header in a dict. The HTTP
server, which both would share, is left out, and with `--bare` the disk too (a queue takes every message at once): in a
server authentication has a smaller share than here.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from types import MethodType
from typing import Any

from telemetry_slice.http.ingest import Ingest
from telemetry_slice.model.events import Message
from telemetry_slice.model.tenancy import KeyKind
from telemetry_slice.runtime import build_embedded
from telemetry_slice.settings import Settings

from .target import RAISED

IN_FLIGHT = 64


Took = tuple[float, float]
"""Seconds by the clock, and of the process's processors."""


class AtOnce:
    """A queue that takes everything and keeps nothing."""

    async def put(self, message: Message) -> None:
        """Return at once."""


class Route:
    """The ingest route of a platform with some devices, each with its key."""

    def __init__(self, app: Ingest, keys: dict[str, str]) -> None:
        self.app = app
        self.keys = list(keys.items())
        self.numbers = itertools.count()
        self.known: dict[bytes, Any] = {}

    async def learn(self) -> None:
        """Resolve every principal once, for the rounds that look it up."""
        for _, key in self.keys:
            headers = {b"authorization": f"Bearer {key}".encode()}
            self.known[headers[b"authorization"]] = await self.app._principal({"client": ("127.0.0.1", 1)}, headers)

    async def send(self) -> None:
        """One request of one event."""
        number = next(self.numbers)
        device, key = self.keys[number % len(self.keys)]
        event = {"eventId": f"e-{number}", "deviceId": device, "recordedAt": time.time_ns() // 1_000_000}
        body = json.dumps(event | {"type": "temperature", "value": 20.5, "unit": "C"}).encode()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/v1/telemetry",
            "client": ("127.0.0.1", 1),
            "headers": [
                (b"host", b"127.0.0.1:8000"),
                (b"authorization", f"Bearer {key}".encode()),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def answered(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        await self.app(scope, receive, answered)  # type: ignore[arg-type]
        if status != 202:
            raise RuntimeError(f"answered {status}")

    async def round(self, requests: int) -> Took:
        """(seconds, seconds of this process's processors) that so many requests take, `IN_FLIGHT` at a time."""
        left = iter(range(requests))

        async def sender() -> None:
            for _ in left:
                await self.send()

        began, spent = time.perf_counter(), time.process_time()
        await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
        return time.perf_counter() - began, time.process_time() - spent


async def measure(folder: Path, devices: int, rounds: int, requests: int, *, bare: bool) -> list[tuple[Took, Took]]:
    """What each pair of rounds took: of the route as it is, and with the principal known at once."""
    limits: dict[str, Any] = {name.removeprefix("TSLICE_").lower(): int(value) for name, value in RAISED.items()}
    platform = build_embedded(Settings(data=folder, **limits))
    await platform.start()
    try:
        services, keys = platform.services, {}
        tenant = await services.tenants.create("bench", "Bench")
        known = await services.devices.register(tenant.no, [f"dev-{number}" for number in range(devices)])
        for name, device in known.items():
            _, keys[name] = await services.access.keys.issue(tenant, KeyKind.DEVICE, device=device)
        app: Any = platform.app
        if bare:
            app._gate._queue = AtOnce()
        route = Route(app, keys)
        await route.learn()

        async def known_at_once(_self: Ingest, _scope: Any, headers: dict[bytes, bytes]) -> Any:
            return route.known[headers[b"authorization"]]

        as_it_is: Callable[..., Any] = app._principal
        pairs = []
        await route.round(requests)
        ways = [as_it_is, MethodType(known_at_once, app)]
        for number in range(rounds):
            took = {}
            # Who goes first takes turns, too.
            for way in ways if number % 2 else reversed(ways):
                app._principal = way
                took[way] = await route.round(requests)
            pairs.append((took[ways[0]], took[ways[1]]))
        return pairs
    finally:
        await platform.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=200, help="of each kind")
    parser.add_argument("--requests", type=int, default=400, help="in a round")
    parser.add_argument("--bare", action="store_true", help="without the queue, the writer and the disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = asyncio.run(measure(Path(folder), options.devices, options.rounds, options.requests, bare=options.bare))
    for place, name in enumerate(("by the clock", "by the processors")):
        # Short rounds, so that what else the machine does meets both; most of them hold no look-up in the registry.
        costs = sorted(1 - given[place] / asked[place] for asked, given in pairs)
        low, _, high = quantiles(costs, n=4)
        total = 1 - sum(given[place] for _, given in pairs) / sum(asked[place] for asked, _ in pairs)
        print(
            f"authentication costs {median(costs):.1%} of the throughput, {name}: median of {len(pairs)} pairs,"
            f" quartiles {low:.1%} … {high:.1%}; {total:.1%} of all together, look-ups of keys included"
        )


if __name__ == "__main__":
    main()
