"""What authentication costs the ingest route: `python -m bench.authentication`.

The embedded platform, served over HTTP: requests of one event, each with the key of its own device, as fast as answers
come. Rounds take turns on the running server: the route as it is, and the same route with the principal looked up by
the header in a dict. The load generator is another process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from types import MethodType
from typing import Any, NamedTuple

import uvloop

from telemetry_slice.http.ingest import Ingest
from telemetry_slice.model.tenancy import KeyKind
from telemetry_slice.runtime import build_embedded
from telemetry_slice.runtime.doors import serve
from telemetry_slice.settings import Settings

from .events import DEVICES
from .target import RAISED

CONNECTIONS = 64


class Took(NamedTuple):
    """Of one request: seconds by the clock, and of the server's processor."""

    clock_s: float
    cpu_s: float


class Server:
    """A platform with devices, each with its key, that answers on a port."""

    def __init__(self, app: Ingest, port: int, keys: list[str], scratch: Path) -> None:
        self.app: Any = app
        self._port = port
        self._keys = keys
        self._file = scratch / "keys"
        self._file.write_text("\n".join(keys))
        self._seed = 0
        self.known: dict[bytes, Any] = {}

    async def learn(self) -> None:
        """Resolve every principal once, for the rounds that look it up."""
        for key in self._keys:
            header = f"Bearer {key}".encode()
            self.known[header] = await self.app._principal({"client": ("127.0.0.1", 1)}, {b"authorization": header})

    async def round(self, requests: int) -> Took:
        """What each of so many requests takes, `CONNECTIONS` at a time."""
        self._seed += 1
        options = {"requests": requests, "connections": CONNECTIONS, "batch": 1, "seconds": 60, "seed": self._seed}
        command = [
            "-m",
            "bench.load",
            "--url",
            f"http://127.0.0.1:{self._port}/api/v1/telemetry",
            "--keys",
            str(self._file),
        ]
        spent = time.process_time()
        generator = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            *(str(word) for name, value in options.items() for word in (f"--{name}", value)),
            stdout=asyncio.subprocess.PIPE,
        )
        told = json.loads((await generator.communicate())[0])
        if told["statuses"] != {"202": requests}:
            raise RuntimeError(f"answered {told['statuses']}")
        return Took(told["seconds"] / requests, (time.process_time() - spent) / requests)


async def measure(folder: Path, rounds: int, requests: int) -> list[tuple[Took, Took]]:
    """What each pair of rounds took: of the route as it is, and with the principal known at once."""
    limits: dict[str, Any] = {name.removeprefix("TSLICE_").lower(): int(value) for name, value in RAISED.items()}
    settings = Settings(data=folder / "data", **limits)
    platform = build_embedded(settings)
    await platform.start()
    stop, started = asyncio.Event(), asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(serve(platform, settings, listener, stop, started.set))
    try:
        services, keys = platform.services, []
        tenant = await services.tenants.create("bench", "Bench")
        # In the order in which the load generator makes events of them.
        names = [f"dev-{(place + 1) % DEVICES:04d}" for place in range(DEVICES)]
        known = await services.devices.register(tenant.no, names)
        for name in names:
            _, key = await services.access.keys.issue(tenant, KeyKind.DEVICE, device=known[name])
            keys.append(key)
        app: Any = platform.app
        server = Server(app, listener.getsockname()[1], keys, folder)
        await started.wait()
        await server.learn()

        async def known_at_once(_self: Ingest, _scope: Any, headers: dict[bytes, bytes]) -> Any:
            return server.known[headers[b"authorization"]]

        as_it_is: Callable[..., Any] = app._principal
        ways = [as_it_is, MethodType(known_at_once, app)]
        await server.round(requests)
        pairs = []
        for number in range(rounds):
            took = {}
            # Who goes first takes turns, too.
            for way in ways if number % 2 else reversed(ways):
                app._principal = way
                took[way] = await server.round(requests)
            pairs.append((took[ways[0]], took[ways[1]]))
        return pairs
    finally:
        stop.set()
        await serving
        await platform.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="of each kind")
    parser.add_argument("--requests", type=int, default=4_000, help="in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = uvloop.run(measure(Path(folder), options.rounds, options.requests))
    for place, name in enumerate(("by the clock", "by the server's processor")):
        costs = sorted(1 - given[place] / asked[place] for asked, given in pairs)
        low, _, high = quantiles(costs, n=4)
        asked_us, given_us = (median(pair[way][place] for pair in pairs) * 1e6 for way in (0, 1))
        print(
            f"authentication costs {median(costs):.1%} of the throughput, {name}: median of {len(pairs)} pairs,"
            f" quartiles {low:.1%} … {high:.1%}; medians {asked_us:.0f} and {given_us:.0f} µs a request"
        )


if __name__ == "__main__":
    main()
