"""Servers that are away, silent or cut off, under load: what goes on meanwhile, and that nothing is lost by it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from deploy.local.installation import LocalInstallation
from websockets.sync.client import ClientConnection, connect

from .load import Ledger
from .outage import SLOW_S, goes_on, hold, is_bounded, lasting, more_answers, suffer
from .processes import wait_until
from .proxy import Proxy
from .roles import Roles

pytestmark = pytest.mark.timeout(900)


@dataclass
class Platform:
    """Roles that reach their servers through proxies."""

    installation: LocalInstallation
    postgres: Proxy
    nats: Proxy
    valkey: Proxy
    roles: Roles


def through(proxy: Proxy, url: str) -> str:
    """`url` with the proxy's port."""
    return url.replace(f":{urlsplit(url).port}", f":{proxy.port}")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with ExitStack() as stack:
        installation = stack.enter_context(LocalInstallation())
        postgres, nats, valkey = (
            stack.enter_context(Proxy(server.port))
            for server in (installation.postgres, installation.nats, installation.valkey)
        )
        behind = {
            "TSLICE_DATABASE_URL": postgres,
            "TSLICE_DATABASE_WRITER_URL": postgres,
            "TSLICE_QUEUE_URL": nats,
            "TSLICE_REDIS_URL": valkey,
        }
        settings = installation.settings
        settings = settings | {name: through(proxy, settings[name]) for name, proxy in behind.items()}
        with Roles(settings, tmp_path_factory.mktemp("roles")) as roles:
            yield Platform(installation, postgres, nats, valkey, roles)


@lasting(6, 120)
def test_ingest_goes_on_while_postgresql_is_away(platform: Platform, seconds: float) -> None:
    def work(_: Ledger) -> None:
        platform.installation.postgres.kill()
        try:
            hold(seconds)
            # Keys and devices are remembered; what is read is not.
            status, _ = platform.roles.request("GET", "/api/v1/books", key=platform.roles.keys["serviceKey"])
            assert status == 503
        finally:
            platform.installation.postgres.start()

    goes_on(suffer(platform.roles, work))


@lasting(8, 120)
def test_ingest_goes_on_while_postgresql_says_nothing(platform: Platform, seconds: float) -> None:
    def work(_: Ledger) -> None:
        platform.postgres.stall()
        try:
            hold(seconds)
        finally:
            platform.postgres.heal()

    goes_on(suffer(platform.roles, work))


@lasting(6, 60)
def test_a_queue_that_says_nothing_is_refused_in_time(platform: Platform, seconds: float) -> None:
    def work(_: Ledger) -> None:
        platform.nats.stall()
        try:
            hold(seconds)
        finally:
            platform.nats.heal()

    is_bounded(suffer(platform.roles, work))


@lasting(1, 20)
def test_connections_that_are_cut_are_made_anew(platform: Platform, seconds: float) -> None:
    def work(ledger: Ledger) -> None:
        for proxy in (platform.postgres, platform.valkey, platform.nats):
            proxy.cut()
            hold(seconds)
            proxy.heal()
            more_answers(ledger, 20)

    is_bounded(suffer(platform.roles, work))


def is_live(live: ClientConnection, *, degraded: bool) -> None:
    """Wait for events, or for the word that they are not heard."""

    def came() -> bool:
        frame = json.loads(live.recv(timeout=30))
        return "degraded" in frame if degraded else frame["kind"] == "events" and "degraded" not in frame

    wait_until(came, "word that live events are not heard" if degraded else "live events")


@lasting(1, 60)
def test_everything_but_live_goes_on_without_valkey(platform: Platform, seconds: float) -> None:
    """Killed, unreachable, standing still: quotas are local meanwhile, and reads go to the database."""
    roles, key, valkey = platform.roles, platform.roles.keys["serviceKey"], platform.installation.valkey
    outages = (
        (valkey.kill, valkey.start),
        (platform.valkey.stall, platform.valkey.heal),
        (valkey.pause, valkey.resume),
    )

    def reads(ledger: Ledger) -> None:
        for path in ("telemetry?limit=10&from=2026-11-01T00:00:00Z", "insights?hours=24", "series?type=n&points=10"):
            began = time.monotonic()
            status, answer = roles.request("GET", f"/api/v1/devices/{ledger.device}-0/{path}", key=key)
            assert status == 200, answer
            assert time.monotonic() - began < SLOW_S

    def work(ledger: Ledger) -> None:
        address = f"ws://127.0.0.1:{roles.port}/api/v1/live"
        # Pings are answered, however long nobody reads.
        with connect(
            address, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None, max_queue=None
        ) as live:
            for begin, end in outages:
                is_live(live, degraded=False)
                begin()
                try:
                    is_live(live, degraded=True)
                    until = time.monotonic() + seconds
                    while time.monotonic() < until:
                        reads(ledger)
                finally:
                    end()
            is_live(live, degraded=False)

    goes_on(suffer(platform.roles, work))
