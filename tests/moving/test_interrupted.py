"""A move that is interrupted, and one of a tenant that is not quiet: nothing is lost, nothing is half there."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.engines.parcel import ParcelReader
from telemetry_slice.engines.postgres.moving import DatabaseSource
from telemetry_slice.flow.moving import examine
from telemetry_slice.model.parcel import Rows
from telemetry_slice.ports.moving import MoveRefusedError
from telemetry_slice.runtime.distributed import lanes_of
from telemetry_slice.runtime.moving import database, export_tenant, import_tenant

from .ends import DatabaseEnd, End, Running
from .life import TENANT, Gate, Life, Sent, values
from .test_moves import TARGETS, asked, lived, moved, silent, tenants_of

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[2]


def killed(end: End, parcel: Path, where: str) -> None:
    """An import that is killed there."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.moving.dies", end.settings.model_dump_json(), str(parcel), where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr


def killed_and_repeated(old: End, new: End, tmp_path: Path, seed: int, places: list[str]) -> None:
    """After each kill there is no such tenant; the import that is not killed makes it whole."""
    life = lived(old, seed, batches=8)
    before = asked(old, life)
    parcel = tmp_path / "parcel"
    rows = sum(export_tenant(old.settings, TENANT, parcel, silent).rows.values())
    rnd = random.Random(seed)
    for place in places:
        killed(new, parcel, str(rnd.randint(1, rows)) if place == "anywhere" else place)
        assert tenants_of(new) == []
    import_tenant(new.settings, parcel, end_keys=False, said=silent)
    assert asked(new, life) == before


@pytest.mark.parametrize(("target", "place"), [("sqlite", "committing"), ("postgres", "between")])
def test_a_killed_import_leaves_nothing_to_see(
    new_end: Callable[..., End], tmp_path: Path, seed: int, target: str, place: str
) -> None:
    """Killed at the very end: before the commit of a folder, between the commits of a database's two halves."""
    killed_and_repeated(new_end("sqlite"), new_end(target), tmp_path, seed, [place])


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_imports_killed_at_many_places(new_end: Callable[..., End], tmp_path: Path, seed: int, target: str) -> None:
    """The same, again and again into the same installation."""
    killed_and_repeated(new_end("postgres"), new_end(target), tmp_path, seed, ["anywhere"] * 40 + ["committing"])


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_imports_killed_at_any_time_are_all_or_nothing(
    new_end: Callable[..., End], tmp_path: Path, seed: int, target: str
) -> None:
    """By the clock, so that it also strikes within a commit: the tenant is whole, or not there."""
    old, rnd = new_end("sqlite"), random.Random(seed)
    life = lived(old, seed, batches=60, many=60)
    before = asked(old, life)
    parcel = tmp_path / "parcel"
    export_tenant(old.settings, TENANT, parcel, silent)
    whole, took_s = 0, 3.0
    for _ in range(60):
        new = new_end(target)
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.moving.dies", new.settings.model_dump_json(), str(parcel), "never"],
            cwd=ROOT,
        )
        try:
            process.wait(rnd.uniform(took_s / 2, took_s))
            took_s = time.monotonic() - began
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if tenants_of(new):
            whole += 1
        else:
            import_tenant(new.settings, parcel, end_keys=False, said=silent)
        assert asked(new, life) == before
    print(f"{whole} of 60 were whole")


async def _settle_some(queue: JetStreamQueue, running: Running) -> None:
    """What a writer does; nothing if there is nothing more to lease."""
    with suppress(TimeoutError):
        messages = await asyncio.wait_for(queue.lease(100), 1)
        await running.store.append(messages)
        await queue.ack(messages)


class Senders:
    """Somebody who goes on sending to a database's installation."""

    def __init__(self, end: DatabaseEnd, life: Life, seed: int) -> None:
        self._end = end
        self._life = life
        self._rnd = random.Random(seed)
        self._gate = Gate(self._rnd)

    def _message(self, tenant: Any, numbers: dict[str, int]) -> Any:
        now_us = time.time_ns() // 1000
        event = Sent(f"in flight {self._rnd.getrandbits(60)}", "dev-1", now_us, values(self._rnd))
        return self._gate.message(tenant.no, numbers, [event], now_us)

    def work(self, *, settle: bool) -> None:
        """An event is accepted; with `settle` a writer stores it."""

        async def run() -> None:
            queue = lanes_of(self._end.settings)[None]
            await queue.start()
            try:
                async with self._end.open() as running:
                    tenant = await running.registry.tenants.get(TENANT)
                    found = await running.registry.devices.resolve(tenant.no, ["dev-1"])
                    numbers = {device.id: device.no for device in found.values()}
                    async with asyncio.timeout(60):
                        await queue.put(self._message(tenant, numbers))
                        while settle and await queue.held():
                            await _settle_some(queue, running)
            finally:
                await queue.close()

        asyncio.run(run())


@pytest.fixture
def old(new_end: Callable[..., End]) -> DatabaseEnd:
    end = new_end("postgres")
    assert isinstance(end, DatabaseEnd)
    return end


