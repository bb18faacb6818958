"""Negative controls of exactly-once: with a guard of the store taken away, an event counts or is kept twice."""

import pytest

from telemetry_slice.engines.postgres import claims

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def rows(superuser, tenant):
    """How many readings the tenant has."""
    return lambda: superuser.execute(
        "SELECT count(*) FROM telemetry.telemetry_events WHERE tenant_no = %s", (tenant,)
    ).fetchone()[0]


async def deliver_twice(store, gate, tenant):
    """One message, delivered again; what its gate has announced, and what the store has settled."""
    message = gate.message((tenant, [("a", NOW_US, 1), ("b", NOW_US, 2)]))
    await store.append([message])
    await store.append([message])
    books = await store.books(tenant)
    return books.announced, books.stored + books.duplicate


async def test_a_message_that_is_delivered_again_is_counted_once(store, gate, tenant):
    assert await deliver_twice(store, gate, tenant) == (2, 2)


async def test_without_the_claim_of_messages_it_is_counted_twice(store, gate, tenant, monkeypatch):
    monkeypatch.setattr(claims, "claim", lambda _connection, messages: [True] * len(messages))
    announced, settled = await deliver_twice(store, gate, tenant)
    assert (announced, settled) == (2, 4)


async def test_an_event_that_is_sent_again_is_stored_once(store, gate, tenant, rows):
    for _ in range(2):
        await store.append([gate.message((tenant, [("a", NOW_US, 1)]))])
    assert rows() == 1


async def test_without_the_ledger_it_is_stored_twice(store, gate, tenant, rows, superuser):
    await store.append([gate.message((tenant, [("a", NOW_US, 1)]))])
    superuser.execute("DELETE FROM telemetry.event_ledger WHERE tenant_no = %s", (tenant,))
    await store.append([gate.message((tenant, [("a", NOW_US, 1)]))])
    assert rows() == 2
