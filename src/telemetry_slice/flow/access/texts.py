"""The text of keys: `tsk_` + id (10) + `_` + secret (32 characters base62, 190 bits) + checksum (6).

The checksum lets a mistyped key be refused without a look-up. Enrolment tokens are made alike, with `tse_`,
and links to dashboards, with `tsl_`.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from hashlib import sha256

PREFIX = "tsk_"
ENROLMENT_PREFIX = "tse_"
"""Of enrolment tokens, whose text is made like that of keys, and which are none."""
LINK_PREFIX = "tsl_"
"""Of links to dashboards, made alike."""
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"(tsk_|tse_|tsl_)([0-9A-Za-z]{10})_[0-9A-Za-z]{32}([0-9A-Za-z]{6})")


def _random(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def new_token(prefix: str = PREFIX) -> tuple[str, str]:
    """A fresh key: (key id, whole text)."""
    key_id = _random(10)
    body = f"{prefix}{key_id}_{_random(32)}"
    return key_id, body + _checksum(body)


def token_of(secret: bytes, seed: bytes) -> tuple[str, str]:
    """The one key that comes of `seed` for whoever has the secret: (key id, whole text)."""
    number = int.from_bytes(hmac.digest(secret, b"telemetry-slice: key made of a seed\0" + seed, "sha512"), "big")
    digits = []
    for _ in range(10 + 32):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    key_id = "".join(digits[:10])
    body = f"{PREFIX}{key_id}_{''.join(digits[10:])}"
    return key_id, body + _checksum(body)


def key_id_of(token: str, prefix: str = PREFIX) -> str | None:
    """The id within a well-formed key with the right checksum, None for anything else."""
    found = _TOKEN.fullmatch(token)
    return found[2] if found and found[1] == prefix and _checksum(token[:-6]) == found[3] else None


def digest_of(token: str) -> bytes:
    """What the registry keeps of a token that was drawn at random."""
    return sha256(token.encode()).digest()
