"""DIR/secrets.json: what the installation keeps to itself, readable by its owner alone."""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ...model.peppers import LEAST_BYTES

NAME = "secrets.json"


@dataclass(frozen=True, slots=True)
class FolderSecrets:
    """The secrets of a data folder.

    Attributes:
        pepper: keys the HMAC of keys.
        signing_key: private JWK of the console, and the first one of access tokens.
        cursor_secret: seals cursors.
        next_pepper: is believed already, and will be `pepper`.
        previous_peppers: are believed still, the latest first.
    """

    pepper: bytes
    signing_key: Mapping[str, str]
    cursor_secret: bytes
    next_pepper: bytes | None = None
    previous_peppers: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return "FolderSecrets(…)"

    @property
    def other_peppers(self) -> tuple[bytes, ...]:
        """All that are believed besides `pepper`."""
        return (*(() if self.next_pepper is None else (self.next_pepper,)), *self.previous_peppers)


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
        if len(b64decode(kept["pepper"])) < LEAST_BYTES:
            raise ValueError(f"its pepper has fewer than {LEAST_BYTES} bytes")
        return FolderSecrets(
            b64decode(kept["pepper"]),
            kept["signingKey"],
            b64decode(kept["cursorSecret"]),
            b64decode(kept["nextPepper"]) if "nextPepper" in kept else None,
            tuple(b64decode(each) for each in kept.get("previousPeppers", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is broken: {error}") from error


def ensure_secrets(folder: Path, new_signing_key: Callable[[], Mapping[str, str]]) -> FolderSecrets:
    """The secrets of a folder, made at the first time; complete on disk or not there at all."""
    path = folder / NAME
    if not path.exists():
        made = FolderSecrets(secrets.token_bytes(32), new_signing_key(), secrets.token_bytes(32))
        with _draft(path, made) as draft, suppress(FileExistsError):
            # Unless another process was first.
            path.hardlink_to(draft)
    return load_secrets(folder)


def replace_secrets(folder: Path, changed: FolderSecrets) -> None:
    """Put other secrets in the place of a folder's; a crash leaves the old ones or these."""
    path = folder / NAME
    with _draft(path, changed) as draft:
        draft.replace(path)


def announce_pepper(kept: FolderSecrets) -> FolderSecrets:
    """With a next pepper, which is believed from the next start on and makes nothing yet. Raises ValueError."""
    if kept.next_pepper is not None:
        raise ValueError("there is a next pepper already")
    return replace(kept, next_pepper=secrets.token_bytes(32))


def use_next_pepper(kept: FolderSecrets) -> FolderSecrets:
    """With the next pepper as the current one; the one that was is believed still. Raises ValueError."""
    if kept.next_pepper is None:
        raise ValueError("there is no next pepper")
    previous = (kept.pepper, *kept.previous_peppers)
    return replace(kept, pepper=kept.next_pepper, next_pepper=None, previous_peppers=previous)


def forget_previous_peppers(kept: FolderSecrets) -> FolderSecrets:
    """With no pepper but the current one, and the next one."""
    return replace(kept, previous_peppers=())


def _text(kept: FolderSecrets) -> str:
    document: dict[str, object] = {
        "pepper": b64encode(kept.pepper).decode(),
        "signingKey": dict(kept.signing_key),
        "cursorSecret": b64encode(kept.cursor_secret).decode(),
    }
    if kept.next_pepper is not None:
        document["nextPepper"] = b64encode(kept.next_pepper).decode()
    if kept.previous_peppers:
        document["previousPeppers"] = [b64encode(each).decode() for each in kept.previous_peppers]
    return json.dumps(document, indent=2) + "\n"


@contextmanager
def _draft(path: Path, kept: FolderSecrets) -> Iterator[Path]:
    """A file of mode 0600 beside `path`, to be put in its place; then the folder is made to remember it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(_text(kept))
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
