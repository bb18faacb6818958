import asyncio
from dataclasses import replace

import pytest

from telemetry_slice.model.tenancy import KeyKind, Scope
from telemetry_slice.ports.provisioning import REPEATABLE_US, Fate, WantedDevice
from telemetry_slice.ports.registry import KeyRecord


def wanted(device_id, key_id=None, **more):
    given = {"label": device_id.title(), "location": "Hall", "tags": ("a", "b"), "mac": bytes(32), "pepper": "p"}
    return WantedDevice(device_id=device_id, key_id=key_id or f"key of {device_id}", **given | more)


@pytest.fixture
def provision(registry, acme):
    async def call(*devices, tenant=acme, expires_us=None, old_end_us=None, all_or_nothing=False, dry_run=False):
        return await registry.credentials.provisioning.provision(
            tenant.no,
            devices,
            expires_us=expires_us,
            old_end_us=old_end_us,
            all_or_nothing=all_or_nothing,
            dry_run=dry_run,
        )

    return call


async def test_devices_are_created_with_keys(registry, acme, clock, provision):
    devices = [wanted(f"d{number:04}") for number in range(1_200)]
    assert await provision(*devices[::-1], expires_us=clock.us + 1) == ([Fate.CREATED] * 1_200, True)
    made = await registry.devices.get(acme.no, "d0007")
    assert (made.label, made.location, made.tags) == ("D0007", "Hall", ("a", "b"))
    (key,) = await registry.keys.list(acme.no, "d0007")
    assert key == KeyRecord(
        key_id="key of d0007",
        kind=KeyKind.DEVICE,
        tenant=acme,
        device_no=made.no,
        device_id="d0007",
        name="",
        scopes=frozenset({Scope.INGEST}),
        addresses=(),
        mac=bytes(32),
        created_us=clock.us,
        expires_us=clock.us + 1,
        revoked_us=None,
        last_used_us=None,
    )
    assert len(await registry.devices.resolve(acme.no, [device.device_id for device in devices])) == 1_200
    found = await registry.devices.page(
        acme.no, query="d0007", tag="b", location=None, sort="deviceId", descending=False, after=None, limit=9
    )
    assert [device.id for device in found] == ["d0007"]


async def test_what_is_there_stays(registry, acme, clock, provision):
    await registry.devices.create(acme.no, "bare", label="mine", location="", tags=("old",))
    await provision(wanted("keyed"))
    fates, done = await provision(wanted("keyed", "another", label="changed"), wanted("bare"))
    assert (fates, done) == ([Fate.KEPT, Fate.ISSUED], True)
    assert [key.key_id for key in await registry.keys.list(acme.no, "keyed")] == ["key of keyed"]
    assert (await registry.devices.get(acme.no, "keyed")).label == "Keyed"
    bare = await registry.devices.get(acme.no, "bare")
    assert (bare.label, bare.tags) == ("mine", ("old",))


async def test_a_lost_answer_is_had_again_for_a_day(registry, acme, clock, provision):
    await provision(wanted("d"))
    assert await provision(wanted("d"), old_end_us=clock.us) == ([Fate.REPEATED], True)
    assert await provision(wanted("d", mac=bytes(31) + b"x")) == ([Fate.KEPT], True)
    clock.advance(REPEATABLE_US // 1_000_000)
    assert await provision(wanted("d")) == ([Fate.KEPT], True)
    assert await provision(wanted("d"), old_end_us=clock.us) == ([Fate.SPENT], True)
    await registry.keys.revoke(acme.no, "key of d")
    assert await provision(wanted("d")) == ([Fate.SPENT], True)
    assert await provision(wanted("d", "next")) == ([Fate.ISSUED], True)


async def test_keys_are_rotated_with_overlap(registry, acme, clock, provision):
    await provision(wanted("d", "1"))
    end = clock.us + 60_000_000
    assert await provision(wanted("d", "2"), old_end_us=end) == ([Fate.ROTATED], True)
    ends = {key.key_id: key.expires_us for key in await registry.keys.list(acme.no, "d")}
    assert ends == {"1": end, "2": None}
    assert await provision(wanted("d", "3"), old_end_us=end) == ([Fate.FULL], True)
    assert await provision(wanted("d", "3"), old_end_us=clock.us) == ([Fate.ROTATED], True)
    ends = {key.key_id: key.expires_us for key in await registry.keys.list(acme.no, "d")}
    assert ends == {"1": clock.us, "2": clock.us, "3": None}


async def test_all_or_nothing(registry, acme, provision):
    await provision(wanted("gone"))
    await registry.devices.delete(acme.no, "gone")
    assert await provision(wanted("new"), wanted("gone", "x"), all_or_nothing=True) == (
        [Fate.CREATED, Fate.DELETED],
        False,
    )
    assert await registry.devices.get(acme.no, "new") is None
    assert await provision(wanted("new"), dry_run=True) == ([Fate.CREATED], False)
    assert await registry.devices.get(acme.no, "new") is None
    assert await provision(wanted("new"), wanted("gone", "x")) == ([Fate.CREATED, Fate.DELETED], True)
    assert await registry.devices.get(acme.no, "gone") is None


async def test_other_tenants_are_not_touched(registry, acme, beta, provision):
    await provision(wanted("d"))
    assert await provision(wanted("d", "beta's"), tenant=beta) == ([Fate.CREATED], True)
    assert [key.key_id for key in await registry.keys.list(acme.no, "d")] == ["key of d"]
    assert [key.key_id for key in await registry.keys.list(beta.no, "d")] == ["beta's"]


async def test_the_same_list_at_once_makes_each_device_once(registry, acme, provision):
    devices = [wanted(f"d{number}") for number in range(50)]
    others = [replace(device, key_id=f"other {device.device_id}") for device in devices[::-1]]
    results = await asyncio.gather(provision(*devices), provision(*others), provision(*devices))
    fates = [fate for fates, _ in results for fate in fates]
    assert fates.count(Fate.CREATED) == 50
    assert set(fates) <= {Fate.CREATED, Fate.KEPT, Fate.REPEATED}
    for device in devices:
        assert len(await registry.keys.list(acme.no, device.device_id)) == 1
