"""Row-level security of the registry: devices, keys and people are hidden from whoever has not named their owner."""

from itertools import count

import psycopg
import pytest
from sqlalchemy import func, select, text

from telemetry_slice.engines.postgres.examine import OUTSIDE
from telemetry_slice.engines.postgres.registry import open_registry
from telemetry_slice.engines.postgres.roles import API, WRITER
from telemetry_slice.engines.sql.dashboard_tables import dashboard_links, dashboard_versions, dashboards
from telemetry_slice.engines.sql.enrolment_tables import enrolment_tokens
from telemetry_slice.engines.sql.identity_tables import identities, provided_sign_ins
from telemetry_slice.engines.sql.registry_tables import accounts, device_tags, devices, keys, memberships
from telemetry_slice.engines.sql.signing_in_tables import links, recovery_codes, second_factors, sign_ins
from telemetry_slice.model.dashboards import DashboardChange
from telemetry_slice.model.tenancy import KeyKind, Role
from telemetry_slice.ports.accounts import Account, Session, SessionKind
from telemetry_slice.ports.credentials import EnrolmentToken
from telemetry_slice.ports.dashboards import DashboardLinkRecord
from telemetry_slice.ports.identities import Identity, ProvidedSignIn
from telemetry_slice.ports.registry import KeyRecord
from telemetry_slice.ports.signing_in import Link, LinkKind

NUMBERS = count(1)
_FUNCTIONS = (
    "account_of_email",
    "any_account",
    "audit_chains",
    "dashboard_link",
    "drop_erased_schema",
    "enrolment_token",
    "identity_named",
    "keep_audit_head",
    "keys_expiring",
    "keys_named",
    "keys_under_other_peppers",
    "keys_whole",
    "link_named",
    "name_pepper",
    "provided_sign_ins_named",
    "second_factors_after",
    "touch_keys",
    "use_keys",
    "warn_keys",
)
WALLED = (
    accounts, dashboard_links, dashboard_versions, dashboards, device_tags, devices, enrolment_tokens, keys, links,
    memberships,
)  # fmt: skip
OF_PERSONS = (accounts, identities, memberships, provided_sign_ins, recovery_codes, second_factors, sign_ins)
NAMES = {
    accounts: "email",
    dashboard_links: "name",
    dashboard_versions: "name",
    dashboards: "dashboard_id",
    device_tags: "tag",
    devices: "label",
    enrolment_tokens: "name",
    keys: "name",
    links: "link_id",
    memberships: "user_id",
}
"""A column of each table that says whose the row is."""


@pytest.fixture
def registry(postgres, clock):
    opened = open_registry(postgres.api_url, clock)
    yield opened
    opened.close()


@pytest.fixture
async def two_tenants(registry):
    """Two tenants with one of everything, whose every text begins with the tenant's id."""
    owners, number = [], next(NUMBERS)
    for name in ("ann", "bob"):
        mark = f"{name}-{number}"
        tenant = await registry.tenants.create(mark, mark)
        device = await registry.devices.create(tenant.no, mark, label=mark, location=mark, tags=[mark])
        owned = (mark, KeyKind.DEVICE, tenant, device.no, device.id, mark)
        await registry.keys.add(KeyRecord(*owned, frozenset(), (), bytes(32), 1, None, None, None))
        await registry.accounts.add(
            Account(mark, mark, mark, "secret", platform_admin=False), [(tenant.no, Role.OWNER)]
        )
        await registry.sessions.add(
            Session(mark.encode(), SessionKind.BROWSER, mark, mark, mark, 1, 1 << 60, used=False)
        )
        invitation = Link(mark.encode(), mark, LinkKind.INVITATION, mark, tenant.no, Role.VIEWER, None, 1, 1 << 60)
        await registry.signing_in.links.add(invitation)
        given = (mark, tenant, bytes(32), mark, "", "", (), None, 1, 0, 1, 1 << 60, None, None)
        await registry.credentials.enrolment.add(EnrolmentToken(*given))
        await registry.dashboards.create(tenant.no, mark, DashboardChange(mark, Role.VIEWER, "{}", mark, 1))
        made = DashboardLinkRecord(mark, tenant, mark, bytes(32), mark, 1, mark, 1 << 60)
        assert await registry.credentials.dashboard_links.add(made)
        await registry.signing_in.second_factors.offer(mark, mark)
        await registry.signing_in.second_factors.confirm(mark, mark, 1, [bytes(32)])
        provided = registry.signing_in.identities
        await provided.link(Identity("https://provider.example", mark), mark, 1)
        await provided.remember(ProvidedSignIn(mark, mark, "provider", mark, "sealed"))
        owners.append(tenant)
    return owners


