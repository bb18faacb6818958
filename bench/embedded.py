"""The embedded platform beside the limits of this machine."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .fill import run_fill
from .limits import bare_inserts_per_second, cpu_times, fsyncs_per_second
from .load import quantile
from .target import Target, free_port, load, show, show_machine, up

TENANT = "acme-123"


def reads_under(target: Target, service_key: str, seconds: float) -> dict[str, list[float]]:
    """Latencies in seconds of the reads of one device after another."""
    rnd = random.Random(3)
    paths: dict[str, Callable[[str], str]] = {
        "series 24 h": lambda device: f"/api/v1/devices/{device}/series?type=temperature&points=300",
        "insights 24 h": lambda device: f"/api/v1/devices/{device}/insights?hours=24",
        "first page": lambda device: f"/api/v1/devices/{device}/telemetry",
    }
    taken: dict[str, list[float]] = {name: [] for name in paths}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, path in paths.items():
            began = time.perf_counter()
            status, body = target.get(path(f"dev-{rnd.randrange(1000):04d}"), service_key)
            if status != 200:
                raise RuntimeError(f"{name}: {status} {body[:200]!r}")
            taken[name].append(time.perf_counter() - began)
    return {name: sorted(values) for name, values in taken.items()}


def measure(options: argparse.Namespace, scratch: Path) -> None:
    """The whole run."""
    seconds = options.seconds
    data = options.folder or scratch / "data"
    show("fsync (4 KiB write + fdatasync)", f"{fsyncs_per_second(scratch):,.0f} /s")
    bare = bare_inserts_per_second(scratch)
    show("bare SQLite insert, one table, no ids", f"{bare:,.0f} rows/s")
    port = free_port()
    echo = Target([sys.executable, "-m", "bench.echo", str(port)], port, "/")
    echo_single = load(port, "none", batch=1, requests=int(20_000 * seconds), connections=64, seconds=seconds)
    echo_batch = load(port, "none", batch=100, requests=int(1_500 * seconds), connections=32, seconds=seconds)
    echo.stop()
    show("bare ASGI echo, single events", f"{echo_single['requests_per_s']:,.0f} req/s")
    show("bare ASGI echo, bodies of 100 events", f"{echo_batch['requests_per_s']:,.0f} req/s")

    target = up(data)
    demo = json.loads((data / "demo.json").read_text())["tenants"][TENANT]
    key, service = demo["gatewayKey"], demo["serviceKey"]
    target.stop()
    took = run_fill(data, TENANT, options.rows)
    # What the filling has left in memory is written out first, or it would be written during the measurement.
    os.sync()
    show(f"bulk store of {options.rows:,} readings", f"{options.rows / took:,.0f} rows/s", "straight through the store")
    target = up(data)
    show("warm start to ready", f"{target.start_s:.2f} s", "≤ 5 s")
    load(target.port, key, batch=100, requests=100, connections=8, seconds=5, seed=99)

    before = cpu_times()
    single = load(target.port, key, batch=1, requests=int(9_000 * seconds), connections=64, seconds=seconds, seed=1)
    batch = load(target.port, key, batch=100, requests=int(900 * seconds), connections=64, seconds=seconds, seed=2)
    random_ids = load(
        target.port,
        key,
        batch=100,
        requests=int(900 * seconds),
        connections=64,
        seconds=seconds,
        seed=3,
        random_ids=True,
    )
    show(
        "durable single events",
        f"{single['requests_per_s']:,.0f} /s",
        f"≥ 5,000; {single['requests_per_s'] / echo_single['requests_per_s']:.2f} of the echo",
    )
    show(
        "durable and stored, batches of 100, UUIDv7 ids",
        f"{batch['events_per_s']:,.0f} events/s",
        f"≥ 45,000; {batch['events_per_s'] / bare:.2f} of the bare insert",
    )
    show("the same with random ids", f"{random_ids['events_per_s']:,.0f} events/s", "no floor")
    half = batch["requests_per_s"] / 2
    for what, size, rate, seed in (("batches", 100, half, 4), ("singles", 1, single["requests_per_s"] / 2, 5)):
        count = int(rate * seconds) + 1
        paced = load(
            target.port, key, batch=size, requests=count, connections=256, seconds=seconds, rate=rate, seed=seed
        )
        show(f"ack at half load, {what}, open loop: p50", f"{paced['p50_ms']:.1f} ms")
        show("                                     p99", f"{paced['p99_ms']:.1f} ms", "≤ 50 ms")
    show_machine("writing", before)
    peak = target.peak_mb()
    target.stop()

    more = options.read_rows - options.rows
    if more > 0:
        run_fill(data, TENANT, more)
        os.sync()
    target = up(data)
    load(target.port, key, batch=100, requests=100, connections=8, seconds=5, seed=98)
    lasting = seconds + 4
    shape = {"batch": 100, "requests": int(half * lasting), "connections": 64, "seconds": lasting, "rate": half}
    before = cpu_times()
    background = threading.Thread(target=load, args=(target.port, key), kwargs={**shape, "seed": 6})
    background.start()
    threading.Event().wait(3)
    for name, values in reads_under(target, service, seconds).items():
        bound = "≤ 50 ms" if name == "first page" else "≤ 100 ms"
        show(f"{name}, {options.read_rows:,} readings, half load: p95", f"{quantile(values, 0.95) * 1e3:.1f} ms", bound)
    background.join()
    show_machine("reading", before)
    books = json.loads(target.get("/api/v1/books", service)[1])
    show("peak memory, all processes", f"{max(peak, target.peak_mb()):.0f} MB", "≤ 300 MB")
    show(
        "books",
        "balanced" if books["balanced"] else "NOT BALANCED",
        f"{books['stored']:,} stored, {books['duplicate']:,} duplicate",
    )
    target.stop()
