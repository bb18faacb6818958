"""The page of one device among many readings: `python -m bench.device`.

A new data folder with ten million readings of a thousand devices, and one device that has sent four values a minute for
thirty days; then its page in a headless browser: from the click on "30d" until the four charts are drawn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from telemetry_slice.model.events import EventBatch, Message, TenantNo
from telemetry_slice.model.times import DAY_US, MINUTE_US

from .fill import add, fill, opened
from .fleet import TENANT, loop_s
from .target import show, up

DEVICE = "machine"
DAYS = 30
AT_ONCE = 1_000
LIMIT_MS = 1_000


async def fill_device(folder: Path) -> None:
    """Thirty days of one device."""
    async with opened(folder, TENANT) as data:
        numbers = await data.register([DEVICE])
        for message in messages(data.tenant, numbers[DEVICE]):
            await data.store.append([message])


def messages(tenant: TenantNo, number: int) -> Iterator[Message]:
    """Four values a minute, a thousand minutes a message."""
    rnd = random.Random(11)
    incarnation = os.urandom(16)
    minutes = DAYS * DAY_US // MINUTE_US
    begin_us = time.time_ns() // 1000 // MINUTE_US * MINUTE_US - minutes * MINUTE_US
    total = 0
    for sequence, start in enumerate(range(0, minutes, AT_ONCE), 1):
        batch = EventBatch(tenant, begin_us + start * MINUTE_US)
        for minute in range(start, min(start + AT_ONCE, minutes)):
            wave = math.sin(minute / 200)
            values = {
                "temperature": ("C", 80 + 5 * wave + rnd.random()),
                "pressure": ("bar", 2 + 0.1 * wave + rnd.random() / 50),
                "humidity": ("%", 40 - 8 * wave + rnd.random()),
                "vibration": ("mm/s", 1 + rnd.random() + (4 if rnd.random() < 0.001 else 0)),
            }
            add(batch, (DEVICE, number), begin_us + minute * MINUTE_US, values, rnd.randbytes(9))
        total += len(batch)
        batch.total = batch.minute_total = total
        yield Message(incarnation, sequence, (batch,))


def main() -> None:
    """Fill, open the page, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="readings of the other devices")
    parser.add_argument("--times", type=int, default=9, help="how often the thirty days are asked for")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        up(data).stop()
        asyncio.run(fill(data, TENANT, options.rows))
        asyncio.run(fill_device(data))
        os.sync()
        target = up(data)
        try:
            demo = json.loads((data / "demo.json").read_text())["tenants"][TENANT]
            paths = [
                f"/api/v1/devices/{DEVICE}/series?type={type_}&points=720&from={edge(DAYS)}&to={edge(0)}"
                for type_ in ("temperature", "pressure", "humidity", "vibration")
            ]
            for path in paths:
                began = time.perf_counter()
                status, body = target.get(path, demo["serviceKey"])
                if status != 200:
                    raise RuntimeError(f"{path}: {status} {body[:200]!r}")
                show("one series over thirty days", f"{(time.perf_counter() - began) * 1e3:,.0f} ms")
            script = Path(__file__).with_name("device_page.mjs")
            page = f"http://127.0.0.1:{target.port}/devices/{DEVICE}"
            given = {"url": page, "times": options.times, **demo["user"]}
            show("three million additions in Python", f"{loop_s():.2f} s", "0.15 s on an idle machine")
            done = subprocess.run(["node", script, json.dumps(given)], check=True, stdout=subprocess.PIPE)
        finally:
            target.stop()
        show("three million additions in Python", f"{loop_s():.2f} s", "0.15 s on an idle machine")
        taken = sorted(json.loads(done.stdout))
        figures = f"best {taken[0]:,.0f} ms, worst {taken[-1]:,.0f} ms; ≤ {LIMIT_MS:,} ms"
        show(f"four charts over {DAYS} days, from the click: median", f"{taken[len(taken) // 2]:,.0f} ms", figures)


def edge(days: int) -> str:
    """So many days ago, as the routes take it."""
    return time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - days * 86_400))


if __name__ == "__main__":
    main()
