import asyncio
from dataclasses import replace

import pytest

from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.accounts import Account, Session, SessionKind
from telemetry_slice.ports.signing_in import Link, LinkKind


@pytest.fixture
def links(registry):
    return registry.signing_in.links


@pytest.fixture
async def tenant(registry):
    return await registry.tenants.create("acme", "Acme")


@pytest.fixture
def invitation(tenant, clock):
    return Link(b"i", "id", LinkKind.INVITATION, "Ann@example.org", tenant.no, Role.ADMIN, None, clock.us, clock.us + 9)


@pytest.fixture
async def reset(registry, clock):
    await registry.accounts.add(account("bob"), [])
    return Link(b"r", "reset", LinkKind.RESET, "bob@example.org", None, None, "bob", clock.us, clock.us + 9)


def account(name):
    return Account(name, f"{name}@example.org", name, "old", platform_admin=False)


async def refused(waiting):
    with pytest.raises(SliceError) as refusal:
        await waiting
    assert refusal.value.code == Code.CONFLICT


async def test_links_are_kept_whole_until_they_end(links, invitation, reset, clock):
    for link in (invitation, reset):
        await links.add(link)
        assert await links.find(link.token, clock.us) == link
        assert await links.find(link.token, link.expires_us) is None
    assert await links.find(b"unknown", clock.us) is None


async def test_a_tenant_sees_and_withdraws_its_own_invitations(registry, links, invitation, reset, clock):
    other = await registry.tenants.create("beta", "Beta")
    theirs = replace(invitation, token=b"t", link_id="theirs", tenant_no=other.no)
    second = replace(invitation, token=b"s", link_id="second", email="aaa@example.org")
    for link in (invitation, theirs, second, reset):
        await links.add(link)
    assert await links.invitations(invitation.tenant_no, clock.us) == [second, invitation]
    assert await links.invitations(invitation.tenant_no, invitation.expires_us) == []
    assert not await links.withdraw(invitation.tenant_no, "theirs")
    assert not await links.withdraw(invitation.tenant_no, "reset")
    assert await links.withdraw(invitation.tenant_no, "second")
    assert await links.invitations(invitation.tenant_no, clock.us) == [invitation]


async def test_the_next_link_for_an_email_ends_the_one_before(links, invitation, reset, clock):
    for first, again in (
        (invitation, replace(invitation, token=b"i2", link_id="2", email="ANN@example.org")),
        (reset, replace(reset, token=b"r2", link_id="3")),
    ):
        await links.add(first)
        await links.add(again)
        assert await links.find(first.token, clock.us) is None
        assert await links.find(again.token, clock.us) == again


async def test_an_invitation_is_taken_once_with_a_new_account(registry, links, invitation, clock):
    await links.add(invitation)
    assert not await links.enrol(invitation, account("late"), invitation.expires_us)
    taken = await asyncio.gather(*(links.enrol(invitation, account(f"ann{n}"), clock.us) for n in range(4)))
    assert sorted(taken) == [False] * 3 + [True]
    members = await registry.accounts.of_tenant(invitation.tenant_no)
    assert [(found.user_id, role) for found, role in members] == [(f"ann{taken.index(True)}", Role.ADMIN)]
    assert not await links.join(invitation, "ann0", clock.us)


async def test_an_invitation_is_taken_with_an_account_that_exists(registry, links, invitation, reset, clock):
    await links.add(invitation)
    await refused(links.enrol(invitation, replace(account("x"), email="BOB@example.org"), clock.us))
    assert await links.join(invitation, "bob", clock.us)
    assert not await links.join(invitation, "bob", clock.us)
    again = replace(invitation, token=b"again", link_id="again")
    await links.add(again)
    await refused(links.join(again, "bob", clock.us))
    assert await links.find(again.token, clock.us) == again


async def test_a_new_password_ends_sign_ins_and_the_link(registry, links, reset, clock):
    session = Session(b"s", SessionKind.BROWSER, "family", "bob", None, clock.us, clock.us + 1000, used=False)
    await registry.sessions.add(session)
    await links.add(reset)
    assert not await links.reset(reset, "late", reset.expires_us)
    taken = await asyncio.gather(*(links.reset(reset, f"new {n}", clock.us) for n in range(4)))
    assert sorted(taken) == [False] * 3 + [True]
    assert (await registry.accounts.by_email("bob@example.org")).password == f"new {taken.index(True)}"
    assert await registry.sessions.find(b"s") is None
    assert await registry.signing_in.sign_ins.of_user("bob", clock.us) == []
