"""The audit on every engine: appended to, chained, read in pages, never changed."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from telemetry_slice.engines.sql.audit_tables import audit
from telemetry_slice.model.audit import (
    FIRST_HASH,
    INSTALLATION,
    Actor,
    ActorKind,
    AuditEntry,
    AuditOutcome,
    ChainCheck,
)
from telemetry_slice.ports.audit import AuditFilter

ENTRY = AuditEntry(
    1_780_000_000_000_001,
    Actor(ActorKind.USER, "u1", "ann@example.org"),
    "issue",
    "device keys",
    "Gerät/1",
    "acme-123",
    "192.0.2.7",
    "curl/8 \ufffd",
    AuditOutcome.DONE,
    {"keyId": "0123456789", "overlap": 5, "is": True, "none": None},
)


async def whole(registry, chain):
    """Read a chain as a verifier does."""
    check = ChainCheck()
    while records := await registry.audit.after(chain, sequence=check.sequence, limit=7):
        check.read(records)
        if check.fault:
            return check
    check.end(*await registry.audit.head(chain))
    return check


async def test_a_record_is_kept_whole_and_chained(registry, acme):
    assert await registry.audit.head(acme.no) == (0, FIRST_HASH)
    nobody = replace(ENTRY, tenant_id=None, address=None, agent=None, outcome=AuditOutcome.REFUSED, detail={})
    appended = [await registry.audit.append(acme.no, entry) for entry in (ENTRY, nobody, ENTRY)]
    assert [record.sequence for record in appended] == [1, 2, 3]
    assert await registry.audit.after(acme.no, sequence=0, limit=9) == appended
    assert len({record.hash for record in appended}) == 3
    assert await registry.audit.head(acme.no) == (3, appended[-1].hash)
    assert (await whole(registry, acme.no)).fault is None


async def test_chains_are_apart(registry, acme, beta):
    for chain in (beta.no, INSTALLATION, acme.no, acme.no):
        await registry.audit.append(chain, replace(ENTRY, target=str(chain)))
    for chain, count in ((INSTALLATION, 1), (acme.no, 2), (beta.no, 1)):
        records = await registry.audit.page(chain, limit=9)
        assert [record.entry.target for record in records] == [str(chain)] * count
    assert await registry.audit.chains() == [INSTALLATION, acme.no, beta.no]


async def test_pages_and_filters(registry, acme):
    for n in range(10):
        outcome = AuditOutcome.REFUSED if n % 3 == 0 else AuditOutcome.DONE
        actor = Actor(ActorKind.USER, f"u{n % 2}", f"{n % 2}@example.org")
        entry = replace(ENTRY, at_us=n, actor=actor, action=f"a{n % 4}", resource=f"r{n % 5}", outcome=outcome)
        await registry.audit.append(acme.no, entry)

    async def found(**wanted):
        return [record.entry.at_us for record in await registry.audit.page(acme.no, AuditFilter(**wanted), limit=99)]

    assert await found() == [*range(9, -1, -1)]
    assert await found(actor="u1") == await found(actor="1@example.org") == [9, 7, 5, 3, 1]
    assert await found(action="a2") == [6, 2]
    assert await found(resource="r0", outcome=AuditOutcome.DONE) == [5]
    assert await found(from_us=3, to_us=6) == [5, 4, 3]
    assert await found(actor="nobody") == []
    first = await registry.audit.page(acme.no, limit=4)
    second = await registry.audit.page(acme.no, limit=4, before=first[-1].sequence)
    assert [record.sequence for record in (*first, *second)] == [10, 9, 8, 7, 6, 5, 4, 3]
    after = await registry.audit.after(acme.no, AuditFilter(action="a1"), sequence=2, limit=1)
    assert [record.entry.at_us for record in after] == [5]


async def test_concurrent_writers_do_not_fork(registry, acme, beta):
    chains = [acme.no, beta.no, INSTALLATION] * 20
    appended = await asyncio.gather(*(registry.audit.append(chain, ENTRY) for chain in chains))
    assert sorted(record.sequence for record in appended) == sorted([*range(1, 21)] * 3)
    for chain in (acme.no, beta.no, INSTALLATION):
        check = await whole(registry, chain)
        assert (check.fault, check.sequence) == (None, 20)


@pytest.mark.parametrize("statement", ["UPDATE audit SET action = 'x'", "DELETE FROM audit", "DELETE FROM audit_heads"])
async def test_nothing_is_changed_or_deleted(registry, acme, statement):
    await registry.audit.append(acme.no, ENTRY)
    with pytest.raises(DBAPIError, match=r"only appended to|permission denied"):
        await registry.database.write(lambda connection: connection.execute(text(statement)), tenant=acme.no)
    assert (await whole(registry, acme.no)).sequence == 1


async def test_no_record_follows_one_that_has_a_successor(registry, acme):
    """The negative control of the lock: without it the key of the table refuses a fork."""
    for _ in range(2):
        await registry.audit.append(acme.no, ENTRY)
    copied = audit.insert().from_select(audit.c.keys(), audit.select().where(audit.c.sequence == 2))
    with pytest.raises(DBAPIError):
        await registry.database.write(lambda connection: connection.execute(copied), tenant=acme.no)
