"""Cursors: a place in an ordered listing, sealed for one tenant and one filter."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from .errors import invalid
from .events import TenantNo

_MAC_BYTES = 16
_MAX_LENGTH = 2048


def _mac(secret: bytes, tenant: TenantNo, filter_: str, body: bytes) -> bytes:
    bound = json.dumps([tenant, filter_], separators=(",", ":")).encode()
    return hmac.digest(secret, len(bound).to_bytes(4, "big") + bound + body, "sha256")[:_MAC_BYTES]


def seal(secret: bytes, tenant: TenantNo, filter_: str, position: list[str | int]) -> str:
    """An opaque text for `position`, URL-safe, bound to the tenant and to `filter_` (route and filters as one text)."""
    body = json.dumps(position, separators=(",", ":")).encode()
    return urlsafe_b64encode(_mac(secret, tenant, filter_, body) + body).rstrip(b"=").decode()


def unseal(secret: bytes, tenant: TenantNo, filter_: str, cursor: str) -> list[str | int]:
    """The position of a cursor.

    Raises:
        SliceError: INVALID on `cursor`: not one of ours, or made for another tenant or another filter.
    """
    refusal = invalid("cursor", "This cursor does not belong to this listing with these filters.")
    if len(cursor) > _MAX_LENGTH or not cursor.isascii():
        raise refusal
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise refusal from None
    mac, body = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(secret, tenant, filter_, body)):
        raise refusal
    position: list[str | int] = json.loads(body)
    return position
