"""What the servers of this machine have in common: a free port, and a process that is paused, stopped and killed."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Self

import psutil

PORTS = range(20_000, 32_000)
"""Below those that systems give to connections: one of them would take a server's port while the server is down."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ServerProcess(ABC):
    """A server in a process of its own, with what it has started itself; a context manager that starts and stops it.

    Killed or stopped, it can be started again.
    """

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_s: ClassVar[float] = 10.0
    """How long it may take to finish before it is killed."""
    _process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start and wait until it answers. Raises RuntimeError, TimeoutError when it does not."""

    @property
    def pid(self) -> int:
        """Raises RuntimeError while it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL to all of it, as a power cut would end it."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        # While it stands still it starts nothing that we do not see.
        process.send_signal(signal.SIGSTOP)
        whole = _with_children(process.pid)
        for each in whole:
            _send(each, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(whole[1:], timeout=self.stop_s)

    def stop(self) -> None:
        """Let it finish; kill it when it does not."""
        process = self._process
        if process is None:
            return
        process.send_signal(self.stop_signal)
        # One that is paused hears nothing else.
        process.send_signal(signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.stop_s)
        self.kill()

    def pause(self) -> None:
        """It holds its connections and says nothing."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """The end of a pause."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        """To the server, and to what it has started."""
        for each in _with_children(self.pid):
            _send(each, number)

    def close(self) -> None:
        """Stop it and remove what was made for it alone."""
        self.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _with_children(pid: int) -> list[psutil.Process]:
    """A process and what it has started; none when it has ended."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
