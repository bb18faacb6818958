from __future__ import annotations

from datetime import UTC, datetime

import pytest

from telemetry_slice.cli.localtime import LocalTimes, zone_of


def read(zone, *texts):
    times = LocalTimes(zone_of(zone))
    return [datetime.fromtimestamp(times.read(text) / 1e6, UTC).strftime("%d %H:%M") for text in texts]


def test_offsets_epochs_and_plain_times():
    assert read(
        "Europe/Berlin",
        "2024-07-01T12:00:00Z",
        "2024-07-01 12:00:00+05:30",
        "2024-07-01 12:00",
        "20240701",
        "1719835200",
        "1719835200.5",
        "1719835200000",
        "1719835200000000",
        "1719835200000000000",
    ) == ["01 12:00", "01 06:30", "01 10:00", "30 22:00", *["01 12:00"] * 5]


def test_the_hour_that_happens_twice_is_told_by_order():
    # Berlin leaves summer time on 27 October 2024 at 03:00 (01:00 UTC).
    assert read(
        "Europe/Berlin", *(f"2024-10-27 {t}" for t in ("01:50", "02:20", "02:50", "02:20", "02:50", "03:20"))
    ) == [
        "26 23:50",
        "27 00:20",
        "27 00:50",
        "27 01:20",
        "27 01:50",
        "27 02:20",
    ]


def test_newest_first():
    assert read(
        "Europe/Berlin", *(f"2024-10-27 {t}" for t in ("03:20", "03:00", "02:50", "02:20", "02:50", "02:20", "01:50"))
    ) == [
        "27 02:20",
        "27 02:00",
        "27 01:50",
        "27 01:20",
        "27 00:50",
        "27 00:20",
        "26 23:50",
    ]


def test_hourly_readings_and_repeated_instants():
    hourly = [f"2024-10-27 {t}" for t in ("00:00", "01:00", "02:00", "02:00", "03:00")]
    assert read("Europe/Berlin", *hourly) == ["26 22:00", "26 23:00", "27 00:00", "27 01:00", "27 02:00"]
    repeated = [f"2024-10-27 {t}" for t in ("02:00", "02:10", "02:10", "02:20")]
    assert read("Europe/Berlin", *repeated) == ["27 00:00", "27 00:10", "27 00:10", "27 00:20"]


def test_a_skipped_hour_is_counted():
    times = LocalTimes(zone_of("America/New_York"))
    times.read("2024-03-10 02:30:00")
    assert times.nonexistent == 1


def test_what_is_no_time_or_zone_is_refused():
    with pytest.raises(ValueError, match="not a time"):
        read("UTC", "31/12/2024")
    with pytest.raises(ValueError, match="unknown time zone"):
        zone_of("Middle/Earth")
