"""`tslice backup` and `tslice restore`: a data folder as one verified folder or tar file."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..engines.sqlite.backup import (
    Contents,
    DamagedCopyError,
    copy_database,
    gaps,
    prove,
    prove_together,
)
from ..engines.sqlite.files import REGISTRY, TELEMETRY
from .failure import CliError
from .names import DEMO_FILE
from .privatefile import write_private_json

SECRETS = "secrets.json"
MANIFEST = "manifest.json"
FORMAT = 1
# Telemetry first: whatever device an event names is in a registry copied later.
DATABASES = (TELEMETRY, REGISTRY)
SMALL_FILES = (SECRETS, DEMO_FILE)
NAMES = frozenset((*DATABASES, *SMALL_FILES))
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")

Say = Callable[[str], None]


class BackupError(CliError):
    """The backup or restore was not done; nothing half done is left."""


def is_tar(path: Path) -> bool:
    return path.name.endswith(TAR_SUFFIXES)


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def back_up(data: Path, target: Path, say: Say) -> dict[str, Any]:
    """Copy the data folder, which may be in use, to `target`; its manifest.

    Everything acknowledged before the call is in the backup. `target` is complete and verified, or not there.

    Raises:
        BackupError: there is no data folder, `target` exists, or the copy is not what it should be.
    """
    if target.exists():
        raise BackupError(f"{target} exists already; a backup never overwrites")
    for name in (*DATABASES, SECRETS):
        if not (data / name).is_file():
            raise BackupError(f"{data} is not a data folder: there is no {name}")
    target = target.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
            folder = Path(scratch) / "backup"
            folder.mkdir(mode=0o700)
            manifest = _fill(data, folder, say)
            if is_tar(target):
                packed = Path(scratch) / "packed"
                _pack(folder, packed, compress=not target.name.endswith(".tar"))
                packed.rename(target)
            else:
                folder.rename(target)
    except OSError as error:
        raise BackupError(f"{target}: {error.strerror or error}") from error
    return manifest


def _fill(data: Path, folder: Path, say: Say) -> dict[str, Any]:
    contents: dict[str, Contents] = {}
    try:
        for name in DATABASES:
            say(f"copying {name}")
            contents[name] = copy_database(data / name, folder / name)
            for gap in gaps(contents[name]):
                say(f"warning: {gap}")
        prove_together(folder / TELEMETRY, folder / REGISTRY)
    except DamagedCopyError as error:
        raise BackupError(str(error)) from error
    for name in SMALL_FILES:
        if (data / name).is_file():
            (folder / name).touch(mode=0o600)
            shutil.copyfile(data / name, folder / name)
    files = sorted(path for path in folder.iterdir())
    manifest = {
        "format": FORMAT,
        "version": version("telemetry-slice"),
        "createdAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in files},
        "contents": {name: asdict(found) for name, found in contents.items()},
    }
    write_private_json(folder / MANIFEST, manifest)
    return manifest


def _pack(folder: Path, packed: Path, *, compress: bool) -> None:
    packed.touch(mode=0o600)
    with packed.open("wb") as stream, tarfile.open(fileobj=stream, mode="w:gz" if compress else "w") as tar:
        # The manifest first: it says what must follow.
        for path in sorted(folder.iterdir(), key=lambda path: (path.name != MANIFEST, path.name)):
            tar.add(path, arcname=path.name)


@contextmanager
def _unpacked(source: Path, near: Path) -> Iterator[Path]:
    """A folder with the files of a backup."""
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(dir=near, prefix=".restore.") as scratch:
        try:
            with tarfile.open(source) as tar:
                for member in tar:
                    # Nothing but the files of a backup leaves the archive, whatever else it holds.
                    if member.isreg() and member.name in NAMES | {MANIFEST}:
                        tar.extract(member, scratch, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise BackupError(f"{source} cannot be read as a backup: {error}") from error
        yield Path(scratch)


def read_manifest(folder: Path, source: Path) -> dict[str, Any]:
    """The manifest of a backup. Raises BackupError when it is missing or of another kind."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        names = set(manifest["files"])
        if manifest["format"] != FORMAT:
            raise BackupError(f"{source} was made by another release (format {manifest['format']})")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupError(f"{source} is not a backup: its {MANIFEST} cannot be read ({error})") from error
    if not {*DATABASES, SECRETS} <= names <= NAMES:
        raise BackupError(f"{source} is not a backup: it names {', '.join(sorted(names))}")
    return manifest


def expected_contents(manifest: dict[str, Any], name: str) -> Contents:
    kept = manifest["contents"][name]
    return Contents(kept["rows"], {int(tenant): books for tenant, books in kept["books"].items()})


def restore(source: Path, data: Path, say: Say) -> dict[str, Any]:
    """Put a backup into the empty or absent folder `data`, verified before and after; its manifest.

    Raises:
        BackupError: not a backup, damaged, or `data` is not empty.
    """
    if not source.exists():
        raise BackupError(f"{source} does not exist")
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise BackupError(f"{data} is not empty; restore into a new folder")
    try:
        data.absolute().parent.mkdir(parents=True, exist_ok=True)
        with (
            _unpacked(source, data.absolute().parent) as folder,
            tempfile.TemporaryDirectory(dir=data.absolute().parent, prefix=f".{data.name}.") as scratch,
        ):
            manifest = read_manifest(folder, source)
            staged = Path(scratch) / "data"
            staged.mkdir(mode=0o700)
            for name, facts in manifest["files"].items():
                say(f"restoring {name}")
                _place(folder / name, staged / name, facts["sha256"])
            say("verifying")
            for name in DATABASES:
                prove(staged / name, expected_contents(manifest, name))
            prove_together(staged / TELEMETRY, staged / REGISTRY)
            if data.exists():
                for path in staged.iterdir():
                    shutil.move(path, data / path.name)
            else:
                staged.rename(data)
    except DamagedCopyError as error:
        raise BackupError(f"{source}: {error}") from error
    except OSError as error:
        raise BackupError(f"{error.filename or data}: {error.strerror or error}") from error
    return manifest


def _place(source: Path, target: Path, digest: str) -> None:
    """Copy one file of a backup. Raises BackupError when it is not what the manifest says."""
    if not source.is_file() or sha256(source) != digest:
        raise BackupError(f"the backup is damaged: {source.name} is not what its manifest says")
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def summary(manifest: dict[str, Any]) -> str:
    """How much a backup holds."""
    books = manifest["contents"][TELEMETRY]["books"].values()
    stored = sum(entries.get("stored", 0) for entries in books)
    size = sum(facts["bytes"] for facts in manifest["files"].values())
    return f"{stored} events stored, {size / 1e6:.1f} MB, verified"
