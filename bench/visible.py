"""How long after its acknowledgement an event is seen by a query and on the live stream."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from types import TracebackType
from typing import Any, Self

import httpx2
from websockets.asyncio.client import connect

from telemetry_slice.model.times import rfc3339

from .load import quantile

DEVICE = "probe"
EVERY_S = 0.25
POLL_S = 0.02
GIVE_UP_S = 20.0


class Visible:
    """Sends probes while it is open: with a gateway key, seen with a service key of the same tenant."""

    def __init__(self, port: int, service: str, gateway: str) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Bearer {service}"}
        self._gateway = {"Authorization": f"Bearer {gateway}"}
        self._query: list[float] = []
        self._live: list[float] = []
        self._failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    @property
    def count(self) -> int:
        return len(self._query)

    def summary(self) -> str:
        """Both p99 in milliseconds; what never came counts as an error."""
        query, live = (quantile(sorted(taken), 0.99) * 1e3 for taken in (self._query, self._live))
        return f"{query:.0f} / {live:.0f} ms" + (f", {self._failures} lost" if self._failures else "")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        address = f"{self._url.replace('http', 'ws', 1)}/api/v1/live?device={DEVICE}"
        seen: dict[str, asyncio.Future[float]] = {}
        async with httpx2.AsyncClient(base_url=self._url, headers=self._headers, timeout=GIVE_UP_S) as http:
            await self._probe(http, None)
            async with connect(address, additional_headers=self._headers) as socket:
                await socket.recv()
                hearing = asyncio.create_task(self._hear(socket, http, seen))
                while not self._stop.is_set():
                    await self._probe(http, seen)
                    await asyncio.sleep(EVERY_S)
                hearing.cancel()

    async def _hear(self, socket: Any, http: httpx2.AsyncClient, seen: dict[str, asyncio.Future[float]]) -> None:
        """As a page does: what a gap in the sequence stands for is read."""
        heard_until: int | None = None
        async for text in socket:
            frame = json.loads(text)
            events = frame.get("events", ())
            if heard_until is not None and frame["sequence"] != heard_until + bool(events):
                for event_id in [each for each in tuple(seen) if await self._is_in_page(http, each)]:
                    _found(seen, event_id)
            heard_until = frame["sequence"]
            for event in events:
                _found(seen, event["eventId"])

    async def _probe(self, http: httpx2.AsyncClient, seen: dict[str, asyncio.Future[float]] | None) -> None:
        """One event; without `seen` nobody listens yet."""
        event_id = str(uuid.uuid4())
        heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if seen is not None:
            seen[event_id] = heard
        now = rfc3339(time.time_ns() // 1_000)
        event = {"eventId": event_id, "deviceId": DEVICE, "recordedAt": now, "type": "n", "value": 1}
        answer = await http.post("/api/v1/telemetry", json=event, headers=self._gateway)
        if answer.status_code != 202:
            raise RuntimeError(f"a probe was answered {answer.status_code} {answer.text}")
        began = time.perf_counter()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                while not await self._is_in_page(http, event_id):
                    await asyncio.sleep(POLL_S)
                self._query.append(time.perf_counter() - began)
                if seen is not None:
                    self._live.append(await heard - began)
        except TimeoutError:
            self._failures += 1

    async def _is_in_page(self, http: httpx2.AsyncClient, event_id: str) -> bool:
        answer = await http.get(f"/api/v1/devices/{DEVICE}/telemetry?limit=5&order=desc")
        return answer.status_code == 200 and any(event["eventId"] == event_id for event in answer.json()["events"])


def _found(seen: dict[str, asyncio.Future[float]], event_id: str) -> None:
    heard = seen.pop(event_id, None)
    if heard is not None and not heard.done():
        heard.set_result(time.perf_counter())
