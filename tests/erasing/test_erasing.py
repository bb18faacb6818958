"""Erasing a tenant: nothing of it is left anywhere, whatever ended it on the way, and its neighbour notices nothing."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from tests.moving.ends import DatabaseEnd, End, Running, answers
from tests.moving.life import NEIGHBOUR, TENANT, Gate, Life, Sent, live, values

from telemetry_slice.engines.postgres.migrate import make_schema
from telemetry_slice.engines.postgres.roles import schema_of
from telemetry_slice.engines.sql.erasures import SqlErasures
from telemetry_slice.flow.audit import verify
from telemetry_slice.model.audit import INSTALLATION, Actor, ActorKind
from telemetry_slice.model.dashboards import DashboardChange
from telemetry_slice.model.errors import Code, SliceError, UnavailableError
from telemetry_slice.model.placement import SHARED, Placement
from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.erasing import TELEMETRY_PARTS, Erasure
from telemetry_slice.ports.moving import MoveRefusedError
from telemetry_slice.runtime.moving import export_tenant

from .parts import erasing_in

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[2]
ACTOR = Actor(ActorKind.USER, "admin", "admin@example.org")
KEPT = {"audit", "audit_heads", "erasures"}
PLACES = {
    "sqlite": SHARED,
    "postgres": SHARED,
    "schema": Placement(schema=schema_of(TENANT)),
    "database": Placement(database="own"),
}


class Erased:
    """An installation whose tenant has lived, and is to be erased; its neighbour lives on."""

    def __init__(self, end: End, place: str, seed: int) -> None:
        self.end = end
        self.place = place
        self.seed = seed
        if isinstance(end, DatabaseEnd) and PLACES[place].schema:
            make_schema(end.urls.migration_url, schema_of(TENANT))
        self.life: Life = self.run(self._live)
        self.neighbour = self.run(self._neighbour)

    def run(self, work: Callable[[Running], Any]) -> Any:
        async def opened() -> Any:
            async with self.end.open() as running:
                return await work(running)

        return asyncio.run(opened())

    async def _live(self, running: Running) -> Life:
        life = await live(running, random.Random(self.seed), batches=12, placement=PLACES[self.place])
        registry, people = running.registry, running.access.people
        tenant = await registry.tenants.get(TENANT)
        neighbour = await registry.tenants.get(NEIGHBOUR)
        assert tenant is not None
        assert neighbour is not None
        self.no = tenant.no
        bob = await registry.accounts.by_email("bob@acme.example")
        assert bob is not None
        await registry.accounts.join(neighbour.no, bob.user_id, Role.VIEWER)
        self.session = (await people.login("bob@acme.example", life.password, "127.0.0.1")).token
        self.adas = (await people.login("ada@acme.example", life.password, "127.0.0.1")).token
        await running.access.links.invite(tenant, "carol@acme.example", Role.VIEWER)
        terms = {"name": "", "prefix": "", "location": "", "tags": (), "key_life_us": None, "max_uses": 5}
        await running.access.enrolment.create(tenant, **terms, expires_us=1 << 60)
        panels = DashboardChange("Hall", Role.VIEWER, "{}", "ada@acme.example", 1)
        await registry.dashboards.create(tenant.no, "wall", panels)
        made = await running.access.dashboard_links.create(tenant, "wall", name="", expires_us=1 << 60, by="ada")
        assert made is not None
        self.shared = made[1]
        await people.add("root@acme.example", "Root", life.password, [(tenant.no, Role.ADMIN)], platform_admin=True)
        return life

    async def _neighbour(self, running: Running) -> Any:
        return await answers(running, NEIGHBOUR, self.life.as_of_us, self.life.minutes, self.life.expired_us)

    def begin(self) -> Erasure:
        async def work(running: Running) -> Any:
            with pytest.raises(SliceError) as refused:
                await running.registry.erasures.begin(TENANT, ACTOR, time.time_ns() // 1000)
            assert refused.value.code == Code.CONFLICT
            await running.registry.tenants.suspend(TENANT, "they asked for it")
            begun = await running.registry.erasures.begin(TENANT, ACTOR, time.time_ns() // 1000)
            for token in self.life.tokens.values():
                with pytest.raises(SliceError):
                    await running.access.key(token, "127.0.0.1")
            with pytest.raises(SliceError):
                await running.access.bearer(self.shared, "127.0.0.1")
            with pytest.raises(SliceError, match="being erased"):
                await running.registry.tenants.suspend(TENANT, None)
            return begun

        begun: Erasure = self.run(work)
        return begun

    def erase(self, rounds: int = 1) -> None:
        async def work() -> None:
            async with erasing_in(self.end.settings) as erasing:
                for _ in range(rounds):
                    await erasing.round()

        asyncio.run(work())

    def killed(self, where: str) -> None:
        result = subprocess.run(
            [sys.executable, "-m", "tests.erasing.dies", self.end.settings.model_dump_json(), where],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            start_new_session=True,
        )
        assert result.returncode == -signal.SIGKILL, result.stderr

    @property
    def erasure(self) -> Erasure:
        async def work(running: Running) -> Any:
            return await running.registry.erasures.get(TENANT)

        found: Erasure = self.run(work)
        return found

    def left(self) -> dict[str, int]:
        """Every table of every schema and file that knows tenants, counted past all walls."""
        return {name: rows for name, rows in self._counted() if rows and name.rpartition(".")[2] not in KEPT}

    def _counted(self) -> list[tuple[str, int]]:
        counted = []
        if not isinstance(self.end, DatabaseEnd):
            for name in ("telemetry.db", "registry.db"):
                with closing(apsw.Connection(str(self.end.settings.data / name))) as connection:
                    tables: Any = connection.execute(
                        "SELECT m.name FROM sqlite_schema m, pragma_table_xinfo(m.name) c"
                        " WHERE m.type = 'table' AND c.name = 'tenant_no'"
                    ).fetchall()
                    assert len(tables) > 4
                    for (table,) in tables:
                        rows: Any = connection.execute(
                            f"SELECT count(*) FROM {table} WHERE tenant_no = ?", (self.no,)
                        ).fetchone()
                        counted.append((table, rows[0]))
            return counted
        for database in (self.end.database, f"{self.end.database}_own"):
            server = self.end.server
            with psycopg.connect(server.url_of("postgres", server.password, database)) as superuser:
                tables = superuser.execute(
                    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_no'"
                    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
                ).fetchall()
                assert len(tables) > 4
                for schema, table in tables:
                    found: Any = superuser.execute(
                        f'SELECT count(*) FROM "{schema}"."{table}" WHERE tenant_no = %s', (self.no,)
                    ).fetchone()
                    counted.append((f"{schema}.{table}", found[0]))
        return counted

    def check(self) -> None:
        """Nothing is left but what is kept, and the others are as they were."""
        erasure = self.erasure
        assert erasure.finished_us is not None
        self.counts = dict(erasure.counts)
        assert erasure.counts["readings"] > 0
        assert erasure.counts["accounts"] == 2
        assert set(TELEMETRY_PARTS) < set(erasure.counts)
        assert self.left() == {}
        assert self.run(self._neighbour) == self.neighbour
        self.run(self._check_people)
        self.run(self._check_audit)

    async def _check_people(self, running: Running) -> None:
        registry = running.registry
        assert await registry.tenants.get(TENANT) is None
        assert await registry.accounts.by_email("ada@acme.example") is None
        assert await registry.accounts.by_email("root@acme.example") is not None
        with pytest.raises(SliceError):
            await running.access.session(self.adas)
        bob = await running.access.session(self.session)
        assert bob.tenant is None
        assert await registry.signing_in.links.invitations(self.no, 0) == []
        assert await registry.credentials.enrolment.list(self.no) == []
        assert await registry.dashboards.list(self.no) == []
        assert await registry.dashboards.versions(self.no, "hall") == []
        with pytest.raises(SliceError):
            await running.access.bearer(self.shared, "127.0.0.1")
        for token in self.life.tokens.values():
            with pytest.raises(SliceError):
                await running.access.key(token, "127.0.0.1")
        with pytest.raises(SliceError, match="erased") as refused:
            await registry.tenants.create(TENANT, "Somebody else")
        assert refused.value.code == Code.CONFLICT
        another = await registry.tenants.create(f"x{time.time_ns()}", "Somebody else")
        assert another.no > self.no

    async def _check_audit(self, running: Running) -> None:
        for chain in (INSTALLATION, self.no):
            assert (await verify(running.registry.audit, chain)).fault is None
            told = (await running.registry.audit.page(chain, limit=1))[0].entry
            assert (told.actor, told.action, told.tenant_id) == (ACTOR, "erase", TENANT)
            assert told.detail["readings"] == self.counts["readings"]


def in_short(*short: str) -> pytest.MarkDecorator:
    """Every placement; the short run has these."""
    places = [pytest.param(place, marks=() if place in short else pytest.mark.long) for place in sorted(PLACES)]
    return pytest.mark.parametrize("erased", places, indirect=True)


@pytest.fixture
def erased(request: pytest.FixtureRequest, new_end: Callable[..., End], seed: int) -> Erased:
    kind = "sqlite" if request.param == "sqlite" else "postgres"
    return Erased(new_end(kind), request.param, seed)


@in_short("database", "sqlite")
def test_an_erasing_that_is_killed_goes_on_and_leaves_nothing(erased: Erased, seed: int, tmp_path: Path) -> None:
    begun = erased.begin()
    assert begun.counts["keys"] >= len(erased.life.tokens)
    with pytest.raises(MoveRefusedError, match="being erased"):
        export_tenant(erased.end.settings, TENANT, tmp_path / "parcel", lambda _: None)
    for where in (str(random.Random(seed).randint(1, 3)), "between"):
        erased.killed(where)
        assert erased.erasure.finished_us is None
        assert erased.left()  # the tenant itself, at least
    erased.erase()
    erased.check()


@in_short()
@pytest.mark.timeout(1_800)
def test_an_erasing_that_is_killed_again_and_again(erased: Erased) -> None:
    erased.begin()
    for _ in range(20):
        erased.killed("1")
        assert erased.erasure.finished_us is None
    erased.killed("between")
    erased.erase()
    erased.check()


@in_short("schema", "sqlite")
def test_what_comes_late_does_no_harm_and_is_swept(erased: Erased, seed: int) -> None:
    """A gate that could not reach the registry may have taken an event under a key that had ended."""
    # Another one than that of its life: a gate of the same incarnation would be taken for a redelivery.
    rnd = random.Random(f"late {seed}")

    async def late(running: Running) -> None:
        now_us = time.time_ns() // 1000
        event = Sent("late", "dev-1", now_us, values(rnd))
        message = Gate(rnd).message(erased.no, {"dev-1": 1}, [event], now_us)
        for _ in range(2):
            try:
                await running.store.append([message])
            except UnavailableError:
                # Its schema has gone; a writer tries again.
                continue

    async def with_memories(running: Running) -> None:
        """A writer that knew the tenant, its placement and its series, before it was erased."""
        await late(running)
        await asyncio.to_thread(erased.begin)
        await asyncio.to_thread(erased.erase)
        await late(running)

    if erased.place == "sqlite":
        # One process owns a folder: it is the same child that erases and that appends.
        erased.begin()
        erased.erase()
        erased.run(late)
    else:
        erased.run(with_memories)
    assert erased.left()
    erased.erase()
    assert erased.left() == {}

    async def none_due(running: Running) -> Any:
        return await running.registry.erasures.due(1 << 60)

    assert erased.run(none_due) == []


def test_what_is_left_is_seen(new_end: Callable[..., End], seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: an engine that says it has erased everything is not believed."""
    erased = Erased(new_end("sqlite"), "sqlite", seed)
    erased.begin()

    async def nothing(*_: Any) -> int:
        return 0

    with monkeypatch.context() as lazy:
        lazy.setattr("telemetry_slice.runtime.erasing.folder.FolderErasing.erase_some", nothing)
        erased.erase()
    assert erased.erasure.finished_us is None
    with monkeypatch.context() as lazy:
        lazy.setattr(SqlErasures, "erase_some", nothing)
        erased.erase()
    assert erased.erasure.finished_us is None
    assert {"tenants", "devices", "keys"} <= set(erased.left())
    erased.erase()
    erased.check()
