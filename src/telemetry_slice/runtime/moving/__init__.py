"""Moving a tenant between installations by way of a parcel."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from ...engines.inprocess import SystemClock
from ...engines.parcel import ParcelReader, ParcelWriter
from ...flow.moving import check_fits, examine, move
from ...model.audit import Detail
from ...model.errors import UnavailableError
from ...model.placement import SHARED, Placement, PlacementKind
from ...ports.moving import MoveRefusedError, TenantSink, TenantSource
from ...settings import Settings
from ..chains import tell_installation

Said = Callable[[str], None]


class End(Protocol):
    """A kind of installation that tenants are moved from and to: `folder`, `database`."""

    def source(
        self, settings: Settings, tenant_id: str, now_us: int, said: Said
    ) -> AbstractContextManager[TenantSource]:
        """A tenant to read. Leaving without an error means that nothing of it was in flight or came meanwhile."""

    def sink(
        self, settings: Settings, now_us: int, placement: Placement
    ) -> AbstractContextManager[tuple[TenantSink, bytes]]:
        """Where to take a tenant, and the pepper there. What was not committed is undone on leaving."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: the tenant, the rows of each part, how many keys are live, and how many were ended."""

    tenant_id: str
    rows: Counter[str]
    live_keys: int
    ended_keys: int


def _end_of(settings: Settings) -> End:
    # The servers' drivers are an extra that a data folder does without.
    if settings.distributed:
        from . import database  # noqa: PLC0415

        return cast("End", database)
    from . import folder  # noqa: PLC0415

    return cast("End", folder)


def export_tenant(settings: Settings, tenant_id: str, target: Path, said: Said) -> Moved:
    """Write a tenant, which must be quiet, to the new file `target`; complete and verified, or not there at all.

    Raises:
        MoveRefusedError: there is no such tenant, it is not quiet, or `target` exists.
        FolderBusyError: a server holds the data folder.
        UnavailableError, OSError, ValueError: a server, the file or the secrets cannot be used.
    """
    now_us = SystemClock().now_us()
    with ParcelWriter(target) as parcel:
        with _end_of(settings).source(settings, tenant_id, now_us, said) as source:
            move(source, parcel, said=_progress(said))
        parcel.close()
        said("verifying")
        reader = ParcelReader(parcel.draft)
        found = examine(reader, now_us)
        parcel.commit()
    _tell(settings, "export", tenant_id, {"events": found.rows["claims"]}, said)
    return Moved(reader.head.tenant_id, found.rows, found.live_keys, 0)


def import_tenant(
    settings: Settings,
    source: Path,
    *,
    end_keys: bool,
    said: Said,
    kind: PlacementKind = PlacementKind.SHARED,
    database: str | None = None,
) -> Moved:
    """Take the tenant of the file `source`, verified before anything is changed; all of it, or nothing.

    Raises:
        MoveRefusedError: the file is damaged, the tenant is here already, its keys would not work.
        SliceError: the placement cannot be, or is not ready.
        FolderBusyError: a server holds the data folder.
        UnavailableError, OSError, ValueError: a server, the file or the secrets cannot be used.
    """
    now_us = SystemClock().now_us()
    said("verifying")
    parcel = ParcelReader(source)
    found = examine(parcel, now_us)
    placement = _placement(settings, parcel.head.tenant_id, kind, database)
    with _end_of(settings).sink(settings, now_us, placement) as (sink, pepper):
        check_fits(parcel.head, found, pepper=pepper, end_keys=end_keys, now_us=now_us)
        moved = move(parcel, sink, keys_end_us=now_us if end_keys else None, said=_progress(said))
        if moved != found.rows:
            raise MoveRefusedError(f"{source} was changed while it was read")
        sink.commit()
    _tell(settings, "import", parcel.head.tenant_id, {"events": moved["claims"], "keysEnded": end_keys}, said)
    ended = found.live_keys if end_keys else 0
    return Moved(parcel.head.tenant_id, moved, found.live_keys - ended, ended)


def _placement(settings: Settings, tenant_id: str, kind: PlacementKind, database: str | None) -> Placement:
    if kind == PlacementKind.SHARED and database is None:
        return SHARED
    if not settings.distributed:
        raise MoveRefusedError("an installation on SQLite keeps all tenants in the shared tables")
    from ..placing import place  # noqa: PLC0415 - as the end itself

    return asyncio.run(place(settings, tenant_id, kind, database))


def _tell(settings: Settings, action: str, tenant_id: str, detail: Detail, said: Said) -> None:
    """The tenant is where it was to go: that the audit cannot be reached does not undo it."""
    try:
        asyncio.run(tell_installation(settings, action, tenant_id, detail))
    except UnavailableError as error:
        said(f"warning: the audit was not told: {error}")


def _progress(said: Said) -> Callable[[str, int], None]:
    """Say how far a move has come, once a second."""
    next_s = time.monotonic() + 1

    def tell(part: str, rows: int) -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + 1
            said(f"{rows:,} {part}")

    return tell
