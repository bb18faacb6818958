"""A streaming replica on this machine of a server that `LocalPostgres` runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .postgres import ADMINISTRATOR, LocalPostgres


class LocalStandby(LocalPostgres):
    """A hot standby over a folder of its own, made with pg_basebackup at its first start; roles and passwords are the
    primary's.

    It takes what it lacks from the primary's log by streaming, without an archive and without a slot: one that was
    away for longer than the primary keeps its log (`max_wal_size`) has to be made anew.
    """

    def __init__(
        self,
        primary: LocalPostgres,
        folder: Path | None = None,
        options: Mapping[str, str] | None = None,
        *,
        install: Path | None = None,
    ) -> None:
        self._primary = primary
        super().__init__(folder, options, install=install)

    def _password(self) -> str:
        return self._primary.password

    def _initialize(self) -> None:
        # Names the password for pg_basebackup, and for the standby as long as it lives: neither shows it to others.
        passwords = self._private_file("pgpass", f"*:*:*:{ADMINISTRATOR}:{self.password}\n")
        self._run(
            "pg_basebackup",
            f"--dbname=host=127.0.0.1 port={self._primary.port} user={ADMINISTRATOR} passfile={passwords}",
            f"--pgdata={self._data}",
            "--write-recovery-conf",
            "--wal-method=stream",
            "--checkpoint=fast",
        )
