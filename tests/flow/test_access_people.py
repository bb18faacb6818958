"""Signing in, sessions, refresh tokens, access tokens."""

import asyncio

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from telemetry_slice.flow.access import console_token
from telemetry_slice.flow.access.passwords import Brake
from telemetry_slice.flow.access.tokens import Signer
from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.tenancy import Console, Role

PASSWORD = "correct horse battery"
DAY_S = 24 * 3600


@pytest.fixture
async def ann(access, acme, beta):
    return await access.people.add("ann@example.org", "Ann", PASSWORD, [(acme.no, Role.OWNER), (beta.no, Role.VIEWER)])


async def refused(waiting, code=Code.UNAUTHENTICATED):
    with pytest.raises(SliceError) as refusal:
        await waiting
    assert refusal.value.code == code
    return refusal.value


async def test_a_session_stands_for_the_person(access, ann, acme):
    signed_in = await access.people.login("ANN@example.org", PASSWORD, None)
    user = await access.session(signed_in.token)
    assert (user.user_id, user.tenant, user.role, user.platform_admin) == (ann.user_id, acme, Role.OWNER, False)
    assert [m.tenant.id for m in signed_in.profile.memberships] == ["acme-123", "beta-456"]


async def test_wrong_password_and_unknown_email_sound_alike(access, ann):
    wrong = await refused(access.people.login("ann@example.org", "wrong horse battery", None))
    unknown = await refused(access.people.login("nobody@example.org", PASSWORD, None))
    assert wrong.detail == unknown.detail


async def test_guessing_is_braked_by_email(access, ann, clock):
    for number in range(10):
        await refused(access.people.login("Ann@example.org", "wrong horse battery", f"10.0.0.{number}"))
    refusal = await refused(access.people.login("ann@example.org", PASSWORD, "10.0.0.99"), Code.QUOTA_EXCEEDED)
    assert 0 < refusal.retry_after_s <= 6
    await refused(access.people.login("other@example.org", PASSWORD, "10.0.0.99"))
    clock.advance(refusal.retry_after_s + 0.001)
    await access.people.login("ann@example.org", PASSWORD, "10.0.0.99")


def test_a_brake_gives_back_what_succeeded(clock):
    brake = Brake(3, 60.0, clock.monotonic)
    for _ in range(100):
        brake.take("ann")
        brake.give_back("ann")
    for _ in range(3):
        brake.take("ann")
    with pytest.raises(SliceError) as refusal:
        brake.take("ann")
    assert refusal.value.retry_after_s == pytest.approx(20)
    brake.take("bob")
    clock.advance(20)
    brake.take("ann")


async def test_a_session_slides_for_seven_days(access, ann, clock):
    token = (await access.people.login("ann@example.org", PASSWORD, None)).token
    for _ in range(3):
        clock.advance(6 * DAY_S)
        await access.session(token)
    clock.advance(7 * DAY_S + 1)
    await refused(access.session(token))


async def test_logging_out_ends_the_session(access, ann):
    token = (await access.people.login("ann@example.org", PASSWORD, None)).token
    other = (await access.people.login("ann@example.org", PASSWORD, None)).token
    await access.people.logout(token)
    await access.people.logout("unknown")
    await refused(access.session(token))
    await access.session(other)


async def test_the_registry_keeps_no_session_token(access, ann, tmp_path):
    token = (await access.people.login("ann@example.org", PASSWORD, None)).token
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())


async def test_a_member_of_several_switches(access, ann, beta):
    token = (await access.people.login("ann@example.org", PASSWORD, None)).token
    profile = await access.people.switch(token, "beta-456")
    assert (profile.user.tenant, profile.user.role) == (beta, Role.VIEWER)
    assert (await access.session(token)).tenant == beta
    await refused(access.people.switch(token, "gamma"), Code.FORBIDDEN)
    await refused(access.people.switch("unknown", "beta-456"))


