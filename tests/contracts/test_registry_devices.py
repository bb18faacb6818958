import asyncio

import pytest

from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import KeyKind

EVERYTHING = {
    "query": None,
    "tag": None,
    "location": None,
    "sort": "deviceId",
    "descending": False,
    "after": None,
    "limit": 100,
}


async def create(registry, tenant, device_id, label="", location="", tags=()):
    return await registry.devices.create(tenant.no, device_id, label=label, location=location, tags=tags)


async def ids(registry, tenant, **wanted):
    return [device.id for device in await registry.devices.page(tenant.no, **{**EVERYTHING, **wanted})]


async def test_a_device_is_what_was_given(registry, acme, clock):
    created = await create(registry, acme, "dev-1", "Boiler", "Plant A", ("hot", "critical"))
    assert await registry.devices.get(acme.no, "dev-1") == created
    assert (created.label, created.location, created.tags) == ("Boiler", "Plant A", ("hot", "critical"))
    assert (created.created_us, created.deleted_us) == (clock.us, None)


async def test_tenants_do_not_see_one_anothers_devices(registry, acme, beta):
    mine = await create(registry, acme, "dev-1")
    theirs = await create(registry, beta, "dev-1")
    assert mine.no != theirs.no
    assert (await registry.devices.get(acme.no, "dev-1")).no == mine.no
    assert not await registry.devices.delete(beta.no, "dev-2")
    assert await registry.devices.delete(beta.no, "dev-1")
    assert await registry.devices.get(acme.no, "dev-1") is not None
    assert await ids(registry, beta) == []
    assert await registry.devices.resolve(beta.no, ["nothing"]) == {}


async def test_registering_creates_the_unknown_only(registry, acme):
    boiler = await create(registry, acme, "dev-1", "Boiler")
    found = await registry.devices.register(acme.no, ["dev-1", "dev-2", "dev-2"])
    assert found["dev-1"] == boiler
    assert (found["dev-2"].label, found["dev-2"].tags) == ("dev-2", ())
    assert await registry.devices.register(acme.no, ["dev-2"]) == {"dev-2": found["dev-2"]}
    assert await registry.devices.register(acme.no, []) == {}


async def test_registering_at_once_gives_one_number(registry, acme):
    several = await asyncio.gather(*(registry.devices.register(acme.no, ["a", "b", str(n)]) for n in range(8)))
    assert len({found["a"].no for found in several}) == 1
    assert len(await ids(registry, acme)) == 10


async def test_a_deleted_device_keeps_number_and_id(registry, acme, clock):
    created = await create(registry, acme, "dev-1")
    clock.advance(5)
    assert await registry.devices.delete(acme.no, "dev-1")
    assert not await registry.devices.delete(acme.no, "dev-1")
    assert await registry.devices.get(acme.no, "dev-1") is None
    assert await registry.devices.change(acme.no, "dev-1", label="X") is None
    assert await ids(registry, acme) == []
    resolved = (await registry.devices.resolve(acme.no, ["dev-1"]))["dev-1"]
    assert (resolved.no, resolved.deleted_us) == (created.no, clock.us)
    assert (await registry.devices.register(acme.no, ["dev-1"]))["dev-1"] == resolved
    with pytest.raises(SliceError) as refusal:
        await create(registry, acme, "dev-1")
    assert refusal.value.code == Code.CONFLICT


async def test_deleting_a_device_revokes_its_keys(registry, acme, access, clock):
    device = await create(registry, acme, "dev-1")
    record, _ = await access.keys.issue(acme, KeyKind.DEVICE, device=device)
    await registry.devices.delete(acme.no, "dev-1")
    assert (await registry.keys.find(record.key_id)).revoked_us == clock.us


async def test_only_what_is_given_changes(registry, acme):
    await create(registry, acme, "dev-1", "Boiler", "Plant A", ("hot",))
    changed = await registry.devices.change(acme.no, "dev-1", location="Plant B")
    assert (changed.label, changed.location, changed.tags) == ("Boiler", "Plant B", ("hot",))
    changed = await registry.devices.change(acme.no, "dev-1", label="", tags=())
    assert (changed.label, changed.location, changed.tags) == ("", "Plant B", ())
    assert await ids(registry, acme, query="plant b") == ["dev-1"]
    assert await ids(registry, acme, query="plant a") == []


async def test_the_query_matches_id_label_and_location_whatever_the_case(registry, acme):
    await create(registry, acme, "dev-1", "Kühlturm ÄÖ", "Halle 7")
    await create(registry, acme, "dev_2", "100 %", "")
    assert await ids(registry, acme, query="DEV") == ["dev-1", "dev_2"]
    assert await ids(registry, acme, query="äö") == ["dev-1"]
    assert await ids(registry, acme, query="halle") == ["dev-1"]
    assert await ids(registry, acme, query="0 %") == ["dev_2"]
    assert await ids(registry, acme, query="v_2") == ["dev_2"]
    assert await ids(registry, acme, query="nothing") == []


async def test_tag_and_location_filter_exactly(registry, acme, beta):
    await create(registry, acme, "a", location="Plant A", tags=("x", "y"))
    await create(registry, acme, "b", location="Plant", tags=("xy",))
    await create(registry, beta, "c", location="Plant A", tags=("x",))
    assert await ids(registry, acme, tag="x") == ["a"]
    assert await ids(registry, acme, location="Plant A") == ["a"]
    assert await ids(registry, acme, tag="x", location="Plant") == []


@pytest.mark.parametrize("sort", ["deviceId", "label", "location", "createdAt"])
@pytest.mark.parametrize("descending", [False, True])
async def test_pages_show_every_device_once_in_order(registry, acme, clock, sort, descending):
    for number in range(11):
        clock.advance(number % 3)
        await create(registry, acme, f"dev-{number:02}", f"L{number % 4}", f"P{number % 2}")
    place = {
        "deviceId": lambda device: device.id,
        "label": lambda device: device.label,
        "location": lambda device: device.location,
        "createdAt": lambda device: device.created_us,
    }[sort]
    seen, after = [], None
    while page := await registry.devices.page(
        acme.no, **{**EVERYTHING, "sort": sort, "descending": descending, "after": after, "limit": 3}
    ):
        assert len(page) <= 3
        seen += page
        after = (str(place(page[-1])), page[-1].id)
    assert len(seen) == 11
    assert seen == sorted(seen, key=lambda device: (place(device), device.id), reverse=descending)


async def test_the_roster_is_every_live_device_of_the_tenant(registry, acme, beta, clock):
    boiler = await create(registry, acme, "dev-1", "Boiler ÄÖ", "Plant A", ("hot", "critical"))
    await create(registry, acme, "dev-2")
    await create(registry, acme, "gone", "Gone", "Plant A", ("hot",))
    await create(registry, beta, "theirs", tags=("hot",))
    assert await registry.devices.delete(acme.no, "gone")
    listed = {each.id: each for each in await registry.devices.roster(acme.no)}
    assert set(listed) == {"dev-1", "dev-2"}
    first = listed["dev-1"]
    assert (first.no, first.label, first.location, first.tags) == (
        boiler.no,
        "Boiler ÄÖ",
        "Plant A",
        ("hot", "critical"),
    )
    assert (first.created_us, first.search) == (clock.us, "dev-1\nboiler äö\nplant a")
    assert listed["dev-2"].tags == ()
