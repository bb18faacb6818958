"""main.py for a board with MicroPython (ESP32, Pico W): send a reading a minute, keep them in flash while offline.

Fill in the five constants. A reading gets its id and time once, when it is taken; it leaves the spool after a 2xx only.
"""

import binascii
import json
import os
import random
import socket
import time

import machine
import network
import ntptime

WIFI, PASSWORD = "my-network", "my-password"
HOST, PORT = "192.168.1.10", 8000
KEY = "tsk_..."
DEVICE = "dev-001"
EVERY_S = 60

SPOOL = "spool.ndjson"  # one event a line
SPOOL_LIMIT = 200_000  # bytes of flash; at 200 bytes an event about 1,000 readings
BATCH = 20
EPOCH_MS = 0 if time.gmtime(0)[0] == 1970 else 946_684_800_000  # some boards count from 2000

sensor = machine.ADC(machine.Pin(34))


def event_id(now_ms):
    """A UUIDv7: 48 bits of milliseconds, then random."""
    b = bytearray(now_ms.to_bytes(6, "big") + os.urandom(10))
    b[6] = (b[6] & 0x0F) | 0x70
    b[8] = (b[8] & 0x3F) | 0x80
    h = binascii.hexlify(b).decode()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def keep(value):
    """Append a reading to the spool, unless the flash reserved for it is full."""
    now_ms = time.time() * 1000 + EPOCH_MS
    event = {
        "eventId": event_id(now_ms),
        "deviceId": DEVICE,
        "recordedAt": now_ms,
        "type": "voltage",
        "value": value,
        "unit": "V",
    }
    try:
        if os.stat(SPOOL)[6] > SPOOL_LIMIT:
            return
    except OSError:
        pass
    with open(SPOOL, "a") as file:
        file.write(json.dumps(event) + "\n")


def oldest():
    """Up to BATCH of the oldest events."""
    try:
        with open(SPOOL) as file:
            return [line for line, _ in zip(file, range(BATCH))]
    except OSError:
        return []


def forget(count):
    """Drop the oldest events, and a torn last line. A reset half-way: some are sent again, which does no harm."""
    with open(SPOOL) as old, open(SPOOL + ".new", "w") as new:
        for index, line in enumerate(old):
            if index >= count and line.endswith("}\n"):
                new.write(line)
    os.rename(SPOOL + ".new", SPOOL)


def post(body):
    """Send NDJSON: (status, Retry-After or None). Raises OSError when there was no answer."""
    line = socket.socket()
    try:
        line.settimeout(15)
        line.connect(socket.getaddrinfo(HOST, PORT)[0][-1])
        head = (
            "POST /api/v1/telemetry HTTP/1.1\r\nHost: {}:{}\r\nAuthorization: Bearer {}\r\n"
            "Content-Type: application/x-ndjson\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
        ).format(HOST, PORT, KEY, len(body))
        line.write(head.encode() + body)
        words = line.readline().split()
        if len(words) < 2:
            raise OSError("no answer")
        retry_after = None
        while True:
            header = line.readline()
            if header in (b"", b"\r\n"):
                return int(words[1]), retry_after
            name, _, value = header.decode().partition(":")
            if name.lower() == "retry-after":
                retry_after = int(value)
    finally:
        line.close()


def pause_s(attempt, retry_after):
    """Never shorter than the server asks; otherwise doubling, with jitter, at most five minutes."""
    if retry_after is not None:
        return retry_after * (1 + random.random() / 4)
    return 0.1 + random.random() * min(300, 2**attempt)


def online():
    """Join the network and set the clock. True when both are done."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    if not station.isconnected():
        station.connect(WIFI, PASSWORD)
        for _ in range(20):
            if station.isconnected():
                break
            time.sleep(0.5)
    if not station.isconnected():
        return False
    if time.gmtime()[0] < 2026:
        try:
            ntptime.settime()
        except OSError:
            return False
    return True


def main():
    try:
        forget(0)
    except OSError:
        pass  # no spool yet
    attempt = 0
    not_before = taken = None
    while True:
        if time.gmtime()[0] >= 2026 and (taken is None or time.ticks_diff(time.ticks_ms(), taken) >= EVERY_S * 1000):
            taken = time.ticks_ms()
            keep(sensor.read_u16() * 3.3 / 65535)
        if not_before is not None and time.ticks_diff(not_before, time.ticks_ms()) > 0:
            time.sleep(0.2)
            continue
        status, retry_after = 0, None
        lines = oldest()
        if online() and lines:
            try:
                status, retry_after = post("".join(lines).encode())
            except OSError:
                status = 0
        if not lines:
            time.sleep(0.2)
        elif status in (200, 202, 422):  # 422: none was acceptable, and none ever will be
            forget(len(lines))
            attempt, not_before = 0, None
        else:  # nobody there, quota, capacity, or a wrong key: keep the readings and try later
            attempt = min(attempt + 1, 9)
            not_before = time.ticks_add(time.ticks_ms(), int(pause_s(attempt, retry_after) * 1000))


main()
