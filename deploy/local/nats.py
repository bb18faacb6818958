"""Start nats-server on this machine: one server, or a cluster of three on loopback."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .process import ServerProcess, free_port

START_S = 30.0
MAX_PAYLOAD = 32 << 20
MAX_FILE_STORE = 8 << 30


def nats_binary() -> Path:
    """The server's program: beside this Python, or on the path. Raises FileNotFoundError."""
    beside = Path(sys.executable).with_name("nats-server")
    found = beside if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError("nats-server is not installed (requirements/servers.txt)")
    return Path(found)


def wait_until(done: Callable[[], bool], what: str, seconds: float = START_S) -> None:
    """Poll `done` until it is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        threading.Event().wait(0.01)


class NatsServer(ServerProcess):
    """One server with JetStream over a folder of its own; killed and started again it has the same data and ports.

    A port of 0 means any that is free.

    Attributes:
        url: for clients.
        monitor_url: the monitoring endpoint.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync_interval: str = "always",
        max_payload: int = MAX_PAYLOAD,
        max_file_store: int = MAX_FILE_STORE,
        name: str = "slice-1",
        cluster: str = "",
        port: int = 0,
        monitor_port: int = 0,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.monitor_port = monitor_port or free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.monitor_url = f"http://127.0.0.1:{self.monitor_port}"
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "nats.conf"
        self._config.write_text(
            f"server_name: {name}\n"
            f"listen: 127.0.0.1:{self.port}\n"
            f"http: 127.0.0.1:{self.monitor_port}\n"
            f"max_payload: {max_payload}\n"
            "jetstream {\n"
            f"  store_dir: {json.dumps(str(folder / 'jetstream'))}\n"
            # Quoted: a bare 2m is two million here.
            f"  sync_interval: {json.dumps(sync_interval)}\n"
            f"  max_file_store: {max_file_store}\n"
            "  max_memory_store: 16777216\n"
            "}\n" + cluster
        )

    def start(self) -> None:
        """Start and wait until it answers. Raises RuntimeError, TimeoutError."""
        self.launch()
        wait_until(self.is_ready, f"nats-server, see {self.folder / 'nats.log'}")

    def launch(self) -> None:
        """Start without waiting."""
        with (self.folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                self._command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for who started us all, and ends the servers last.
                process_group=0,
            )

    def _command(self) -> list[str]:
        return [str(nats_binary()), "-c", str(self._config)]

    def is_ready(self) -> bool:
        """Whether JetStream answers. Raises RuntimeError if the server has ended."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"nats-server ended: {(self.folder / 'nats.log').read_text()[-2000:]}")
        return self.ask("/healthz")[0] == 200

    def ask(self, path: str) -> tuple[int, Any]:
        """One question to the monitoring endpoint: status and decoded answer; status 0 if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.monitor_port, timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
        finally:
            connection.close()


class NatsCluster:
    """Three servers that elect a leader; one may be away.

    Attributes:
        servers: the three.
        urls: for clients.
        monitor_url: all monitoring endpoints, comma-separated.
    """

    def __init__(self, folder: Path, *, sync_interval: str = "always", size: int = 3) -> None:
        routes = [free_port() for _ in range(size)]
        listed = ", ".join(f"nats://127.0.0.1:{port}" for port in routes)
        self.servers = [
            NatsServer(
                folder / f"node-{number}",
                sync_interval=sync_interval,
                name=f"slice-{number}",
                cluster=f"cluster {{\n  name: slice\n  listen: 127.0.0.1:{port}\n  routes: [{listed}]\n}}\n",
            )
            for number, port in enumerate(routes, 1)
        ]
        self.urls = tuple(server.url for server in self.servers)
        self.monitor_url = ",".join(server.monitor_url for server in self.servers)

    def start(self) -> None:
        """Start all and wait until JetStream has a leader and every server is current."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            wait_until(server.is_ready, f"nats-server, see {server.folder / 'nats.log'}", 2 * START_S)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
