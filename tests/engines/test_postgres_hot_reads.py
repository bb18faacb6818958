"""What is read all day, behind the walls: by index, at hardly any cost, and never another tenant's."""

import asyncio
import random
import re
from types import SimpleNamespace

import psycopg
import pytest
from deploy.local.postgres import install_on
from psycopg.sql import SQL, Literal
from sqlalchemy import event

from telemetry_slice.engines.postgres.reads import open_reading, readers_over
from telemetry_slice.engines.postgres.registry import open_registry
from telemetry_slice.engines.sql.fleet import SqlFleetTelemetry
from telemetry_slice.engines.sql.letters import LetterReads
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.model.events import Kind
from telemetry_slice.model.series import SeriesType, TimeRange

DATABASE = "hot_reads"
TENANTS = 50
DEVICES = 200
"""Of each tenant."""
READINGS = 100
"""Of each of the first few devices of each tenant."""
NOW_US = 1_790_000_000_000_000
SPAN = TimeRange(NOW_US, NOW_US + 1_000_000)
TEMPERATURE = SeriesType("temperature", "C", Kind.NUMBER)

# A tenant's number is in everything that it owns.
FILL = f"""
    INSERT INTO registry.tenants SELECT t, 'tenant-' || t, 'T', true, NULL, NULL, NULL, NULL, 1
        FROM generate_series(1, {TENANTS}) t;
    INSERT INTO registry.devices SELECT (t - 1) * {DEVICES} + d, t, 'device-' || d, t, t, t, d, NULL
        FROM generate_series(1, {TENANTS}) t, generate_series(1, {DEVICES}) d;
    INSERT INTO registry.device_tags SELECT device_no, 0, tenant_no FROM registry.devices;
    INSERT INTO registry.keys
        SELECT 'key-' || device_no, tenant_no, device_no, 'device', tenant_no, '', '', '', 1, NULL, NULL, NULL
        FROM registry.devices;
    INSERT INTO registry.accounts SELECT 'user-' || t, t, 'user-' || t, t, '', false, 1
        FROM generate_series(1, {TENANTS}) t;
    INSERT INTO registry.memberships SELECT 'user-' || t, t, 'owner' FROM generate_series(1, {TENANTS}) t;
    INSERT INTO telemetry.series (series_id, tenant_no, device_no, kind, type, unit) OVERRIDING SYSTEM VALUE
        SELECT device_no, tenant_no, device_no, 0, 'temperature', 'C' FROM registry.devices;
    INSERT INTO telemetry.telemetry_events
        SELECT {NOW_US} + n, 1, 1, s.tenant_no, s.tenant_no, s.series_id, gen_random_uuid(), NULL, s.tenant_no
        FROM telemetry.series s, generate_series(1, {READINGS}) n WHERE s.device_no % {DEVICES} BETWEEN 1 AND 5;
    INSERT INTO telemetry.dead_letters
        (tenant_no, event_key, meaning, reason, detail, device_id, received_us, body, state)
        SELECT t, gen_random_uuid(), n, 'clock', t, t, 1, '{{}}', 'dead'
        FROM generate_series(1, {TENANTS}) t, generate_series(1, 100) n;
    ANALYZE
"""


def device_of(tenant):
    return (tenant - 1) * DEVICES + 1


@pytest.fixture(scope="module")
def urls(postgres_server):
    installed = install_on(postgres_server, DATABASE)
    with psycopg.connect(postgres_server.url_of("postgres", postgres_server.password, DATABASE)) as superuser:
        for statement in FILL.split(";"):
            superuser.execute(statement)
    return installed


@pytest.fixture
def reads(urls, clock):
    """Everything that reads, over two connections each."""
    engine = open_reading(urls.api_url, threads=2)
    readers = readers_over(engine, threads=2)
    registry = open_registry(urls.api_url, clock)
    yield SimpleNamespace(
        engines=(engine, registry.database.reader),
        registry=registry,
        telemetry=SqlTelemetry(readers),
        fleet=SqlFleetTelemetry(readers),
        letters=LetterReads(readers),
    )
    readers.close()
    registry.close()
    engine.dispose()


