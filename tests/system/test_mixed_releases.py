"""An installation between two releases, under load: the schema is migrated, half is replaced, then the rest.

The next release is made up (tests/next_release, newer_release/sitecustomize.py). Its schema has more than this one's,
its writers write to what is new, and in the end its gates send packs of a version that this release cannot read.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deploy.local.installation import DATABASE, LocalInstallation
from tests.next_release import next_release

from telemetry_slice.engines.postgres.migrate import migrate

from .load import Ledger, books_of, check, under_load
from .processes import wait_until
from .roles import Roles

NEWER = Path(__file__).with_name("newer_release")


@pytest.fixture
def switch(tmp_path: Path) -> Path:
    """Once written, processes that start are of the next release."""
    return tmp_path / "switch"


@pytest.fixture
def installation() -> Any:
    with LocalInstallation() as started:
        yield started


@pytest.fixture
def roles(installation: LocalInstallation, tmp_path: Path, switch: Path) -> Any:
    searched = os.pathsep.join([str(NEWER), *filter(None, [os.environ.get("PYTHONPATH")])])
    settings = installation.settings | {"PYTHONPATH": searched, "NEXT_RELEASE": str(switch)}
    with Roles(settings, tmp_path) as serving:
        yield serving


def letters_of(installation: LocalInstallation) -> tuple[int, int]:
    """How many dead letters the newer release has written, by its note; and how many this one, which knows no notes."""
    url = installation.postgres.url.rsplit("/", 1)[0] + "/" + DATABASE
    with psycopg.connect(url) as connection:
        counted = connection.execute(
            "SELECT count(*) FILTER (WHERE note = 'newer'), count(*) FILTER (WHERE note IS DISTINCT FROM 'newer')"
            " FROM telemetry.dead_letters"
        ).fetchone()
    assert counted is not None
    return counted[0], counted[1]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_releases_side_by_side_lose_nothing(installation: LocalInstallation, roles: Roles, switch: Path) -> None:
    before = books_of(roles, roles.keys["serviceKey"])
    migration_url = installation.settings["TSLICE_DATABASE_MIGRATION_URL"]

    def more(ledger: Ledger, what: str) -> None:
        acks = ledger.acks
        wait_until(lambda: ledger.acks > acks + 30, f"load {what}", 120)

    def work(ledger: Ledger) -> None:
        more(ledger, "on one release")
        with next_release(switch.parent / "migrations"):
            migrate(migration_url)
        more(ledger, "on the next schema")
        # One of the workers is replaced, all gates are as before.
        switch.write_text("1")
        older = {each.pid for each in roles.members("worker")}
        roles.members("worker")[0].terminate()
        wait_until(lambda: len({each.pid for each in roles.members("worker")} - older) == 1, "a newer worker", 120)
        by_newer, by_older = letters_of(installation)

        def both_have_worked() -> bool:
            now = letters_of(installation)
            return now[0] > by_newer and now[1] > by_older

        wait_until(both_have_worked, "letters of both releases", 240)
        # Workers are replaced first: they read what the gates, replaced last, then send.
        switch.write_text("2")
        roles.replace_all()
        more(ledger, "on the next release")

    ledger = asyncio.run(under_load(roles, roles.keys["gatewayKey"], time.time_ns(), work))
    print("dead letters of the newer and of this release:", letters_of(installation))
    assert set(ledger.statuses) == {202}
    assert ledger.broken == 0
    check(roles, roles.keys["serviceKey"], ledger, before)
