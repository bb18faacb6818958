"""Moving a tenant: from where it is read, to where it is taken. An engine is both, and so is a file on the way.

Unlike other ports these block: a move is a command of its own, with nothing beside it to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..model.parcel import Head, Rows


class MoveRefusedError(Exception):
    """The tenant cannot be moved as asked; nothing was changed. The text says what is wrong."""


class TenantSource(Protocol):
    """One tenant whole, as it was at one instant."""

    head: Head

    def parts(self) -> Iterator[tuple[str, Rows]]:
        """(part, some of its rows), in the order of `model.parcel.PARTS`; memory is bounded however many there are.

        Raises:
            MoveRefusedError: what is read is not a whole tenant.
            UnavailableError: it cannot be read.
        """


class TenantSink(Protocol):
    """Takes one tenant. Nobody sees any of it before `commit` has returned, or ever, if that is not reached."""

    def begin(self, head: Head) -> None:
        """Raises MoveRefusedError when the tenant is there already, or cannot be kept here as it was."""

    def take(self, part: str, rows: Rows) -> None:
        """Add rows, parts in their order.

        Raises:
            MoveRefusedError: a row contradicts others, or what is here already.
            UnavailableError: it cannot be written.
        """

    def commit(self) -> None:
        """All of it, durable on return; a crash leaves all of it or nothing. Raises as `take`."""
