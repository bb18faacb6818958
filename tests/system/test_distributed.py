"""Every process of a distributed installation killed under load: nothing acknowledged is lost, the books add up."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deploy.local.installation import DATABASE, LocalInstallation
from deploy.local.nats import NatsServer

from .load import Ledger, books_of, check, under_load
from .processes import wait_until
from .roles import Roles

VICTIMS = ("api", "worker", "nats", "postgres", "valkey", "supervisor")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    # Not below pytest's own folders, which PostgreSQL's user may not enter.
    with LocalInstallation() as started:
        yield started


@pytest.fixture(scope="module")
def roles(installation: LocalInstallation, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Roles(installation.settings, tmp_path_factory.mktemp("roles")) as serving:
        yield serving


def hurt(installation: LocalInstallation, roles: Roles, victim: str, rnd: random.Random) -> None:
    """Kill a process; servers come back at once, members are the supervisor's business."""
    if victim in ("api", "worker"):
        roles.kill_one(victim, rnd)
    elif victim == "supervisor":
        roles.kill()
        roles.start()
    else:
        server = {"nats": installation.nats, "postgres": installation.postgres, "valkey": installation.valkey}[victim]
        server.kill()
        server.start()


def kills_under_load(installation: LocalInstallation, roles: Roles, kills: int, seed: int) -> None:
    rnd = random.Random(seed)
    print(f"seed {seed}, {kills} kills")
    before = books_of(roles, roles.keys["serviceKey"])

    def work(ledger: Ledger) -> None:
        for number in range(kills):
            acks = ledger.acks + rnd.randrange(5, 60)
            victim = VICTIMS[number % len(VICTIMS)] if number < len(VICTIMS) else rnd.choice(VICTIMS)
            wait_until(lambda goal=acks: ledger.acks >= goal, f"load before killing {victim}", 120)  # type: ignore[misc]
            hurt(installation, roles, victim, rnd)

    ledger = asyncio.run(under_load(roles, roles.keys["gatewayKey"], seed, work))
    check(roles, roles.keys["serviceKey"], ledger, before)


@pytest.mark.timeout(600)
def test_every_process_killed_under_load(installation: LocalInstallation, roles: Roles) -> None:
    """Each kind of process once, in the middle of the load."""
    kills_under_load(
        installation, roles, int(os.environ.get("CRASH_KILLS", "6")), int(os.environ.get("CRASH_SEED", time.time_ns()))
    )


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_hundred_kills(installation: LocalInstallation, roles: Roles) -> None:
    """The same for a long time."""
    kills_under_load(installation, roles, 200, int(os.environ.get("CRASH_SEED", time.time_ns())))


@pytest.mark.timeout(300)
def test_a_rolling_restart_refuses_nothing(roles: Roles) -> None:
    """Every process replaced under load: no sender hears anything but 202, no connection is refused."""
    before = books_of(roles, roles.keys["serviceKey"])

    def work(ledger: Ledger) -> None:
        wait_until(lambda: ledger.acks > 20, "load", 60)
        roles.replace_all()
        acks = ledger.acks
        wait_until(lambda: ledger.acks > acks + 20, "load afterwards", 60)

    ledger = asyncio.run(under_load(roles, roles.keys["gatewayKey"], time.time_ns(), work))
    assert set(ledger.statuses) == {202}
    assert ledger.broken == 0
    check(roles, roles.keys["serviceKey"], ledger, before)


def asked(connection: HTTPConnection, method: str, path: str, key: str, body: object = None) -> tuple[int, Any]:
    """Status and body of an answer over a connection that stays open, and so with one process."""
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    return answer.status, json.loads(content) if content else None


def connections_to_each(roles: Roles, kept: ExitStack) -> list[HTTPConnection]:
    """A connection to each of the API processes, which share one address."""
    found: dict[int, HTTPConnection] = {}

    def found_each() -> bool:
        connection = kept.enter_context(closing(HTTPConnection("127.0.0.1", roles.port, timeout=60)))
        connection.request("GET", "/health")
        connection.getresponse().read()
        ours = connection.sock.getsockname()[1]
        for member in roles.members("api"):
            if any(each.raddr and each.raddr.port == ours for each in member.net_connections("tcp")):
                found[member.pid] = connection
        return len(found) == len(roles.members("api")) >= 2

    wait_until(found_each, "a connection to each API process", 60)
    return list(found.values())


@pytest.fixture
def kept() -> Any:
    with ExitStack() as stack:
        yield stack


