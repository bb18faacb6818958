"""The disk filling up: ingest closes before it is full, reopens by itself, and the space left is reckoned honestly."""

from __future__ import annotations

import pytest

from telemetry_slice.flow.history import SAMPLES, SHORTEST_FORECAST_US, StorageGuard
from telemetry_slice.model.times import DAY_US, HOUR_US, MINUTE_US

RESERVE = 1_000_000


class GivenDisk:
    """A disk of a size that the test sets."""

    def __init__(self, data, free):
        self.data = data
        self.free = free

    def usage(self):
        return self.data, self.free


@pytest.fixture
def disk():
    return GivenDisk(data=0, free=100 * RESERVE)


@pytest.fixture
def told():
    """What the guard told ingest, in order: a reason, or None for open."""
    return []


@pytest.fixture
def guard(disk, clock, told):
    return StorageGuard(disk, clock, RESERVE, told.append)


def pass_time(guard, clock, disk, length_us, bytes_per_minute=0):
    """Look once a minute while the data grows steadily; the last sight."""
    seen = guard.look()
    for _ in range(length_us // MINUTE_US):
        clock.advance(60)
        disk.data += bytes_per_minute
        seen = guard.look()
    return seen


def test_ingest_closes_below_the_reserve(guard, disk, told):
    disk.free = RESERVE
    assert guard.look().closed is None
    disk.free = RESERVE - 1
    reason = guard.look().closed
    assert reason is not None
    assert str(RESERVE - 1) in reason
    guard.look()
    assert told == [reason], "told once, not at every look"


def test_ingest_reopens_by_itself_with_a_quarter_more_than_the_reserve(guard, disk, told):
    disk.free = RESERVE - 1
    guard.look()
    for still_too_little in (RESERVE, int(RESERVE * 1.25) - 1):
        disk.free = still_too_little
        assert guard.look().closed is not None
    disk.free = int(RESERVE * 1.25)
    assert guard.look().closed is None
    assert told[1:] == [None]
    disk.free = RESERVE
    assert guard.look().closed is None, "the reserve itself does not close again what has reopened"
    assert len(told) == 2


def test_there_is_no_forecast_from_a_few_hours(guard, disk, clock):
    seen = pass_time(guard, clock, disk, SHORTEST_FORECAST_US - MINUTE_US, bytes_per_minute=1_000_000)
    assert (seen.bytes_per_day, seen.days_left) == (None, None)
    assert seen.data_bytes == disk.data
    seen = pass_time(guard, clock, disk, MINUTE_US, bytes_per_minute=1_000_000)
    assert seen.bytes_per_day == 1_440 * 1_000_000


def test_the_forecast_spends_what_is_free_beyond_the_reserve(guard, disk, clock):
    seen = pass_time(guard, clock, disk, 8 * HOUR_US, bytes_per_minute=1_000)
    assert seen.bytes_per_day == 1_440_000
    disk.free = RESERVE + 14_400_000
    assert guard.look().days_left == pytest.approx(10)
    disk.free = RESERVE // 2
    assert guard.look().days_left == 0, "inside the reserve nothing is left to spend"


def test_the_forecast_follows_the_last_day(guard, disk, clock):
    pass_time(guard, clock, disk, DAY_US, bytes_per_minute=50_000)
    seen = pass_time(guard, clock, disk, SAMPLES * MINUTE_US, bytes_per_minute=2_000)
    assert seen.bytes_per_day == 1_440 * 2_000


@pytest.mark.parametrize("bytes_per_minute", [0, -1_000])
def test_data_that_does_not_grow_has_no_end_in_sight(guard, disk, clock, bytes_per_minute):
    disk.data = 10_000_000
    seen = pass_time(guard, clock, disk, 7 * HOUR_US, bytes_per_minute=bytes_per_minute)
    assert (seen.bytes_per_day, seen.days_left) == (0, None)