INDEX_LOOKUP = 8.4
"""What the planner reckons for one row by its primary key."""
PAGE = {"query": None, "tag": None, "location": None, "sort": "deviceId", "descending": False, "after": None}
HOT = {
    "page of readings": lambda reads, tenant: reads.telemetry.readings(
        tenant, device_of(tenant), SPAN, types=["temperature"], after=None, descending=True, limit=20
    ),
    "whole events": lambda reads, tenant: reads.telemetry.whole_events(
        tenant, device_of(tenant), SPAN, after=None, descending=False, limit=20
    ),
    "types": lambda reads, tenant: reads.telemetry.types(tenant, device_of(tenant)),
    "buckets": lambda reads, tenant: reads.telemetry.buckets(tenant, device_of(tenant), TEMPERATURE, SPAN, 1_000),
    "last values": lambda reads, tenant: reads.telemetry.last_values(tenant, [device_of(tenant)]),
    "heard": lambda reads, tenant: reads.fleet.heard(tenant),
    "sparklines": lambda reads, tenant: reads.fleet.sparklines(tenant, [device_of(tenant)], SPAN, 10),
    "roster": lambda reads, tenant: reads.registry.devices.roster(tenant),
    "dead letters": lambda reads, tenant: reads.letters.list(tenant, reason=None, after=None, limit=20),
    "devices by id": lambda reads, tenant: reads.registry.devices.resolve(tenant, ["device-1"]),
    "page of devices": lambda reads, tenant: reads.registry.devices.page(tenant, **PAGE, limit=20),
    "keys of a device": lambda reads, tenant: reads.registry.keys.list(tenant, "device-1"),
}
ALL = HOT | {"people": lambda reads, tenant: reads.registry.accounts.of_tenant(tenant)}


async def statements_of(reads, read):
    """The statements that a read for tenant 7 sends, each with its parameters."""
    sent = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "set_config" not in statement:
            sent.append((statement, dict(parameters)))

    for engine in reads.engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        assert await read(reads, 7)
    finally:
        for engine in reads.engines:
            event.remove(engine, "before_cursor_execute", note)
    return sent


def generic_plan(connection, statement, parameters):
    """The plan for any values of the parameters, as a statement gets that is sent often."""
    names = list(parameters)
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
    connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    connection.execute("PREPARE asked AS " + numbered)
    values = SQL(", ").join(map(Literal, parameters.values()))
    return connection.execute(SQL("EXPLAIN (FORMAT JSON) EXECUTE asked({})").format(values)).fetchone()[0][0]["Plan"]


def steps(plan):
    """Every step of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from steps(inner)


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_read_seeks_behind_the_walls_and_pays_little_for_them(reads, urls, postgres_server, name):
    sent = await statements_of(reads, HOT[name])
    superuser = postgres_server.url_of("postgres", postgres_server.password, DATABASE)
    for statement, parameters in sent:
        plans = {}
        for who, url in (("behind", urls.api_url), ("without", superuser)):
            with psycopg.connect(url) as connection:
                connection.execute("SET LOCAL search_path = registry, telemetry")
                connection.execute("SELECT set_config('app.tenant', '7', true)")
                plans[who] = generic_plan(connection, statement, parameters)
        costs = {who: plan["Total Cost"] for who, plan in plans.items()}
        print(name, costs, statement.split()[:2])
        scanned = {step["Relation Name"] for step in steps(plans["behind"]) if step["Node Type"] == "Seq Scan"}
        # All fifty are on one page.
        assert scanned <= {"tenants"}, (statement, plans)
        allowed = 1.1 * costs["without"]
        if "FROM device_tags" in statement and "FROM devices" not in statement:
            # Tags have no tenant of their own: the device of each is looked up.
            allowed += INDEX_LOOKUP * 20
        elif "JOIN device_tags" in statement:
            # The same for every device of the tenant.
            allowed += (INDEX_LOOKUP + 1) * DEVICES
        assert costs["behind"] <= allowed, (statement, plans)


def owners(answer):
    """Whose rows an answer holds: each says it in one of its texts."""
    return set(re.findall(r"(?:text|event_id|label|name|detail|email)='(\d+)'", repr(answer)))


async def test_fifty_tenants_over_two_connections_see_their_own_only(reads, seed):
    """Every kind of read, of all tenants at once, in random order over the same connections."""
    rnd = random.Random(seed)
    asked = [(name, tenant) for name in ALL for tenant in range(1, TENANTS + 1)] * 2
    rnd.shuffle(asked)
    # Not more than a slow machine answers before the deadline of a read.
    at_once = asyncio.Semaphore(100)

    async def answered(name, tenant):
        async with at_once:
            return await ALL[name](reads, tenant)

    answers = await asyncio.gather(*(answered(name, tenant) for name, tenant in asked))
    for (name, tenant), answer in zip(asked, answers, strict=True):
        assert answer, (name, tenant)
        assert owners(answer) <= {str(tenant)}, (name, tenant, answer)
    assert {name for (name, _), answer in zip(asked, answers, strict=True) if owners(answer)} >= {
        "page of readings", "dead letters", "page of devices", "roster", "keys of a device", "people"
    }  # fmt: skip
