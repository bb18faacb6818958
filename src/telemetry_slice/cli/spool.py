"""Events that wait on disk for the network: bounded, oldest dropped first, and never silently."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SEGMENT_EVENTS = 500
DEFAULT_MAX_BYTES = 64 * 1024 * 1024


class Spool:
    """A folder of NDJSON segments, oldest first by name. One process at a time.

    Args:
        folder: created when something is put in.
        max_bytes: when segments take more, the oldest are dropped.
    """

    def __init__(self, folder: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._open: Path | None = None
        self._open_events = 0

    def _segments(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix == ".ndjson")
        except FileNotFoundError:
            return []

    def __len__(self) -> int:
        """How many segments wait."""
        return len(self._segments())

    def put(self, event: dict[str, Any]) -> int:
        """Keep `event` across power loss; how many older events had to be dropped for it.

        Raises:
            OSError: the disk does not take it.
        """
        if self._open is None or self._open_events >= SEGMENT_EVENTS:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            segments = self._segments()
            number = int(segments[-1].stem) + 1 if segments else 1
            self._open, self._open_events = self.folder / f"{number:012d}.ndjson", 0
        with self._open.open("ab") as stream:
            stream.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._open_events += 1
        return self._drop()

    def _drop(self) -> int:
        segments = self._segments()
        sizes = [path.stat().st_size for path in segments]
        dropped = 0
        while len(segments) > 1 and sum(sizes) > self.max_bytes:
            dropped += len(self._read(segments[0]))
            segments.pop(0).unlink()
            sizes.pop(0)
        return dropped

    @staticmethod
    def _read(path: Path) -> list[dict[str, Any]]:
        events = []
        for line in path.read_bytes().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the end of a line that a power loss cut off; it was never counted as kept
            if isinstance(event, dict):
                events.append(event)
        return events

    def oldest(self) -> tuple[Path, Sequence[dict[str, Any]]] | None:
        """The oldest segment and its events; further events go to another one. None if nothing waits."""
        segments = self._segments()
        if not segments:
            return None
        if segments[0] == self._open:
            self._open = None
        return segments[0], self._read(segments[0])

    def done(self, segment: Path) -> None:
        """The events of `segment` are settled."""
        segment.unlink(missing_ok=True)