def unwalled(superuser):
    """Tables of the registry without a forced wall for the API."""
    return {
        name
        for (name,) in superuser.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'registry'::regnamespace"
            " AND c.relkind IN ('r', 'p', 'm') AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS ("
            " SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polwithcheck IS NOT NULL"
            " AND p.polroles = ARRAY[%s::regrole::oid]))",
            (API,),
        )
    }


def test_every_table_is_behind_a_forced_wall_or_outside_by_decision(superuser):
    assert unwalled(superuser) == set(OUTSIDE)


def test_a_table_without_its_wall_is_seen(superuser):
    with superuser.transaction(force_rollback=True):
        superuser.execute("CREATE TABLE registry.forgotten (device_no integer)")
        superuser.execute("ALTER TABLE registry.keys NO FORCE ROW LEVEL SECURITY")
        superuser.execute("DROP POLICY api ON registry.devices")
        assert unwalled(superuser) == {*OUTSIDE, "forgotten", "keys", "devices"}


def test_nothing_is_granted_to_everybody_and_the_registry_to_nobody_but_the_api(superuser):
    everybody = superuser.execute(
        "SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = 0"
        " AND c.relnamespace IN ('registry'::regnamespace, 'telemetry'::regnamespace)"
        " UNION ALL SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a WHERE a.grantee = 0"
        " AND n.nspname IN ('registry', 'telemetry', 'public')"
        # A function without a list may be called by everybody.
        " UNION ALL SELECT p.proname FROM pg_proc p WHERE has_function_privilege('public', p.oid, 'EXECUTE')"
        " AND p.pronamespace IN ('registry'::regnamespace, 'telemetry'::regnamespace)"
    ).fetchall()
    assert everybody == []
    assert not superuser.execute("SELECT has_schema_privilege(%s, 'registry', 'USAGE')", (WRITER,)).fetchone()[0]
    functions = superuser.execute(
        "SELECT p.proname, p.proconfig, p.proowner::regrole::text, has_function_privilege(%s, p.oid, 'EXECUTE')"
        " FROM pg_proc p WHERE p.pronamespace = 'registry'::regnamespace ORDER BY p.proname",
        (WRITER,),
    ).fetchall()
    fixed = ["search_path=registry, pg_temp"]
    assert functions == [(name, fixed, "tslice_owner", False) for name in _FUNCTIONS]


@pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
async def test_a_statement_that_forgets_its_filter_sees_its_own_tenant_only(registry, superuser, two_tenants, table):
    unfiltered = select(table.c[NAMES[table]])
    for owner in two_tenants:
        seen = await registry.database.read(lambda c: c.scalars(unfiltered).all(), tenant=owner.no)
        assert seen == [owner.id]
    assert await registry.database.read(lambda c: c.scalars(unfiltered).all()) == []
    # Negative control: without the wall the same statement shows everything.
    with superuser.transaction(force_rollback=True):
        superuser.execute(f"ALTER TABLE registry.{table.name} DISABLE ROW LEVEL SECURITY")
        superuser.execute("SET LOCAL ROLE tslice_api")
        superuser.execute("SELECT set_config('app.tenant', %s, true)", (str(two_tenants[0].no),))
        everything = superuser.execute(f"SELECT {NAMES[table]} FROM registry.{table.name}").fetchall()
        assert {owner.id for owner in two_tenants} <= {row[0] for row in everything}


