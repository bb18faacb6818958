"""Asking a server elsewhere, by an address that came from outside: a setting, or what another server has said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..model.errors import UnavailableError


class AddressRefusedError(UnavailableError):
    """The address is none to connect to: within the own network, of a wrong scheme, or no address at all."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request.

    Attributes:
        url: https://…, or http://… of this very machine where `allow_private` is set.
        allow_private: whether the server may be in a private network or on this machine. Addresses that clouds keep
            for their own services are refused even then.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outbound(Protocol):
    """HTTP to servers elsewhere, of which nothing is believed. Redirects are answers like any other."""

    async def ask(self, request: Ask) -> Answer:
        """Ask once.

        Raises:
            AddressRefusedError: nothing was connected to.
            UnavailableError: not reached, too slow, too long, or not HTTP.
        """
