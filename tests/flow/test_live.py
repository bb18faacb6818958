"""Watching what is stored: filters, frames, and the end of a watcher who does not keep up."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from telemetry_slice.engines.inprocess import LocalBus
from telemetry_slice.flow.live import FRAME_READINGS, Hub
from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.events import EventBatch, Kind, Message, Outcome, Settlement
from telemetry_slice.ports.cache import FRESH_S

ACME, BETA = 1, 2
STALE_S = FRESH_S + 0.2
"""Where replicas answer as well."""


def publish(bus, tenant, events, outcome=Outcome.STORED):
    """`events` are (device number, measurements); all with the same outcome."""
    batch = EventBatch(tenant, 7)
    for device, measurements in events:
        batch.keys.append(os.urandom(16))
        batch.texts.append(None)
        batch.devices.append(device)
        batch.device_ids.append(f"dev-{device}")
        batch.recorded_us.append(5)
        batch.meanings.append(0)
        batch.measurements.append(measurements)
    bus.publish(Message(b"i" * 16, 1, (batch,)), Settlement((bytes([outcome]) * len(events),), {}, 9))


def reading(value=1.0, type_="t"):
    return ((type_, "C", Kind.NUMBER, value),)


async def next_frame(frames):
    return await asyncio.wait_for(anext(frames), 20)


async def test_stored_readings_arrive_in_order_with_their_times():
    bus = LocalBus()
    watcher = Hub(bus).watch(ACME)
    publish(
        bus, ACME, [(3, (("on", None, Kind.BOOLEAN, 1.0), ("t", "C", Kind.NUMBER, 2.5), ("s", None, Kind.STRING, "x")))]
    )
    publish(bus, ACME, [(4, reading(3.0))])
    frame = await next_frame(watcher.frames())
    assert [(r.device_id, r.type, r.value) for r in frame] == [
        ("dev-3", "on", True), ("dev-3", "t", 2.5), ("dev-3", "s", "x"), ("dev-4", "t", 3.0),
    ]  # fmt: skip
    assert {(r.recorded_us, r.received_us, r.stored_us) for r in frame} == {(5, 7, 9)}
    assert frame[0].value is True


async def test_duplicates_the_dead_other_devices_types_and_tenants_are_not_seen():
    bus = LocalBus()
    watcher = Hub(bus).watch(ACME, device_no=3, types=["t"])
    publish(bus, ACME, [(3, reading(1.0))], Outcome.DUPLICATE)
    publish(bus, ACME, [(3, reading(2.0))], Outcome.DEAD)
    publish(bus, ACME, [(4, reading(3.0))])
    publish(bus, BETA, [(3, reading(4.0))])
    publish(bus, ACME, [(3, reading(5.0, "u"))])
    publish(bus, ACME, [(4, reading(6.0)), (3, reading(7.0))])
    assert [r.value for r in await next_frame(watcher.frames())] == [7.0]


async def test_another_choice_counts_from_its_moment_and_for_unknown_devices_too():
    bus = LocalBus()
    watcher = Hub(bus, stale_s=STALE_S).watch(ACME, device_no=3)
    assert not watcher.sees_all
    frames = watcher.frames()
    watcher.choose({"dev-4", "dev-9"}, None)
    publish(bus, ACME, [(3, reading(1.0)), (4, reading(2.0)), (5, reading(3.0))])
    publish(bus, ACME, [(5, reading(4.0))])
    publish(bus, BETA, [(4, reading(5.0))])
    publish(bus, ACME, [(9, reading(6.0))])
    assert [r.value for r in await next_frame(frames)] == [2.0, 6.0]
    watcher.choose(None, {"u"})
    publish(bus, ACME, [(4, reading(7.0)), (5, reading(8.0, "u"))])
    assert [r.value for r in await next_frame(frames)] == [8.0]
    watcher.choose((), None)
    publish(bus, ACME, [(4, reading(9.0))])
    watcher.choose(None, None)
    assert watcher.sees_all
    publish(bus, ACME, [(4, reading(10.0))])
    assert [r.value for r in await next_frame(frames)] == [10.0]
    told_s = time.monotonic()
    await watcher.chosen()
    assert time.monotonic() - told_s >= STALE_S - 0.01


class Interrupted(LocalBus):
    """A bus that begins to hear, is interrupted and hears again when told."""

    def __init__(self):
        super().__init__()
        self.hearing = []

    def listen(self, tenant, listener, hearing=None):
        self.hearing.append(hearing)
        return super().listen(tenant, listener)


async def test_a_watcher_has_begun_when_all_is_heard_and_sees_a_gap_for_what_may_be_missed_later():
    bus = Interrupted()
    hub = Hub(bus, stale_s=STALE_S)
    watcher = hub.watch(ACME)
    begun = asyncio.ensure_future(watcher.begun(20))
    await asyncio.sleep(0)
    assert not begun.done()
    publish(bus, ACME, [(1, reading(1.0))])
    (hearing,) = bus.hearing
    hearing(True)
    await begun
    frames = watcher.frames()
    assert [r.value for r in await next_frame(frames)] == [1.0]
    hearing(True)
    publish(bus, ACME, [(1, reading(2.0))])
    # Told when what may have been missed is in every answer that is read: after what was heard meanwhile.
    told_s = time.monotonic()
    assert [r.value for r in await next_frame(frames)] == [2.0]
    assert await next_frame(frames) == ()
    assert time.monotonic() - told_s >= STALE_S - 0.01
    for _ in range(3):
        hearing(False)
    assert await next_frame(frames) == ()
    assert watcher.deaf
    late = hub.watch(ACME)
    await late.begun(20)
    assert late.deaf
    hearing(False)
    hearing(True)
    for each in (frames, late.frames()):
        assert await next_frame(each) == ()
    assert not watcher.deaf
    assert not late.deaf


async def test_who_is_told_too_late_that_all_is_heard_reads_again():
    bus = Interrupted()
    watcher = Hub(bus).watch(ACME)
    await watcher.begun(0.01)
    bus.hearing[0](True)
    assert await next_frame(watcher.frames()) == ()


async def test_frames_are_bounded():
    bus = LocalBus()
    watcher = Hub(bus).watch(ACME)
    publish(bus, ACME, [(1, reading(float(n))) for n in range(FRAME_READINGS + 1)])
    frames = watcher.frames()
    assert [len(await next_frame(frames)) for _ in range(2)] == [FRAME_READINGS, 1]


async def test_who_does_not_keep_up_is_cut_off_alone():
    bus = LocalBus()
    hub = Hub(bus, pending_events=10)
    slow, quick = hub.watch(ACME), hub.watch(ACME)
    frames = quick.frames()
    got = 0
    for _ in range(4):
        publish(bus, ACME, [(1, reading())] * 4)
        got += len(await next_frame(frames))
    assert got == 16
    assert slow.cut.is_set()
    assert not quick.cut.is_set()
    with pytest.raises(StopAsyncIteration):
        await next_frame(slow.frames())


async def test_a_tenant_has_a_bounded_number_of_watchers_and_leaving_makes_room():
    bus = LocalBus()
    hub = Hub(bus, watchers_per_tenant=2)
    first = hub.watch(ACME)
    hub.watch(ACME)
    with pytest.raises(SliceError) as refusal:
        hub.watch(ACME)
    assert (refusal.value.code, refusal.value.policy) == (Code.QUOTA_EXCEEDED, "live-connections")
    hub.watch(BETA)
    first.leave()
    first.leave()
    hub.watch(ACME)


async def test_nobody_listens_to_the_bus_when_nobody_watches():
    class Counting(LocalBus):
        listening = 0

        def listen(self, tenant, listener, hearing=None):
            end = super().listen(tenant, listener, hearing)
            self.listening += 1

            def ended():
                self.listening -= 1
                end()

            return ended

    bus = Counting()
    hub = Hub(bus)
    watchers = [hub.watch(ACME), hub.watch(ACME), hub.watch(BETA)]
    assert bus.listening == 2
    for watcher in watchers:
        watcher.leave()
    assert bus.listening == 0


def test_every_start_has_an_epoch_of_its_own():
    assert Hub(LocalBus()).epoch != Hub(LocalBus()).epoch
