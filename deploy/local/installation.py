"""Everything a distributed installation speaks to, on this machine: PostgreSQL, NATS and Valkey over one folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from .nats import NatsServer
from .postgres import LocalPostgres, install_on
from .valkey import Valkey

DATABASE = "telemetry_slice"


class LocalInstallation:
    """Starts the servers, brings the schemas up to date, and tells the settings by which the roles find them.

    Attributes:
        data: the folder of the roles: their secrets, and the demo's credentials.
        settings: the environment for `tslice`.
    """

    def __init__(self, folder: Path | None = None, *, postgres_options: Mapping[str, str] | None = None) -> None:
        """Without a folder a temporary one is made, and removed at the end. The options are as in `LocalPostgres`."""
        self._temporary = folder is None
        self.data = folder = Path(tempfile.mkdtemp(prefix="tslice-local-")) if folder is None else folder.resolve()
        # PostgreSQL does not run as root: its own user has to come through to its folder, and sees nothing else.
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
        self.postgres = LocalPostgres(folder / "postgres", postgres_options)
        self.nats = NatsServer(folder / "queue")
        self.valkey = Valkey(folder=folder / "valkey")
        self.settings: dict[str, str] = {}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as started:
            for server in (self.postgres, self.nats, self.valkey):
                started.enter_context(server)
            urls = install_on(self.postgres, DATABASE)
            self._running = started.pop_all()
        self.settings = {
            "TSLICE_DATA": str(self.data),
            "TSLICE_DATABASE_URL": urls.api_url,
            "TSLICE_DATABASE_WRITER_URL": urls.writer_url,
            "TSLICE_DATABASE_MIGRATION_URL": urls.migration_url,
            "TSLICE_QUEUE_URL": self.nats.url,
            "TSLICE_QUEUE_MONITOR_URL": self.nats.monitor_url,
            "TSLICE_REDIS_URL": self.valkey.url,
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
        if self._temporary:
            shutil.rmtree(self.data, ignore_errors=True)
