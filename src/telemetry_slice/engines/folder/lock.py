"""The data folder belongs to one server at a time."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

LOCK = "lock"


class FolderBusyError(Exception):
    """Another server holds the folder; `url` is its address where it has told one."""

    def __init__(self, folder: Path, url: str | None) -> None:
        super().__init__(f"{folder} is in use by the server at {url or 'an address it has not told yet'}")
        self.url = url


class FolderLock:
    """An advisory lock (flock) on DIR/lock, which also tells the holder's address. It ends with the process."""

    def __init__(self, folder: Path) -> None:
        """Create the folder if need be and take its lock. Raises FolderBusyError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / LOCK
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise FolderBusyError(folder, holder_url(folder)) from None
        self._write(b"")

    def _write(self, content: bytes) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)

    def tell(self, url: str) -> None:
        """Let others know where the holder listens."""
        self._write(json.dumps({"url": url, "pid": os.getpid()}).encode())

    def release(self) -> None:
        """Give the folder up."""
        self._write(b"")
        os.close(self._descriptor)


def holder_url(folder: Path) -> str | None:
    """The address of the server that holds the folder, None if nobody does or it has not told one."""
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        try:
            url = json.loads(path.read_text())["url"]
        except (ValueError, KeyError):
            return None
        return str(url)
    else:
        return None
    finally:
        os.close(descriptor)
