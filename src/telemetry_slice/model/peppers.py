"""The secret of an installation under which the HMACs of keys are made, and how one follows another."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

LEAST_BYTES = 24
"""A shorter pepper could be found by trying."""


def fingerprint_of(pepper: bytes) -> str:
    """What tells one pepper from another without telling it."""
    return hmac.digest(pepper, b"tslice pepper", "sha256").hex()[:16]


@dataclass(frozen=True, slots=True)
class Peppers:
    """The one that HMACs are made under, and others that are believed: earlier ones, or the next one.

    Attributes:
        current: makes.
        others: are believed as well.
    """

    current: bytes
    others: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return "Peppers(…)"

    @property
    def name(self) -> str:
        """Of the current one."""
        return fingerprint_of(self.current)

    def mac(self, text: bytes) -> bytes:
        """The HMAC-SHA-256 of `text`."""
        return hmac.digest(self.current, text, "sha256")

    def macs(self, text: bytes) -> tuple[bytes, ...]:
        """What may be kept of `text`: its HMAC under each pepper that is believed, the current one's first."""
        return tuple(hmac.digest(pepper, text, "sha256") for pepper in (self.current, *self.others))
