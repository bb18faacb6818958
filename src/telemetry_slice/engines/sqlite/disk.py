"""How much the data folder takes and how much it has left."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from .files import TELEMETRY

_PAGE_SIZE = struct.Struct(">16xH")
_FREE_PAGES = struct.Struct(">36xI")


class DataDisk:
    """The disk under a data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def usage(self) -> tuple[int, int]:
        """(bytes of the files in the folder, bytes free to this process).

        Pages that retention has emptied stay in the file and are filled again: they count as free, so that a full
        disk is no dead end.
        """
        taken = 0
        for path in self._folder.iterdir():
            try:
                taken += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue
        return taken, shutil.disk_usage(self._folder).free + reusable_bytes(self._folder / TELEMETRY)


def reusable_bytes(path: Path) -> int:
    """Bytes of the empty pages of an SQLite file, from its header (sqlite.org/fileformat2)."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return 0
    if len(header) < 100:
        return 0
    size = int(_PAGE_SIZE.unpack_from(header)[0])
    free = int(_FREE_PAGES.unpack_from(header)[0])
    # 65,536 does not fit the field and is written as 1.
    return free * (65_536 if size == 1 else size)
