"""Moving a tenant from or to a distributed installation, which goes on serving the others meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from ...engines.postgres import moving as postgres
from ...model.books import StoreBooks
from ...model.placement import Placement
from ...model.tenancy import Tenant
from ...ports.moving import MoveRefusedError, TenantSink, TenantSource
from ...settings import Settings
from ..distributed import lanes_of, url_of
from ..secrets import fingerprint_for, kept_secrets

DRAIN_S = 60.0
"""For what is in flight to be settled."""
_POLL_S = 0.2


@contextmanager
def source(settings: Settings, tenant_id: str, now_us: int, said: Callable[[str], None]) -> Iterator[TenantSource]:
    """As `runtime.moving.End`. Raises MoveRefusedError for a tenant that is not quiet."""
    api_url = url_of(settings.database_url)
    pepper = fingerprint_for(settings)
    tenant = postgres.tenant_named(api_url, tenant_id)
    writer_url = _writer_url(settings, tenant.placement)
    postgres.make_room(writer_url, tenant.placement, now_us)
    said("waiting until nothing is in flight")
    before = asyncio.run(_quiet(settings, tenant))
    if (lacking := before.announced - _settled(before)) > 0:
        said(
            f"warning: {lacking} events were announced that are neither settled nor in the queue; look at the books"
            " before you rely on the parcel"
        )
    with closing(postgres.DatabaseSource(api_url, writer_url, tenant, pepper=pepper, now_us=now_us)) as reading:
        yield reading
    if asyncio.run(_quiet(settings, tenant)) != before:
        raise MoveRefusedError(
            f"events of {tenant_id} came while it was exported; nothing was written: let its senders pause, then repeat"
        )


@contextmanager
def sink(settings: Settings, now_us: int, placement: Placement) -> Iterator[tuple[TenantSink, bytes]]:
    """As `runtime.moving.End`."""
    writer_url = _writer_url(settings, placement)
    pepper = kept_secrets(settings, make=False).pepper
    postgres.make_room(writer_url, placement, now_us)
    with closing(postgres.DatabaseSink(url_of(settings.database_url), writer_url, placement)) as taking:
        yield taking, pepper


def _writer_url(settings: Settings, placement: Placement) -> str:
    if placement.database is None:
        return url_of(settings.database_writer_url)
    database = settings.placement_databases.get(placement.database)
    if database is None:
        raise MoveRefusedError(f"TSLICE_PLACEMENT_DATABASES does not name the database {placement.database}")
    return database.writer_url


def _settled(books: StoreBooks) -> int:
    return books.stored + books.duplicate + sum(books.dead.values())


async def _quiet(settings: Settings, tenant: Tenant) -> StoreBooks:
    """The tenant's own counts in the store, of which nothing is in the queue. Raises MoveRefusedError."""
    queue = lanes_of(settings)[tenant.placement.database]
    try:
        await queue.start()
        deadline = time.monotonic() + DRAIN_S
        while True:
            held = await queue.held()
            waiting = sum(batch[2] for message in held for batch in message.batches if batch[0] == tenant.no)
            if not waiting:
                books = await asyncio.to_thread(postgres.settled, _writer_url(settings, tenant.placement), tenant)
                return replace(books, claimed={}, ahead={})
            if time.monotonic() > deadline:
                raise MoveRefusedError(
                    f"{waiting} events of the tenant are in flight: let its senders pause, see that a writer runs, then"
                    " repeat"
                )
            await asyncio.sleep(_POLL_S)
    finally:
        await queue.close(0)
