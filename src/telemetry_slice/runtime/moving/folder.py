"""Moving a tenant from or to a data folder. Its lock keeps servers away: nothing is in flight, nobody looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from ...engines.folder.lock import FolderLock
from ...engines.sqlite.files import REGISTRY, TELEMETRY
from ...engines.sqlite.moving import FolderSink, FolderSource
from ...model.placement import SHARED, Placement
from ...ports.moving import MoveRefusedError, TenantSink, TenantSource
from ...settings import Settings
from ..embedded import migrate_folder
from ..secrets import fingerprint_for, kept_secrets


@contextmanager
def source(
    settings: Settings,
    tenant_id: str,
    now_us: int,
    said: Callable[[str], None],  # noqa: ARG001 - there is no waiting
) -> Iterator[TenantSource]:
    """As `runtime.moving.End`. Raises MoveRefusedError for what is no data folder, FolderBusyError."""
    if not all((settings.data / name).is_file() for name in (REGISTRY, TELEMETRY)):
        raise MoveRefusedError(f"{settings.data} is not a data folder: name one with --data")
    with _to_ourselves(settings):
        pepper = fingerprint_for(settings)
        yield FolderSource(settings.data, tenant_id, pepper=pepper, now_us=now_us)


@contextmanager
def sink(
    settings: Settings,
    now_us: int,  # noqa: ARG001 - nothing to prepare
    placement: Placement,
) -> Iterator[tuple[TenantSink, bytes]]:
    """As `runtime.moving.End`; makes a folder that is not there, as a server does. Raises FolderBusyError."""
    if placement != SHARED:
        raise MoveRefusedError("an installation on SQLite keeps all tenants in the shared tables")
    with _to_ourselves(settings):
        pepper = kept_secrets(settings).pepper
        with closing(FolderSink(settings.data)) as taking:
            yield taking, pepper


@contextmanager
def _to_ourselves(settings: Settings) -> Iterator[None]:
    """The folder up to date, and nobody else's."""
    lock = FolderLock(settings.data)
    try:
        migrate_folder(settings)
        yield
    finally:
        lock.release()