async def test_a_person_sees_their_own_account_and_memberships_only(registry, two_tenants):
    for owner in two_tenants:
        for table in OF_PERSONS:
            seen = await registry.database.read(
                lambda c, of=table: c.scalars(select(of.c.user_id)).all(), user_id=owner.id
            )
            assert seen == [owner.id]
        assert await registry.database.read(lambda c: c.scalar(select(func.count()).select_from(sign_ins))) == 0
        for table in (devices, keys):
            counted = select(func.count()).select_from(table)
            assert await registry.database.read(lambda c, count=counted: c.scalar(count), user_id=owner.id) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO devices VALUES (DEFAULT, {other}, 'x', '', '', '', 1, NULL)",
        "INSERT INTO device_tags SELECT {device}, 9, 'mine'",
        "INSERT INTO keys VALUES ('x', {other}, NULL, 'gateway', '', '', '', '', 1, NULL, NULL, NULL)",
        "INSERT INTO memberships (user_id, tenant_no, role) VALUES ('{person}', {other}, 'owner')",
        "UPDATE devices SET tenant_no = {other}",
    ],
)
async def test_nothing_is_written_for_another_tenant(postgres, superuser, two_tenants, statement):
    mine, other = two_tenants
    device = superuser.execute("SELECT device_no FROM registry.devices WHERE tenant_no = %s", (other.no,)).fetchone()[0]
    with psycopg.connect(postgres.api_url) as connection:
        connection.execute("SELECT set_config('app.tenant', %s, true)", (str(mine.no),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(statement.format(other=other.no, device=device, person=mine.id))


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM memberships", "DELETE FROM keys", "UPDATE devices SET label = 'changed'", "DELETE FROM device_tags"],
)
async def test_a_change_that_forgets_its_filter_changes_its_own_only(postgres, two_tenants, statement):
    with psycopg.connect(postgres.api_url) as connection:
        connection.execute("SELECT set_config('app.tenant', %s, true)", (str(two_tenants[0].no),))
        assert connection.execute(statement).rowcount == 1
        connection.rollback()


async def test_a_tenant_cannot_change_the_accounts_of_its_members(postgres, two_tenants):
    with psycopg.connect(postgres.api_url) as connection:
        connection.execute("SELECT set_config('app.tenant', %s, true)", (str(two_tenants[0].no),))
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (1,)
        assert connection.execute("UPDATE accounts SET password = 'known'").rowcount == 0


async def test_what_is_looked_up_before_the_owner_is_known_gives_what_is_named(registry, two_tenants):
    mine, other = two_tenants
    found = await registry.keys.find_many([mine.id, other.id, "no such key"])
    assert {key: (record.tenant.id, record.device_id) for key, record in found.items()} == {
        owner.id: (owner.id, owner.id) for owner in two_tenants
    }
    assert await registry.keys.find_many([]) == {}
    await registry.keys.touch([(mine.id, 5, None), (other.id, 7, None), (mine.id, 6, None), ("no such key", 8, None)])
    found = await registry.keys.find_many([mine.id, other.id])
    assert [found[owner.id].last_used_us for owner in two_tenants] == [6, 7]
    account = await registry.accounts.by_email(other.id.upper())
    assert account.user_id == other.id
    provided = registry.signing_in.identities
    assert await provided.find(Identity("https://provider.example", other.id)) == other.id
    assert await provided.of_session("provider", other.id) == [(other.id, other.id)]


async def test_the_walls_of_a_transaction_end_with_it(registry, two_tenants):
    """The same pooled connection afterwards sees nothing."""
    database = registry.database
    for _ in range(8):
        assert (
            await database.read(lambda c: c.scalar(text("SELECT count(*) FROM devices")), tenant=two_tenants[0].no) == 1
        )
        assert await database.read(lambda c: c.scalar(text("SELECT count(*) FROM devices"))) == 0
