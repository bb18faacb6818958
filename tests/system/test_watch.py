"""Writers and the scheduler can be watched on a port of their own, which never keeps them from working."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from deploy.local.nats import NatsServer, free_port
from deploy.local.postgres import Installation
from deploy.local.valkey import Valkey

from .processes import wait_until

Start = Callable[..., subprocess.Popen[bytes]]
START_S = 60


@pytest.fixture
def start(postgres: Installation, nats_server: NatsServer, valkey: Valkey, tmp_path: Path) -> Iterator[Start]:
    """Starts a role with further settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TSLICE_")} | {
        "TSLICE_DATA": str(tmp_path),
        "TSLICE_DATABASE_URL": postgres.api_url,
        "TSLICE_DATABASE_WRITER_URL": postgres.writer_url,
        "TSLICE_QUEUE_URL": nats_server.url,
        "TSLICE_QUEUE_MONITOR_URL": nats_server.monitor_url,
        "TSLICE_QUEUE_BYTES": str(16 << 20),
        "TSLICE_REDIS_URL": valkey.url,
    }
    started: list[subprocess.Popen[bytes]] = []

    def run(role: str, **more: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "telemetry_slice", "serve", "--role", role],
                env=environment | more,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait(30)


def status(port: int, path: str, **headers: str) -> int:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False).status_code
    except httpx2.TransportError:
        return 0


def listens(process: subprocess.Popen[bytes]) -> bool:
    return any(c.status == psutil.CONN_LISTEN for c in psutil.Process(process.pid).net_connections())


@pytest.mark.parametrize("role", ["worker", pytest.param("scheduler", marks=pytest.mark.long)])
def test_a_role_can_be_watched(start: Start, role: str) -> None:
    """Alive, ready, its metrics for who may see them; nothing else is there, and it ends in order."""
    port = free_port()
    process = start(role, TSLICE_WATCH_PORT=str(port), TSLICE_METRICS_TOKEN="kZ3vQ8_pLx1w")
    wait_until(lambda: status(port, "/health/ready") == 200, f"a ready {role}", START_S)
    assert status(port, "/health") == 200
    assert status(port, "/metrics") == 401
    answer = httpx2.get(
        f"http://127.0.0.1:{port}/metrics", headers={"Authorization": "Bearer kZ3vQ8_pLx1w"}, trust_env=False
    )
    assert "tslice_append_seconds_count" in answer.text
    assert status(port, "/api/v1/devices") == 404
    assert status(port, "/docs") == 404
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.mark.long
def test_a_taken_port_stops_nobody(start: Start) -> None:
    """A second process works without it, and has it when the first is gone."""
    port = free_port()
    first = start("scheduler", TSLICE_WATCH_PORT=str(port))
    wait_until(lambda: status(port, "/health/ready") == 200, "the first", START_S)
    second = start("scheduler", TSLICE_WATCH_PORT=str(port))
    # A child that has just been forked still has our environment.
    environment = psutil.Process(second.pid).environ
    wait_until(lambda: "TSLICE_DATA" in environment(), "the second to have begun", START_S)
    log = Path(environment()["TSLICE_DATA"]) / "log"
    wait_until(lambda: "watch_port_taken" in log.read_text(), "the second to find it taken", START_S)
    assert second.poll() is None
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0
    wait_until(lambda: status(port, "/health/ready") == 200, "the second to have it", START_S)
    assert listens(second)


@pytest.mark.long
def test_nobody_listens_unasked(start: Start) -> None:
    """Off by default. The line in the log comes after the role has started."""
    process = start("scheduler", TSLICE_LOG_LEVEL="debug")
    assert not listens(process)
    wait_until(lambda: len(psutil.Process(process.pid).net_connections()) > 0, "a connected scheduler", START_S)
    assert not listens(process)
