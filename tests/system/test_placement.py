"""Tenants in shared tables, a schema and a database of their own; the database's server stops under load."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from deploy.local.installation import LocalInstallation
from deploy.local.postgres import LocalPostgres
from typer.testing import CliRunner

from telemetry_slice.cli.app import app
from telemetry_slice.cli.connection import mint
from telemetry_slice.engines.postgres.roles import API, MIGRATION, WRITER

from .processes import wait_until
from .roles import Roles
from .test_distributed import doctor

DEVICE = "meter-1"
RECORDED = "2026-11-01T00:00:00Z"
SPAN = "from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z"
QUEUE_BYTES = 16 << 20
TENANTS = {"among": "shared", "apart": "schema", "away": "database"}


class Tenant:
    """What one tenant sends, and what the platform says it has."""

    def __init__(self, roles: Roles, name: str) -> None:
        self.roles = roles
        console = mint(roles.data, name)
        self.gateway, self.service = (
            roles.request("POST", "/api/v1/keys", key=console, body={"name": "test"} | kind)[1]["key"]
            for kind in ({"kind": "gateway"}, {"kind": "service", "scopes": ["read", "admin"]})
        )
        self.acknowledged: set[str] = set()

    def send(self, events: int = 1, *, text: str = "idle", **headers: str) -> int:
        """Send events of new ids; the status."""
        ids = [str(uuid4()) for _ in range(events)]
        body = [
            {"eventId": each, "deviceId": DEVICE, "recordedAt": RECORDED, "measurements": {"state": text}}
            for each in ids
        ]
        status, _ = self.roles.request("POST", "/api/v2/telemetry", key=self.gateway, body=body, **headers)
        if status in (200, 202):
            self.acknowledged |= set(ids)
        return status

    def get(self, path: str) -> Any:
        status, found = self.roles.request("GET", path, key=self.service)
        assert status == 200, (path, status, found)
        return found

    def stored(self) -> list[str]:
        """The id of every stored event, as often as it is stored."""
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            path = f"/api/v1/devices/{DEVICE}/telemetry?{SPAN}&limit=1000" + (f"&cursor={cursor}" if cursor else "")
            page = self.get(path)
            found += [event["eventId"] for event in page["events"]]
            cursor = page["next"]
        return found

    def check(self) -> None:
        """Once everything is settled: all that was acknowledged is there, once, and the books are balanced."""
        settled = {"inFlight": 0, "balanced": True}

        def drained() -> bool:
            status, books = self.roles.request("GET", "/api/v1/books", key=self.service)
            assert status in (200, 503), (status, books)
            return status == 200 and settled.items() <= books.items()

        wait_until(drained, "settled books", 120)
        books, stored = self.get("/api/v1/books"), self.stored()
        assert len(stored) == len(set(stored)) == books["stored"] == books["accepted"]
        assert self.acknowledged <= set(stored)


def made(roles: Roles, *arguments: str) -> str:
    """What `tslice` prints, run with the installation's settings."""
    done = CliRunner(env=roles.environment).invoke(app, list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.fixture(scope="module")
def own_server() -> Iterator[LocalPostgres]:
    with LocalPostgres(options={"shared_buffers": "32MB"}) as server:
        yield server


@pytest.fixture(scope="module")
def roles(own_server: LocalPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roles]:
    names = {"url": API, "writer_url": WRITER, "migration_url": MIGRATION}
    addresses: dict[str, Any] = {
        name: own_server.url_of(role, own_server.password_of(role), "own") for name, role in names.items()
    }
    addresses |= {"admin_url": own_server.url, "queue_bytes": QUEUE_BYTES}
    with LocalInstallation() as installation:
        installation.settings["TSLICE_PLACEMENT_DATABASES"] = json.dumps({"one": addresses})
        started = Roles(installation.settings, tmp_path_factory.mktemp("placed"), "--apis", "1", "--workers", "1")
        made(started, "migrate")
        try:
            started.start()
            yield started
            assert started.stop() == 0
        finally:
            started.kill()


@pytest.fixture(scope="module")
def tenants(roles: Roles) -> dict[str, Tenant]:
    made(roles, "tenants", "create", "among")
    made(roles, "tenants", "create", "apart", "--placement", "schema")
    made(roles, "tenants", "create", "away", "--placement", "database", "--database", "one")
    return {name: Tenant(roles, name) for name in TENANTS}


@pytest.mark.timeout(300)
def test_every_placement_serves_its_tenant(roles: Roles, tenants: dict[str, Tenant]) -> None:
    listed = {each["id"]: each for each in json.loads(made(roles, "tenants", "list", "--json"))}
    assert {name: listed[name]["placement"] for name in TENANTS} == TENANTS
    assert "tslice_" not in json.dumps(listed), "an address has leaked"
    for tenant in tenants.values():
        assert tenant.send(3, Prefer="wait=30") == 200
        tenant.check()
        assert tenant.get(f"/api/v1/devices/{DEVICE}/types")["types"][0]["type"] == "state"


def test_a_placement_that_is_not_ready_is_refused(roles: Roles, tenants: dict[str, Tenant]) -> None:
    console = mint(roles.data, None)
    body = {"tenantId": "early", "name": "Early"}
    status, answer = roles.request("POST", "/api/v1/tenants", key=console, body=body | {"placement": "schema"})
    assert (status, "tslice migrate --tenant early" in answer["detail"]) == (409, True)
    for wrong in ({"placement": "database"}, {"placement": "database", "database": "two"}, {"database": "one"}):
        status, answer = roles.request("POST", "/api/v1/tenants", key=console, body=body | wrong)
        assert (status, answer["errors"][0]["pointer"]) == (422, "/database")
    made(roles, "migrate", "--tenant", "early")
    status, answer = roles.request("POST", "/api/v1/tenants", key=console, body=body | {"placement": "schema"})
    assert (status, answer["placement"]) == (201, "schema")


@contextmanager
def in_the_background(tenant: Tenant) -> Iterator[list[int]]:
    """Send and read again and again, each event waited for; yields the statuses so far."""
    statuses: list[int] = []
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            statuses.append(tenant.send(Prefer="wait=30"))
            tenant.get(f"/api/v1/devices/{DEVICE}/telemetry?{SPAN}&limit=1&order=desc")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.timeout(600)
def test_a_tenants_own_server_that_stops_holds_up_that_tenant_alone(
    roles: Roles, tenants: dict[str, Tenant], own_server: LocalPostgres
) -> None:
    """Its events wait in its lane; when that is full it gets 503; when the server is back the lane drains."""
    away = tenants["away"]
    with in_the_background(tenants["among"]) as among, in_the_background(tenants["apart"]) as apart:
        own_server.stop()
        statuses = []
        while statuses[-3:] != [503] * 3:
            statuses.append(away.send(900, text="x" * 1000))
            assert statuses[-1] in (202, 503)
            assert len(statuses) < 200, "the lane has no bound"
        accepted = statuses.count(202)
        print(f"{accepted} requests of 0.9 MB fit into the lane of {QUEUE_BYTES >> 20} MiB, then {statuses[accepted:]}")
        # Nearly all that the lane holds was accepted before the first refusal.
        assert statuses.index(503) * 900 * 1000 > QUEUE_BYTES // 2
        assert roles.request("GET", "/api/v1/books", key=away.service)[0] == 503
        findings = doctor(roles.environment)
        assert not findings["placement database one"][0]["fine"]
        assert all(each["fine"] for each in findings["PostgreSQL"] + findings["queue"])
        before = len(among), len(apart)
        wait_until(lambda: len(among) > before[0] + 5 and len(apart) > before[1] + 5, "the others")
        own_server.start()
        wait_until(lambda: away.send() == 202, "room in the lane", 120)
        away.check()
    assert set(among) == set(apart) == {200}
    print(f"meanwhile {len(among)} and {len(apart)} requests of the others, each stored and read")
    for tenant in tenants.values():
        tenant.check()
