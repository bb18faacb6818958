"""A real server in processes of its own, to be killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

START_S = 60.0
LIFTED = {
    f"TSLICE_LIMIT_{scope}_PER_SECOND": "0"
    for scope in ("KEY", "TENANT", "GLOBAL", "KEY_EVENTS", "TENANT_EVENTS", "GLOBAL_EVENTS")
}


def own_environment() -> dict[str, str]:
    """Ours without the platform's settings, and without coverage: what is put under load is not slowed down."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TSLICE_", "COVERAGE_"))}


def wait_until(done: Any, what: str, seconds: float = START_S) -> None:
    """Poll `done()` until it is true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        threading.Event().wait(0.02)


class Answering:
    """Something that answers HTTP on a port of this machine."""

    port = 0

    def request(
        self, method: str, path: str, *, key: str | None = None, body: Any = None, timeout: float = 30, **headers: str
    ) -> tuple[int, Any]:
        """One request on a connection of its own: status and decoded body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["Authorization"] = f"Bearer {key}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text
        finally:
            connection.close()


class Server(Answering):
    """`tslice up` over one folder, started and killed any number of times, always on the same port."""

    def __init__(
        self, folder: Path, *, program: tuple[str, ...] = ("-m", "telemetry_slice"), **environment: str
    ) -> None:
        self.folder = folder
        self.program = program
        self.environment = own_environment() | LIFTED | environment
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "server.log"

    def start(self, *arguments: str) -> None:
        """Start and wait until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *self.program,
                    "up",
                    "--data",
                    str(self.folder / "data"),
                    "--port",
                    str(self.port),
                    *arguments,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                # A group of its own, so that one signal reaches the writer child as well.
                start_new_session=True,
            )
        wait_until(self.is_ready, f"ready server, see {self.log}")

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            told = json.loads((self.folder / "data" / "lock").read_text())
            if told["pid"] != self.process.pid:
                return False
            self.port = int(told["url"].rsplit(":", 1)[1])
            return self.request("GET", "/health/ready")[0] == 200
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            return False

    @property
    def demo(self) -> dict[str, Any]:
        """demo.json."""
        found: dict[str, Any] = json.loads((self.folder / "data" / "demo.json").read_text())
        return found

    def writer_pid(self) -> int:
        """The writer child's process id."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in map(int, children):
            with contextlib.suppress(OSError):
                if b"sqlite.child" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return child
        raise AssertionError("the server has no writer child")

    def kill(self) -> None:
        """SIGKILL to the server and every child at once."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)
