"""Row-level security: the second wall between tenants stands where the first is missing."""

import psycopg
import pytest
from sqlalchemy import select

from telemetry_slice.engines.postgres.roles import API, MIGRATION, OWNER, WRITER
from telemetry_slice.engines.sql.telemetry_tables import dead_letters, series, series_latest, telemetry_events
from telemetry_slice.model.events import TenantNo

NOW_US = 1_790_000_000_000_000
SERVING = (API, WRITER)
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

# Tables of the schema that hold rows of tenants; partitions apart, which nobody may touch directly.
OF_TENANTS = """
    SELECT c.oid, c.relname, c.relrowsecurity AND c.relforcerowsecurity
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_no'
    WHERE c.relnamespace = 'telemetry'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
"""


def names(rows):
    return [row[0] for row in rows]


def unwalled(superuser):
    """Tables with rows of tenants that lack a forced wall, or a policy of a serving role for all commands."""
    lacking = set()
    for oid, name, forced in superuser.execute(OF_TENANTS).fetchall():
        policies = superuser.execute(
            "SELECT r.rolname, p.polcmd, p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL FROM pg_policy p"
            " JOIN pg_roles r ON r.oid = ANY (p.polroles) WHERE p.polrelid = %s AND p.polpermissive",
            (oid,),
        ).fetchall()
        whole = {role for role, command, both in policies if command == "*" and both}
        if not forced or not whole.issuperset(SERVING):
            lacking.add(name)
    return lacking


def test_every_table_of_tenants_is_behind_a_forced_wall(superuser):
    assert len(superuser.execute(OF_TENANTS).fetchall()) >= 8
    assert unwalled(superuser) == set()


def test_a_table_without_its_wall_is_seen(superuser):
    with superuser.transaction(force_rollback=True):
        superuser.execute("CREATE TABLE forgotten (tenant_no integer)")
        superuser.execute("ALTER TABLE series NO FORCE ROW LEVEL SECURITY")
        superuser.execute("DROP POLICY writer ON dead_letters")
        assert unwalled(superuser) == {"forgotten", "series", "dead_letters"}


def test_nobody_who_serves_may_touch_a_partition(superuser):
    partitions = superuser.execute(
        "SELECT oid FROM pg_class WHERE relnamespace = 'telemetry'::regnamespace AND relispartition"
    ).fetchall()
    assert len(partitions) > 10
    for role in SERVING:
        for right in RIGHTS:
            assert not any(
                superuser.execute("SELECT has_table_privilege(%s, %s, %s)", (role, part, right)).fetchone()[0]
                for (part,) in partitions
            )


def test_no_serving_role_can_pass_the_wall(superuser):
    rows = superuser.execute(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname = ANY (%s)",
        ([OWNER, MIGRATION, API, WRITER],),
    ).fetchall()
    assert sorted(rows) == [
        (API, False, False, False, True),
        (MIGRATION, False, False, False, True),
        (OWNER, False, False, False, False),
        (WRITER, False, False, False, True),
    ]
    owned = superuser.execute(
        "SELECT count(*) FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid"
        " WHERE d.deptype = 'o' AND r.rolname = ANY (%s)",
        (list(SERVING),),
    ).fetchone()
    assert owned == (0,)
    for role in SERVING:
        for other in (OWNER, MIGRATION):
            assert not superuser.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", (role, other)).fetchone()[0]


def test_what_runs_as_its_owner_has_a_fixed_search_path_and_chosen_callers(superuser):
    functions = superuser.execute(
        "SELECT proname, coalesce(array_to_string(proconfig, ' '), ''), has_function_privilege('tslice_api', oid,"
        " 'EXECUTE') FROM pg_proc WHERE pronamespace = 'telemetry'::regnamespace AND prosecdef"
    ).fetchall()
    assert len(functions) == 6
    assert all("search_path=telemetry, pg_temp" in settings and not granted for _, settings, granted in functions)
    views = superuser.execute(
        "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'telemetry'::regnamespace AND relkind = 'v'"
    ).fetchall()
    assert views == [("series_latest", ["security_invoker=true"])]


@pytest.fixture
async def two_tenants(store, gate, tenant, other):
    """Events and dead letters of two tenants."""
    for owner in (tenant, other):
        message = gate.message((owner, [("a", NOW_US, owner), ("b", NOW_US, owner)]))
        message.batches[0].doomed[1] = "clock"
        await store.append([message])
    return tenant, other


@pytest.mark.parametrize("table", [telemetry_events, series, series_latest, dead_letters], ids=lambda table: table.name)
async def test_a_read_that_forgets_its_filter_sees_its_own_tenant_only(readers, superuser, two_tenants, table):
    tenant, other = two_tenants
    unfiltered = select(table.c.tenant_no)
    for owner in two_tenants:
        seen = await readers.run(owner, lambda connection: connection.scalars(unfiltered).all())
        assert set(seen) == {owner}
    assert await readers.run(TenantNo(2**30), lambda connection: connection.scalars(unfiltered).all()) == []
    # Negative control: without the wall the same statement shows everything.
    everything = names(superuser.execute(f"SELECT tenant_no FROM {table.name}"))
    assert {tenant, other} <= set(everything)


async def test_without_the_wall_the_same_statement_leaks(superuser, two_tenants):
    tenant, other = two_tenants
    with superuser.transaction(force_rollback=True):
        superuser.execute("ALTER TABLE telemetry_events DISABLE ROW LEVEL SECURITY")
        superuser.execute("SET LOCAL ROLE tslice_api")
        superuser.execute("SELECT set_config('app.tenant', %s, true)", (str(tenant),))
        assert {tenant, other} <= set(names(superuser.execute("SELECT tenant_no FROM telemetry_events")))


def test_a_transaction_without_a_tenant_sees_nothing(postgres, two_tenants):
    for url in (postgres.api_url, postgres.writer_url):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM telemetry_events").fetchone() == (0,)
            # An unset variable reads as empty, not as NULL, after its first use.
            connection.execute("SELECT set_config('app.tenant', '', true), set_config('app.tenants', '', true)")
            assert connection.execute("SELECT count(*) FROM telemetry_events").fetchone() == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO series (tenant_no, device_no, type, kind) VALUES ({other}, 1, 'x', 0)",
        "INSERT INTO event_ledger VALUES (0, {other}, 1, gen_random_uuid()) ON CONFLICT DO NOTHING",
        "INSERT INTO telemetry_events VALUES (1, 1, 1, NULL, {other}, 1, gen_random_uuid(), NULL, NULL)",
        "INSERT INTO book_totals VALUES ({other}, 0, 1, 'stored', '')",
    ],
)
def test_a_writer_cannot_write_for_a_tenant_outside_its_batch(postgres, two_tenants, statement):
    tenant, other = two_tenants
    with psycopg.connect(postgres.writer_url) as connection:
        connection.execute("SELECT set_config('app.tenants', %s, true)", (str(tenant),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.format(other=other))


@pytest.mark.parametrize("table", ["event_ledger", "telemetry_events", "dead_letters", "message_claims"])
def test_the_api_cannot_write_telemetry(postgres, two_tenants, table):
    with psycopg.connect(postgres.api_url) as connection:
        connection.execute("SELECT set_config('app.tenant', %s, true)", (str(two_tenants[0]),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"DELETE FROM {table}")
