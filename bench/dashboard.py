"""How many queries the cache saves the database: people before dashboards, while devices send.

The requests are those that the page makes and repeats (web/src/api), with its own intervals: the list of devices every
5 s; of one device itself every 15 s, its types every 30 s, its series and insights every 20 s.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
from deploy.local.valkey import Valkey
from redis import Redis

from .events import DEVICES, bodies
from .target import Target, show

USERS = 100
BEFORE_THE_LIST = 60
WATCHED = 10
"""Of the others each watches one of so many devices: those of which something is expected."""
SEND_EVERY_S = 10.0
SECONDS = 30.0
CLOSED = "closed range"

_CALLS = """
    SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND userid = (SELECT oid FROM pg_roles WHERE rolname = 'tslice_api')
    AND query ILIKE '%select%from%' AND query NOT ILIKE '%set_config%'
"""


def _asked_of(device: str, now_s: float) -> dict[str, tuple[float, str]]:
    """What a person before one device asks: path by name, with the seconds between two times."""
    step = 60
    from_s = (now_s - 3_600) // step * step
    to_s = (now_s // step + 1) * step
    span = f"from={_text(from_s)}&to={_text(to_s)}&points={int((to_s - from_s) / step)}"
    yesterday = f"from={_text(from_s - 3 * 86_400)}&to={_text(to_s - 3 * 86_400)}&points=60"
    place = f"/api/v1/devices/{device}"
    return {
        "device": (15.0, place),
        "types": (30.0, f"{place}/types"),
        "series": (20.0, f"{place}/series?type=temperature&unit=C&{span}"),
        "insights": (20.0, f"{place}/insights?hours=24"),
        CLOSED: (20.0, f"{place}/series?type=temperature&unit=C&{yesterday}"),
    }


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _person(number: int, http: httpx2.AsyncClient, end_s: float, seen: Counter[int]) -> None:
    """One user, who came at a moment of his own."""
    rnd = random.Random(number)
    device = f"dev-{rnd.randrange(WATCHED):04d}"
    due: dict[str, float] = {}
    while (now_s := time.time()) < end_s:
        if number < BEFORE_THE_LIST:
            asked = {"devices": (5.0, "/api/v1/devices?limit=100")}
        else:
            asked = _asked_of(device, now_s)
        for name, (every_s, path) in asked.items():
            if now_s >= due.setdefault(name, now_s + rnd.random() * min(every_s, SECONDS / 3)):
                due[name] = now_s + every_s
                seen[(await http.get(path)).status_code] += 1
        await asyncio.sleep(0.1)


async def _devices(http: httpx2.AsyncClient, key: str, end_s: float, seed: int) -> None:
    """Every device sends one event every `SEND_EVERY_S`."""
    count = int(DEVICES / SEND_EVERY_S * SECONDS)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for body in bodies(count, 1, seed):
        if time.time() > end_s:
            return
        await http.post("/api/v1/telemetry", content=body, headers=headers)
        await asyncio.sleep(SEND_EVERY_S / DEVICES)


async def _run(port: int, service: str, key: str, seed: int) -> Counter[int]:
    seen: Counter[int] = Counter()
    end_s = time.time() + SECONDS
    limits = httpx2.Limits(max_connections=50)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as http:
        http.headers["Authorization"] = f"Bearer {service}"
        people = (_person(number, http, end_s, seen) for number in range(USERS))
        await asyncio.gather(_devices(http, key, end_s, seed), *people)
    return seen


def measure(target: Target, ask: Callable[[str], Any], service: str, key: str, valkey: Valkey) -> None:
    """Queries a request with the cache, and without it: then Valkey refuses to look answers up."""
    ask("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    taken: dict[str, float] = {}
    with Redis.from_url(valkey.url) as administrator:
        # First without counting: the API processes come to know the devices.
        for number, (name, rule) in enumerate((("", "+mget"), ("cache", "+mget"), ("no cache", "-mget"))):
            administrator.execute_command("ACL", "SETUSER", "default", rule)
            before = ask(_CALLS)
            seen = asyncio.run(_run(target.port, service, key, 1_000 + number))
            taken[name] = float(ask(_CALLS) - before) / sum(seen.values())
            if set(seen) != {200}:
                raise RuntimeError(f"dashboards were answered {dict(seen)}")
        administrator.execute_command("ACL", "SETUSER", "default", "+mget")
    saved = 1 - taken["cache"] / taken["no cache"]
    what = f"queries the cache saves, {USERS} people, {DEVICES:,} devices"
    show(what, f"{100 * saved:.0f} %", f"≥ 70 %; {taken['no cache']:.2f} → {taken['cache']:.2f} queries a request")
