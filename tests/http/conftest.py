"""The HTTP door over a real registry and empty telemetry, and the whole platform, called within the process."""

import asyncio
import dataclasses
import itertools
import json
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx2
import psycopg
import pytest
import pytest_asyncio
from deploy.local.postgres import install_on
from sqlalchemy import text
from tests.http.walls import KINDS, open_distributed

from telemetry_slice.engines.folder.secrets import ensure_secrets
from telemetry_slice.engines.inprocess import LocalCache
from telemetry_slice.engines.sql.fleet import SqlFleetTelemetry
from telemetry_slice.engines.sql.migrate import upgrade
from telemetry_slice.engines.sql.readers import Readers
from telemetry_slice.engines.sql.reads import SqlTelemetry
from telemetry_slice.engines.sqlite.registry import open_database
from telemetry_slice.flow.access import console_token, new_signing_key
from telemetry_slice.flow.access.tokens import Signer
from telemetry_slice.flow.audit import Auditor
from telemetry_slice.flow.fleet import Fleet
from telemetry_slice.flow.query import Query
from telemetry_slice.http.app import create_app
from telemetry_slice.http.services import Services
from telemetry_slice.model.tenancy import Allowance, KeyKind, Limits, Role, Scope
from telemetry_slice.model.times import rfc3339
from telemetry_slice.ports.accounts import Account
from telemetry_slice.runtime import build_embedded
from telemetry_slice.runtime.distributed import build_api, build_worker
from telemetry_slice.runtime.embedded import shared_only
from telemetry_slice.runtime.panels import panels_over
from telemetry_slice.runtime.placing import make_tenant_schema
from telemetry_slice.settings import Settings

ORIGIN = "http://slice.example"


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
        "audit": registry.audit,
        "auditor": Auditor(registry.audit),
        "erasures": registry.erasures,
        "clock": clock,
        "allowance": Allowance(Limits(100, 1_000, 2_000, 20_000), 100_000, 50_000, None),
        "cursor_secret": b"cursors",
        "version": "0.0",
        "query": Query(SqlTelemetry(readers), registry.devices, clock, b"cursors", cache),
        "dashboards": registry.dashboards,
        "fleet": Fleet(registry.devices, SqlFleetTelemetry(readers), clock, cache),
        "place": shared_only,
        "devices_changed": lambda tenant: None,
    }
    parts["panels"] = panels_over(parts["query"], clock)
    # What these tests do not reach is not put together.
    yield Services(**{field.name: parts.get(field.name) for field in dataclasses.fields(Services)})
    readers.close()


@pytest.fixture
def app(services):
    return create_app(services)


@pytest.fixture
async def door(app):
    """A client without credentials."""
    async with called(app) as client:
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


# ------------------------------------------------------------------------------------ the whole platform, in process
class Door:
    """A caller: a client and the headers of one credential."""

    def __init__(self, client, **headers):
        self.client = client
        self.headers = headers

    def _with(self, more):
        return {**more, "headers": {**self.headers, **more.get("headers", {})}}

    async def get(self, path, **more):
        return await self.client.get(path, **self._with(more))

    async def post(self, path, **more):
        return await self.client.post(path, **self._with(more))

    async def call(self, method, path, **more):
        return await self.client.request(method, path, **self._with(more))

    async def send(self, events, version=1, **headers):
        """Telemetry as JSON."""
        return await self.post(f"/api/v{version}/telemetry", json=events, headers=headers)

    async def made(self, path, body):
        """What a POST has created."""
        answer = await self.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def books(self):
        answer = await self.get("/api/v1/books")
        assert answer.status_code == 200, answer.text
        return answer.json()


class Socket:
    """One WebSocket handshake and what follows it, spoken to the application directly."""

    def __init__(self, app, headers, query=""):
        raw = [(name.lower().encode(), value.encode()) for name, value in {"Host": "slice.example", **headers}.items()]
        self.scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": "/api/v1/live",
            "raw_path": b"/api/v1/live",
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": ("127.0.0.1", 1),
            "server": ("slice.example", 80),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.app = app
        self.incoming = asyncio.Queue()
        self.sent = asyncio.Queue()

    async def __aenter__(self):
        self.incoming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(self.app(self.scope, self.incoming.get, self.sent.put))
        first = await asyncio.wait_for(self.sent.get(), 10)
        self.status = 101 if first["type"] == "websocket.accept" else first.get("status", 403)
        return self

    async def __aexit__(self, *_):
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.task, 10)

    def say(self, message):
        self.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def _frame(self, wanted):
        async with asyncio.timeout(10):
            while not wanted(frame := json.loads((await self.sent.get())["text"])):
                pass
            return frame

    async def frame(self, kind):
        """The next frame of a kind."""
        return await self._frame(lambda frame: frame["kind"] == kind)

    async def answer(self):
        """The next frame that answers what was said."""
        return await self._frame(lambda frame: frame["kind"] == "refused" or "id" in frame)


