"""The first view of a fleet: `python -m bench.fleet`.

A new data folder with 10,000 devices and a day of their readings; the statements behind the page, with their plans; and
the page itself in a headless browser, from the beginning of the navigation until its rows are drawn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, text

from telemetry_slice.engines.sql.fleet import (
    heard_statement,
    read_roster,
    roster_statement,
    roster_tags_statement,
    sparkline_statement,
)
from telemetry_slice.engines.sql.rows import fetch_rows
from telemetry_slice.engines.sqlite.files import REGISTRY, TELEMETRY
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.model.events import EventBatch, Message, TenantNo
from telemetry_slice.model.series import TimeRange
from telemetry_slice.model.times import DAY_US, HOUR_US, MINUTE_US

from .fill import Opened, add, opened
from .target import show, up

TENANT = "acme-123"
LIMIT_S = 1.5
KINDS = ("Boiler", "Chiller", "Pump", "Fan", "Meter", "Compressor")


def loop_s() -> float:
    """How slow the machine is at the moment: three million additions in Python."""
    began = time.perf_counter()
    total = 0
    for number in range(3_000_000):
        total += number
    return time.perf_counter() - began


async def fill(folder: Path, devices: int, readings: int) -> None:
    """Devices with labels, locations and tags; some of them late, silent, new, or with a gap in the night."""
    async with opened(folder, TENANT) as data:
        numbers = await register(data, devices)
        for batch in batches(data.tenant, numbers, readings):
            await data.store.append([batch])


async def register(data: Opened, devices: int) -> dict[str, int]:
    """Device id → its number."""
    names = [f"unit-{number:06d}" for number in range(devices)]
    found = await data.register(names)

    def describe(connection: Connection) -> None:
        rows = [
            {
                "no": found[name],
                "label": f"{KINDS[place % len(KINDS)]} {place:06d}",
                "location": f"Plant {chr(65 + place % 25)}",
                "tag": KINDS[place % 5].lower(),
            }
            for place, name in enumerate(names)
        ]
        connection.execute(
            text(
                "UPDATE devices SET label = :label, location = :location,"
                " search = lower(device_id || char(10) || :label || char(10) || :location) WHERE device_no = :no"
            ),
            rows,
        )
        connection.execute(text("INSERT INTO device_tags (device_no, position, tag) VALUES (:no, 0, :tag)"), rows)

    await data.registry.database.write(describe)
    return found


def batches(tenant: TenantNo, numbers: dict[str, int], readings: int) -> Any:
    """Message after message: one reading of two values of each device that speaks at that time."""
    rnd = random.Random(7)
    incarnation = os.urandom(16)
    now_us = time.time_ns() // 1000
    total = 0
    for sequence in range(1, readings + 1):
        at_us = now_us - DAY_US + DAY_US * sequence // readings - 3_000_000
        batch = EventBatch(tenant, at_us)
        for place, (name, number) in enumerate(numbers.items()):
            new = place % 100 == 7
            silent = place % 50 == 3 and at_us > now_us - 2 * HOUR_US
            late = place % 40 == 5 and at_us > now_us - 10 * MINUTE_US
            gap = place % 30 == 9 and now_us - 9 * HOUR_US < at_us < now_us - 6 * HOUR_US
            if new or silent or late or gap:
                continue
            level = 20 + place % 50 + rnd.gauss(0, 1) + (30 if rnd.random() < 0.01 else 0)
            values = {"pressure": ("bar", round(2 + rnd.random() * 0.2, 3)), "temperature": ("C", round(level, 2))}
            add(batch, (name, number), at_us, values, rnd.randbytes(9))
        total += len(batch)
        batch.total = batch.minute_total = total
        yield Message(incarnation, sequence, (batch,))


def statements(folder: Path) -> None:
    """What the page asks the databases, how long it takes and how it is answered."""
    registry, telemetry = (open_database(folder / name, name="look") for name in (REGISTRY, TELEMETRY))
    with registry.reader.connect() as devices, telemetry.reader.connect() as readings:
        tenant = TenantNo(
            devices.execute(text("SELECT tenant_no FROM tenants WHERE tenant_id = :id"), {"id": TENANT}).scalar_one()
        )
        now_us = time.time_ns() // 1000
        span = TimeRange(now_us - DAY_US, now_us)
        series = text("SELECT series_id FROM series WHERE tenant_no = :t AND type = 'pressure' LIMIT 100")
        ids = list(readings.execute(series, {"t": tenant}).scalars())
        explain(devices, "roster", roster_statement(tenant))
        explain(devices, "roster: tags", roster_tags_statement(tenant))
        explain(readings, "heard", heard_statement(tenant, "sqlite"))
        explain(readings, "sparklines of 100 devices", sparkline_statement(tenant, ids, span, HOUR_US // 2))
        show("roster, as devices", f"{best_ms(lambda: read_roster(devices, tenant)):,.0f} ms")
    registry.close()
    telemetry.close()


def best_ms(work: Callable[[], object], times: int = 5) -> float:
    """Of some runs, the shortest."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took) * 1e3


def explain(connection: Connection, name: str, statement: Select[Any]) -> None:
    """Milliseconds and plan of one statement."""
    rows = fetch_rows(connection, statement)
    taken = best_ms(lambda: fetch_rows(connection, statement))
    show(name, f"{taken:,.0f} ms", f"{len(rows):,} rows")
    bound = statement.compile(connection, compile_kwargs={"literal_binds": True})
    for *_, detail in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {bound}"):
        print(f"    {detail}")


def main() -> None:
    """Fill, look, open the page, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--readings", type=int, default=96, help="of each device within a day; two values each")
    parser.add_argument("--times", type=int, default=7, help="how often the page is opened")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        up(data).stop()
        asyncio.run(fill(data, options.devices, options.readings))
        show("three million additions in Python", f"{loop_s():.2f} s", "0.15 s on an idle machine")
        statements(data)
        target = up(data)
        try:
            demo = json.loads((data / "demo.json").read_text())["tenants"][TENANT]
            fleet_ms = best_ms(lambda: target.get("/api/v1/fleet", demo["serviceKey"]), 1)
            show("GET /api/v1/fleet, nothing kept", f"{fleet_ms:,.0f} ms")
            script = Path(__file__).with_name("first_view.mjs")
            given = {"url": f"http://127.0.0.1:{target.port}/devices", "times": options.times, **demo["user"]}
            done = subprocess.run(["node", script, json.dumps(given)], check=True, stdout=subprocess.PIPE)
        finally:
            target.stop()
        views = sorted(json.loads(done.stdout), key=lambda view: view["rows"])
        show("three million additions in Python", f"{loop_s():.2f} s", "0.15 s on an idle machine")
        for what, name in (("rows drawn", "rows"), ("counts drawn", "counts"), ("sparklines drawn", "sparklines")):
            taken = sorted(view[name] for view in views)
            show(f"first view: {what}, median", f"{taken[len(taken) // 2]:,.0f} ms", f"best {taken[0]:,.0f} ms")
        show("limit for the rows", f"{LIMIT_S * 1e3:,.0f} ms")


if __name__ == "__main__":
    main()
