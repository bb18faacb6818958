"""One pepper after another: whoever could get in still can, and in the end nothing needs the old one."""

import pyotp
import pytest

from telemetry_slice.flow.access import Access, Secrets, new_signing_key
from telemetry_slice.flow.access.renewal import depending, renew
from telemetry_slice.model.errors import SliceError
from telemetry_slice.model.events import TenantNo
from telemetry_slice.model.peppers import Peppers
from telemetry_slice.model.tenancy import DeviceKey, KeyKind, Role
from telemetry_slice.ports.registry import KeyRecord

OLD, NEW = b"old pepper" * 4, b"new pepper" * 4
PASSWORD = "correct horse battery"
HERE = "127.0.0.1"


@pytest.fixture
def under(registry, clock):
    """Access as a process has it that knows these peppers, the first one current."""
    console, opened = new_signing_key(), []

    def access(pepper, *others):
        made = Access(Secrets(pepper, console, others), registry, clock, monotonic=clock.monotonic)
        opened.append(made)
        return made

    yield access
    for each in opened:
        each.close()


class Life:
    """One of everything that is kept by a secret."""

    def __init__(self, registry, clock):
        self.registry = registry
        self.clock = clock

    async def begin(self, access):
        self.tenant = await self.registry.tenants.create("acme-123", "Acme")
        device = (await self.registry.devices.register(self.tenant.no, ["dev-1"]))["dev-1"]
        _, self.used = await access.keys.issue(self.tenant, KeyKind.DEVICE, device=device)
        self.idle, _ = await access.keys.issue(self.tenant, KeyKind.GATEWAY)
        await access.people.add("ada@acme.example", "Ada", PASSWORD, [(self.tenant.no, Role.OWNER)])
        login = await access.people.login("ada@acme.example", PASSWORD, HERE)
        self.session, self.user = login.token, login.profile.user
        tokens = await access.people.tokens_by_password("ada@acme.example", PASSWORD, HERE)
        self.access_token, self.refresh_token = tokens.access_token, tokens.refresh_token
        self.factor, _ = await access.second_factors.offer(self.user)
        self.recovery = await access.second_factors.confirm(self.user.user_id, self.code())
        self.invitation, _, _ = await access.links.invite(self.tenant, "bob@acme.example", Role.VIEWER)
        self.clock.advance(60)

    def code(self):
        return pyotp.TOTP(self.factor).at(self.clock.us // 1_000_000)

    async def goes_on(self, access):
        """Whoever could get in still can."""
        assert isinstance(await access.key(self.used, HERE), DeviceKey)
        assert (await access.session(self.session, HERE)).email == "ada@acme.example"
        assert (await access.bearer(self.access_token, HERE)).email == "ada@acme.example"
        tokens = await access.people.tokens_by_refresh(self.refresh_token)
        self.access_token, self.refresh_token = tokens.access_token, tokens.refresh_token
        await access.second_factors.check(self.user.user_id, self.code())
        once = self.recovery.pop()
        await access.second_factors.check(self.user.user_id, once)
        with pytest.raises(SliceError):
            await access.second_factors.check(self.user.user_id, once)
        link, _, _ = await access.links.invitation(self.invitation, HERE)
        assert link.email == "bob@acme.example"
        self.clock.advance(60)


@pytest.fixture
def life(registry, clock):
    return Life(registry, clock)


async def test_everybody_who_was_let_in_is_let_in_under_the_next_pepper(under, registry, clock, life):
    before = under(OLD)
    await life.begin(before)
    await life.goes_on(before)

    # Every process learns the next one; then all begin to use it, one after the other.
    told, changed = under(OLD, NEW), under(NEW, OLD)
    await life.goes_on(told)
    await told.tidy()
    assert await renew(Peppers(OLD, (NEW,)), registry) == 0
    await life.goes_on(changed)
    await changed.tidy()
    assert await renew(Peppers(NEW, (OLD,)), registry) == 2
    _, made_by_changed = await changed.keys.issue(life.tenant, KeyKind.GATEWAY)
    assert await told.key(made_by_changed, HERE)
    await life.goes_on(told)
    await life.goes_on(changed)

    # The key that is not used is all that needs the old one.
    needs = await depending(Peppers(NEW, (OLD,)), registry, clock)
    assert (needs.keys, needs.sealed) == ((life.idle.key_id,), 0)
    await changed.keys.revoke(life.tenant.no, life.idle.key_id)
    assert not await depending(Peppers(NEW, (OLD,)), registry, clock)
    await life.goes_on(under(NEW))


async def test_a_pepper_that_went_too_early_lets_nobody_in(under, registry, clock, life):
    """The negative control: it is the pepper that keys and sealed secrets are kept by."""
    await life.begin(under(OLD))
    needs = await depending(Peppers(NEW, (OLD,)), registry, clock)
    assert (len(needs.keys), needs.sealed) == (2, 2)
    hasty = under(NEW)
    with pytest.raises(SliceError):
        await hasty.key(life.used, HERE)
    with pytest.raises(SliceError):
        await hasty.bearer(life.access_token, HERE)
    with pytest.raises(SliceError):
        await hasty.second_factors.check(life.user.user_id, life.recovery[0])


async def test_keys_of_before_are_named_while_there_is_one_pepper(registry, clock, under, life):
    """As a registry of a release that did not write down peppers."""
    await life.begin(under(OLD))
    record = KeyRecord(
        "old-key", KeyKind.GATEWAY, life.tenant, None, None, "", frozenset(), (), b"mac", 1, None, None, None
    )
    await registry.keys.add(record)
    assert (await depending(Peppers(OLD), registry, clock)).keys == ("old-key",)
    assert await renew(Peppers(OLD, (NEW,)), registry) == 0
    assert (await depending(Peppers(OLD), registry, clock)).keys == ("old-key",)
    await renew(Peppers(OLD), registry)
    assert not await depending(Peppers(OLD), registry, clock)


async def test_what_was_replaced_meanwhile_is_not_replaced_again(registry, under, life):
    await life.begin(under(OLD))
    kept, idle = registry.credentials.under_peppers, life.idle
    assert not await kept.rehash_key(life.tenant.no, idle.key_id, b"another", b"new", "name")
    assert not await kept.rehash_key(TenantNo(999), idle.key_id, idle.mac, b"new", "name")
    assert not await kept.reseal_signing_key(1, "another", "new")
    assert not await kept.reseal_factor(life.user.user_id, "another", "new")
    assert await kept.factors_after(life.user.user_id, 10) == []
