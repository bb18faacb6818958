"""Devices and their keys, many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..model.events import TenantNo
from ..model.times import DAY_US

REPEATABLE_US = DAY_US
"""For how long whoever has lost an answer may have it again."""


@dataclass(frozen=True, slots=True)
class WantedDevice:
    """A device that shall be there, and the key that it gets unless it has one; `pepper` names what made the MAC."""

    device_id: str
    label: str
    location: str
    tags: tuple[str, ...]
    key_id: str
    mac: bytes
    pepper: str


class Fate(StrEnum):
    """What became of a wanted device."""

    CREATED = "created"
    """It is new, and so is its key."""
    ISSUED = "issued"
    """It was there without a live key, and has one now."""
    ROTATED = "rotated"
    """It has a new key; those that it had end."""
    REPEATED = "repeated"
    """It has this very key already: an earlier call was answered, and the answer lost."""
    KEPT = "kept"
    """It was there, with a key; nothing was done."""
    DELETED = "deleted"
    """There was such a device; its history is still there, and nothing was done."""
    FULL = "full"
    """It has two live keys, and a third may not go on beside them; nothing was done."""
    SPENT = "spent"
    """It had this very key, which has ended or is older than `REPEATABLE_US`; nothing was done."""

    @property
    def has_new_key(self) -> bool:
        """Whether the key that was offered is the device's."""
        return self in {Fate.CREATED, Fate.ISSUED, Fate.ROTATED, Fate.REPEATED}

    @property
    def is_refusal(self) -> bool:
        """Whether what was wanted cannot be done."""
        return self in {Fate.DELETED, Fate.FULL, Fate.SPENT}


class Provisioning(Protocol):
    """Creates devices with their keys."""

    async def provision(
        self,
        tenant: TenantNo,
        wanted: Sequence[WantedDevice],
        *,
        expires_us: int | None,
        old_end_us: int | None,
        all_or_nothing: bool,
        dry_run: bool,
    ) -> tuple[Sequence[Fate], bool]:
        """The fate of each, in their order, and whether it was done; all in one transaction. Ids are distinct.

        `expires_us` is when the new keys end; with `old_end_us` devices that have keys get a new one, and the old end
        then at the latest. Nothing is done in a `dry_run`, nor with `all_or_nothing` if one is refused. A device that
        is there keeps its label, location and tags.
        """
