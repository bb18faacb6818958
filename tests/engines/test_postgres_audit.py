"""The audit on PostgreSQL: what its rights and walls let the API do, from the catalog and by trying."""

from dataclasses import replace

import psycopg
import pytest
from tests.contracts.test_audit import ENTRY

from telemetry_slice.engines.postgres.registry import open_registry
from telemetry_slice.engines.postgres.roles import API, WRITER
from telemetry_slice.model.audit import INSTALLATION

EVERY_RIGHT = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
FORBIDDEN = [
    "UPDATE audit SET action = 'x'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "UPDATE audit_heads SET sequence = 0",
    "INSERT INTO audit_heads VALUES (0, 0, '')",
    "DELETE FROM audit_heads",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "ALTER TABLE audit NO FORCE ROW LEVEL SECURITY",
    "DROP TABLE audit",
]


@pytest.fixture
def registry(postgres, clock):
    opened = open_registry(postgres.api_url, clock)
    yield opened
    opened.close()


def rights(superuser, role, table):
    return {
        right
        for right in EVERY_RIGHT
        if superuser.execute("SELECT has_table_privilege(%s, %s, %s)", (role, f"registry.{table}", right)).fetchone()[0]
    }


def test_the_api_reads_and_appends_and_the_writer_nothing(superuser):
    assert rights(superuser, API, "audit") == {"SELECT", "INSERT"}
    assert rights(superuser, API, "audit_heads") == {"SELECT"}
    for table in ("audit", "audit_heads"):
        assert rights(superuser, WRITER, table) == set()
        owner = superuser.execute("SELECT tableowner FROM pg_tables WHERE tablename = %s", (table,)).fetchone()
        assert owner == ("tslice_owner",)
    # The negative control: a right too many is seen.
    with superuser.transaction(force_rollback=True):
        superuser.execute("GRANT UPDATE ON registry.audit TO tslice_api")
        assert rights(superuser, API, "audit") == {"SELECT", "INSERT", "UPDATE"}


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_api_can_do_nothing_else(registry, postgres, statement):
    await registry.audit.append(INSTALLATION, ENTRY)
    with psycopg.connect(postgres.api_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


async def test_a_statement_that_forgets_its_filter_sees_its_own_chain_only(registry, postgres, superuser):
    tenants = [await registry.tenants.create(f"audited-{n}", "x") for n in range(2)]
    for chain in (INSTALLATION, *(tenant.no for tenant in tenants)):
        await registry.audit.append(chain, replace(ENTRY, target=f"of {chain}"))
    for chain in (INSTALLATION, *(tenant.no for tenant in tenants)):
        with psycopg.connect(postgres.api_url) as connection:
            connection.execute("SELECT set_config('app.tenant', %s, true)", ("" if chain == 0 else str(chain),))
            for table in ("audit", "audit_heads"):
                assert connection.execute(f"SELECT DISTINCT tenant_no FROM {table}").fetchall() == [(chain,)]
            # Nor can one write into the chain of another.
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                connection.execute(
                    "INSERT INTO audit SELECT 999, sequence, at_us, actor_kind, actor_id, actor_name, action, resource,"
                    " target, tenant_id, address, agent, outcome, detail, hash FROM audit LIMIT 1"
                )
    assert superuser.execute("SELECT count(DISTINCT tenant_no) >= 3 FROM registry.audit").fetchone() == (True,)


async def test_chains_do_not_wait_for_one_another(registry, postgres):
    """While one chain is held, another is appended to; the same one waits, and is not forked."""
    first, second = [await registry.tenants.create(f"apart-{n}", "x") for n in range(2)]
    await registry.audit.append(first.no, ENTRY)
    with psycopg.connect(postgres.api_url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(1129270612, %s)", (first.no,))
        assert (await registry.audit.append(second.no, ENTRY)).sequence == 1
        with psycopg.connect(postgres.api_url) as waiter, pytest.raises(psycopg.errors.LockNotAvailable):
            waiter.execute("SET lock_timeout = '50ms'")
            waiter.execute("SELECT pg_advisory_xact_lock(1129270612, %s)", (first.no,))
    assert (await registry.audit.append(first.no, ENTRY)).sequence == 2
