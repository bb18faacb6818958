"""Imports a parcel, and is killed on the way: `python -m tests.moving.dies SETTINGS PARCEL WHERE`.

WHERE is a number of rows taken, or `committing` (nothing is committed yet), or `between` (telemetry is committed to a
database, the registry is not).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from telemetry_slice.engines.postgres.moving import DatabaseSink
from telemetry_slice.engines.sqlite.moving import FolderSink
from telemetry_slice.runtime.moving import import_tenant
from telemetry_slice.settings import Settings


def die(*_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(kind: type[Any], rows: int) -> None:
    take, taken = kind.take, 0

    def take_some(self: Any, part: str, some: Any) -> None:
        nonlocal taken
        for row in some:
            take(self, part, [row])
            taken += 1
            if taken == rows:
                die()

    kind.take = take_some


def main(settings: str, parcel: str, where: str) -> None:
    if where == "between":
        begin = DatabaseSink.begin

        def begin_and_prepare(self: Any, head: Any) -> None:
            begin(self, head)
            self._registry.commit = die

        DatabaseSink.begin = begin_and_prepare
    for kind in (DatabaseSink, FolderSink):
        if where == "committing":
            kind.commit = die
        elif where.isdecimal():
            dying_after(kind, int(where))
    import_tenant(Settings.model_validate_json(settings), Path(parcel), end_keys=False, said=lambda _: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
