"""A NATS server whose disk is small, and that can be filled up."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.local.nats import NatsServer

_HOLD = 'mount -t tmpfs -o size="$1" small "$2" && echo mounted && exec sleep infinity'


class NatsOnSmallDisk(NatsServer):
    """Keeps its streams on a file system of its own of `size_bytes`, which outlives the server and ends with us."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self._disk = folder / "jetstream"
        self._disk.mkdir(parents=True)
        # A name space of users makes it a mount that needs no privilege.
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _HOLD, "sh", str(size_bytes), self._disk],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n", "no small file system can be made here"
        super().__init__(folder)

    def _command(self) -> list[str]:
        return ["nsenter", f"--target={self._holder.pid}", "--user", "--mount", *super()._command()]

    @property
    def _ballast(self) -> Path:
        return Path(f"/proc/{self._holder.pid}/root{self._disk}") / "ballast"

    def fill_disk(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                return

    def free_disk(self) -> None:
        """Take back what `fill_disk` took."""
        self._ballast.unlink()

    def close(self) -> None:
        super().close()
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout:
            self._holder.stdout.close()
