"""Bodies of requests, made before the clock runs."""

from __future__ import annotations

import random
import struct
import time
import uuid

DEVICES = 1_000


def uuid7(ms: int, rnd: random.Random) -> str:
    """A UUIDv7 (RFC 9562 §5.7) of the given millisecond."""
    head = struct.pack(">Q", (ms << 16) | 0x7000 | rnd.getrandbits(12))
    tail = struct.pack(">Q", (0b10 << 62) | rnd.getrandbits(62))
    return str(uuid.UUID(bytes=head + tail))


def bodies(count: int, batch: int, seed: int, *, random_ids: bool = False) -> list[bytes]:
    """`count` JSON bodies of `batch` v1 events each (one event: a bare object), spread over `DEVICES` devices."""
    rnd = random.Random(seed)
    now_ms = time.time_ns() // 1_000_000
    made = []
    position = 0
    for _ in range(count):
        events = []
        for _ in range(batch):
            position += 1
            event_id = str(uuid.UUID(int=rnd.getrandbits(128), version=4)) if random_ids else uuid7(now_ms, rnd)
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms // 1000))
            events.append(
                f'{{"eventId":"{event_id}","deviceId":"dev-{position % DEVICES:04d}",'
                f'"recordedAt":"{moment}.{now_ms % 1000:03d}Z","type":"temperature",'
                f'"value":{20 + rnd.random() * 10:.3f},"unit":"C"}}'
            )
            if position % DEVICES == 0:
                now_ms += 1
        made.append(("[" + ",".join(events) + "]" if batch > 1 else events[0]).encode())
    return made
