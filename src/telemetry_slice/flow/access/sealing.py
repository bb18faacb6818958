"""Secrets that the registry keeps and must give back: sealed under the installation's pepper, as a JWE."""

from __future__ import annotations

import hmac

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from ...model.peppers import Peppers

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class Seal:
    """One for each purpose: what is sealed for one cannot be opened for another."""

    def __init__(self, peppers: Peppers, purpose: str) -> None:
        named = f"telemetry-slice: {purpose}".encode()
        self._keys = [
            OctKey.import_key(hmac.digest(pepper, named, "sha256")) for pepper in (peppers.current, *peppers.others)
        ]

    def close(self, text: str, name: str) -> str:
        """The text, sealed under the current pepper together with whose it is."""
        return jwe.encrypt_compact({**_HEADER, "kid": name}, text, self._keys[0])

    def open(self, sealed: str, name: str) -> str | None:
        """The text; None if it was sealed under a pepper that is not known, or is somebody else's."""
        return next((text for key in self._keys if (text := _opened(key, sealed, name)) is not None), None)

    def is_current(self, sealed: str, name: str) -> bool:
        """Whether it was sealed under the current pepper."""
        return _opened(self._keys[0], sealed, name) is not None

    def renewed(self, sealed: str, name: str) -> str | None:
        """The same sealed under the current pepper; None if it is already, or cannot be opened."""
        if self.is_current(sealed, name):
            return None
        text = self.open(sealed, name)
        return None if text is None else self.close(text, name)


def _opened(key: OctKey, sealed: str, name: str) -> str | None:
    try:
        opened = jwe.decrypt_compact(sealed, key, algorithms=list(_HEADER.values()))
    except (JoseError, ValueError):
        return None
    if opened.protected.get("kid") != name or opened.plaintext is None:
        return None
    return opened.plaintext.decode()