async def test_a_lost_role_is_lost_at_once(access, ann, acme, beta):
    token = (await access.people.login("ann@example.org", PASSWORD, None)).token
    pair = await access.people.tokens_by_password("ann@example.org", PASSWORD, None, "beta-456")
    assert (await access.bearer(pair.access_token)).role == Role.VIEWER
    await access.people.set_role(beta.no, ann.user_id, None)
    user = await access.bearer(pair.access_token)
    assert (user.tenant, user.role) == (None, None)
    assert (await access.session(token)).tenant == acme


async def test_tokens_by_password(access, ann, acme, clock):
    pair = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    assert pair.expires_s == 900
    user = await access.bearer(pair.access_token)
    assert (user.user_id, user.tenant, user.role) == (ann.user_id, acme, Role.OWNER)
    await refused(access.people.tokens_by_password("ann@example.org", PASSWORD, None, "gamma"), Code.FORBIDDEN)
    clock.advance(901)
    await refused(access.bearer(pair.access_token))


async def test_refresh_tokens_rotate_and_reuse_ends_the_family(access, ann):
    first = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    other = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    second = await access.people.tokens_by_refresh(first.refresh_token)
    third = await access.people.tokens_by_refresh(second.refresh_token, "beta-456")
    assert (await access.bearer(third.access_token)).tenant.id == "beta-456"
    await refused(access.people.tokens_by_refresh(first.refresh_token))
    await refused(access.people.tokens_by_refresh(third.refresh_token))
    await access.people.tokens_by_refresh(other.refresh_token)


async def test_a_refresh_token_raced_for_serves_one_at_most_and_ends_its_family(access, ann):
    first = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    attempts = [access.people.tokens_by_refresh(first.refresh_token) for _ in range(5)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    pairs = [result for result in results if not isinstance(result, Exception)]
    assert len(pairs) <= 1
    assert {result.code for result in results if isinstance(result, SliceError)} == {Code.UNAUTHENTICATED}
    for pair in pairs:
        await refused(access.people.tokens_by_refresh(pair.refresh_token))
        await refused(access.bearer(pair.access_token))
    await refused(access.bearer(first.access_token))


async def test_a_sign_in_that_ended_ends_everywhere_within_five_seconds(access, elsewhere, ann, clock):
    pair = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    cookie = (await access.people.login("ann@example.org", PASSWORD, None)).token
    family = (await elsewhere.bearer(pair.access_token)).family
    assert {seen.family for seen in await access.people.sign_ins(ann.user_id)} == {
        family,
        (await elsewhere.session(cookie)).family,
    }
    assert await access.people.end_sign_in(ann.user_id, family)
    await refused(access.bearer(pair.access_token))
    clock.advance(5)
    await refused(elsewhere.bearer(pair.access_token))
    await refused(elsewhere.people.tokens_by_refresh(pair.refresh_token))
    await elsewhere.session(cookie)
    await access.people.sign_out_everywhere(ann.user_id)
    await refused(elsewhere.session(cookie))


async def test_use_is_written_down_once_a_minute(access, ann, clock):
    cookie = (await access.people.login("ann@example.org", PASSWORD, "10.0.0.1", "Firefox")).token
    clock.advance(59)
    await access.session(cookie, "10.0.0.2", "curl")
    [seen] = await access.people.sign_ins(ann.user_id)
    assert (seen.address, seen.user_agent, seen.last_used_us) == ("10.0.0.1", "Firefox", seen.created_us)
    clock.advance(1)
    await access.session(cookie, "10.0.0.2", "curl")
    [seen] = await access.people.sign_ins(ann.user_id)
    assert (seen.address, seen.user_agent, seen.last_used_us) == ("10.0.0.2", "curl", clock.us)


async def test_a_refresh_token_lives_seven_days(access, ann, clock):
    pair = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    clock.advance(7 * DAY_S + 1)
    await refused(access.people.tokens_by_refresh(pair.refresh_token))
    await access.tidy()
    await refused(access.people.tokens_by_refresh(pair.refresh_token))


async def test_all_that_comes_of_a_sign_in_ends_after_thirty_days(access, ann, clock):
    """However often it is used; cookies as well as refresh tokens, and nothing that follows from one lives longer."""
    cookie = (await access.people.login("ann@example.org", PASSWORD, None)).token
    refresh = (await access.people.tokens_by_password("ann@example.org", PASSWORD, None)).refresh_token
    for _ in range(4):
        clock.advance(6 * DAY_S)
        await access.session(cookie)
        refresh = (await access.people.tokens_by_refresh(refresh)).refresh_token
    clock.advance(6 * DAY_S - 1)
    await access.session(cookie)
    refresh = (await access.people.tokens_by_refresh(refresh)).refresh_token
    ends_us = {seen.expires_us for seen in await access.people.sign_ins(ann.user_id)}
    assert ends_us == {clock.us + 1_000_000}
    clock.advance(1)
    await refused(access.session(cookie))
    await refused(access.people.tokens_by_refresh(refresh))


async def test_a_refresh_token_that_comes_again_at_once_ends_its_family_too(access, ann, clock):
    """There is no grace for an answer that was lost: docs/adr/0009 says why."""
    where = {"address": "10.0.0.1", "user_agent": "app"}
    first = await access.people.tokens_by_password("ann@example.org", PASSWORD, "10.0.0.1", user_agent="app")
    second = await access.people.tokens_by_refresh(first.refresh_token, **where)
    clock.advance(1)
    await refused(access.people.tokens_by_refresh(first.refresh_token, **where))
    await refused(access.people.tokens_by_refresh(second.refresh_token, **where))


async def test_cookie_and_refresh_token_do_not_stand_for_one_another(access, ann):
    session = (await access.people.login("ann@example.org", PASSWORD, None)).token
    pair = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    await refused(access.session(pair.refresh_token))
    await refused(access.people.tokens_by_refresh(session))
    await refused(access.bearer(session))
    await refused(access.session(pair.access_token))


async def test_a_new_password_ends_every_session(access, ann):
    signed_in = await access.people.login("ann@example.org", PASSWORD, None)
    user = signed_in.profile.user
    await refused(access.people.change_password(user, "wrong horse battery", "a new password!", None))
    await refused(access.people.change_password(user, PASSWORD, "short", None), Code.INVALID)
    await access.people.change_password(user, PASSWORD, "a new password!", None)
    await refused(access.session(signed_in.token))
    await refused(access.people.login("ann@example.org", PASSWORD, None))
    await access.people.login("ann@example.org", "a new password!", None)


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 257])
async def test_passwords_have_a_length(access, password):
    refusal = await refused(access.people.add("x@example.org", "", password), Code.INVALID)
    assert refusal.fields[0].pointer == "/password"


