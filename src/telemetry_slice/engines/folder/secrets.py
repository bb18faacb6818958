"""DIR/secrets.json: what the installation keeps to itself, readable by its owner alone."""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "secrets.json"


@dataclass(frozen=True, slots=True)
class FolderSecrets:
    """The secrets of a data folder.

    Attributes:
        pepper: keys the HMAC of keys.
        signing_key: private JWK of access tokens.
        cursor_secret: seals cursors.
    """

    pepper: bytes
    signing_key: Mapping[str, str]
    cursor_secret: bytes

    def __repr__(self) -> str:
        return "FolderSecrets(…)"


def load_secrets(folder: Path) -> FolderSecrets:
    """The secrets of a folder.

    Raises FileNotFoundError, or ValueError for a file that is broken or that others may read.
    """
    path = folder / NAME
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ValueError(f"{path} can be read by others (mode {mode:o}); it should be 600")
    try:
        kept = json.loads(path.read_text())
        return FolderSecrets(b64decode(kept["pepper"]), kept["signingKey"], b64decode(kept["cursorSecret"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is broken: {error}") from error


def ensure_secrets(folder: Path, new_signing_key: Callable[[], Mapping[str, str]]) -> FolderSecrets:
    """The secrets of a folder, made at the first time; complete on disk or not there at all."""
    path = folder / NAME
    if not path.exists():
        kept = {
            "pepper": b64encode(secrets.token_bytes(32)).decode(),
            "signingKey": dict(new_signing_key()),
            "cursorSecret": b64encode(secrets.token_bytes(32)).decode(),
        }
        _write_once(path, json.dumps(kept, indent=2) + "\n")
    return load_secrets(folder)


def _write_once(path: Path, text: str) -> None:
    """Put a file of mode 0600 in place, unless another process was first."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
