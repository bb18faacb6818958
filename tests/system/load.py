"""Senders that know what was acknowledged to them, and what a platform says it has."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .processes import Answering, wait_until

SENDERS = 6
DRAIN_S = 120
BASE = "2026-11-01T00:00:00Z"


class Answer(NamedTuple):
    """When an answer came (monotonic seconds), what it was, and how many seconds it took."""

    at: float
    status: int
    took: float


@dataclass
class Ledger:
    """What the senders know themselves."""

    device: str = field(default_factory=lambda: f"load-{uuid.uuid4().hex[:8]}")
    """Their devices are `{device}-0`, `-1`, …: nobody else's."""
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)
    acknowledged_events: int = 0
    attempted_events: int = 0
    acks: int = 0
    broken: int = 0
    """Connections that ended before the answer."""
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    """What those that were not acknowledged were told."""
    answers: list[Answer] = field(default_factory=list)


async def post(port: int, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """One request over a fresh connection; raises OSError or EOFError if the server dies."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"POST /api/v1/telemetry HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\n"
            + f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head[9:12]), json.loads(await reader.readexactly(length))
    finally:
        writer.close()


async def sender(
    server: Answering, key: str, ledger: Ledger, rnd: random.Random, name: int, stop: asyncio.Event, pause_s: float
) -> None:
    """Sends batches, each until it is acknowledged; some of them twice, some events doomed by their clock."""
    device, number = f"{ledger.device}-{name}", 0
    while not stop.is_set():
        events = []
        for _ in range(rnd.choice((1, 1, 3, 20, 100))):
            number += 1
            event_id = str(uuid.UUID(int=rnd.getrandbits(128), version=4))
            doomed = rnd.random() < 0.02
            (ledger.doomed if doomed else ledger.sent).add(event_id)
            recorded = "1999-01-01T00:00:00Z" if doomed else BASE
            events.append(
                {
                    "eventId": event_id,
                    "deviceId": device,
                    "recordedAt": recorded,
                    "type": "n",
                    "value": number,
                }
            )
        body = json.dumps(events).encode()
        repeats = 2 if rnd.random() < 0.1 else 1
        while repeats:
            ledger.attempted_events += len(events)
            began = time.monotonic()
            try:
                async with asyncio.timeout(30):
                    status, answer = await post(server.port, key, body)
            except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError):
                if stop.is_set():
                    return
                ledger.broken += 1
                await asyncio.sleep(0.02)
                continue
            ledger.statuses[status] += 1
            ledger.answers.append(Answer(time.monotonic(), status, time.monotonic() - began))
            if status == 503:
                ledger.refusals[answer["detail"]] += 1
                await asyncio.sleep(0.02)
                continue
            assert status == 202, (status, answer)
            assert answer == {"accepted": len(events), "rejected": []}
            ledger.acks += 1
            ledger.acknowledged_events += len(events)
            ledger.acknowledged.update(event["eventId"] for event in events)
            repeats -= 1
            await asyncio.sleep(pause_s)


def books_of(server: Answering, key: str) -> dict[str, Any]:
    answers: list[tuple[int, Any]] = []

    def answered() -> bool:
        # While a killed writer is restarted, 503 is the honest answer.
        answers.append(server.request("GET", "/api/v1/books", key=key))
        assert answers[-1][0] in (200, 503), answers[-1]
        return answers[-1][0] == 200

    wait_until(answered, "books")
    books: dict[str, Any] = answers[-1][1]
    return books


def stored_ids(server: Answering, key: str, device: str) -> Counter[str]:
    """How often each event id is stored of a load's devices."""
    seen: Counter[str] = Counter()
    for name in range(SENDERS):
        cursor = ""
        while True:
            path = f"/api/v1/devices/{device}-{name}/telemetry?from={BASE}&to=2026-11-02T00:00:00Z&limit=1000{cursor}"
            status, page = server.request("GET", path, key=key)
            if status == 404:
                break
            assert status == 200, page
            seen.update(event["eventId"] for event in page["events"])
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
    return seen


def dead_ids(server: Answering, key: str, device: str) -> Counter[str]:
    """How many dead letters there are with each event id of a load's devices."""
    seen: Counter[str] = Counter()
    cursor = ""
    while True:
        status, page = server.request("GET", f"/api/v1/dead-letters?limit=1000{cursor}", key=key)
        assert status == 200, page
        seen.update(letter["eventId"] for letter in page["deadLetters"] if letter["deviceId"].startswith(device))
        if page["next"] is None:
            return seen
        cursor = f"&cursor={page['next']}"


async def under_load(
    server: Answering, key: str, seed: int, work: Callable[[Ledger], None], *, pause_s: float = 0
) -> Ledger:
    """Run `work(ledger)` in a thread while senders send, each pausing between requests; what they know afterwards."""
    rnd = random.Random(seed)
    ledger = Ledger()
    stop = asyncio.Event()
    senders = [
        asyncio.create_task(sender(server, key, ledger, random.Random(rnd.random()), name, stop, pause_s))
        for name in range(SENDERS)
    ]
    try:
        await asyncio.to_thread(work, ledger)
        stop.set()
        done, hanging = await asyncio.wait(senders, timeout=90)
        assert not hanging, "senders that nobody answers"
        for task in done:
            task.result()
    finally:
        stop.set()
        for task in senders:
            task.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    return ledger


def check(server: Answering, key: str, ledger: Ledger, before: dict[str, Any], *, alone: bool = True) -> None:
    """Everything acknowledged is there, once, and the books agree with the senders.

    `before` is what the books were before the load; `alone` says that nobody else has sent for the tenant since.
    """
    wait_until(lambda: books_of(server, key)["inFlight"] == 0, "drained queue", DRAIN_S)
    books = books_of(server, key)
    stored, dead = stored_ids(server, key, ledger.device), dead_ids(server, key, ledger.device)
    print(f"{ledger.acks} acknowledgements, {len(stored)} stored, {len(dead)} dead, {dict(ledger.statuses)}, {books}")
    assert set(stored.values()) | set(dead.values()) <= {1}, "an event is kept twice"
    missing = ledger.acknowledged - stored.keys() - dead.keys()
    assert not missing, f"{len(missing)} acknowledged events are lost"
    assert stored.keys() <= ledger.sent
    assert dead.keys() <= ledger.doomed
    assert books["balanced"], f"not balanced: {books}"
    # In the books exactly those of ours that are kept, and what others have sent.
    others = books["stored"] - before["stored"] - len(stored)
    assert others == 0 or (others > 0 and not alone), "the books tell of more or less than is stored"
    assert books["dead"].get("clock", 0) - before["dead"].get("clock", 0) == len(dead)
    accepted = books["accepted"] - before["accepted"]
    assert ledger.acknowledged_events <= accepted
    assert accepted - others <= ledger.attempted_events
