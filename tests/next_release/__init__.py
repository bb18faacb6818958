"""Releases to come, made up: the revisions of this one, and some more."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from telemetry_slice.engines.sql import migrate

ADDED = Path(__file__).parent


def with_revisions(folder: Path, upto: str) -> Path:
    """This release's histories with the made-up revisions up to `upto` in `folder`."""
    shutil.copytree(migrate.MIGRATIONS, folder, dirs_exist_ok=True)
    for path in sorted(ADDED.glob("*/[0-9]*_*.py")):
        if path.name.split("_", 1)[0] <= upto:
            shutil.copy(path, folder / path.parent.name / "versions")
    return folder


@contextmanager
def next_release(folder: Path, upto: str = "0003") -> Iterator[None]:
    """Whoever migrates meanwhile is of a release with the made-up revisions up to `upto`."""
    with patch.object(migrate, "MIGRATIONS", with_revisions(folder, upto)):
        yield
