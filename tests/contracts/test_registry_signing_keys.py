import asyncio

import pytest

from telemetry_slice.ports.signing_in import SigningKeyRecord


@pytest.fixture
def keys(registry):
    return registry.signing_in.signing_keys


async def test_keys_are_kept_in_their_order(keys):
    records = [SigningKeyRecord(number, f"kid {number}", f"sealed {number}", number * 7) for number in (1, 2, 3)]
    assert await keys.list() == []
    for record in (records[1], records[0], records[2]):
        assert await keys.add(record)
    assert await keys.list() == records
    await keys.remove_before(3)
    assert await keys.list() == records[2:]


async def test_a_number_is_given_once(keys):
    offers = [SigningKeyRecord(1, f"kid {n}", "sealed", 0) for n in range(5)]
    added = await asyncio.gather(*map(keys.add, offers))
    assert sorted(added) == [False] * 4 + [True]
    assert await keys.list() == [offers[added.index(True)]]
