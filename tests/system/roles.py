"""The roles of a distributed installation in processes of their own, to be killed and replaced."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from deploy.local.__main__ import demo_of

from .processes import LIFTED, Answering, own_environment, wait_until

START_S = 90


class Roles(Answering):
    """`tslice serve --role all` with the given settings, and the demo's tenants; `shape` are more options of it."""

    def __init__(self, settings: dict[str, str], folder: Path, *shape: str) -> None:
        self.shape = shape
        self.data = Path(settings["TSLICE_DATA"])
        self.log = folder / "roles.log"
        self.environment = own_environment() | LIFTED | settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "telemetry_slice", "serve", "--role", "all"),
                    *("--port", str(self.port), *self.shape),
                ],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self.is_ready, f"ready roles, see {self.log}", START_S)

    def seed(self) -> None:
        """Make the demo."""
        asyncio.run(demo_of(self.data, f"http://127.0.0.1:{self.port}"))

    @property
    def keys(self) -> dict[str, str]:
        """The credentials of the tenant that the senders send for."""
        found: dict[str, str] = json.loads((self.data / "demo.json").read_text())["tenants"]["acme-123"]
        return found

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-5000:]
        try:
            told = json.loads((self.data / "lock").read_text())
            if told["pid"] != self.process.pid:
                return False
            self.port = int(told["url"].rsplit(":", 1)[1])
            return self.request("GET", "/health/ready")[0] == 200
        except (OSError, ValueError, KeyError):
            return False

    def members(self, role: str) -> list[psutil.Process]:
        """The processes of a role."""
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it ended while we looked
                if f"--role {role}" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def kill_one(self, role: str, rnd: random.Random) -> None:
        with suppress(psutil.NoSuchProcess, IndexError):
            rnd.choice(self.members(role)).kill()

    def replace_all(self) -> None:
        """A rolling restart; returns when every process is another one."""
        assert self.process is not None
        roles = ("api", "worker", "scheduler")
        before = {role: {each.pid for each in self.members(role)} for role in roles}
        self.process.send_signal(signal.SIGHUP)

        def done() -> bool:
            now = {role: {each.pid for each in self.members(role)} for role in roles}
            return all(len(now[role]) == len(before[role]) and not now[role] & before[role] for role in roles)

        wait_until(done, "rolling restart", 120)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)

    def kill(self) -> None:
        """The supervisor alone: its members must notice and end by themselves."""
        if self.process is None or self.process.poll() is not None:
            return
        members = psutil.Process(self.process.pid).children()
        self.process.kill()
        self.process.wait(30)
        _, left = psutil.wait_procs(members, timeout=60)
        for each in left:
            each.kill()
        assert not left, "members outlived their supervisor"

    def __enter__(self) -> Self:
        try:
            self.start()
            self.seed()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """They end in order, unless the test has failed already."""
        try:
            assert error is not None or self.stop() == 0
        finally:
            self.kill()
