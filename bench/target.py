"""A server process under measurement, the load generator beside it, and lines of a report."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from .limits import cpu_times

RAISED = {f"TSLICE_LIMIT_{scope}_PER_SECOND": "10000000" for scope in (
    "KEY", "TENANT", "GLOBAL", "KEY_EVENTS", "TENANT_EVENTS", "GLOBAL_EVENTS",
)}  # fmt: skip
"""No quota stands in the way of what is measured."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Target:
    """A server process under measurement."""

    def __init__(
        self, command: list[str], port: int, ready_path: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = port
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            env=os.environ | RAISED | (environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not self._ready(ready_path):
            if self.process.poll() is not None or time.perf_counter() - began > 120:
                raise RuntimeError(f"{command} did not start")
            threading.Event().wait(0.02)
        self.start_s = time.perf_counter() - began

    def _ready(self, path: str) -> bool:
        try:
            return self.get(path)[0] in (200, 202)
        except OSError:
            return False

    def get(self, path: str, key: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def peak_mb(self) -> float:
        """Peak resident memory of the process and its children, summed, MB."""
        process = psutil.Process(self.process.pid)
        peaks = [
            line
            for each in (process, *process.children())
            for line in Path(f"/proc/{each.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return sum(int(line.split()[1]) for line in peaks) / 1000

    def stop(self) -> None:
        self.process.send_signal(2)
        self.process.wait(60)


def up(data: Path) -> Target:
    """`tslice up` over a data folder, with its demo, when it is ready."""
    port = free_port()
    command = [sys.executable, "-m", "telemetry_slice", "up", "--data", str(data), "--port", str(port)]
    return Target(command, port, "/health/ready")


def load(port: int, key: str, **options: Any) -> dict[str, Any]:
    """Run the load generator in a process of its own."""
    command = [sys.executable, "-m", "bench.load", "--url", f"http://127.0.0.1:{port}/api/v1/telemetry", "--key", key]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answer


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of all it has started, those that ended included."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    running = [child.cpu_times() for child in process.children(recursive=True)]
    return sum((own.children_user, own.children_system, *(t.user + t.system for t in (own, *running))))


def show(what: str, figure: str, against: str = "") -> None:
    """One line."""
    print(f"{what:<56}{figure:>16}   {against}", flush=True)


def show_machine(what: str, before: tuple[float, float, float]) -> None:
    """How far the machine was ours since `before`: what a slow figure has to be read with."""
    total, disk, stolen = (now - then for now, then in zip(cpu_times(), before, strict=True))
    shares = f"{100 * stolen / total:.1f} % / {100 * disk / total:.1f} %"
    show(f"{what}: processors taken by the host / waiting for disk", shares)