class House:
    """A started platform with everything in it, and doors to it."""

    def __init__(self, platform, folder, client):
        self.platform = platform
        self.folder = folder
        self.client = client
        self.nobody = Door(client)
        self._count = itertools.count(1)

    @property
    def gate(self):
        app = self.platform.app
        while not hasattr(app, "_gate"):
            app = app._app
        return app._gate

    def key(self, key):
        return Door(self.client, Authorization=f"Bearer {key}")

    def watch(self, headers, query=""):
        return Socket(self.platform.app, headers, query)

    def console(self, tenant_id=None):
        secrets = ensure_secrets(self.folder, new_signing_key)
        token = console_token(secrets.signing_key, time.time_ns() // 10**9, tenant_id)
        return Door(self.client, Authorization=f"Bearer {token}")

    async def tenant(self, tenant_id=None, **settings):
        """A new tenant: its id, and doors of its console, of a gateway and of a service key with every scope."""
        tenant_id = tenant_id or f"tenant-{next(self._count)}"
        await self.console().made("/api/v1/tenants", {"tenantId": tenant_id, "name": tenant_id.title(), **settings})
        console = self.console(tenant_id)
        gateway = await console.made("/api/v1/keys", {"kind": "gateway", "name": "gateway"})
        scopes = ["read", "ingest", "admin"]
        service = await console.made("/api/v1/keys", {"kind": "service", "name": "service", "scopes": scopes})
        return SimpleNamespace(
            id=tenant_id, console=console, gateway=self.key(gateway["key"]), service=self.key(service["key"])
        )

    async def settled_books(self, door):
        """The books once nothing is in flight."""
        async with asyncio.timeout(10):
            while (books := await door.books())["inFlight"]:
                await asyncio.sleep(0.01)
        return books


def called(app):
    """A client that calls `app` without a socket."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN)


@asynccontextmanager
async def open_house(folder, **settings):
    """The embedded platform over an empty folder, its writer a real process, called without a socket."""
    platform = build_embedded(Settings(data=folder, **settings))
    try:
        await platform.start()
        async with called(platform.app) as client:
            yield House(platform, folder, client)
    finally:
        await platform.stop()


@asynccontextmanager
async def open_distributed_house(folder, postgres, database, **settings):
    """The same on PostgreSQL, JetStream and Valkey; perhaps without one of the walls between tenants (`walls`)."""
    async with open_distributed(folder, postgres, database, **UNLIMITED, **settings) as (platform, client):
        yield House(platform, folder, client)


class PlacedHouse(House):
    """One of a distributed installation; its tenants take turns between the placements."""

    def __init__(self, platform, settings, client):
        super().__init__(platform, settings.data, client)
        self.settings = settings
        self._placements = itertools.cycle(("schema", "database", "shared"))
        self._letters = itertools.count(1_000, 1_000)

    async def tenant(self, tenant_id=None, **settings):
        tenant_id = tenant_id or f"tenant-{next(self._count)}"
        placement = next(self._placements)
        if placement == "schema":
            await asyncio.to_thread(make_tenant_schema, self.settings, tenant_id)
        database = {"database": "one"} if placement == "database" else {}
        await asyncio.to_thread(self._tell_letters_apart, placement, tenant_id)
        return await super().tenant(tenant_id, placement=placement, **database, **settings)

    def _tell_letters_apart(self, placement, tenant_id):
        """Each placement numbers its letters from 1: here a foreign number must not be one's own by chance."""
        schema, url = "telemetry", self.settings.database_migration_url
        if placement == "schema":
            schema = f"tenant_{tenant_id}"
        elif placement == "database":
            url = self.settings.placement_databases["one"].migration_url
        with psycopg.connect(url, options="-c role=tslice_owner") as owner:
            sequence = f'"{schema}".dead_letters_id_seq'
            owner.execute("SELECT setval(%s, greatest(%s, nextval(%s)))", (sequence, next(self._letters), sequence))


@asynccontextmanager
async def open_placed_house(folder, postgres, nats, valkey, **settings):
    """An API and a worker of a distributed installation over real servers, called without a socket."""
    urls = await asyncio.to_thread(install_on, postgres, "placed_house")
    own = await asyncio.to_thread(install_on, postgres, "placed_house_one", placement=True)
    told = Settings(
        data=folder,
        database_url=urls.api_url,
        database_writer_url=urls.writer_url,
        database_migration_url=urls.migration_url,
        placement_databases={
            "one": {
                "url": own.api_url,
                "writer_url": own.writer_url,
                "migration_url": own.migration_url,
                "queue_bytes": 16 << 20,
            }
        },
        queue_url=nats.url,
        queue_monitor_url=nats.monitor_url,
        queue_bytes=16 << 20,
        redis_url=valkey.url,
        **settings,
    )
    platform, worker = build_api(told), build_worker(told)
    try:
        await worker.start()
        await platform.start()
        async with called(platform.app) as client:
            yield PlacedHouse(platform, told, client)
    finally:
        await platform.stop()
        await worker.stop()


UNLIMITED = {"limit_key_per_second": 0, "limit_tenant_per_second": 0, "limit_global_per_second": 0}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(request, tmp_path_factory):
    """One platform for all tests of a module, which then share its event loop (`loop_scope="module"`): embedded, or
    where a module asks for it, distributed: with its tenants in every placement, or perhaps without one of the walls.
    """
    folder, kind = tmp_path_factory.mktemp("house"), getattr(request, "param", "embedded")
    if kind == "embedded":
        opening = open_house(folder, **UNLIMITED)
    elif kind == "placed":
        servers = [request.getfixturevalue(name) for name in ("postgres_server", "nats_server", "valkey")]
        opening = open_placed_house(folder, *servers, **UNLIMITED)
    else:
        postgres = request.getfixturevalue("postgres_server")
        opening = open_distributed_house(folder, postgres, f"house_{list(KINDS).index(kind)}", **KINDS[kind])
    async with opening as opened:
        yield opened


@pytest.fixture
def house_without_row_security(tmp_path, postgres_server):
    """A distributed platform of a test's own: `async with house_without_row_security as house`."""
    return open_distributed_house(tmp_path, postgres_server, "house_open", row_security=False)


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
