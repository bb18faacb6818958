"""Both kinds of installation, each with the same secrets unless a test wants others."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from .ends import DatabaseEnd, End, FolderEnd

DATABASES = count(1)


@pytest.fixture
def new_end(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., End]:
    """Makes an installation of a kind; `own_secrets=True`: with a pepper of its own."""
    shared = tmp_path / "secrets"
    FolderEnd(shared)

    def make(kind: str, *, own_secrets: bool = False) -> End:
        number = next(DATABASES)
        folder, secrets = tmp_path / f"end{number}", None if own_secrets else shared
        if kind == "sqlite":
            return FolderEnd(folder, secrets)
        server, queue = (request.getfixturevalue(name) for name in ("postgres_server", "nats_server"))
        return DatabaseEnd(server, f"moving_{os.urandom(4).hex()}", queue, folder, secrets)

    return make
