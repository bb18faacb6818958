"""What tests of several places share: a clock that stands still, a registry, access over it, servers."""

import os
import random
from pathlib import Path

import pytest
from deploy.local.nats import NatsServer
from deploy.local.postgres import LocalPostgres, install_on
from deploy.local.valkey import Valkey

from telemetry_slice.engines.sqlite.registry import open_registry
from telemetry_slice.flow.access import Access, Secrets, new_signing_key

START_US = 1_780_000_000_000_000


# What these run is run by others, too: measuring which lines doubles the time they take.
UNMEASURED = (
    "tests/system/",
    "tests/http/test_bad_control.py",
    "tests/http/test_bad_input.py",
    "tests/http/test_both_walls_down.py",
    "tests/http/test_id_swaps.py",
    "tests/http/test_openapi_fuzz.py",
    "tests/http/test_permissions.py",
    "tests/http/test_tenant_matrix.py",
)


def pytest_collection_modifyitems(items):
    """Whole systems first: they take longest, and several processes that run the tests shall end together."""
    items.sort(key=lambda item: "tests/system/" not in item.nodeid)
    for item in items:
        if item.nodeid.startswith(UNMEASURED):
            item.add_marker("no_cover")


class ManualClock:
    """Wall clock and monotonic clock that move only when told."""

    def __init__(self):
        self.us = START_US

    def now_us(self):
        return self.us

    def monotonic(self):
        return self.us / 1e6

    def advance(self, seconds):
        self.us += int(seconds * 1e6)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def registry(tmp_path, clock):
    """A fresh registry on SQLite; the contracts have it on every engine."""
    opened = open_registry(tmp_path / "registry.db", clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_server():
    """A real PostgreSQL server, started by the first test that asks; TSLICE_TEST_POSTGRES is the folder of another."""
    other = os.environ.get("TSLICE_TEST_POSTGRES")
    with LocalPostgres(install=Path(other) if other else None) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(postgres_server):
    """The URLs of a migrated database for tests of the engine itself."""
    return install_on(postgres_server, "engine_tests")


@pytest.fixture
async def acme(registry):
    return await registry.tenants.create("acme-123", "Acme Corporation")


@pytest.fixture
async def beta(registry):
    return await registry.tenants.create("beta-456", "Beta Industries")


@pytest.fixture(scope="session")
def signing_key():
    return new_signing_key()


@pytest.fixture
def access(registry, clock, signing_key):
    made = Access(Secrets(b"pepper" * 6, signing_key), registry, clock, monotonic=clock.monotonic)
    yield made
    made.close()


@pytest.fixture
def elsewhere(registry, clock, signing_key):
    """Access as another process of the same installation has it."""
    made = Access(Secrets(b"pepper" * 6, signing_key), registry, clock, monotonic=clock.monotonic)
    yield made
    made.close()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory):
    """A server that many tests share, each with lanes of its own."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def seed():
    """The seed of a randomized test: printed, and repeatable with TSLICE_TEST_SEED."""
    chosen = int(os.environ.get("TSLICE_TEST_SEED", random.SystemRandom().getrandbits(32)))
    print(f"TSLICE_TEST_SEED={chosen}")
    return chosen


@pytest.fixture(scope="session")
def valkey():
    """A Valkey server for tests that leave it alive and do not mind one another's keys."""
    with Valkey() as server:
        yield server
