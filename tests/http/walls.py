"""The distributed platform within one process, with one of its two walls between tenants taken down, or both."""

import re
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from unittest.mock import patch

import httpx2
import psycopg
from deploy.local.nats import NatsServer
from deploy.local.postgres import install_on
from deploy.local.valkey import Valkey

from telemetry_slice.runtime.distributed import build_api, build_worker
from telemetry_slice.settings import Settings

KINDS = {
    "both walls": {},
    "row security alone": {"filters": False},
    "filters alone": {"row_security": False},
}
EVERYWHERE = ("embedded", "placed", *KINDS)
"""The platforms of `house`: the embedded one, a distributed one with tenants in every placement, and `KINDS`."""
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


@asynccontextmanager
async def open_distributed(folder, postgres, database, *, filters=True, row_security=True, **settings):
    """An API process and a writer, both here, on servers and in a database of their own; the platform and a client."""
    urls = install_on(postgres, database)
    async with AsyncExitStack() as opened:
        nats = opened.enter_context(NatsServer(folder / "queue"))
        valkey = opened.enter_context(Valkey())
        told = Settings(
            data=folder,
            database_url=urls.api_url,
            database_writer_url=urls.writer_url,
            queue_url=nats.url,
            queue_monitor_url=nats.monitor_url,
            redis_url=valkey.url,
            **settings,
        )
        platform, worker = build_api(told), build_worker(told)
        for part in (worker, platform):
            opened.push_async_callback(part.stop)
            await part.start()
        if not row_security:
            opened.enter_context(without_row_security(postgres.url_of("postgres", postgres.password, database)))
        forgetful = None if filters else opened.enter_context(without_filters())
        transport = httpx2.ASGITransport(app=platform.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://slice.example") as client:
            yield platform, client
        assert forgetful is None or len(forgetful) > 10, forgetful
