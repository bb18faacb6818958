"""What the servers of this machine have in common: a free port, and a process that is paused, stopped and killed."""

from __future__ import annotations

import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Self

import psutil


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
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
        """SIGKILL, as a power cut would end it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it finish; kill it when it does not."""
        self._end(self.stop_signal)

    def pause(self) -> None:
        """It holds its connections and says nothing."""
        for process in _with_children(self.pid):
            process.suspend()

    def resume(self) -> None:
        """The end of a pause."""
        for process in _with_children(self.pid):
            process.resume()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        ended = _with_children(process.pid) if process.poll() is None else []
        for each in ended if how == signal.SIGKILL else ended[:1]:
            with suppress(psutil.NoSuchProcess):
                each.send_signal(how)
        # One that is paused hears nothing else.
        for each in ended:
            with suppress(psutil.NoSuchProcess):
                each.resume()
        try:
            process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

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
    """A process and what it has started; none when it has just ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
