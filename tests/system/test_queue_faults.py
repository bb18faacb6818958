"""Faults of the queue: a node of three dies, its bounds are reached, its disk is full."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.local.installation import LocalInstallation
from deploy.local.nats import NatsCluster, NatsServer

from .load import Ledger
from .outage import hold, is_bounded, lasting, more_answers, suffer
from .processes import wait_until
from .roles import Roles
from .small_disk import NatsOnSmallDisk

pytestmark = pytest.mark.timeout(900)

SMALL_BYTES = 32 << 20


@pytest.fixture(scope="module")
def installation() -> Iterator[LocalInstallation]:
    with LocalInstallation() as started:
        yield started


def over(installation: LocalInstallation, folder: Path, **queue: str) -> Roles:
    """The roles of the installation over another queue."""
    return Roles(installation.settings | queue, folder)


def one(server: NatsServer) -> dict[str, str]:
    return {"TSLICE_QUEUE_URL": server.url, "TSLICE_QUEUE_MONITOR_URL": server.monitor_url}


def is_whole(cluster: NatsCluster) -> bool:
    """Whether every node is there and has what the others have."""
    return all(server.is_ready() for server in cluster.servers)


@pytest.mark.parametrize("deaths", [2, pytest.param(12, marks=pytest.mark.long)])
def test_a_node_of_three_dies_then_another(
    installation: LocalInstallation, tmp_path: Path, seed: int, deaths: int
) -> None:
    rnd = random.Random(seed)
    with NatsCluster(tmp_path / "cluster") as cluster:

        def work(ledger: Ledger) -> None:
            last = None
            for _ in range(deaths):
                victim = last = rnd.choice([server for server in cluster.servers if server is not last])
                victim.kill()
                more_answers(ledger, 50)
                victim.launch()
                more_answers(ledger, 50)
                wait_until(lambda: is_whole(cluster), "the cluster whole again", 120)

        queue = {
            "TSLICE_QUEUE_URL": ",".join(cluster.urls),
            "TSLICE_QUEUE_MONITOR_URL": cluster.monitor_url,
            "TSLICE_QUEUE_REPLICAS": "3",
        }
        with over(installation, tmp_path, **queue) as roles:
            is_bounded(suffer(roles, work))


def refused(ledger: Ledger, count: int) -> None:
    """Wait until so many more requests were answered with 503."""
    goal = ledger.statuses[503] + count
    wait_until(lambda: ledger.statuses[503] >= goal, f"{count} more refusals", 300)


@lasting(3, 60)
def test_a_full_disk_under_the_queue_is_refused(
    installation: LocalInstallation, tmp_path: Path, seconds: float
) -> None:
    """Nothing is acknowledged that is not kept.

    The server writes nothing more after such an error, and says so at /healthz, until it is started again: whoever
    watches it there does that.
    """
    with NatsOnSmallDisk(tmp_path / "queue", SMALL_BYTES) as server:

        def work(ledger: Ledger) -> None:
            server.fill_disk()
            refused(ledger, 6)
            acks = ledger.acks
            hold(seconds)
            assert ledger.acks == acks, "acknowledged, and not on the disk"
            server.free_disk()
            assert server.ask("/healthz")[0] == 503
            server.kill()
            server.start()

        with over(installation, tmp_path, **one(server)) as roles:
            ledger = suffer(roles, work)
            is_bounded(ledger)