def test_what_is_in_flight_is_waited_for_or_named(
    old: DatabaseEnd, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the queue holds events of the tenant there is no parcel; once they are stored they are in it."""
    life = lived(old, seed, batches=2)
    parcel = tmp_path / "parcel"
    stored = export_tenant(old.settings, TENANT, tmp_path / "first", silent).rows["claims"]
    senders = Senders(old, life, seed)
    senders.work(settle=False)
    monkeypatch.setattr(database, "DRAIN_S", 0.5)
    with pytest.raises(MoveRefusedError, match="1 events of the tenant are in flight"):
        export_tenant(old.settings, TENANT, parcel, silent)
    assert not parcel.exists()
    monkeypatch.undo()
    senders.work(settle=True)
    assert export_tenant(old.settings, TENANT, parcel, silent).rows["claims"] == stored + 2


@pytest.mark.parametrize("settle", [True, pytest.param(False, marks=pytest.mark.long)])
def test_what_comes_while_it_is_exported_is_not_lost_silently(
    old: DatabaseEnd, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, settle: bool
) -> None:
    """An event that is accepted behind the snapshot is not in the parcel: there is none then."""
    life = lived(old, seed, batches=2)
    senders = Senders(old, life, seed)
    parts = DatabaseSource.parts

    def parts_meanwhile(self: DatabaseSource) -> Iterator[tuple[str, Rows]]:
        yield from parts(self)
        senders.work(settle=settle)

    monkeypatch.setattr(DatabaseSource, "parts", parts_meanwhile)
    monkeypatch.setattr(database, "DRAIN_S", 0.5)
    with pytest.raises(MoveRefusedError, match="let its senders pause"):
        export_tenant(old.settings, TENANT, tmp_path / "parcel", silent)
    assert list(tmp_path.glob("*parcel*")) == []
    monkeypatch.undo()
    senders.work(settle=True)


def test_without_looking_twice_it_would_be_lost(
    old: DatabaseEnd, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with the second look gone, the parcel lacks an event that was accepted before it was done."""
    life = lived(old, seed, batches=2)
    senders, parts, quiet, looks = Senders(old, life, seed), DatabaseSource.parts, database._quiet, []

    def parts_meanwhile(self: DatabaseSource) -> Iterator[tuple[str, Rows]]:
        yield from parts(self)
        senders.work(settle=True)

    async def look_once(*arguments: Any) -> Any:
        if not looks:
            looks.append(await quiet(*arguments))
        return looks[0]

    monkeypatch.setattr(DatabaseSource, "parts", parts_meanwhile)
    monkeypatch.setattr(database, "_quiet", look_once)
    lacking = export_tenant(old.settings, TENANT, tmp_path / "parcel", silent)
    monkeypatch.undo()
    assert export_tenant(old.settings, TENANT, tmp_path / "whole", silent).rows["claims"] == lacking.rows["claims"] + 1


def test_a_damaged_parcel_changes_nothing(new_end: Callable[..., End], tmp_path: Path, seed: int) -> None:
    """It is read to its end before the installation is touched: no folder, no tenant."""
    old, new = new_end("sqlite"), new_end("sqlite")
    lived(old, seed, batches=2)
    parcel = tmp_path / "parcel"
    export_tenant(old.settings, TENANT, parcel, silent)
    parcel.write_bytes(parcel.read_bytes()[:-20])
    with pytest.raises(MoveRefusedError, match="it ends too early"):
        import_tenant(new.settings, parcel, end_keys=False, said=silent)
    assert [path.name for path in new.settings.data.iterdir()] == ["secrets.json"]


def test_a_parcel_that_changes_while_it_is_read_is_undone(
    new_end: Callable[..., End], tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verified once and different the second time: what was taken is taken back."""
    old, new = new_end("sqlite"), new_end("sqlite")
    lived(old, seed, batches=2)
    parcel = tmp_path / "parcel"
    export_tenant(old.settings, TENANT, parcel, silent)

    def examine_and_spoil(reader: ParcelReader, now_us: int) -> Any:
        found = examine(reader, now_us)
        parcel.write_bytes(parcel.read_bytes()[:-20])
        return found

    monkeypatch.setattr("telemetry_slice.runtime.moving.examine", examine_and_spoil)
    with pytest.raises(MoveRefusedError, match="it ends too early"):
        import_tenant(new.settings, parcel, end_keys=False, said=silent)
    assert tenants_of(new) == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_parcel_that_contradicts_itself_is_refused(
    new_end: Callable[..., End], tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Whole by its checksum, impossible by what it says: an id that is claimed twice."""
    old, new = new_end("sqlite"), new_end(target)
    lived(old, seed, batches=2)
    parts = ParcelReader.parts

    def parts_twice(self: ParcelReader) -> Iterator[tuple[str, Rows]]:
        for part, rows in parts(self):
            yield part, [*rows, rows[0]] if part == "claims" else rows

    monkeypatch.setattr(ParcelReader, "parts", parts_twice)
    with pytest.raises(MoveRefusedError, match="contradicts itself"):
        moved(old, new, tmp_path / "parcel")
    assert tenants_of(new) == []
