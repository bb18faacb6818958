"""Send readings from standard input, one number a line, with nothing but Python's standard library.

    while sleep 5; do cat /sys/class/thermal/thermal_zone0/temp; done |
        python3 examples/sender.py --url http://127.0.0.1:8000 --key tsk_… --device dev-001 --type temperature --unit mC

A reading gets its id and time once, when it is taken, and goes to a spool file before it goes to the network. So a
reading survives a restart of this program and of the server, and sending it twice stores it once.
"""

import argparse
import json
import os
import random
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from pathlib import Path

BATCH = 100  # events in one request; the server takes up to 1,000
LONGEST_PAUSE_S = 300.0


def event_id() -> str:
    """A UUIDv7: 48 bits of milliseconds, then random. Ids that grow with time are the cheapest to store."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    number = (number & ~(0xF << 76)) | (0x7 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=number))


class Spool:
    """A file of NDJSON events, and beside it how many of its bytes are settled."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = path.with_name(path.name + ".offset")
        self._lock = threading.Lock()
        self._path.touch()
        whole = self._path.read_bytes().rfind(b"\n") + 1
        os.truncate(self._path, whole)  # a power cut may have torn the last line
        self._settled = min(int(self._mark.read_text()) if self._mark.exists() else 0, whole)

    def add(self, event: dict[str, object]) -> None:
        """Keep an event; it is on disk when this returns."""
        with self._lock, self._path.open("ab") as file:
            file.write(json.dumps(event).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def next_batch(self) -> bytes:
        """The oldest unsettled events as NDJSON, empty when there are none."""
        with self._lock, self._path.open("rb") as file:
            file.seek(self._settled)
            return b"".join(line for line, _ in zip(file, range(BATCH), strict=False) if line.endswith(b"\n"))

    def settle(self, batch: bytes) -> None:
        """Forget a batch. A crash just before this means that it is sent again, which does no harm."""
        with self._lock:
            self._settled += len(batch)
            done = self._settled == self._path.stat().st_size
            if done:
                self._settled = 0
            with self._mark.with_name(self._mark.name + ".new").open("w") as file:
                file.write(str(self._settled))
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self._mark)
            if done:  # only now: a spool that is sent again is harmless, an unread one is not
                os.truncate(self._path, 0)


def post(url: str, key: str, batch: bytes) -> tuple[int, str, str | None]:
    """Send a batch: status, body and Retry-After. Raises OSError when there was no answer."""
    request = urllib.request.Request(
        url.rstrip("/") + "/api/v1/telemetry",
        data=batch,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"},
    )
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, answer.read().decode(), None
    except urllib.error.HTTPError as problem:  # an OSError too, yet it is an answer
        return problem.code, problem.read().decode(), problem.headers.get("Retry-After")


def pause_s(attempt: int, retry_after: str | None) -> float:
    """How long to wait: never shorter than the server asks, spread so that a fleet does not return all at once."""
    if retry_after is not None and retry_after.isdigit():
        return float(retry_after) * (1 + random.random() / 4)
    return random.uniform(0.1, min(LONGEST_PAUSE_S, 2.0**attempt))


def read_input(spool: Spool, options: argparse.Namespace) -> None:
    """Turn every number on standard input into an event in the spool."""
    for line in sys.stdin:
        try:
            value = float(line)
        except ValueError:
            continue
        event: dict[str, object] = {
            "eventId": event_id(),
            "deviceId": options.device,
            "recordedAt": datetime.now(UTC).isoformat(),
            "type": options.type,
            "value": value,
        }
        if options.unit:
            event["unit"] = options.unit
        spool.add(event)


def main() -> int:
    """Send until the input has ended and the spool is empty; 1 when the key is refused or `--patience` runs out."""
    parser = argparse.ArgumentParser(description="Send numbers from standard input as telemetry.")
    parser.add_argument("--url", default=os.environ.get("TSLICE_URL", "http://127.0.0.1:8000"))
    parser.add_argument("--key", default=os.environ.get("TSLICE_KEY", ""))
    parser.add_argument("--device", required=True)
    parser.add_argument("--type", required=True)
    parser.add_argument("--unit")
    parser.add_argument("--spool", type=Path, default=Path("readings.ndjson"))
    parser.add_argument("--patience", type=float, default=float("inf"), help="seconds to go on after the input ended")
    options = parser.parse_args()

    spool = Spool(options.spool)
    reader = threading.Thread(target=read_input, args=(spool, options), daemon=True)
    reader.start()
    rest = threading.Event()  # nobody sets it: waiting on it is a pause
    attempt, ended_at = 0, None
    while True:
        ended = not reader.is_alive()
        ended_at = ended_at or (time.monotonic() if ended else None)
        batch = spool.next_batch()
        if not batch:
            if ended:
                return 0
            reader.join(0.2)
            continue
        if ended_at is not None and time.monotonic() - ended_at > options.patience:
            print("gave up; the readings stay in the spool", file=sys.stderr)
            return 1
        try:
            status, body, retry_after = post(options.url, options.key, batch)
        except OSError as problem:
            status, body, retry_after = 0, str(problem), None
        if status in {200, 202, 422}:  # 422: none was acceptable, and none ever will be
            for rejected in json.loads(body).get("rejected", []):
                print(f"rejected: {rejected}", file=sys.stderr)
            spool.settle(batch)
            attempt = 0
        elif status in {0, 408, 429} or status >= 500:
            attempt += 1
            wait_s = pause_s(attempt, retry_after)
            print(f"{status or 'no answer'}: again in {wait_s:.1f} s", file=sys.stderr)
            rest.wait(wait_s)
        else:  # the key or the request is wrong: repeating cannot help, the readings stay in the spool
            print(f"refused with {status}: {body}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
