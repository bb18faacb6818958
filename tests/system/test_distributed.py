"""Every process of a distributed installation killed under load: nothing acknowledged is lost, the books add up."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from deploy.local.__main__ import demo_of
from deploy.local.installation import DATABASE, LocalInstallation
from deploy.local.nats import NatsServer

from .load import SENDERS, Ledger, books_of, dead_ids, sender, stored_ids
from .processes import LIFTED, Answering, wait_until

VICTIMS = ("api", "worker", "nats", "postgres", "valkey", "supervisor")
START_S = 90


class Roles(Answering):
    """`tslice serve --role all` over the servers of a local installation; `shape` are more options of it."""

    def __init__(self, installation: LocalInstallation, folder: Path, *shape: str) -> None:
        self.installation = installation
        self.shape = shape
        self.log = folder / "roles.log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TSLICE_")}
        self.environment |= LIFTED | installation.settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "telemetry_slice", "serve", "--role", "all"),
                    *("--port", str(self.port), *self.shape),
                ],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self.is_ready, f"ready roles, see {self.log}", START_S)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-5000:]
        try:
            told = json.loads((self.installation.data / "lock").read_text())
            if told["pid"] != self.process.pid:
                return False
            self.port = int(told["url"].rsplit(":", 1)[1])
            return self.request("GET", "/health/ready")[0] == 200
        except (OSError, ValueError, KeyError):
            return False

    def members(self, role: str) -> list[psutil.Process]:
        """The processes of a role."""
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it ended while we looked
                if f"--role {role}" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def kill_one(self, role: str, rnd: random.Random) -> None:
        with suppress(psutil.NoSuchProcess, IndexError):
            rnd.choice(self.members(role)).kill()

    def replace_all(self) -> None:
        """A rolling restart; returns when every process is another one."""
        assert self.process is not None
        roles = ("api", "worker", "scheduler")
        before = {role: {each.pid for each in self.members(role)} for role in roles}
        self.process.send_signal(signal.SIGHUP)

        def done() -> bool:
            now = {role: {each.pid for each in self.members(role)} for role in roles}
            return all(len(now[role]) == len(before[role]) and not now[role] & before[role] for role in roles)

        wait_until(done, "rolling restart", 120)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)

    def kill(self) -> None:
        """The supervisor alone: its members must notice and end by themselves."""
        if self.process is None or self.process.poll() is not None:
            return
        members = psutil.Process(self.process.pid).children()
        self.process.kill()
        self.process.wait(30)
        _, left = psutil.wait_procs(members, timeout=60)
        for each in left:
            each.kill()
        assert not left, "members outlived their supervisor"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    # Not below pytest's own folders, which PostgreSQL's user may not enter.
    with LocalInstallation() as started:
        yield started


@pytest.fixture(scope="module")
def roles(installation: LocalInstallation, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Roles(installation, tmp_path_factory.mktemp("roles"))
    try:
        made.start()
        asyncio.run(demo_of(installation.data, f"http://127.0.0.1:{made.port}"))
        yield made
        assert made.stop() == 0
    finally:
        made.kill()


def keys_of(installation: LocalInstallation) -> dict[str, str]:
    found: dict[str, str] = json.loads((installation.data / "demo.json").read_text())["tenants"]["acme-123"]
    return found


def hurt(roles: Roles, victim: str, rnd: random.Random) -> None:
    """Kill a process; servers come back at once, members are the supervisor's business."""
    installation = roles.installation
    if victim in ("api", "worker"):
        roles.kill_one(victim, rnd)
    elif victim == "supervisor":
        roles.kill()
        roles.start()
    else:
        server = {"nats": installation.nats, "postgres": installation.postgres, "valkey": installation.valkey}[victim]
        server.kill()
        server.start()


async def under_load(roles: Roles, seed: int, work: Any) -> Ledger:
    """Run `work(ledger)` in a thread while senders send; what they know afterwards."""
    rnd = random.Random(seed)
    ledger = Ledger()
    stop = asyncio.Event()
    key = keys_of(roles.installation)["gatewayKey"]
    senders = [
        asyncio.create_task(sender(roles, key, ledger, random.Random(rnd.random()), name, stop))
        for name in range(SENDERS)
    ]
    try:
        await asyncio.to_thread(work, ledger)
        stop.set()
        done, _ = await asyncio.wait(senders, timeout=60)
        for task in done:
            task.result()
    finally:
        stop.set()
        for task in senders:
            task.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    return ledger


def check(roles: Roles, ledger: Ledger, before: dict[str, Any]) -> None:
    """Everything acknowledged is there, once, and the books agree with the senders."""
    key = keys_of(roles.installation)["serviceKey"]
    wait_until(lambda: books_of(roles, key)["inFlight"] == 0, "drained queue", 120)
    books = books_of(roles, key)
    stored, dead = stored_ids(roles, key), dead_ids(roles, key)
    print(f"{ledger.acks} acknowledgements, {len(stored)} stored, {len(dead)} dead, {dict(ledger.statuses)}, {books}")
    assert set(stored.values()) <= {1}, "an event is stored twice"
    missing = ledger.acknowledged - stored.keys() - dead.keys()
    assert not missing, f"{len(missing)} acknowledged events are lost"
    assert books["balanced"], books
    accepted = books["accepted"] - before["accepted"]
    assert ledger.acknowledged_events <= accepted <= ledger.attempted_events


def kills_under_load(roles: Roles, kills: int, seed: int) -> None:
    rnd = random.Random(seed)
    print(f"seed {seed}, {kills} kills")
    before = books_of(roles, keys_of(roles.installation)["serviceKey"])

    def work(ledger: Ledger) -> None:
        for number in range(kills):
            acks = ledger.acks + rnd.randrange(5, 60)
            victim = VICTIMS[number % len(VICTIMS)] if number < len(VICTIMS) else rnd.choice(VICTIMS)
            wait_until(lambda goal=acks: ledger.acks >= goal, f"load before killing {victim}", 120)  # type: ignore[misc]
            hurt(roles, victim, rnd)

    check(roles, asyncio.run(under_load(roles, seed, work)), before)


@pytest.mark.timeout(600)
def test_every_process_killed_under_load(roles: Roles) -> None:
    """Each kind of process once, in the middle of the load."""
    kills_under_load(roles, int(os.environ.get("CRASH_KILLS", "6")), int(os.environ.get("CRASH_SEED", time.time_ns())))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_hundred_kills(roles: Roles) -> None:
    """The same for a long time."""
    kills_under_load(roles, 200, int(os.environ.get("CRASH_SEED", time.time_ns())))


@pytest.mark.timeout(300)
def test_a_rolling_restart_refuses_nothing(roles: Roles) -> None:
    """Every process replaced under load: no sender hears anything but 202, no connection is refused."""
    before = books_of(roles, keys_of(roles.installation)["serviceKey"])

    def work(ledger: Ledger) -> None:
        wait_until(lambda: ledger.acks > 20, "load", 60)
        roles.replace_all()
        acks = ledger.acks
        wait_until(lambda: ledger.acks > acks + 20, "load afterwards", 60)

    ledger = asyncio.run(under_load(roles, time.time_ns(), work))
    assert set(ledger.statuses) == {202}
    assert ledger.broken == 0
    check(roles, ledger, before)


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
def test_the_doctor_names_what_is_wrong_with_postgresql(roles: Roles, statement: str, mended: str, told: str) -> None:
    admin = roles.installation.postgres.url.rsplit("/", 1)[0] + "/" + DATABASE
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
