"""Keys: their text, their cache, and when they stop being valid."""

import asyncio
import random

import pytest

from telemetry_slice.flow.access import keys
from telemetry_slice.flow.access.keys import FRESH_S
from telemetry_slice.flow.access.texts import key_id_of, new_token
from telemetry_slice.model.errors import Code, SliceError, UnavailableError
from telemetry_slice.model.tenancy import DeviceKey, GatewayKey, KeyKind, Scope, ServiceKey


class Counted:
    """The registry's keys, counting look-ups; `down` makes it unreachable, `gate` holds answers back."""

    def __init__(self, keys):
        self.keys = keys
        self.finds = 0
        self.down = False
        self.gate = None
        self.asked = asyncio.Event()

    def __getattr__(self, name):
        return getattr(self.keys, name)

    async def find_many(self, key_ids):
        self.finds += 1
        if self.down:
            raise UnavailableError("down")
        found = await self.keys.find_many(key_ids)
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        return found


@pytest.fixture
def counted(access):
    access.keys._keys = Counted(access.keys._keys)
    return access.keys._keys


@pytest.fixture
async def device(registry, acme):
    return await registry.devices.create(acme.no, "dev-1", label="", location="", tags=())


async def refused(access, token, address=None):
    with pytest.raises(SliceError) as refusal:
        await access.key(token, address)
    assert refusal.value.code == Code.UNAUTHENTICATED
    return refusal.value.detail


def test_the_text_of_a_key():
    key_id, token = new_token()
    assert token.startswith(f"tsk_{key_id}_")
    assert len(token) == 53
    assert key_id_of(token) == key_id


def test_every_typing_error_is_seen(seed):
    dice = random.Random(seed)
    _, token = new_token()
    letters = "0123456789abcXYZ"
    for place in range(4, 53):
        wrong = token[:place] + dice.choice([c for c in letters if c != token[place]]) + token[place + 1 :]
        assert key_id_of(wrong) is None
    swapped = token[:15] + token[16] + token[15] + token[17:]
    assert key_id_of(swapped) is None or swapped == token
    for wrong in ("", "tsk_", token[:-1], token + "0", " " + token, token.upper(), "tsk_" + "ä" * 49, token + "\n"):
        assert key_id_of(wrong) is None


async def test_each_kind_of_key_is_its_principal(access, acme, device):
    record, token = await access.keys.issue(acme, KeyKind.DEVICE, device=device)
    assert await access.key(token) == DeviceKey(acme, record.key_id, device.no, "dev-1")
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    assert await access.key(token) == GatewayKey(acme, record.key_id)
    scopes = frozenset({Scope.READ})
    record, token = await access.keys.issue(acme, KeyKind.SERVICE, scopes=scopes)
    assert await access.bearer(token) == ServiceKey(acme, record.key_id, scopes)


async def test_the_registry_keeps_no_key(access, acme, tmp_path):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    secret = token[15:].encode()
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


async def test_every_refusal_sounds_alike(access, acme, clock, counted):
    said = {await refused(access, "nonsense"), await refused(access, new_token()[1])}
    record, revoked = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.keys.revoke(acme.no, record.key_id)
    _, expired = await access.keys.issue(acme, KeyKind.GATEWAY, expires_us=clock.us)
    record, _ = await access.keys.issue(acme, KeyKind.GATEWAY)
    body = f"tsk_{record.key_id}_{'x' * 32}"
    from telemetry_slice.flow.access.texts import _checksum

    said |= {await refused(access, token) for token in (revoked, expired, body + _checksum(body))}
    assert len(said) == 1


async def test_a_mistyped_key_needs_no_look_up(access, acme, counted):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    await refused(access, token[:-1] + ("a" if token[-1] != "a" else "b"))
    assert counted.finds == 0


async def test_a_key_is_looked_up_once_in_a_while(access, acme, counted, clock):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    assert access.cached_key(token) is None
    await asyncio.gather(*(access.key(token) for _ in range(20)))
    assert counted.finds == 1
    assert access.cached_key(token) == await access.key(token)
    clock.advance(FRESH_S + 0.001)
    assert access.cached_key(token) is None
    await access.key(token)
    assert counted.finds == 2


