"""What the machine itself allows: fsyncs a second, and bare SQLite inserts of the same rows."""

from __future__ import annotations

import os
import random
import struct
import time
from pathlib import Path

import apsw

PAGE = bytes(4096)


def fsyncs_per_second(folder: Path, seconds: float = 2.0) -> float:
    """4 KiB writes, each followed by fdatasync."""
    path = folder / "fsync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.pwrite(descriptor, PAGE, 0)
            os.fdatasync(descriptor)
            count += 1
        return count / (time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()


def bare_inserts_per_second(folder: Path, rows: int = 300_000, batch: int = 5_000) -> float:
    """Rows of the same shape into one table without index, ledger, books or dedupe; one fsync a batch."""
    path = folder / "bare.db"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (tenant, series, recorded, key BLOB, received, stored, number REAL, text, id)")
    rnd = random.Random(1)
    made = [
        (
            1,
            position % 1000,
            position,
            struct.pack(">Q", position) + rnd.randbytes(8),
            position,
            position,
            20.5,
            None,
            None,
        )
        for position in range(rows)
    ]
    began = time.perf_counter()
    for start in range(0, rows, batch):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO t VALUES (?,?,?,?,?,?,?,?,?)", made[start : start + batch])
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    for leftover in folder.glob("bare.db*"):
        leftover.unlink()
    return rows / took


def cpu_times() -> tuple[float, float, float]:
    """Seconds of all processors since boot: in all, waiting for the disk, taken by the host for other machines."""
    values = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    return sum(values) / tick, values[4] / tick, values[7] / tick
