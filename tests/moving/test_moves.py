"""A tenant that was moved is the same: answers, books, keys, and what becomes of events that come again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry_slice.engines.folder.lock import FolderBusyError, FolderLock
from telemetry_slice.model.errors import SliceError
from telemetry_slice.model.placement import PlacementKind
from telemetry_slice.model.tenancy import DeviceKey, GatewayKey, ServiceKey
from telemetry_slice.model.times import DAY_US
from telemetry_slice.ports.moving import MoveRefusedError
from telemetry_slice.runtime.moving import Moved, export_tenant, import_tenant
from telemetry_slice.runtime.placing import make_tenant_schema

from .ends import End, answers
from .life import NEIGHBOUR, TENANT, Gate, Life, Sent, live, outcomes, some_events, uuid7, values

# What both kinds share is tried on one of them, and on the other by the long run.
TARGETS = ["postgres", pytest.param("sqlite", marks=pytest.mark.long)]
WAYS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite"), ("postgres", "postgres")]

pytestmark = pytest.mark.timeout(600)


def silent(_text: str) -> None:
    pass


def moved(source: End, target: End, parcel: Path, **options: Any) -> Moved:
    export_tenant(source.settings, TENANT, parcel, silent)
    return import_tenant(target.settings, parcel, **{"end_keys": False, "said": silent, **options})


def lived(end: End, seed: int, **size: int) -> Life:
    async def run() -> Life:
        async with end.open() as running:
            return await live(running, random.Random(seed), **size)

    return asyncio.run(run())


def asked(end: End, life: Life) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with end.open() as running:
            return await answers(running, TENANT, life.as_of_us, life.minutes, life.expired_us)

    return asyncio.run(run())


def again(end: End, life: Life, seed: int) -> list[Any]:
    """Outcomes of everything that was ever sent, with new conflicts and new events in between."""
    rnd = random.Random(seed)
    seen = [event for events, _ in life.sent for event in events]
    newest_us = max(received_us for _, received_us in life.sent)
    batches = [events for events, _ in life.sent]
    batches += [some_events(rnd, ["dev-1", "quiet"], 10, seen, newest_us) for _ in range(5)]

    async def run() -> list[Any]:
        async with end.open() as running:
            return await outcomes(running, rnd, TENANT, batches)

    return asyncio.run(run())


def test_there_and_back_again(new_end: Callable[..., End], tmp_path: Path, seed: int) -> None:
    """SQLite → PostgreSQL → SQLite: devices, telemetry, series, insights, asOf, letters and books are what they were,
    events that come again become what they became, and the second parcel holds what the first did.
    """
    first, middle, last = new_end("sqlite"), new_end("postgres"), new_end("sqlite")
    life = lived(first, seed)
    before = asked(first, life)
    there = moved(first, middle, tmp_path / "there")
    assert asked(middle, life) == before
    back = moved(middle, last, tmp_path / "back")
    assert asked(last, life) == before
    assert there.rows == back.rows
    became = again(first, life, seed)
    assert again(middle, life, seed) == became
    assert again(last, life, seed) == became
    assert {outcome for outcomes, _ in became for outcome in bytes.fromhex(outcomes)} == {0, 1, 2}


@pytest.mark.parametrize(("kind", "database"), [("schema", None), ("database", "own")])
def test_a_tenant_moves_into_a_placement_and_out_of_it(
    new_end: Callable[..., End], tmp_path: Path, seed: int, kind: str, database: str | None
) -> None:
    """From the shared tables to a schema or database of its own, and back."""
    old, apart, together = new_end("sqlite"), new_end("postgres"), new_end("postgres")
    life = lived(old, seed, batches=5)
    before = asked(old, life)
    placed = {"kind": PlacementKind(kind), "database": database}
    if kind == "schema":
        with pytest.raises(SliceError, match="tslice migrate --tenant"):
            moved(old, apart, tmp_path / "early", **placed)
        make_tenant_schema(apart.settings, TENANT)
    moved(old, apart, tmp_path / "there", **placed)
    assert asked(apart, life) == before
    assert again(apart, life, seed) == again(old, life, seed)
    before = asked(apart, life)
    moved(apart, together, tmp_path / "back")
    assert asked(together, life) == before


@pytest.mark.long
def test_from_one_database_to_another(new_end: Callable[..., End], tmp_path: Path, seed: int) -> None:
    """A life on PostgreSQL moves as one on SQLite does."""
    old, new = new_end("postgres"), new_end("postgres")
    life = lived(old, seed, batches=15)
    before = asked(old, life)
    moved(old, new, tmp_path / "parcel")
    assert asked(new, life) == before
    assert again(new, life, seed) == again(old, life, seed)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("repetition", range(5))
@pytest.mark.timeout(1_800)
def test_a_long_life_moves(
    new_end: Callable[..., End], tmp_path: Path, seed: int, way: tuple[str, str], repetition: int
) -> None:
    """The same with many events, so that rows have been merged and parts have many pieces."""
    old, new = map(new_end, way)
    life = lived(old, seed + repetition, batches=400, many=400)
    before = asked(old, life)
    moved(old, new, tmp_path / "parcel")
    assert asked(new, life) == before
    assert again(new, life, seed) == again(old, life, seed)


@pytest.mark.parametrize("target", TARGETS)
def test_keys_and_passwords_work_where_the_tenant_went(
    new_end: Callable[..., End], tmp_path: Path, seed: int, target: str
) -> None:
    """With the same pepper every key that was live is, and is what it was; those that had ended have."""
    old, new = new_end("sqlite"), new_end(target)
    life = lived(old, seed, batches=1)
    moved(old, new, tmp_path / "parcel")

    async def run() -> None:
        async with new.open() as running:
            tenant = await running.registry.tenants.get(TENANT)
            device = await running.registry.devices.get(tenant.no, "dev-1")
            key = await running.access.key(life.tokens["dev-1"])
            assert isinstance(key, DeviceKey)
            assert (key.tenant, key.device_no, key.device_id) == (tenant, device.no, "dev-1")
            assert isinstance(await running.access.key(life.tokens["gateway"]), GatewayKey)
            service = await running.access.key(life.tokens["service"], "127.0.0.1")
            assert isinstance(service, ServiceKey)
            with pytest.raises(SliceError):
                await running.access.key(life.tokens["service"], "192.0.2.1")
            for token in life.ended:
                with pytest.raises(SliceError):
                    await running.access.key(token)
            signed_in = await running.access.people.login("ada@acme.example", life.password, None)
            assert signed_in.profile.user.tenant == tenant

    asyncio.run(run())


@pytest.mark.parametrize("target", TARGETS)
def test_keys_under_another_pepper_are_not_taken_for_live_ones(
    new_end: Callable[..., End], tmp_path: Path, seed: int, target: str
) -> None:
    """They could never be recognised: the import is refused, or with --end-keys they arrive as ended."""
    old, new = new_end("sqlite"), new_end(target, own_secrets=True)
    life = lived(old, seed, batches=1)
    parcel = tmp_path / "parcel"
    with pytest.raises(MoveRefusedError, match=r"3 live keys.*pepper.*--end-keys"):
        moved(old, new, parcel)
    assert tenants_of(new) == []
    result = import_tenant(new.settings, parcel, end_keys=True, said=silent)
    assert (result.live_keys, result.ended_keys) == (0, 3)

    async def run() -> None:
        async with new.open() as running:
            tenant = await running.registry.tenants.get(TENANT)
            for device in (None, "dev-0", "dev-1"):
                for key in await running.registry.keys.list(tenant.no, device):
                    assert key.revoked_us is not None
            for token in life.tokens.values():
                with pytest.raises(SliceError):
                    await running.access.key(token)

    asyncio.run(run())


def tenants_of(end: End) -> list[str]:
    async def run() -> list[str]:
        async with end.open() as running:
            return [tenant.id for tenant in await running.registry.tenants.list()]

    return asyncio.run(run())


@pytest.mark.parametrize("target", TARGETS)
def test_a_tenant_that_is_there_already_is_not_touched(
    new_end: Callable[..., End], tmp_path: Path, seed: int, target: str
) -> None:
    """The second import is refused, and nothing has changed."""
    old, new = new_end("sqlite"), new_end(target)
    life = lived(old, seed, batches=2)
    moved(old, new, tmp_path / "parcel")
    before = asked(new, life)
    with pytest.raises(MoveRefusedError, match=f"there is a tenant {TENANT} here already"):
        import_tenant(new.settings, tmp_path / "parcel", end_keys=False, said=silent)
    assert asked(new, life) == before


@pytest.mark.parametrize("target", TARGETS)
def test_a_tenant_arrives_among_others(new_end: Callable[..., End], tmp_path: Path, seed: int, target: str) -> None:
    """Who lives there keeps everything; an account with the same e-mail is one account, with its own password."""
    old, new = new_end("sqlite"), new_end(target)
    life = lived(old, seed, batches=5)

    async def settle() -> str:
        async with new.open() as running:
            await running.registry.tenants.create("earlier", "Earlier")
            other = await running.registry.tenants.create(NEIGHBOUR, "Beta")
            await running.registry.devices.register(other.no, ["dev-0", "dev-1"])
            account = await running.access.people.add(
                "ADA@acme.example", "Ada of Beta", "another password 123", [], platform_admin=True
            )
            return account.user_id

    ada = asyncio.run(settle())
    neighbour_sees = asked_of(new, NEIGHBOUR, life)
    moved(old, new, tmp_path / "parcel")
    assert asked_of(new, NEIGHBOUR, life) == neighbour_sees
    said = asked(new, life)
    assert {key: value for key, value in said.items() if key != "users"} == {
        key: value for key, value in asked(old, life).items() if key != "users"
    }

    async def look() -> None:
        async with new.open() as running:
            signed_in = await running.access.people.login("ada@acme.example", "another password 123", None)
            assert signed_in.profile.user.user_id == ada
            assert [membership.tenant.id for membership in signed_in.profile.memberships] == [TENANT]
            tenant = await running.registry.tenants.get(TENANT)
            members = [account for account, _ in await running.registry.accounts.of_tenant(tenant.no)]
            assert members
            assert all(account.password for account in members), "who comes of a provider has moved"

    asyncio.run(look())


def asked_of(end: End, tenant_id: str, life: Life) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with end.open() as running:
            return await answers(running, tenant_id, life.as_of_us, life.minutes, life.expired_us)

    return asyncio.run(run())


def test_nobody_arrives_as_administrator_of_the_platform(
    new_end: Callable[..., End], tmp_path: Path, seed: int
) -> None:
    """A parcel from elsewhere makes nobody mighty beyond its tenant."""
    old, new = new_end("sqlite"), new_end("sqlite")
    lived(old, seed, batches=1)

    async def crown() -> None:
        async with old.open() as running:
            tenant = await running.registry.tenants.get(TENANT)
            await running.access.people.add(
                "root@acme.example", "Root", "a long password 1", [(tenant.no, "admin")], platform_admin=True
            )

    asyncio.run(crown())
    moved(old, new, tmp_path / "parcel")

    async def look() -> None:
        async with new.open() as running:
            account = await running.registry.accounts.by_email("root@acme.example")
            assert account is not None
            assert not account.platform_admin

    asyncio.run(look())


def test_a_data_folder_in_use_is_left_alone(new_end: Callable[..., End], tmp_path: Path, seed: int) -> None:
    """A server that runs may accept events: neither export nor import goes on beside it."""
    old, new = new_end("sqlite"), new_end("sqlite")
    lived(old, seed, batches=1)
    export_tenant(old.settings, TENANT, tmp_path / "parcel", silent)
    for end, work in (
        (old, lambda: export_tenant(old.settings, TENANT, tmp_path / "second", silent)),
        (new, lambda: import_tenant(new.settings, tmp_path / "parcel", end_keys=False, said=silent)),
    ):
        lock = FolderLock(end.settings.data)
        try:
            with pytest.raises(FolderBusyError):
                work()
        finally:
            lock.release()
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("source", TARGETS)
def test_what_cannot_be_exported_says_why(new_end: Callable[..., End], tmp_path: Path, seed: int, source: str) -> None:
    """No such tenant, a file that exists; nothing is left behind."""
    end = new_end(source)
    with pytest.raises(MoveRefusedError, match=r"no tenant nobody|not a data folder"):
        export_tenant(end.settings, "nobody", tmp_path / "parcel", silent)
    lived(end, seed, batches=1)
    with pytest.raises(MoveRefusedError, match="there is no tenant nobody"):
        export_tenant(end.settings, "nobody", tmp_path / "parcel", silent)
    (tmp_path / "taken").write_text("precious")
    with pytest.raises(MoveRefusedError, match="exists already"):
        export_tenant(end.settings, TENANT, tmp_path / "taken", silent)
    assert (tmp_path / "taken").read_text() == "precious"
    assert not [path for path in tmp_path.iterdir() if "parcel" in path.name or path.name.startswith(".")]


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_stored_before_what_has_arrived(
    new_end: Callable[..., End], tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """A clock that was some minutes ahead is caught up with, so that `asOf` goes on; one far ahead is refused."""
    old, new, ahead_us = new_end("sqlite"), new_end(target), 120_000_000
    lived(old, seed, batches=1)
    until_us = time.time_ns() // 1000 + ahead_us
    monkeypatch.setattr("telemetry_slice.engines.sqlite.moving._CLOCK", f"SELECT {until_us}")
    moved(old, new, tmp_path / "parcel")

    async def store_one() -> int:
        async with new.open() as running:
            tenant = await running.registry.tenants.get(TENANT)
            numbers = {"dev-1": (await running.registry.devices.get(tenant.no, "dev-1")).no}
            rnd = random.Random(seed)
            event = Sent("fresh", "dev-1", until_us, values(rnd))
            return (await running.store.append([Gate(rnd).message(tenant.no, numbers, [event], until_us)]))[0].stored_us

    assert asyncio.run(store_one()) > until_us
    monkeypatch.setattr("telemetry_slice.engines.sqlite.moving._CLOCK", f"SELECT {until_us + 4 * ahead_us}")
    with pytest.raises(MoveRefusedError, match="ahead of this machine's clock"):
        moved(old, new_end(target), tmp_path / "second")


def test_ids_that_were_forgotten_are_not_taken_for_new(new_end: Callable[..., End], tmp_path: Path, seed: int) -> None:
    """Where a week of ids is known no more, events of it die; a tenant goes only to where they die, too."""
    old, parcel = new_end("postgres"), tmp_path / "parcel"
    life = lived(old, seed, batches=5)
    forget(old)
    export_tenant(old.settings, TENANT, parcel, silent)
    for kind in ("sqlite", "postgres"):
        with pytest.raises(MoveRefusedError, match="a second time"):
            import_tenant(new_end(kind).settings, parcel, end_keys=False, said=silent)
    new = new_end("postgres")
    forget(new)
    import_tenant(new.settings, parcel, end_keys=False, said=silent)
    assert again(new, life, seed) == again(old, life, seed)


def test_a_tenant_of_a_folder_goes_where_ids_are_forgotten(
    new_end: Callable[..., End], tmp_path: Path, seed: int
) -> None:
    """Its ids of those weeks die there when they come again, as everybody's; none is stored a second time."""
    old, new = new_end("sqlite"), new_end("postgres")
    life = lived(old, seed, batches=2)
    rnd, at_us = random.Random(seed), time.time_ns() // 1000 - 20 * DAY_US
    event = Sent(uuid7(rnd, at_us), "dev-1", at_us, values(rnd))

    async def sent(end: End) -> list[Any]:
        async with end.open() as running:
            return await outcomes(running, rnd, TENANT, [[event]])

    assert asyncio.run(sent(old)) == [("00", [])]
    forget(new)
    before = asked(old, life)
    moved(old, new, tmp_path / "parcel")
    assert asked(new, life) == before
    assert asyncio.run(sent(new)) == [("02", [((0, 0), "id_expired")])]
    assert asked(new, life)["dev-1"] == before["dev-1"]


def forget(end: End) -> None:
    """Drop the weeks of the ledger that ended two weeks ago."""

    async def run() -> None:
        async with end.open() as running:
            assert await running.store.drop_ledger_weeks(time.time_ns() // 1000 - 14 * DAY_US)

    asyncio.run(run())
