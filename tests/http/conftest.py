"""The HTTP door over a real registry and empty telemetry; `houses` has the whole platform."""

import dataclasses
import itertools
import sys
import time
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text
from tests.http.houses import ORIGIN, UNLIMITED, open_house

from telemetry_slice.engines.inprocess import LocalCache
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.flow.access import console_token
from telemetry_slice.flow.access.tokens import Signer
from telemetry_slice.flow.query import Query
from telemetry_slice.http.app import create_app
from telemetry_slice.http.services import Services
from telemetry_slice.model.tenancy import KeyKind, Role, Scope
from telemetry_slice.model.times import rfc3339
from telemetry_slice.ports.registry import Account


@pytest.fixture
def telemetry(tmp_path):
    """telemetry.db, migrated and empty."""
    database = open_database(tmp_path / "telemetry.db", name="telemetry")
    upgrade(database.writer, "telemetry")
    yield database
    database.close()


@pytest.fixture
def heard(telemetry):
    """Put a last value into the store as the writer would."""

    def put(tenant, device, *, received_us, number=21.5, of="temperature", unit="C"):
        with telemetry.writer.begin() as connection:
            series_id = connection.execute(
                text("INSERT INTO series (tenant_no, device_no, type, unit, kind) VALUES (:t, :d, :of, :unit, 0)"),
                {"t": tenant.no, "d": device.no, "of": of, "unit": unit},
            ).lastrowid
            connection.execute(
                text("INSERT INTO series_merged VALUES (:s, :t, :d, :at, :key, :number, NULL, :at)"),
                {
                    "s": series_id,
                    "t": tenant.no,
                    "d": device.no,
                    "at": received_us,
                    "key": bytes(16),
                    "number": number,
                },
            )

    return put


@pytest.fixture
def services(access, registry, clock, telemetry):
    readers = Readers(telemetry.reader)
    # By its clock every answer is old: what these tests store is read at once.
    cache = LocalCache(now_s=itertools.count(0, 1_000_000).__next__)
    parts = {
        "access": access,
        "tenants": registry.tenants,
        "devices": registry.devices,
        "keys": registry.keys,
        "accounts": registry.accounts,
        "clock": clock,
        "cursor_secret": b"cursors",
        "version": "0.0",
        "query": Query(SqlTelemetry(readers), registry.devices, clock, b"cursors", cache),
        "devices_changed": lambda tenant: None,
    }
    # What these tests do not reach is not put together.
    yield Services(**{field.name: parts.get(field.name) for field in dataclasses.fields(Services)})
    readers.close()


@pytest.fixture
def app(services):
    return create_app(services)


@pytest.fixture
async def door(app):
    """A client without credentials."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as client:
        yield client


@pytest.fixture
async def as_(access, registry, acme, beta, door, clock, signing_key):
    """Headers for a caller: a role, a kind of key, console, platform, or nobody; of acme, or of `tenant`."""

    async def headers(who, tenant=acme):
        if who == "nobody":
            return {}
        now_s = clock.us // 1_000_000
        if who in set(Role) or who == "platform":
            user_id = f"{who}-{tenant.id}"
            if await registry.accounts.by_id(user_id) is None:
                roles = [] if who == "platform" else [(tenant.no, Role(who))]
                account = Account(user_id, f"{user_id}@example.org", who, "no password", who == "platform")
                await registry.accounts.add(account, roles)
            return {"Authorization": f"Bearer {Signer(signing_key).sign(user_id, now_s, tenant_id=tenant.id)}"}
        if who in {"console", "console without tenant"}:
            chosen = tenant.id if who == "console" else None
            return {"Authorization": f"Bearer {console_token(signing_key, now_s, chosen)}"}
        if who == "device":
            device = (await registry.devices.register(tenant.no, ["the-device"]))["the-device"]
            _, token = await access.keys.issue(tenant, KeyKind.DEVICE, device=device)
        elif who == "gateway":
            _, token = await access.keys.issue(tenant, KeyKind.GATEWAY)
        else:
            scopes = frozenset(Scope(scope) for scope in who.split()[1:])
            _, token = await access.keys.issue(tenant, KeyKind.SERVICE, scopes=scopes)
        return {"X-API-Key": token}

    return headers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory):
    """One platform for all tests of a module, which then share its event loop (`loop_scope="module"`)."""
    async with open_house(tmp_path_factory.mktemp("house"), **UNLIMITED) as opened:
        yield opened


@pytest.fixture
def opened_house(tmp_path):
    """A platform of a test's own: `async with opened_house(max_dead_letters=3) as house`."""

    def open_one(**settings):
        return open_house(tmp_path, **UNLIMITED | settings)

    return open_one


@pytest.fixture(scope="session")
def event():
    """A valid v1 event, changed as told; None takes a field away."""
    count = itertools.count(1)

    def make(**changes):
        body = {
            "eventId": f"event-{next(count)}",
            "deviceId": "dev-1",
            "recordedAt": rfc3339(time.time_ns() // 1000),
            "type": "temperature",
            "value": 25.5,
            "unit": "C",
        }
        return {name: value for name, value in (body | changes).items() if value is not None}

    return make


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`tslice up` without quotas, as a process."""
    # Found by its folder, which pytest's importlib mode does not look through.
    sys.path.insert(0, str(Path(__file__).parent))
    from server_process import running

    with running(tmp_path_factory.mktemp("server")) as server:
        yield server