async def test_keys_in_use_are_renewed_together(access, acme, registry, counted, clock):
    issued = [await access.keys.issue(acme, KeyKind.GATEWAY) for _ in range(50)]
    for _, token in issued:
        await access.key(token)
    revoked, revoked_token = issued[7]
    await registry.keys.revoke(acme.no, revoked.key_id)
    clock.advance(3)
    for _, token in issued[:40]:
        assert access.cached_key(token)
    counted.finds = 0
    await access.key((await access.keys.issue(acme, KeyKind.GATEWAY))[1])
    assert counted.finds == 1
    clock.advance(3)
    fresh = [access.cached_key(token) is not None for _, token in issued]
    assert fresh == [number < 40 and number != 7 for number in range(50)]
    await refused(access, revoked_token)


async def test_an_unknown_key_is_not_looked_up_for_every_request(access, acme, counted, clock):
    _, token = new_token()
    for _ in range(10):
        await refused(access, token)
    assert counted.finds == 1


async def test_a_revocation_elsewhere_is_effective_within_five_seconds(access, acme, registry, clock):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token)
    await registry.keys.revoke(acme.no, record.key_id)
    clock.advance(5)
    await refused(access, token)


async def test_a_revocation_here_is_effective_at_once(access, acme):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token)
    await access.keys.revoke(acme.no, record.key_id)
    assert access.cached_key(token) is None
    await refused(access, token)


async def test_a_look_up_overtaken_by_a_revocation_is_not_kept(access, acme, counted):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    counted.gate = asyncio.Event()
    asking = asyncio.create_task(access.key(token))
    await counted.asked.wait()
    await access.keys.revoke(acme.no, record.key_id)
    counted.gate.set()
    await asking
    assert access.cached_key(token) is None
    await refused(access, token)


async def test_expiry_ends_a_cached_key_on_time(access, acme, clock):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY, expires_us=clock.us + 2_000_000)
    await access.key(token)
    clock.advance(1.9)
    assert access.cached_key(token) is not None
    clock.advance(0.2)
    assert access.cached_key(token) is None
    await refused(access, token)


async def test_rotation_overlaps(access, acme, device, clock):
    old, old_token = await access.keys.issue(acme, KeyKind.DEVICE, device=device, name="n")
    await access.key(old_token)
    new, new_token_ = await access.keys.rotate(old, clock.us + 60_000_000)
    assert (new.name, new.device_no, new.kind) == ("n", device.no, KeyKind.DEVICE)
    assert await access.key(old_token) != await access.key(new_token_)
    clock.advance(61)
    await refused(access, old_token)
    await access.key(new_token_)


async def test_rotating_without_overlap_works_with_two_keys(access, acme, device, clock):
    first, token = await access.keys.issue(acme, KeyKind.DEVICE, device=device)
    await access.keys.issue(acme, KeyKind.DEVICE, device=device)
    await access.key(token)
    with pytest.raises(SliceError) as refusal:
        await access.keys.rotate(first, clock.us + 60_000_000)
    assert refusal.value.code == Code.CONFLICT
    await access.keys.rotate(first, clock.us)
    await refused(access, token)


async def test_a_rotated_key_lives_as_long_as_the_first_did(access, acme, clock):
    old, _ = await access.keys.issue(acme, KeyKind.SERVICE, scopes=frozenset({Scope.READ}), expires_us=clock.us + 1000)
    clock.us += 900
    new, _ = await access.keys.rotate(old, clock.us)
    assert new.expires_us == clock.us + 1000


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("192.0.3.7", False),
        ("2001:db9::1", False),
        ("", False),
        (None, False),
        ("testclient", False),
    ],
)
async def test_a_key_may_be_bound_to_addresses(access, acme, address, admitted):
    _, token = await access.keys.issue(
        acme, KeyKind.SERVICE, scopes=frozenset({Scope.READ}), addresses=("192.0.2.0/24", "2001:db8::/32")
    )
    for _ in range(2):
        if admitted:
            assert await access.key(token, address)
            assert access.cached_key(token, address)
        else:
            await refused(access, token, address)
            with pytest.raises(SliceError):
                await access.key(token, "192.0.2.1") and access.cached_key(token, address)


async def test_a_change_of_the_tenant_reaches_its_keys(access, acme, registry):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token)
    changed = await registry.tenants.change(acme.id, auto_register=False)
    access.keys.forget_tenant(acme.no)
    assert (await access.key(token)).tenant == changed


