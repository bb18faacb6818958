"""Signing in with a real provider: an account at the first time, roles by groups at every time."""

import pytest
from tests.http.oidc.conftest import ANN, OWN, PASSWORD, audit, corp

from telemetry_slice.model.tenancy import Role


async def test_the_page_learns_of_the_providers(door):
    methods = (await door.get("/api/v1/auth/methods")).json()
    assert methods["providers"] == [{"name": "corp", "label": "The company"}, {"name": "other", "label": "other"}]


async def test_who_comes_for_the_first_time_has_an_account_with_the_roles_of_the_groups(visit, registry, acme):
    came = await visit(next="/devices/dev-1?a=b")
    assert came.next == "/devices/dev-1?a=b"
    assert came.me["user"]["email"] == "ann@example.org"
    assert (came.me["user"]["name"], came.me["role"], came.roles) == ("Ann", "admin", {"acme-123": "admin"})
    by = {"by": "provider corp"}
    assert await audit(registry) == [("create", "account", "done", by)]
    assert await audit(registry, acme.no) == [
        ("add", "users", "done", by | {"role": "admin"}),
        ("sign in", "account", "done", by),
    ]
    again = await visit()
    assert (again.next, again.me["user"]["id"]) == ("/", came.me["user"]["id"])
    assert len(await audit(registry)) == 1


async def test_roles_are_gained_changed_and_lost_with_the_groups(visit, registry, acme, beta, door):
    assert (await visit(claims=ANN | {"groups": ["keepers", "readers"]})).roles == {
        "acme-123": "admin",
        "beta-456": "viewer",
    }
    assert (await visit(claims=ANN | {"groups": ["readers"]})).roles == {"acme-123": "viewer", "beta-456": "viewer"}
    before = dict(door.cookies)
    gone = await visit(claims=ANN | {"groups": ["strangers"]})
    assert (gone.next, gone.me) == ("/sign-in?refused=no_role", None)
    # What was signed in before is still that person, who has no role any more.
    me = (await door.get("/api/v1/me", headers={"Cookie": f"tslice_session={before['tslice_session']}"})).json()
    assert (me["tenants"], me["role"]) == ([], None)
    by = {"by": "provider corp"}
    assert [each for each in await audit(registry, beta.no) if each[1] == "users"] == [
        ("add", "users", "done", by | {"role": "viewer"}),
        ("remove", "users", "done", by | {"before": "viewer"}),
    ]
    assert ("change", "users", "done", by | {"role": "viewer", "before": "admin"}) in await audit(registry, acme.no)
    assert ("sign in", "account", "refused", by | {"refusal": "no_role"}) in await audit(registry)


async def test_memberships_elsewhere_are_not_the_providers_business(visit, registry, told):
    gamma = await registry.tenants.create("gamma", "Gamma")
    came = await visit()
    await registry.accounts.join(gamma.no, came.me["user"]["id"], Role.OPERATOR)
    assert (await visit(claims=ANN | {"groups": []})).roles == {"gamma": "operator"}


async def test_without_a_role_no_account_is_made(visit, registry):
    for groups in ([], ["strangers"], "strangers", None, 7, {"keepers": 1}):
        came = await visit("eve", ANN | {"groups": groups})
        assert (came.next, came.me) == ("/sign-in?refused=no_role", None)
    assert not await registry.accounts.any_exists()


async def test_a_provider_of_one_tenant_signs_in_to_that_one(visit, registry, acme, beta):
    came = await visit("bob", ANN | {"groups": ["keepers", "readers"]}, by="other")
    assert (came.me["tenant"]["id"], came.roles) == ("beta-456", {"beta-456": "operator"})
    # The same person by way of the other provider: one account, each tenant's role by its own rule.
    both = await visit("bob", ANN | {"groups": ["keepers"]})
    assert both.me["user"]["id"] == came.me["user"]["id"]
    assert (both.roles, (await visit("bob", by="other")).me["tenant"]["id"]) == (
        {"acme-123": "admin"},
        "beta-456",
    )


async def test_an_account_of_the_same_email_stays_apart(visit, access, registry, acme):
    local = await access.people.add("ann@example.org", "The other Ann", PASSWORD, [(acme.no, Role.OWNER)])
    came = await visit()
    assert came.me["user"]["id"] != local.user_id
    assert (came.me["user"]["email"], came.roles) == ("ann@example.org", {"acme-123": "admin"})
    assert (await access.people.login("ann@example.org", PASSWORD, None)).profile.user.user_id == local.user_id


@corp(link_by_email=True)
@pytest.mark.parametrize(
    ("verified", "admin", "linked"),
    [(True, False, True), (False, False, False), (None, False, False), ("true", False, False), (True, True, False)],
)
async def test_an_account_is_linked_by_a_verified_email_where_that_is_allowed(
    visit, access, verified, admin, linked, registry, acme, beta
):
    local = await access.people.add("ann@example.org", "Ann", PASSWORD, [(beta.no, Role.OWNER)], platform_admin=admin)
    claims = {name: value for name, value in (ANN | {"email_verified": verified}).items() if value is not None}
    came = await visit(claims=claims | {"name": "Another name"})
    assert (came.me["user"]["id"] == local.user_id) == linked
    if linked:
        assert came.me["user"]["name"] == "Ann"
        # Roles follow the groups where the provider decides, which is also in beta.
        assert came.roles == {"acme-123": "admin"}
        assert ("link", "account", "done", {"by": "provider corp"}) in await audit(registry)
        assert (await access.people.login("ann@example.org", PASSWORD, None)).profile.user.user_id == local.user_id


@corp(admins="chiefs")
async def test_administrators_of_the_platform_are_a_group_where_that_is_said(visit, registry):
    assert (await visit(claims=ANN | {"groups": ["chiefs"]})).me["platformAdmin"]
    assert not (await visit()).me["platformAdmin"]
    assert (await visit(claims=ANN | {"groups": []})).next == "/sign-in?refused=no_role"
    said = [detail for *_, detail in await audit(registry) if "platformAdmin" in detail]
    assert [each["platformAdmin"] for each in said] == [True, False]


async def test_an_account_of_a_provider_has_no_password_to_set_or_to_show(visit, door, access, as_, acme, beta):
    local = await access.people.add("ann@example.org", "The other Ann", PASSWORD, [(beta.no, Role.OWNER)])
    came = await visit()
    session = dict(door.cookies)
    link = await door.post(f"/api/v1/users/{came.me['user']['id']}/reset", headers=await as_("owner"))
    assert link.status_code == 409
    # Not even with the password of somebody who has the same e-mail.
    door.cookies.update(session)
    body = {"currentPassword": PASSWORD, "newPassword": "another horse battery"}
    assert (await door.post("/api/v1/auth/password", json=body, headers=OWN)).status_code == 401
    assert (await door.post("/api/v1/me/second-factor", json={"password": PASSWORD}, headers=OWN)).status_code == 401
    token, *_ = await access.links.invite(acme, "ann@example.org", Role.OWNER)
    assert (await door.post("/api/v1/me/invitations", json={"token": token}, headers=OWN)).status_code == 403
    assert (await access.people.login("ann@example.org", PASSWORD, None)).profile.user.user_id == local.user_id


async def test_what_is_kept_of_a_sign_in_is_sealed(visit, door, registry, access, tmp_path):
    came = await visit()
    family = (await access.people.by_session(door.cookies["tslice_session"])).user.family
    origin = await registry.signing_in.identities.origin(came.me["user"]["id"], family)
    token = access.oidc._tokens.open(origin.sealed, family)
    assert token.count(".") == 2
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert "secret of tests" not in repr(access.oidc.providers)
