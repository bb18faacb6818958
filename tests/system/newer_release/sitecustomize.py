"""Makes the processes that start from now on a release to come, as soon as the file `NEXT_RELEASE` names exists.

It knows one more revision of the schema, keeps a note with each dead letter, reads packs of version 2, and writes packs
of the version that the file says. Found by Python itself at its start, on `PYTHONPATH`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

SWITCH = Path(os.environ["NEXT_RELEASE"])

if SWITCH.exists():
    from telemetry_slice.engines.sql import migrate

    # Before anything is imported that tells the database of which release it is.
    migrate.MIGRATIONS = SWITCH.parent / "migrations"

    from telemetry_slice.engines.nats import envelope
    from telemetry_slice.engines.postgres import append

    opened = envelope._opened

    def open_either(pack: bytes, readers: dict[int, Callable[[memoryview], Any]]) -> Any:
        """A pack of version 2 is laid out as one of version 1."""
        return opened(pack, {**readers, 2: readers[1]})

    envelope._opened = open_either
    envelope.VERSION = int(SWITCH.read_text())
    buried = append._BURY.replace("body, state)", "body, state, note)").replace("w.*, 'dead'", "w.*, 'dead', 'newer'")
    assert buried.count("note") == 1
    append._BURY = buried