async def test_a_suspension_elsewhere_is_effective_within_five_seconds(access, acme, registry, clock):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    for reason in ("the bill", None):
        assert (await access.key(token)).tenant.suspended != reason
        await registry.tenants.suspend(acme.id, reason)
        clock.advance(5)
        assert (await access.key(token)).tenant.suspended == reason


async def test_a_deleted_devices_key_ends(access, acme, registry, device):
    _, token = await access.keys.issue(acme, KeyKind.DEVICE, device=device)
    _, other = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token)
    await access.key(other)
    await registry.devices.delete(acme.no, "dev-1")
    access.keys.forget_device(device.no)
    await refused(access, token)
    assert access.cached_key(other)


async def test_known_keys_outlive_an_outage_of_ten_minutes(access, acme, counted, clock):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    _, unknown = await access.keys.issue(acme, KeyKind.GATEWAY)
    _, short = await access.keys.issue(acme, KeyKind.GATEWAY, expires_us=clock.us + 60_000_000)
    for known in (token, short):
        await access.key(known)
    clock.advance(3600)
    counted.down = True
    for _ in range(59):
        assert (await access.key(token)).key_id == record.key_id
        clock.advance(10)
    for lost in (unknown, token[:-1] + "~"):
        with pytest.raises((UnavailableError, SliceError)):
            await access.key(lost)
    await refused(access, short)
    clock.advance(11)
    with pytest.raises(UnavailableError):
        await access.key(token)
    counted.down = False
    await access.key(token)
    counted.down = True
    clock.advance(5)
    await access.key(token)


async def test_known_keys_do_not_wait_for_a_registry_that_says_nothing(access, acme, counted, clock, monkeypatch):
    monkeypatch.setattr(keys, "SILENT_S", 0.05)
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    _, unknown = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token)
    counted.gate = asyncio.Event()
    clock.advance(5)
    for _ in range(3):
        async with asyncio.timeout(30):
            assert (await access.key(token)).key_id == record.key_id
        clock.advance(5)
    # Asked once for all of that: its answer is still awaited.
    assert counted.finds == 2
    waiting = asyncio.create_task(access.key(unknown))
    done, _ = await asyncio.wait((waiting,), timeout=0.2)
    assert not done
    counted.gate.set()
    assert (await waiting).key_id != record.key_id
    clock.advance(5)
    await access.keys.revoke(acme.no, record.key_id)
    await refused(access, token)


async def test_a_key_not_seen_for_a_day_does_not_outlive_an_outage(access, acme, counted, clock):
    _, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token)
    clock.advance(24 * 3600 + 1)
    counted.down = True
    with pytest.raises(UnavailableError):
        await access.key(token)


async def test_a_revoked_key_does_not_outlive_an_outage(access, acme, registry, counted, clock):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token)
    await registry.keys.revoke(acme.no, record.key_id)
    clock.advance(5)
    await refused(access, token)
    clock.advance(5)
    counted.down = True
    with pytest.raises(UnavailableError):
        await access.key(token)


async def test_use_is_written_down(access, acme, registry, clock):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    await access.key(token, "192.0.2.1")
    await access.tidy()
    found = await registry.keys.find(record.key_id)
    assert (found.last_used_us, found.last_address) == (clock.us, "192.0.2.1")


async def test_a_thousand_uses_are_written_down_in_one_statement(access, acme, registry, clock, monkeypatch):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY)
    written = []
    touch = registry.keys.touch

    async def counting(used):
        written.append(used)
        await touch(used)

    monkeypatch.setattr(type(registry.keys), "touch", lambda _, used: counting(used))
    for number in range(1_000):
        if access.cached_key(token, f"192.0.2.{number % 250}") is None:
            await access.key(token, f"192.0.2.{number % 250}")
        clock.advance(0.01)
    await access.tidy()
    await access.tidy()
    assert len(written) == 1
    assert [use[0] for use in written[0]] == [record.key_id]


async def test_a_use_from_where_it_is_refused_is_none(access, acme, registry):
    record, token = await access.keys.issue(acme, KeyKind.GATEWAY, addresses=["192.0.2.1"])
    await refused(access, token, "192.0.2.2")
    await access.tidy()
    assert (await registry.keys.find(record.key_id)).last_used_us is None
