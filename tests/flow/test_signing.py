"""The keys of access tokens follow one another without anybody being signed out, in every process."""

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from telemetry_slice.flow.access import Secrets, console_token, new_signing_key, signers_of
from telemetry_slice.flow.access.tokens import Signer, kid_of
from telemetry_slice.model.errors import Code, SliceError, UnavailableError
from telemetry_slice.model.tenancy import Console, Role
from telemetry_slice.model.times import DAY_US

PASSWORD = "correct horse battery"
PERIOD_US = 30 * DAY_US
DAY_S = 24 * 3600


@pytest.fixture
async def ann(access, acme):
    return await access.people.add("ann@example.org", "Ann", PASSWORD, [(acme.no, Role.OWNER)])


async def token_of(access):
    return (await access.people.tokens_by_password("ann@example.org", PASSWORD, None)).access_token


async def published(access):
    return [key["kid"] for key in (await access.jwks())["keys"]]


async def refused(waiting):
    with pytest.raises(SliceError) as refusal:
        await waiting
    assert refusal.value.code == Code.UNAUTHENTICATED


async def test_the_first_key_is_that_of_the_folder(access, ann, signing_key):
    """So tokens of a release that knew no other stay good."""
    first = Signer(signing_key)
    assert kid_of(await token_of(access)) == first.kid
    now_s = access.people._clock.now_us() // 1_000_000
    assert (await access.bearer(first.sign(ann.user_id, now_s))).user_id == ann.user_id


async def test_a_key_is_published_signs_and_is_forgotten(access, elsewhere, ann, clock):
    old = await token_of(access)
    assert await published(elsewhere) == [kid_of(old)]
    await access.signers.rotate(PERIOD_US)
    # Published a day ahead: others learn of it within seconds, and go on signing with the old one.
    clock.advance(5)
    first, following = await published(elsewhere)
    assert first == kid_of(old)
    assert kid_of(await token_of(elsewhere)) == first
    await elsewhere.signers.rotate(PERIOD_US)
    assert await published(access) == [first, following]
    clock.advance(DAY_S)
    new = await token_of(access)
    assert kid_of(new) == following
    for process in (access, elsewhere):
        assert (await process.bearer(new)).user_id == ann.user_id
    # What the old one has signed is good until it ends; then the key goes.
    await access.signers.rotate(PERIOD_US)
    assert await published(access) == [first, following]
    clock.advance(16 * 60)
    await access.signers.rotate(PERIOD_US)
    clock.advance(5)
    assert await published(elsewhere) == [following]


async def test_a_token_lives_on_when_its_key_has_been_followed(access, elsewhere, ann, clock):
    await access.jwks()
    await access.signers.rotate(PERIOD_US)
    clock.advance(DAY_S - 60)
    old = await token_of(access)
    clock.advance(120)
    new = await token_of(access)
    assert kid_of(old) != kid_of(new)
    await access.signers.rotate(PERIOD_US)
    for token in (old, new):
        assert (await elsewhere.bearer(token)).user_id == ann.user_id
    keys = KeySet.import_key_set(await elsewhere.jwks())
    for token in (old, new):
        assert jwt.decode(token, keys, algorithms=["Ed25519"]).claims["sub"] == ann.user_id
    clock.advance(900)
    await refused(elsewhere.bearer(old))


async def test_each_period_has_its_key(access, ann, clock):
    kids = []
    for _ in range(3 * 31):
        await access.signers.rotate(PERIOD_US)
        kid = kid_of(await token_of(access))
        assert kid in await published(access)
        assert len(await published(access)) <= 2
        kids += [kid] if kid not in kids else []
        clock.advance(DAY_S)
    # The folder's own for a day, then one for every thirty.
    assert len(kids) == 1 + 4


async def test_a_key_nobody_has_heard_of_is_asked_for_once_a_second(access, elsewhere, ann, clock, monkeypatch):
    await elsewhere.jwks()
    stranger = Signer(new_signing_key()).sign(ann.user_id, clock.us // 1_000_000)
    asked = 0
    keys = elsewhere.signers._keys
    read = keys.list

    async def counted():
        nonlocal asked
        asked += 1
        return await read()

    monkeypatch.setattr(type(keys), "list", lambda _self: counted())
    for _ in range(20):
        await refused(elsewhere.bearer(stranger))
    assert asked == 0
    clock.advance(1)
    for _ in range(20):
        await refused(elsewhere.bearer(stranger))
    assert asked == 1


async def test_only_the_folder_speaks_for_its_console(access, ann, signing_key, clock):
    await access.jwks()
    await access.signers.rotate(PERIOD_US)
    clock.advance(DAY_S)
    now_s = clock.us // 1_000_000
    signer = await access.signers.current()
    assert signer.kid != Signer(signing_key).kid
    await refused(access.bearer(signer.sign("console", now_s, lifetime_s=60)))
    assert await access.bearer(console_token(signing_key, now_s)) == Console(None)


async def test_the_registry_keeps_no_private_key_in_the_clear(access, ann, clock, registry, tmp_path):
    await access.jwks()
    await access.signers.rotate(PERIOD_US)
    clock.advance(DAY_S)
    private = (await access.signers.current()).private_jwk()["d"]
    assert await access.jwks()
    assert all(private.encode() not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


async def test_other_secrets_read_no_key_and_publish_none(access, ann, registry, clock):
    """A folder that is not that of the installation must not bring keys in that nobody else can read."""
    await access.jwks()
    stranger = signers_of(Secrets(b"another pepper", new_signing_key()), registry, clock, monotonic=clock.monotonic)
    await stranger.rotate(PERIOD_US)
    assert len(await registry.signing_in.signing_keys.list()) == 1
    with pytest.raises(UnavailableError):
        await stranger.current()


async def test_what_was_read_goes_on_while_the_registry_is_away(access, ann, clock, monkeypatch):
    token = await token_of(access)

    async def away(_self):
        raise UnavailableError("away")

    monkeypatch.setattr(type(access.signers._keys), "list", away)
    clock.advance(60)
    assert (await access.bearer(token)).user_id == ann.user_id
