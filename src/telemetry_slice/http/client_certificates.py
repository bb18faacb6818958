"""What a trusted proxy says about the certificate that it has verified.

The connection's own address decides, before any other header of the proxy is looked at. From anybody else the header is
taken away unread: whoever sends it has proved nothing, and whoever sends it beside a good key is not punished for it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from ..flow.access import UNAUTHENTICATED_DETAIL
from ..model.errors import Code, SliceError

MAX_CHARS = 32 << 10
_KEY = "tslice.certificate"
_HASH = re.compile(r"[Hh]ash=([0-9A-Fa-f]{64})")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def client_certificate(scope: Scope) -> bytes | None:
    """The SHA-256 of the certificate that a trusted proxy has verified; None where there is none.

    Raises SliceError UNAUTHENTICATED, whatever else was shown, when the proxy has said something that cannot be
    understood, or twice: then somebody has tried to speak in its place.
    """
    thumbprint: bytes | None = scope.get(_KEY)
    if thumbprint == b"":
        raise SliceError(Code.UNAUTHENTICATED, UNAUTHENTICATED_DETAIL)
    return thumbprint


def of_client_cert(value: str) -> bytes | None:
    """RFC 9440: the certificate's DER as a byte sequence of RFC 9651; None if it is none."""
    if len(value) > MAX_CHARS or len(value) < 3 or value[0] != ":" or value[-1] != ":":
        return None
    try:
        der = b64decode(value[1:-1], validate=True)
    except (binascii.Error, ValueError):
        return None
    return sha256(der).digest() if der else None


def of_forwarded(value: str) -> bytes | None:
    """Envoy's: the hash of one certificate; None if it is none, or that of several."""
    if len(value) > MAX_CHARS:
        return None
    plain = _QUOTED.sub("", value)
    hashes = [part.strip() for part in plain.split(";") if part.strip().lower().startswith("hash=")]
    if "," in plain or '"' in plain or len(hashes) != 1:
        return None
    found = _HASH.fullmatch(hashes[0])
    return bytes.fromhex(found[1]) if found else None


_READ = {"client-cert": of_client_cert, "x-forwarded-client-cert": of_forwarded}


class ClientCertificates:
    """Reads the header of trusted proxies, and takes it away from everybody. Stands before whatever reads addresses."""

    def __init__(self, app: ASGIApp, header: str, proxies: Sequence[str]) -> None:
        self._app = app
        self._header = header.lower().encode()
        self._read = _READ[header.lower()]
        self._proxies = [ip_network(proxy, strict=False) for proxy in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, without the header and with what it has said."""
        if scope["type"] in {"http", "websocket"}:
            values = [value for name, value in scope["headers"] if name == self._header]
            if values:
                scope = {**scope, "headers": [item for item in scope["headers"] if item[0] != self._header]}
                if self._is_trusted(scope):
                    thumbprint = self._read(values[0].decode("latin-1").strip()) if len(values) == 1 else None
                    scope[_KEY] = thumbprint or b""
        await self._app(scope, receive, send)

    def _is_trusted(self, scope: Scope) -> bool:
        try:
            peer = ip_address(scope["client"][0])
        except (TypeError, ValueError):
            return False
        mapped = getattr(peer, "ipv4_mapped", None) or peer
        return any(mapped in network for network in self._proxies)
