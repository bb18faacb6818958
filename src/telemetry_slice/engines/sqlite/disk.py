"""How much the data folder takes and how much its disk has left."""

from __future__ import annotations

import shutil
from pathlib import Path


class DataDisk:
    """The disk under a data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def usage(self) -> tuple[int, int]:
        """(bytes of the files in the folder, bytes free to this process)."""
        taken = 0
        for path in self._folder.iterdir():
            try:
                taken += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue
        return taken, shutil.disk_usage(self._folder).free
