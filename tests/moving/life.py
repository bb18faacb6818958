"""A tenant's life: everything that can happen to events, at random, on any installation."""

from __future__ import annotations

import random
import struct
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from telemetry_slice.model.dashboards import DashboardChange
from telemetry_slice.model.events import EventBatch, Kind, Measurement, Message, TenantNo, event_key, meaning_of
from telemetry_slice.model.placement import SHARED, Placement
from telemetry_slice.model.tenancy import KeyKind, Limits, Role, Scope
from telemetry_slice.model.times import DAY_US, MINUTE_US
from telemetry_slice.ports.accounts import Account
from telemetry_slice.ports.identities import Identity, Standing

from .ends import Running

TENANT = "acme-123"
NEIGHBOUR = "beta-456"
TYPES = (("temperature", "C"), ("temperature", "°F"), ("pressure", None), ("Zähler", "kWh"))


@dataclass(frozen=True)
class Sent:
    """An event as a device means it."""

    event_id: str
    device_id: str
    recorded_us: int
    measurements: tuple[Measurement, ...]
    doom: str | None = None


class Gate:
    """Numbers messages, and announces running totals, as a gate does."""

    def __init__(self, rnd: random.Random) -> None:
        self.incarnation = rnd.randbytes(16)
        self.sequence = 0
        self.totals: Counter[Any] = Counter()

    def message(self, tenant: TenantNo, numbers: dict[str, int], events: list[Sent], received_us: int) -> Message:
        batch = batch_of(tenant, numbers, events, received_us)
        minute = (tenant, received_us // MINUTE_US)
        self.totals[tenant] += len(events)
        self.totals[minute] += len(events)
        batch.total, batch.minute_total = self.totals[tenant], self.totals[minute]
        self.sequence += 1
        return Message(self.incarnation, self.sequence, (batch,))


def batch_of(tenant: TenantNo, numbers: dict[str, int], events: list[Sent], received_us: int) -> EventBatch:
    batch = EventBatch(tenant, received_us)
    for index, event in enumerate(events):
        key, text = event_key(event.event_id)
        batch.keys.append(key)
        batch.texts.append(text)
        batch.devices.append(numbers[event.device_id])
        batch.device_ids.append(event.device_id)
        batch.recorded_us.append(event.recorded_us)
        batch.meanings.append(meaning_of(event.device_id, event.recorded_us, event.measurements))
        batch.measurements.append(event.measurements)
        if event.doom:
            batch.doomed[index] = event.doom
    return batch


@dataclass
class Life:
    """What happened, for asking again.

    Attributes:
        sent: every batch, with when it was received.
        tokens: keys that work, by what they are for; `ended` lists those that do not.
        password: of the user ada@acme.example.
        as_of_us: a moment in the middle.
        expired_us: readings before it were deleted.
    """

    sent: list[tuple[list[Sent], int]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    password: str = "correct horse battery staple"
    as_of_us: int = 0
    expired_us: int = 0

    @property
    def minutes(self) -> list[int]:
        return sorted({received_us - received_us % MINUTE_US for _, received_us in self.sent})


def values(rnd: random.Random) -> tuple[Measurement, ...]:
    def number() -> float:
        return rnd.choice([0.0, 5e-324, 1.7976931348623157e308, -273.15, 0.1 + 0.2, rnd.gauss(20, 5), rnd.random()])

    if rnd.random() < 0.6:
        kind_of, unit = rnd.choice(TYPES)
        return ((kind_of, unit, Kind.NUMBER, number()),)
    return (
        ("pressure", None, Kind.NUMBER, number()),
        ("running", None, Kind.BOOLEAN, float(rnd.random() < 0.5)),
        ("state", None, Kind.STRING, rnd.choice(["idle", "", "läuft", "\n\t\"\\'", "🔥" * 50])),
    )


def uuid7(rnd: random.Random, at_us: int) -> str:
    body = struct.pack(">Q", (at_us // 1000) << 16 | 0x7000 | rnd.getrandbits(12)) + b"\x80" + rnd.randbytes(7)
    return str(uuid.UUID(bytes=body))


def fresh_id(rnd: random.Random, at_us: int) -> str:
    kind = rnd.random()
    if kind < 0.5:
        return uuid7(rnd, at_us)
    if kind < 0.7:
        return str(uuid.UUID(bytes=rnd.randbytes(16), version=4))
    return f"{rnd.choice(['a', 'É', '計', ' '])}{rnd.getrandbits(60)}"


def some_events(rnd: random.Random, devices: list[str], count: int, seen: list[Sent], now_us: int) -> list[Sent]:
    """New events, late ones, repetitions, conflicts and impossible clocks."""
    events = []
    for _ in range(count):
        dice = rnd.random()
        if seen and dice < 0.15:
            events.append(rnd.choice(seen))
        elif seen and dice < 0.25:
            events.append(replace(rnd.choice(seen), measurements=values(rnd), doom=None))
        else:
            late = rnd.choice([0, 0, 0, DAY_US, 20 * DAY_US, 9_000 * DAY_US])
            recorded_us = now_us - late - rnd.randrange(3_600_000_000)
            event_id = fresh_id(rnd, now_us - rnd.choice([0, 0, late]))
            events.append(Sent(event_id, rnd.choice(devices), recorded_us, values(rnd)))
            if dice > 0.95:
                events[-1] = replace(events[-1], doom="clock")
        seen.append(events[-1])
    return events


async def live(
    running: Running, rnd: random.Random, *, batches: int = 30, many: int = 12, placement: Placement = SHARED
) -> Life:
    """Let the tenant, which is placed there, and its neighbour live."""
    life, registry = Life(), running.registry
    neighbour = await registry.tenants.create(NEIGHBOUR, "Beta")
    tenant = await registry.tenants.create(
        TENANT,
        "Acme ✓",
        auto_register=False,
        limits=Limits(key_per_second=7, tenant_events_per_second=0),
        placement=placement,
    )
    ids = [f"dev-{n}" for n in range(6)] + ["Kessel #3", "quiet"]
    for device_id in ids:
        await registry.devices.create(
            tenant.no, device_id, label=f"{device_id} É", location="Halle", tags=rnd.sample(["a", "b", "ç"], 2)
        )
    numbers = {device.id: device.no for device in (await registry.devices.resolve(tenant.no, ids)).values()}
    theirs = {device.id: device.no for device in (await registry.devices.register(neighbour.no, ids)).values()}
    await _credentials(running, life, tenant)
    wall = DashboardChange("Wand ✓", Role.VIEWER, '{"schema": 1}', "ada@acme.example", 5)
    await registry.dashboards.create(tenant.no, "wall-1", wall)
    changed = replace(wall, name="Halle", visible_to=Role.OPERATOR, at_us=6)
    await registry.dashboards.change(tenant.no, "wall-1", 1, changed)

    now_us = time.time_ns() // 1000
    seen: list[Sent] = []
    gates = [Gate(rnd), Gate(rnd)]
    for number in range(batches):
        received_us = now_us - (batches - number) * 20_000_000
        events = some_events(rnd, ids[:-1], rnd.randint(1, many), seen, received_us)
        life.sent.append((events, received_us))
        gate = rnd.choice(gates)
        # The neighbour says the same under the same ids.
        messages = [
            gate.message(tenant.no, numbers, events, received_us),
            gate.message(neighbour.no, theirs, events, received_us),
        ]
        # One placement a transaction, as writers have it.
        settled = [(await running.store.append([message]))[0] for message in messages]
        if number == batches // 2:
            life.as_of_us = settled[0].stored_us
    await running.store.count_rejected([(tenant.no, received_us, "invalid", 3), (tenant.no, now_us, "quota", 1)])

    letters = list(await running.store.list(tenant.no, reason=None, after=None, limit=1_000))
    rnd.shuffle(letters)
    for letter, does in zip(letters, ("discard", "replay", "mend", "again", "discard", "replay"), strict=False):
        event = Sent(fresh_id(rnd, now_us), "dev-1", now_us, values(rnd))
        if does == "discard":
            assert await running.store.discard(tenant.no, letter.id)
        elif does == "mend":
            assert await running.store.mend(tenant.no, letter.id, batch_of(tenant.no, numbers, [event], now_us))
        else:
            if does == "again":
                event = replace(event, doom="clock")
            assert await running.store.replay(tenant.no, letter.id, batch_of(tenant.no, numbers, [event], now_us))
    life.expired_us = now_us - 5_000 * DAY_US
    while await running.store.expire(life.expired_us):
        pass
    assert await registry.devices.delete(tenant.no, "dev-0")
    return life


async def _credentials(running: Running, life: Life, tenant: Any) -> None:
    registry, keys = running.registry, running.access.keys
    for device_id in ("dev-0", "dev-1"):
        device = (await registry.devices.resolve(tenant.no, [device_id]))[device_id]
        _, life.tokens[device_id] = await keys.issue(tenant, KeyKind.DEVICE, device=device, name="é")
    life.ended.append(life.tokens.pop("dev-0"))  # ends with its device
    _, life.tokens["gateway"] = await keys.issue(tenant, KeyKind.GATEWAY)
    scopes = frozenset({Scope.READ, Scope.ADMIN})
    far_us = time.time_ns() // 1000 + 400 * DAY_US
    _, life.tokens["service"] = await keys.issue(
        tenant, KeyKind.SERVICE, scopes=scopes, expires_us=far_us, addresses=["127.0.0.0/8"]
    )
    record, revoked = await keys.issue(tenant, KeyKind.GATEWAY, name="old")
    await registry.keys.revoke(tenant.no, record.key_id)
    life.ended.append(revoked)
    people = running.access.people
    await people.add("ada@acme.example", "Ada", life.password, [(tenant.no, Role.OWNER)])
    await people.add("Bob@acme.example", "Bob", life.password, [(tenant.no, Role.VIEWER)])
    # Stays behind, and is nobody there.
    provided = Account("provided", "ada@acme.example", "Another Ada", "", platform_admin=False)
    await running.registry.signing_in.identities.enrol(Identity("https://provider.example", "ada"), provided, 1)
    await running.registry.signing_in.identities.follow("provided", Standing({tenant.no: Role.OWNER}))


async def outcomes(running: Running, rnd: random.Random, tenant_id: str, batches: list[list[Sent]]) -> list[Any]:
    """What becomes of batches that arrive now."""
    tenant = await running.registry.tenants.get(tenant_id)
    assert tenant is not None
    ids = sorted({event.device_id for events in batches for event in events})
    numbers = {device.id: device.no for device in (await running.registry.devices.resolve(tenant.no, ids)).values()}
    gate = Gate(rnd)
    now_us = time.time_ns() // 1000
    found = []
    for events in batches:
        (settlement,) = await running.store.append([gate.message(tenant.no, numbers, events, now_us)])
        found.append((settlement.outcomes[0].hex(), sorted(settlement.reasons.items())))
    return found
