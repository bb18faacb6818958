"""Plausible machines: seeded, smooth readings of the demo's devices."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..model.times import HOUR_US, MINUTE_US, rfc3339
from .readings import derived_id

DAY_MINUTES = 24 * 60
_DRIFT = 0.985
"""How much of its deviation a reading keeps from one minute to the next."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one measurement goes: around `level`, up and down by `swing` over the day, restless by `noise`."""

    unit: str
    level: float
    swing: float
    noise: float
    bump: float = 0.0
    """Height of the anomaly, if the device has one."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A demo device and what it measures. `anomaly` = (hours before the end, minutes it lasts)."""

    device_id: str
    label: str
    location: str
    tags: tuple[str, ...]
    courses: dict[str, Course]
    anomaly: tuple[float, float] | None = None


BOILER = Machine(
    "dev-001",
    "Boiler #3",
    "Plant A",
    ("boiler",),
    {
        "temperature": Course("C", 82.0, 3.5, 0.12, bump=13.0),
        "pressure": Course("bar", 2.4, 0.15, 0.006, bump=0.5),
        "flow": Course("m3/h", 11.5, 1.8, 0.05),
    },
    anomaly=(7.5, 40.0),
)
CHILLER = Machine(
    "dev-002",
    "Chiller #1",
    "Plant A",
    ("chiller",),
    {
        "temperature": Course("C", 6.4, 0.7, 0.03),
        "power": Course("kW", 14.2, 4.6, 0.11),
    },
)
PUMP = Machine(
    "dev-100",
    "Pump #9",
    "Site B",
    ("pump",),
    {
        "flow": Course("m3/h", 48.0, 5.0, 0.2, bump=-9.0),
        "pressure": Course("bar", 3.1, 0.2, 0.008),
        "vibration": Course("mm/s", 1.8, 0.15, 0.01, bump=2.6),
    },
    anomaly=(4.0, 25.0),
)

LATE_MINUTES = frozenset({*range(405, 413), *range(1130, 1134)})
"""Minutes of the day whose readings arrive after all others: two short outages of a network."""


def history(machine: Machine, until_us: int, seed: int) -> Iterator[dict[str, Any]]:
    """v2 events of the 24 hours before `until_us`, one a minute, in the order they arrive: late ones last.

    The same arguments give the same events with the same ids.
    """
    late: list[dict[str, Any]] = []
    rng = random.Random(f"{seed}/{machine.device_id}")  # nosec B311  # noqa: S311 - a demo's noise needs no secrecy
    drift = dict.fromkeys(machine.courses, 0.0)
    start_us = until_us - DAY_MINUTES * MINUTE_US
    for minute in range(DAY_MINUTES):
        recorded_us = start_us + minute * MINUTE_US
        # Warmest in the afternoon, coolest before dawn, wherever the day of 24 hours begins.
        phase = 2 * math.pi * (recorded_us % (24 * HOUR_US) / (24 * HOUR_US) - 0.375)
        bump = 0.0
        if machine.anomaly is not None:
            hours, lasts = machine.anomaly
            place = (minute - (DAY_MINUTES - hours * 60)) / lasts
            bump = math.sin(math.pi * place) ** 2 if 0 < place < 1 else 0.0
        measurements: dict[str, Any] = {}
        for name, course in machine.courses.items():
            drift[name] = _DRIFT * drift[name] + rng.gauss(0.0, course.noise)
            value = course.level + course.swing * math.sin(phase) + drift[name] + course.bump * bump
            measurements[name] = {"value": round(value, 3), "unit": course.unit}
        event = {
            "eventId": derived_id(machine.device_id, "demo", recorded_us, 0),
            "deviceId": machine.device_id,
            "recordedAt": rfc3339(recorded_us),
            "measurements": measurements,
        }
        if minute in LATE_MINUTES:
            late.append(event)
        else:
            yield event
    yield from late