def test_a_revoked_key_is_refused_by_every_process_within_five_seconds(roles: Roles, kept: ExitStack) -> None:
    here, *elsewhere = connections_to_each(roles, kept)
    admin = roles.keys["serviceKey"]
    status, made = asked(here, "POST", "/api/v1/keys", admin, {"kind": "gateway", "name": "to be revoked"})
    assert status == 201, made

    def send(connection: HTTPConnection) -> int:
        now_ns = time.time_ns()
        of_device = {"eventId": str(now_ns), "deviceId": "dev-001", "recordedAt": now_ns // 1_000_000}
        event = of_device | {"type": "t", "value": 1}
        return asked(connection, "POST", "/api/v1/telemetry", made["key"], event)[0]

    # Every process knows the key, and goes on to be asked while it is revoked in another.
    assert [send(connection) for connection in (here, *elsewhere)] == [202] * (1 + len(elsewhere))
    assert asked(here, "DELETE", f"/api/v1/keys/{made['keyId']}", admin)[0] == 204
    revoked = time.monotonic()
    assert send(here) == 401
    for connection in elsewhere:
        taken = revoked

        def refused(connection: HTTPConnection = connection) -> bool:
            nonlocal taken
            begun = time.monotonic()
            status = send(connection)
            taken = begun if status == 202 else taken
            return status == 401

        wait_until(refused, "the end of a key", 60)
        assert taken - revoked < 5


def doctor(environment: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """What the doctor finds, by the name of what it looked at."""
    done = subprocess.run(
        [sys.executable, "-m", "telemetry_slice", "doctor", "--json", "--data", environment["TSLICE_DATA"]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    findings: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout):
        findings.setdefault(finding["name"], []).append(finding)
    assert done.returncode == int(any(each["fine"] is False for part in findings.values() for each in part))
    return findings


def test_the_doctor_finds_a_healthy_installation_healthy(roles: Roles) -> None:
    findings = doctor(roles.environment)
    assert {"PostgreSQL", "queue", "Valkey", "server"} <= findings.keys()
    assert all(finding["fine"] for part in findings.values() for finding in part), findings


@pytest.mark.parametrize(
    ("statement", "mended", "told"),
    [
        (
            "ALTER TABLE {t}.series NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE {t}.series FORCE ROW LEVEL SECURITY",
            "series",
        ),
        (
            "ALTER TABLE registry.devices NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE registry.devices FORCE ROW LEVEL SECURITY",
            "devices",
        ),
        ("ALTER ROLE tslice_api BYPASSRLS", "ALTER ROLE tslice_api NOBYPASSRLS", "tslice_api"),
        (
            "UPDATE {t}.alembic_version SET version_num = 'zzzz'",
            "UPDATE {t}.alembic_version SET version_num = '0001'",
            "zzzz",
        ),
        (
            "ALTER DATABASE telemetry_slice SET synchronous_commit = off",
            "ALTER DATABASE telemetry_slice RESET synchronous_commit",
            "synchronous_commit",
        ),
    ],
)  # fmt: skip
def test_the_doctor_names_what_is_wrong_with_postgresql(
    installation: LocalInstallation, roles: Roles, statement: str, mended: str, told: str
) -> None:
    admin = installation.postgres.url.rsplit("/", 1)[0] + "/" + DATABASE
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(statement.format(t="telemetry"))  # type: ignore[arg-type]
        try:
            wrong = [finding for finding in doctor(roles.environment)["PostgreSQL"] if not finding["fine"]]
        finally:
            connection.execute(mended.format(t="telemetry"))  # type: ignore[arg-type]
    assert any(told in finding["found"] for finding in wrong), wrong


def test_the_doctor_names_a_server_that_is_away(roles: Roles) -> None:
    away = roles.environment | {
        "TSLICE_REDIS_URL": "redis://127.0.0.1:1/0",
        "TSLICE_QUEUE_URL": "nats://127.0.0.1:1",
        "TSLICE_DATABASE_URL": "postgresql://tslice_api:x@127.0.0.1:1/telemetry_slice",
    }
    findings = doctor(away)
    for name in ("PostgreSQL", "queue", "Valkey"):
        assert not all(finding["fine"] for finding in findings[name]), findings[name]


def test_the_doctor_names_a_queue_that_does_not_wait_for_the_disk(roles: Roles, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "queue", sync_interval="2m") as hasty:
        queue = {"TSLICE_QUEUE_URL": hasty.url, "TSLICE_QUEUE_MONITOR_URL": hasty.monitor_url}
        findings = doctor(roles.environment | queue)
    assert any("sync_interval" in finding["found"] for finding in findings["queue"]), findings["queue"]