async def test_the_first_run(access, registry):
    token = await access.people.offer_setup()
    more = {"tenant_id": "acme", "tenant_name": "Acme", "address": None}
    await refused(access.people.set_up("wrong", "ann@example.org", PASSWORD, **more))
    signed_in = await access.people.set_up(token, "ann@example.org", PASSWORD, **more)
    user = await access.session(signed_in.token)
    assert (user.platform_admin, user.role, user.tenant.id) == (True, Role.OWNER, "acme")
    await refused(access.people.set_up(token, "bob@example.org", PASSWORD, **more))
    assert await access.people.offer_setup() is None


async def test_the_console_acts_in_the_tenant_of_its_token(access, acme, signing_key, clock):
    now_s = clock.us // 1_000_000
    assert await access.bearer(console_token(signing_key, now_s)) == Console(None)
    token = console_token(signing_key, now_s, "acme-123")
    assert await access.bearer(token) == Console(acme)
    await refused(access.bearer(console_token(signing_key, now_s, "gamma")))
    clock.advance(301)
    await refused(access.bearer(token))


async def test_a_long_lived_console_token_is_refused(access, signing_key, clock):
    now_s = clock.us // 1_000_000
    await refused(access.bearer(Signer(signing_key).sign("console", now_s, lifetime_s=301)))


async def test_the_published_key_verifies_tokens(access, ann):
    pair = await access.people.tokens_by_password("ann@example.org", PASSWORD, None)
    [public] = (await access.jwks())["keys"]
    assert "d" not in public
    token = jwt.decode(pair.access_token, OKPKey.import_key(public), algorithms=["Ed25519"])
    assert token.header["kid"] == public["kid"]
    assert token.claims["tenant"] == "acme-123"
    assert token.claims["role"] == "owner"
