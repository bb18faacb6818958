"""More than the platform can take: the rest is refused, and one tenant's flood stays its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from deploy.local.installation import LocalInstallation

from .load import books_of
from .processes import wait_until
from .roles import Roles

pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
SMALL = {"TSLICE_QUEUE_BYTES": str(16 * MIB), "TSLICE_MAX_INFLIGHT_BYTES": str(4 * MIB)}
"""So that a load generator on the same machine can reach the bounds."""
GROWTH = 1.25
GROWTH_BYTES = 48 * MIB
"""What a process may have grown by between the first third of an overload and its end: memory that is in use now and
then, not memory that grows with the time."""
REQUESTS = 50
"""Requests a second that a tenant may send."""


@pytest.fixture(scope="module")
def installation() -> Iterator[LocalInstallation]:
    with LocalInstallation() as started:
        yield started


def serving(installation: LocalInstallation, folder: Path, **settings: str) -> Roles:
    return Roles(installation.settings | SMALL | settings, folder)


def flood(roles: Roles, key: str, **options: float) -> subprocess.Popen[bytes]:
    """Start a generator."""
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.system.flood", f"--url=http://127.0.0.1:{roles.port}", f"--key={key}"]
    return subprocess.Popen([*command, *words], cwd=ROOT, stdout=subprocess.PIPE)


def told(generator: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What a generator saw."""
    said, _ = generator.communicate(timeout=900)
    assert generator.returncode == 0
    found: dict[str, Any] = json.loads(said)
    print(found)
    return found


class Memory:
    """Resident bytes of processes, looked at twice a second."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.seen: dict[str, list[int]] = {f"{each.name()}-{each.pid}": [] for each in processes}
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            for each, values in zip(self._processes, self.seen.values(), strict=True):
                values.append(each.memory_info().rss)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def is_flat(self) -> None:
        for name, values in self.seen.items():
            early, late = max(values[: len(values) // 3]), max(values[-len(values) // 3 :])
            print(f"{name}: {early / MIB:.0f} MiB, then {late / MIB:.0f} MiB")
            assert late <= early * GROWTH + GROWTH_BYTES, name


def drained(roles: Roles, key: str) -> dict[str, Any]:
    """The books, when nothing is in flight any more."""
    books: list[dict[str, Any]] = []

    def empty() -> bool:
        books.append(books_of(roles, key))
        return bool(books[-1]["inFlight"] == 0)

    wait_until(empty, "drained queue", 300)
    assert books[-1]["balanced"], books[-1]
    return books[-1]


@pytest.mark.parametrize(
    ("seconds", "share"), [pytest.param(12, 0.4, id="short"), pytest.param(300, 0.9, id="long", marks=pytest.mark.long)]
)
def test_ten_times_too_much_is_refused_and_what_is_taken_does_not_shrink(
    installation: LocalInstallation, tmp_path: Path, seconds: float, share: float
) -> None:
    """The short form is lenient: a few seconds on a busy machine say little about the rate."""
    with serving(installation, tmp_path) as roles:
        key = roles.keys["gatewayKey"]
        before = books_of(roles, roles.keys["serviceKey"])
        first = told(flood(roles, key, connections=8, seconds=max(8, seconds / 5)))
        capacity = first["events"] / first["seconds"]
        processes = [each for role in ("api", "worker", "scheduler") for each in roles.members(role)]
        with Memory([*processes, psutil.Process(installation.nats.pid)]) as memory:
            second = told(flood(roles, key, connections=400, seconds=seconds, rate=10 * capacity / 100, skip=1))
        memory.is_flat()
        goodput = second["events"] / second["seconds"]
        print(f"capacity {capacity:.0f} events/s, goodput {goodput:.0f} events/s")
        # -1 is what the generator itself could not send.
        assert set(first["statuses"]) | set(second["statuses"]) <= {"202", "429", "503", "-1"}
        assert second["statuses"]["503"] > second["statuses"]["202"], "the overload was none"
        assert goodput >= share * capacity
        books = drained(roles, roles.keys["serviceKey"])
        settled = books["accepted"] - before["accepted"]
        # What was answered with 503 may have been kept all the same.
        assert settled >= first["events"] + second["events"]


@pytest.mark.parametrize(
    ("seconds", "ratio", "floor_s"),
    [pytest.param(8, 4, 4.0, id="short"), pytest.param(120, 2, 0, id="long", marks=pytest.mark.long)],
)
def test_a_noisy_tenant_is_its_own_neighbour(
    installation: LocalInstallation, tmp_path: Path, seconds: float, ratio: float, floor_s: float
) -> None:
    """A at 20 × its requests, then within its requests at 1,000 events each: B does not notice.

    The short form has few samples of B, so that its p99 is about its slowest answer: it is held to more lenient bounds.
    """
    quotas = {f"TSLICE_LIMIT_{scope}_PER_SECOND": str(REQUESTS) for scope in ("KEY", "TENANT")}
    quotas |= {f"TSLICE_LIMIT_{scope}_EVENTS_PER_SECOND": str(20 * REQUESTS) for scope in ("KEY", "TENANT")}
    with serving(installation, tmp_path, **quotas) as roles:
        demo = json.loads((roles.data / "demo.json").read_text())["tenants"]
        loud, quiet = (demo[name]["gatewayKey"] for name in ("acme-123", "beta-456"))
        neighbour = {"batch": 1, "connections": 8, "rate": REQUESTS / 2, "seconds": seconds}
        alone = told(flood(roles, quiet, **neighbour))
        for noise in ({"batch": 1, "rate": 20 * REQUESTS}, {"batch": 1000, "rate": 0.9 * REQUESTS}):
            noisy = flood(roles, loud, connections=64, seconds=seconds, **noise)
            beside = told(flood(roles, quiet, **neighbour))
            answers = told(noisy)["statuses"]
            assert set(answers) <= {"202", "429", "503"}
            assert answers["429"] > answers.get("202", 0), "the noise was no noise"
            assert beside["statuses"]["202"] >= 0.999 * sum(beside["statuses"].values())
            assert beside["p99_s"] <= max(ratio * alone["p99_s"], floor_s)
