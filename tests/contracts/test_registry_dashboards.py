"""Dashboards, their versions and links, on every engine of the registry."""

import asyncio
from dataclasses import replace

import pytest

from telemetry_slice.model.dashboards import MAX_DASHBOARDS, MAX_LINKS, MAX_VERSIONS, DashboardChange
from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.dashboards import DashboardLinkRecord

CHANGE = DashboardChange("Hall", Role.VIEWER, '{"schema": 1, "ü": "計"}', "ada@example.org", 1_000)


@pytest.fixture
def kept(registry):
    return registry.dashboards


@pytest.fixture
def links(registry):
    return registry.credentials.dashboard_links


def link_of(tenant, link_id="link", **more):
    made = DashboardLinkRecord(link_id, tenant, "hall", bytes(range(32)), "Lobby", 1_000, "ada", 5_000)
    return replace(made, **more)


async def test_a_dashboard_is_kept_whole_and_its_tenants(kept, acme, beta):
    made = await kept.create(acme.no, "hall", CHANGE)
    assert (made.head.id, made.head.name, made.head.visible_to, made.head.version) == ("hall", "Hall", Role.VIEWER, 1)
    assert (made.head.created_us, made.head.changed_us, made.head.changed_by) == (1_000, 1_000, "ada@example.org")
    assert made.document == CHANGE.document
    assert await kept.get(acme.no, "hall") == made
    assert await kept.list(acme.no) == [made.head]
    # Another tenant has none of it, and may have one of the same id.
    assert (await kept.get(beta.no, "hall"), await kept.list(beta.no)) == (None, [])
    assert await kept.versions(beta.no, "hall") == []
    assert await kept.version(beta.no, "hall", 1) is None
    assert await kept.change(beta.no, "hall", 1, CHANGE) is None
    assert not await kept.delete(beta.no, "hall")
    theirs = await kept.create(beta.no, "hall", replace(CHANGE, name="Theirs"))
    assert (await kept.get(acme.no, "hall"), await kept.get(beta.no, "hall")) == (made, theirs)


async def test_every_change_is_a_version(kept, acme):
    first = await kept.create(acme.no, "hall", CHANGE)
    change = DashboardChange("Renamed", Role.ADMIN, "{}", "bob", 2_000)
    second = await kept.change(acme.no, "hall", 1, change)
    assert (second.head.version, second.head.created_us, second.head.changed_us) == (2, 1_000, 2_000)
    assert await kept.get(acme.no, "hall") == second
    assert [head.version for head in await kept.versions(acme.no, "hall")] == [2, 1]
    old = await kept.version(acme.no, "hall", 1)
    assert (old.document, old.head.name) == (first.document, "Hall")
    assert await kept.version(acme.no, "hall", 3) is None
    # Who may see it is not a matter of versions.
    assert {head.visible_to for head in await kept.versions(acme.no, "hall")} == {Role.ADMIN}


async def test_who_changes_what_is_not_the_newest_any_more_is_told(kept, acme):
    await kept.create(acme.no, "hall", CHANGE)
    await kept.change(acme.no, "hall", 1, CHANGE)
    for version in (1, 3):
        with pytest.raises(SliceError, match="version 2") as refused:
            await kept.change(acme.no, "hall", version, replace(CHANGE, name="lost"))
        assert refused.value.code == Code.CONFLICT
    assert (await kept.get(acme.no, "hall")).head.name == "Hall"


async def test_of_many_who_change_at_once_one_is_let_in(kept, acme):
    await kept.create(acme.no, "hall", CHANGE)
    answers = await asyncio.gather(
        *(kept.change(acme.no, "hall", 1, replace(CHANGE, name=f"{n}")) for n in range(8)), return_exceptions=True
    )
    assert [isinstance(answer, SliceError) for answer in answers].count(False) == 1
    assert (await kept.get(acme.no, "hall")).head.version == 2


async def test_the_last_versions_are_kept(kept, acme):
    await kept.create(acme.no, "hall", CHANGE)
    for version in range(1, MAX_VERSIONS + 3):
        await kept.change(acme.no, "hall", version, CHANGE)
    found = [head.version for head in await kept.versions(acme.no, "hall")]
    assert found == list(range(MAX_VERSIONS + 3, 3, -1))
    assert await kept.version(acme.no, "hall", 3) is None


async def test_a_tenant_has_so_many_and_no_more(kept, acme, beta):
    await asyncio.gather(*(kept.create(acme.no, f"d{n}", CHANGE) for n in range(MAX_DASHBOARDS - 1)))
    last = await asyncio.gather(*(kept.create(acme.no, f"last{n}", CHANGE) for n in range(4)), return_exceptions=True)
    assert [isinstance(each, SliceError) and each.code == Code.CONFLICT for each in last].count(True) == 3
    await kept.create(beta.no, "another", CHANGE)


async def test_a_deleted_one_takes_versions_and_links_with_it(kept, links, acme):
    await kept.create(acme.no, "hall", CHANGE)
    await links.add(link_of(acme))
    assert await kept.delete(acme.no, "hall")
    assert not await kept.delete(acme.no, "hall")
    assert (await kept.get(acme.no, "hall"), await kept.versions(acme.no, "hall")) == (None, [])
    assert await links.find("link") is None
    assert (await kept.create(acme.no, "hall", CHANGE)).head.version == 1


async def test_a_link_is_kept_whole_and_found_by_its_id(kept, links, acme, beta):
    await kept.create(acme.no, "hall", CHANGE)
    link = link_of(acme)
    assert await links.add(link)
    assert await links.find("link") == link
    assert await links.find("unknown") is None
    assert await links.list(acme.no, "hall") == [link]
    assert (await links.list(beta.no, "hall"), await links.list(acme.no, "other")) == ([], [])
    await links.touch(acme.no, "link", 7)
    await links.touch(beta.no, "link", 9)
    assert (await links.find("link")).last_used_us == 7


async def test_a_link_to_nothing_is_not_made(kept, links, acme, beta):
    await kept.create(beta.no, "hall", CHANGE)
    assert not await links.add(link_of(acme))
    assert await links.find("link") is None


async def test_a_revoked_link_says_so(kept, links, acme, beta, clock):
    await kept.create(acme.no, "hall", CHANGE)
    await links.add(link_of(acme))
    assert not await links.revoke(beta.no, "hall", "link")
    assert not await links.revoke(acme.no, "other", "link")
    assert await links.revoke(acme.no, "hall", "link")
    assert not await links.revoke(acme.no, "hall", "link")
    assert (await links.find("link")).revoked_us == clock.us


async def test_so_many_links_live_at_once(kept, links, acme):
    await kept.create(acme.no, "hall", CHANGE)
    for number in range(MAX_LINKS):
        await links.add(link_of(acme, f"link {number}"))
    with pytest.raises(SliceError) as refused:
        await links.add(link_of(acme, "one more"))
    assert refused.value.code == Code.CONFLICT
    assert await links.revoke(acme.no, "hall", "link 0")
    assert await links.add(link_of(acme, "one more"))
    assert await links.add(link_of(acme, "later", created_us=5_000, expires_us=9_000))
