"""A small receiver that speaks the ingest API, served by a real HTTP server, and a way to run the program."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

# The tests of this folder share `platform_process`, which pytest's importlib mode does not find by itself.
sys.path.insert(0, str(Path(__file__).parent))


def wait_until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    ended = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        ended.wait(0.02)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Receiver:
    """Keeps events by id. `refusals` are answered first, one per request: (status, headers)."""

    key: str = "tsk_right"
    events: dict = field(default_factory=dict)
    refusals: list = field(default_factory=list)
    lose_answers: int = 0
    undecided: int = 0
    max_events: int = 1000
    requests: Counter = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0
    delay_s: float = 0.0
    quick_events: int = 0
    """Until it has so many events it answers without delay."""
    quota: int | None = None
    refused: int = 0
    _tokens: float = 0.0
    _at: float = 0.0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._answer(scope, receive, send)
        finally:
            self.in_flight -= 1

    async def _answer(self, scope, receive, send):
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests[scope["path"]] += 1
        if self.delay_s and len(self.events) >= self.quick_events:
            await asyncio.sleep(self.delay_s)
        status, answer, extra = self._decide(headers, body)
        if status is None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            return  # the connection is closed in the middle of the answer
        kind = b"application/json" if status < 400 else b"application/problem+json"
        fields = [(b"content-type", kind), *((k.encode(), v.encode()) for k, v in extra.items())]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _decide(self, headers, body):
        if headers.get("authorization") != f"Bearer {self.key}":
            return 401, {"title": "Unauthenticated", "detail": "The key is unknown."}, {}
        if self.refusals:
            status, extra = self.refusals.pop(0)
            return status, {"title": "Busy", "detail": "Busy."}, extra
        events = [json.loads(line) for line in body.splitlines()]
        if len(events) > self.max_events:
            return 413, {"title": "Too large", "detail": "Too many events."}, {}
        extra = {}
        if self.quota is not None:
            now = time.monotonic()
            self._tokens = min(self.quota, self._tokens + (now - self._at) * self.quota) if self._at else self.quota
            self._at = now
            admitted = self._tokens >= len(events)
            self._tokens -= len(events) * admitted
            extra = {
                "RateLimit": f'"key-events";r={int(self._tokens)};t=1',
                "RateLimit-Policy": f'"key-events";q={self.quota};w=1',
            }
            if not admitted:
                self.refused += 1
                return 429, {"title": "Quota", "detail": "The quota is used up."}, extra | {"Retry-After": "1"}
        results, rejected = [], []
        for index, event in enumerate(events):
            if event.get("type") == "refused":
                rejected.append({"index": index, "eventId": event["eventId"], "code": "invalid", "detail": "No."})
                continue
            kept = self.events.setdefault(event["eventId"], event)
            outcome = "stored" if kept is event else "duplicate" if kept == event else "dead"
            result = {"index": index, "eventId": event["eventId"], "outcome": outcome}
            results.append(result | ({"reason": "conflict"} if outcome == "dead" else {}))
        if self.lose_answers:
            self.lose_answers -= 1
            return None, None, None
        if not results:
            return 422, {"title": "Invalid", "detail": "No event is acceptable.", "rejected": rejected}, {}
        if self.undecided or "prefer" not in headers:
            self.undecided -= bool(self.undecided)
            return 202, {"accepted": len(results), "rejected": rejected}, {}
        return 200, {"results": results, "rejected": rejected}, extra


class Served:
    """A receiver behind uvicorn in a thread; can be stopped and started again on the same port."""

    def __init__(self, receiver):
        self.receiver = receiver
        self._server = None
        self._thread = None

    def start(self):
        config = uvicorn.Config(
            self.receiver, host="127.0.0.1", port=self.receiver.port, log_level="critical", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self):
        if self._thread is not None:
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(10)
            self._thread = None


class DemoPlatform:
    """A running demo, shared by all tests that leave it as usable as they found it."""

    def __init__(self, folder, process):
        from platform_process import demo_of

        self.folder = folder
        self.data = folder / "data"
        self.process = process
        self.url = process.ready()
        self.demo = demo_of(folder)
        self.acme = self.demo["tenants"]["acme-123"]
        self.beta = self.demo["tenants"]["beta-456"]


@pytest.fixture(scope="session")
def demo_platform(tmp_path_factory):
    from platform_process import running

    folder = tmp_path_factory.mktemp("demo")
    # No quotas: the load of one test must not be refused to another.
    none = {f"TSLICE_LIMIT_{whose}_PER_SECOND": "0" for whose in ("KEY", "TENANT", "KEY_EVENTS", "TENANT_EVENTS")}
    with running(folder, **none) as process:
        yield DemoPlatform(folder, process)


@pytest.fixture
def served():
    receiver = Receiver(port=free_port())
    server = Served(receiver)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def receiver(served):
    return served.receiver


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the program in an empty folder; the result has exit_code, stdout, stderr, exception."""
    from telemetry_slice.cli.app import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("TSLICE_URL", "TSLICE_KEY", "TSLICE_DATA"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def send(run, receiver):
    """Run `tslice send` against the receiver."""

    def invoke(*arguments):
        return run("send", *arguments, "--url", receiver.url, "--key", receiver.key)

    return invoke


@pytest.fixture
def csv_file(tmp_path):
    def write(text, name="readings.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
