"""How far a transfer of a file got, remembered on disk, so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

from .delivery import Tally


def state_folder() -> Path:
    """Where this program keeps its own state: $XDG_STATE_HOME/telemetry-slice, ~/.local/state by default."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "telemetry-slice"


class Journal:
    """The settled beginning of one file for one receiver. The file itself is the spool; this is the place in it.

    Best effort: without it the whole file is sent again, and what the server has is a duplicate.

    Args:
        folder: where journals are kept.
        path: the file being sent.
        about: whatever else makes the events what they are (address, key, device, type, zone).
    """

    def __init__(self, folder: Path, path: Path, about: tuple[str | None, ...]) -> None:
        facts = path.stat()
        identity = repr((str(path.resolve()), facts.st_size, facts.st_mtime_ns, about))
        self._path = folder / f"{blake2b(identity.encode(), digest_size=12).hexdigest()}.json"

    def read(self) -> Tally:
        """What was settled, in order from the beginning of the file; nothing if there is no journal."""
        try:
            kept = json.loads(self._path.read_text())
            return Tally(**{**kept, "reasons": list(kept["reasons"])})
        except (OSError, ValueError, TypeError, KeyError):
            return Tally()

    def write(self, tally: Tally) -> None:
        """Remember that the first `tally.settled` events have these outcomes."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = self._path.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(asdict(tally)))
            partial.replace(self._path)
        except OSError:
            return

    def end(self) -> None:
        """The file is through."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return
