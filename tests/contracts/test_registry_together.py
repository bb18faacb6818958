"""What many ask of the registry at the same time costs a few transactions, and everybody gets their own answer."""

import asyncio

import pytest

from telemetry_slice.engines.sql.database import Database
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.model.tenancy import KeyKind
from telemetry_slice.ports.registry import KeyRecord

COUNT = 300


@pytest.fixture
def transactions(monkeypatch):
    """Every transaction of the registry is counted; with `away` set none is possible."""

    class Seen:
        count = 0
        away = False

    def watched(real):
        async def counted(database, work, **whose):
            Seen.count += 1
            if Seen.away:
                raise UnavailableError("away")
            return await real(database, work, **whose)

        return counted

    for name in ("read", "write"):
        monkeypatch.setattr(Database, name, watched(getattr(Database, name)))
    return Seen


async def test_a_fleet_that_nobody_knows_yet(registry, acme, transactions):
    names = [f"dev-{number}" for number in range(COUNT)]
    first = [asyncio.create_task(registry.devices.register(acme.no, [name])) for name in names[: COUNT // 2]]
    while not transactions.count:
        await asyncio.sleep(0)
    # These come while the first are being registered.
    later = await asyncio.gather(*(registry.devices.register(acme.no, [name]) for name in names[COUNT // 2 :]))
    answers = [*await asyncio.gather(*first), *later]
    assert transactions.count == 2
    assert [list(answer) for answer in answers] == [[name] for name in names]
    assert {name: answer[name] for name, answer in zip(names, answers, strict=True)} == await registry.devices.resolve(
        acme.no, names
    )


async def test_devices_of_two_tenants_are_never_asked_for_together(registry, acme, beta, transactions):
    mine, theirs = await asyncio.gather(*(registry.devices.register(each.no, ["dev-1"]) for each in (acme, beta)))
    assert transactions.count == 2
    assert mine["dev-1"].no != theirs["dev-1"].no


async def test_keys_of_a_fleet(registry, acme, clock, transactions):
    def record(number):
        return KeyRecord(
            key_id=f"key{number:07d}",
            kind=KeyKind.GATEWAY,
            tenant=acme,
            device_no=None,
            device_id=None,
            name="",
            scopes=frozenset(),
            addresses=(),
            mac=b"\x00" * 32,
            created_us=clock.us,
            expires_us=None,
            revoked_us=None,
            last_used_us=None,
        )

    for number in range(20):
        await registry.keys.add(record(number))
    transactions.count = 0
    found = await asyncio.gather(*(registry.keys.find_many([f"key{n % 25:07d}"]) for n in range(COUNT)))
    assert transactions.count == 1
    assert [set(each) for each in found] == [{f"key{n % 25:07d}"} if n % 25 < 20 else set() for n in range(COUNT)]


async def test_a_question_sees_what_was_written_before_it(registry, acme):
    """It is never answered by one that was asked earlier."""
    for number in range(50):
        name = f"dev-{number}"
        early = asyncio.create_task(registry.devices.resolve(acme.no, [name]))
        await asyncio.sleep(0)
        made = await registry.devices.register(acme.no, [name])
        assert await registry.devices.resolve(acme.no, [name]) == made
        assert await early in ({}, made)


async def test_a_registry_that_is_away_tells_everybody_and_is_asked_again(registry, acme, transactions):
    transactions.away = True
    asked = (registry.devices.resolve(acme.no, [f"dev-{n}"]) for n in range(COUNT))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    transactions.away = False
    assert await registry.devices.resolve(acme.no, ["dev-1"]) == {}


async def test_who_gives_up_takes_nobody_along(registry, acme):
    asked = [asyncio.create_task(registry.devices.register(acme.no, [f"dev-{n}"])) for n in range(10)]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [True, False] * 5
    assert len(await registry.devices.resolve(acme.no, [f"dev-{n}" for n in range(10)])) == 10
