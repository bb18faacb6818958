"""Secrets that the registry keeps and must give back: sealed under the installation's pepper, as a JWE."""

from __future__ import annotations

import hmac

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class Seal:
    """One for each purpose: what is sealed for one cannot be opened for another."""

    def __init__(self, pepper: bytes, purpose: str) -> None:
        self._key = OctKey.import_key(hmac.digest(pepper, f"telemetry-slice: {purpose}".encode(), "sha256"))

    def close(self, text: str, name: str) -> str:
        """The text, sealed together with whose it is."""
        return jwe.encrypt_compact({**_HEADER, "kid": name}, text, self._key)

    def open(self, sealed: str, name: str) -> str | None:
        """The text; None if it was sealed under another pepper, or is somebody else's."""
        try:
            opened = jwe.decrypt_compact(sealed, self._key, algorithms=list(_HEADER.values()))
        except (JoseError, ValueError):
            return None
        if opened.protected.get("kid") != name or opened.plaintext is None:
            return None
        return opened.plaintext.decode()
