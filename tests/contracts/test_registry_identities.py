import asyncio
from itertools import count

import pytest

from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.accounts import Account, Session, SessionKind
from telemetry_slice.ports.identities import Identity, Moved, ProvidedSignIn, Standing

ISSUER = "https://provider.example"
ANN = Identity(ISSUER, "ann")


def account(user_id="u1", email="ann@example.org"):
    return Account(user_id, email, "Ann", "", platform_admin=False)


async def signed_in(registry, user_id, family):
    token = family.encode().ljust(32)
    session = Session(token, SessionKind.BROWSER, family, user_id, None, 1, 1 << 60, used=False)
    await registry.sessions.add(session)


@pytest.fixture
def identities(registry):
    return registry.signing_in.identities


@pytest.fixture
def new_tenant(registry):
    numbers = count(1)

    async def make():
        number = next(numbers)
        return await registry.tenants.create(f"tenant-{number}", f"Tenant {number}")

    return make


async def test_an_identity_is_of_one_account(registry, identities):
    assert await identities.find(ANN) is None
    assert await identities.enrol(ANN, account(), 5)
    assert await identities.find(ANN) == "u1"
    assert await identities.find(Identity(ISSUER, "ANN")) is None
    assert await identities.find(Identity("https://other.example", "ann")) is None
    assert not await identities.enrol(ANN, account("u2"), 6)
    assert await registry.accounts.by_id("u2") is None
    found, memberships = await registry.accounts.by_id("u1")
    assert (found, memberships) == (account(), ())


async def test_of_two_who_come_at_once_one_account_is_made(registry, identities):
    made = await asyncio.gather(*(identities.enrol(ANN, account(f"u{n}"), 5) for n in range(4)))
    assert sorted(made) == [False] * 3 + [True]
    assert await identities.find(ANN) == f"u{made.index(True)}"


async def test_an_account_of_a_provider_is_beside_those_that_are_found_by_email(registry, identities):
    await registry.accounts.add(Account("local", "ann@example.org", "Ann", "secret", platform_admin=False), [])
    assert await identities.enrol(ANN, account("u1"), 5)
    assert await identities.enrol(Identity(ISSUER, "another ann"), account("u2"), 5)
    assert (await registry.accounts.by_email("Ann@example.org")).user_id == "local"
    # Nor does it stand in the way of one that comes later.
    await identities.enrol(Identity(ISSUER, "bob"), account("u3", "bob@example.org"), 5)
    await registry.accounts.add(Account("later", "bob@example.org", "Bob", "secret", platform_admin=False), [])


async def test_an_identity_is_linked_to_an_account_that_exists(registry, identities):
    await registry.accounts.add(Account("local", "ann@example.org", "Ann", "secret", platform_admin=False), [])
    assert await identities.link(ANN, "local", 5)
    assert not await identities.link(ANN, "local", 6)
    assert await identities.find(ANN) == "local"
    assert await identities.link(Identity("https://other.example", "ann"), "local", 6)


async def test_roles_follow_and_what_has_changed_is_told(registry, identities, new_tenant):
    first, second, third = [await new_tenant() for _ in range(3)]
    await identities.enrol(ANN, account(), 5)
    await registry.accounts.join(third.no, "u1", Role.VIEWER)
    moved = await identities.follow("u1", Standing({first.no: Role.OWNER, second.no: None}))
    assert moved == Moved({first.no: (None, Role.OWNER)})
    moved = await identities.follow("u1", Standing({first.no: Role.OWNER, second.no: Role.VIEWER}))
    assert moved == Moved({second.no: (None, Role.VIEWER)})
    # Also of the last owner.
    moved = await identities.follow("u1", Standing({first.no: Role.ADMIN, second.no: None}))
    assert moved == Moved({first.no: (Role.OWNER, Role.ADMIN), second.no: (Role.VIEWER, None)})
    _, memberships = await registry.accounts.by_id("u1")
    assert {m.tenant.no: m.role for m in memberships} == {first.no: Role.ADMIN, third.no: Role.VIEWER}


async def test_who_signs_in_twice_at_once_has_one_role(registry, identities, new_tenant):
    tenant = await new_tenant()
    await identities.enrol(ANN, account(), 5)
    moved = await asyncio.gather(*(identities.follow("u1", Standing({tenant.no: Role.ADMIN})) for _ in range(4)))
    assert sorted(len(each.roles) for each in moved) == [0, 0, 0, 1]


async def test_the_platform_is_administered_as_the_provider_says(registry, identities):
    await identities.enrol(ANN, account(), 5)
    assert await identities.follow("u1", Standing({}, platform_admin=False)) == Moved({})
    assert await identities.follow("u1", Standing({}, platform_admin=True)) == Moved({}, platform_admin=True)
    assert await identities.follow("u1", Standing({}, platform_admin=None)) == Moved({})
    assert (await registry.accounts.by_id("u1"))[0].platform_admin
    assert await identities.follow("u1", Standing({}, platform_admin=False)) == Moved({}, platform_admin=False)


async def test_name_and_email_follow(registry, identities):
    await identities.enrol(ANN, account(), 5)
    await identities.follow("u1", Standing({}, email="anna@example.org", name="Anna"))
    found, _ = await registry.accounts.by_id("u1")
    assert (found.email, found.name) == ("anna@example.org", "Anna")


async def test_where_a_sign_in_came_from_is_known_as_long_as_it_lasts(registry, identities):
    for user_id in ("u1", "u2"):
        await identities.enrol(Identity(ISSUER, user_id), account(user_id), 5)
    for user_id, family, session in (("u1", "f1", "s1"), ("u1", "f2", None), ("u2", "f3", "s1"), ("u2", "f4", "s4")):
        await signed_in(registry, user_id, family)
        await identities.remember(ProvidedSignIn(family, user_id, "corp", session, f"sealed {family}"))
    assert await identities.origin("u1", "f1") == ProvidedSignIn("f1", "u1", "corp", "s1", "sealed f1")
    assert await identities.origin("u2", "f1") is None
    assert sorted(await identities.of_session("corp", "s1")) == [("u1", "f1"), ("u2", "f3")]
    assert await identities.of_session("other", "s1") == []
    assert sorted(await identities.of_user("corp", "u1")) == [("u1", "f1"), ("u1", "f2")]
    assert await identities.of_user("other", "u1") == []
    await registry.signing_in.sign_ins.end("u1", "f1")
    assert await identities.origin("u1", "f1") is None
    assert await identities.of_session("corp", "s1") == [("u2", "f3")]
    await registry.sessions.end_user("u2")
    assert await identities.of_user("corp", "u2") == []


async def test_a_sign_in_that_has_ended_is_not_remembered(registry, identities):
    await identities.enrol(ANN, account(), 5)
    await identities.remember(ProvidedSignIn("gone", "u1", "corp", "s1", "sealed"))
    assert await identities.of_session("corp", "s1") == []


async def test_an_account_of_a_provider_has_no_last_owner_to_keep(registry, identities, new_tenant):
    """By hand the rule stands."""
    tenant = await new_tenant()
    await identities.enrol(ANN, account(), 5)
    await identities.follow("u1", Standing({tenant.no: Role.OWNER}))
    with pytest.raises(SliceError) as refused:
        await registry.accounts.set_role(tenant.no, "u1", None)
    assert refused.value.code == Code.CONFLICT
