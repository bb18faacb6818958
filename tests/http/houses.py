"""The whole platform called within the process: embedded, distributed, with either wall between tenants taken down."""

import asyncio
import itertools
import json
import re
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import httpx2
import psycopg
import pytest
from deploy.local.nats import NatsServer
from deploy.local.postgres import install_on
from deploy.local.valkey import Valkey

from telemetry_slice.engines.sqlite.secrets import ensure_secrets
from telemetry_slice.flow.access import console_token, new_signing_key
from telemetry_slice.runtime import build_embedded
from telemetry_slice.runtime.distributed import build_api, build_worker
from telemetry_slice.settings import Settings

ORIGIN = "http://slice.example"
UNLIMITED = {"limit_key_per_second": 0, "limit_tenant_per_second": 0, "limit_global_per_second": 0}


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

    async def frame(self, kind, seconds=10):
        async with asyncio.timeout(seconds):
            while True:
                frame = json.loads((await self.sent.get())["text"])
                if frame["kind"] == kind:
                    return frame


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


@asynccontextmanager
async def open_house(folder, **settings):
    """The embedded platform over an empty folder, its writer a real process, called without a socket."""
    platform = build_embedded(Settings(data=folder, **settings))
    try:
        await platform.start()
        transport = httpx2.ASGITransport(app=platform.app)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield House(platform, folder, client)
    finally:
        await platform.stop()


# ------------------------------------------------------------------------------------------------- the two walls
FILTER = re.compile(r"((?:\w+\.)?tenant_no) = (%\(\w+\)s(?:::\w+)?|%s)")
WALLED = (
    "SELECT oid::regclass::text FROM pg_class WHERE relrowsecurity"
    " AND relnamespace IN ('registry'::regnamespace, 'telemetry'::regnamespace)"
)


@contextmanager
def without_filters():
    """Let every statement of this process forget to ask for its tenant; which did, and how often."""
    forgetful = Counter()
    execute = psycopg.Cursor.execute

    def forgetting(cursor, query, *arguments, **more):
        if isinstance(query, str) and FILTER.search(query):
            forgetful[query] += 1
            query = FILTER.sub(r"(\1 = \2 OR true)", query)
        return execute(cursor, query, *arguments, **more)

    with patch.object(psycopg.Cursor, "execute", forgetting):
        yield forgetful


@contextmanager
def without_row_security(url):
    """Row-level security is switched off in a database; `url` signs in as a superuser."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = [name for (name,) in connection.execute(WALLED)]
        assert len(tables) > 10
        for name in tables:
            connection.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY")
        try:
            yield
        finally:
            for name in tables:
                connection.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")


# ---------------------------------------------------------------------------------------- the distributed platform
HOUSES = {
    "embedded": None,
    "row security alone": {"filters": False},
    "filters alone": {"row_security": False},
    "distributed": {},
}
# The embedded platform has filters alone, and what either wall holds both hold together.
_LONG = {"filters alone", "distributed"}
EVERY_HOUSE = [pytest.param(kind, marks=[pytest.mark.long] if kind in _LONG else []) for kind in HOUSES]


def open_any_house(kind, folder, request):
    """An embedded or a distributed house without quotas, perhaps without one of its walls."""
    walls = HOUSES[kind]
    if walls is None:
        return open_house(folder, **UNLIMITED)
    return open_distributed_house(folder, request, f"house_{list(HOUSES).index(kind)}", **walls)


@asynccontextmanager
async def open_distributed_house(folder, request, database, *, filters=True, row_security=True):
    """An API process and a writer, both here, over a database, a queue and a Valkey of their own."""
    postgres = request.getfixturevalue("postgres_server")
    urls = install_on(postgres, database)
    async with AsyncExitStack() as opened:
        nats = opened.enter_context(NatsServer(folder / "queue"))
        valkey = opened.enter_context(Valkey())
        settings = Settings(
            data=folder,
            database_url=urls.api_url,
            database_writer_url=urls.writer_url,
            queue_url=nats.url,
            queue_monitor_url=nats.monitor_url,
            redis_url=valkey.url,
            **UNLIMITED,
        )
        platform, worker = build_api(settings), build_worker(settings)
        for part in (worker, platform):
            opened.push_async_callback(part.stop)
            await part.start()
        if not row_security:
            opened.enter_context(without_row_security(postgres.url_of("postgres", postgres.password, database)))
        forgetful = None if filters else opened.enter_context(without_filters())
        transport = httpx2.ASGITransport(app=platform.app)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield House(platform, folder, client)
        assert forgetful is None or len(forgetful) > 10, forgetful
