"""The real server as a process, for tests of what only a process shows: memory, sockets, its log."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from telemetry_slice.engines.folder.secrets import ensure_secrets
from telemetry_slice.flow.access import console_token, new_signing_key


class Server:
    """`tslice up` as a process, and what its memory does."""

    def __init__(self, folder, log):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TSLICE_")}
        environment |= {f"TSLICE_LIMIT_{whose}_PER_SECOND": "0" for whose in ("KEY", "TENANT", "GLOBAL")}
        self.log = log.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "telemetry_slice", "up", "--no-demo", "--port", "0", "--data", folder],
            env=environment,
            cwd=folder.parent,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        lock = folder / "lock"
        self.url = None
        while self.url is None:
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                url = json.loads(lock.read_text())["url"]
                if httpx2.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                    self.url = url
            except (OSError, ValueError, KeyError, httpx2.HTTPError):
                threading.Event().wait(0.05)
        self.address = (urlsplit(self.url).hostname, urlsplit(self.url).port)
        self.secrets = ensure_secrets(folder, new_signing_key)

    def memory(self, name):
        """VmRSS or VmHWM of the server in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise LookupError(name)

    def watch_memory(self):
        """Forget the peak; how far above now the peak was when the returned function is called."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        before = self.memory("VmRSS")
        return lambda: self.memory("VmHWM") - before

    def console(self, tenant=None):
        token = console_token(self.secrets.signing_key, time.time_ns() // 10**9, tenant)
        return {"Authorization": f"Bearer {token}"}

    def raw(self, data, *, more=(), timeout=15.0):
        """Send bytes; what comes back, the head of an answer at least, unless the server closes without one."""
        with socket.create_connection(self.address, timeout) as connection:
            try:
                connection.sendall(data)
                for part in more:
                    connection.sendall(part)
            except OSError:
                pass
            answer = b""
            try:
                while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
                    answer += part
            except OSError:
                pass
            return answer


@contextmanager
def running(folder):
    """A server over a new folder in `folder`. Whatever it is sent, nothing unexpected may happen inside."""
    log = folder / "log"
    server = Server(folder / "data", log)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(30)
        finally:
            if server.process.poll() is None:
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait(30)
            server.log.close()
    told = log.read_text()
    for word in ("ingest_failed", "unexpected error", "Traceback", "listener_failed"):
        assert word not in told, told[-5000:]
