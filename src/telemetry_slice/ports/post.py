"""What leaves the platform for people."""

from __future__ import annotations

from typing import Protocol


class Post(Protocol):
    """Sends e-mail."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand one message over for the address `to`.

        Raises UnavailableError when the server cannot be reached, does not answer in time, or refuses.
        """
