import asyncio

import pytest

from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.accounts import Account

ANN = Account("u1", "Ann@example.org", "Ann", "$argon2id$1", platform_admin=False)
BOB = Account("u2", "bob@example.org", "Bob", "$argon2id$2", platform_admin=True)


async def refused(waiting):
    with pytest.raises(SliceError) as refusal:
        await waiting
    assert refusal.value.code == Code.CONFLICT


async def test_an_account_is_found_by_email_and_id(registry, acme, beta):
    assert not await registry.accounts.any_exists()
    await registry.accounts.add(ANN, [(beta.no, Role.VIEWER), (acme.no, Role.OWNER)])
    assert await registry.accounts.any_exists()
    assert await registry.accounts.by_email("aNN@example.ORG") == ANN
    assert await registry.accounts.by_email("nobody@example.org") is None
    account, memberships = await registry.accounts.by_id("u1")
    assert account == ANN
    assert [(m.tenant, m.role) for m in memberships] == [(acme, Role.OWNER), (beta, Role.VIEWER)]
    assert await registry.accounts.by_id("u9") is None


async def test_an_email_is_taken_once_whatever_its_case(registry, acme):
    await registry.accounts.add(ANN, [])
    await refused(registry.accounts.add(Account("u3", "ANN@EXAMPLE.org", "", "", platform_admin=False), []))
    assert await registry.accounts.by_id("u3") is None


async def test_the_people_of_a_tenant(registry, acme, beta):
    await registry.accounts.add(BOB, [(acme.no, Role.ADMIN)])
    await registry.accounts.add(ANN, [(acme.no, Role.OWNER), (beta.no, Role.VIEWER)])
    assert await registry.accounts.of_tenant(acme.no) == [(ANN, Role.OWNER), (BOB, Role.ADMIN)]
    assert await registry.accounts.of_tenant(beta.no) == [(ANN, Role.VIEWER)]


async def test_joining(registry, acme):
    await registry.accounts.add(BOB, [])
    await registry.accounts.join(acme.no, "u2", Role.OPERATOR)
    assert await registry.accounts.of_tenant(acme.no) == [(BOB, Role.OPERATOR)]
    await refused(registry.accounts.join(acme.no, "u2", Role.OWNER))
    await refused(registry.accounts.join(acme.no, "u9", Role.OWNER))


async def test_roles_change_and_end(registry, acme, beta):
    await registry.accounts.add(ANN, [(acme.no, Role.OWNER)])
    await registry.accounts.add(BOB, [(acme.no, Role.VIEWER)])
    assert await registry.accounts.set_role(acme.no, "u2", Role.ADMIN)
    assert not await registry.accounts.set_role(beta.no, "u2", Role.ADMIN)
    assert (await registry.accounts.of_tenant(acme.no))[1][1] == Role.ADMIN
    assert await registry.accounts.set_role(acme.no, "u2", None)
    assert not await registry.accounts.set_role(acme.no, "u2", None)
    assert (await registry.accounts.by_id("u2"))[1] == ()


async def test_the_last_owner_stays(registry, acme):
    await registry.accounts.add(ANN, [(acme.no, Role.OWNER)])
    await registry.accounts.add(BOB, [(acme.no, Role.OWNER)])
    leaving = [registry.accounts.set_role(acme.no, user_id, None) for user_id in ("u1", "u2")]
    results = await asyncio.gather(*leaving, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["SliceError", "bool"]
    [(owner, _)] = await registry.accounts.of_tenant(acme.no)
    await refused(registry.accounts.set_role(acme.no, owner.user_id, Role.ADMIN))
    assert await registry.accounts.set_role(acme.no, owner.user_id, Role.OWNER)


async def test_a_password_is_replaced(registry):
    await registry.accounts.add(ANN, [])
    assert await registry.accounts.set_password("u1", "$argon2id$9")
    assert not await registry.accounts.set_password("u9", "x")
    assert (await registry.accounts.by_email(ANN.email)).password == "$argon2id$9"


async def test_the_first_run_happens_once(registry, clock):
    later = clock.us + 1_000_000
    assert await registry.first_run.offer(b"one", later)
    assert await registry.first_run.offer(b"two", later)
    assert await registry.first_run.claim(b"one", clock.us, ANN, "acme", "Acme") is None, "only the last offer is open"
    assert await registry.first_run.claim(b"two", later, ANN, "acme", "Acme") is None, "it has ended"
    assert await registry.tenants.list() == []
    tenant = await registry.first_run.claim(b"two", clock.us, ANN, "acme", "Acme")
    assert await registry.tenants.get("acme") == tenant
    assert await registry.accounts.of_tenant(tenant.no) == [(ANN, Role.OWNER)]
    assert await registry.first_run.claim(b"two", clock.us, BOB, "beta", "Beta") is None
    assert not await registry.first_run.offer(b"three", later)


async def test_a_taken_tenant_leaves_the_offer_open(registry, acme, clock):
    await registry.first_run.offer(b"one", clock.us + 1)
    await refused(registry.first_run.claim(b"one", clock.us, ANN, acme.id, "Acme"))
    assert not await registry.accounts.any_exists()
    assert await registry.first_run.claim(b"one", clock.us, ANN, "another", "Acme") is not None


async def test_an_offer_is_worth_nothing_once_somebody_exists(registry, clock):
    await registry.first_run.offer(b"one", clock.us + 1)
    await registry.accounts.add(BOB, [])
    assert await registry.first_run.claim(b"one", clock.us, ANN, "acme", "Acme") is None
