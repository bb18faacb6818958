"""`tslice agent`: this host's own readings as telemetry."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from ..model.times import rfc3339
from .backoff import Backoff
from .client import TRANSIENT, Api, ProblemError, UnreachableError
from .delivery import UndeliverableError
from .spool import Spool
from .target import Target

INTERVAL_S = 5.0
MAX_TEMPERATURE_C = 150.0

Say = Callable[[str], None]


def uuid7(now_us: int) -> str:
    """A UUID version 7 (RFC 9562): milliseconds, then 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big")
    number = (now_us // 1000 & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 62 & 0xFFF) << 64
    number |= 0b10 << 62 | random & (1 << 62) - 1
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class HostReadings:
    """What this computer measures about itself. Rates are over the time since the reading before."""

    def __init__(self) -> None:
        psutil.cpu_percent(None)
        self._net = self._network()
        self._at = time.monotonic()

    @staticmethod
    def _network() -> tuple[int, int] | None:
        try:
            cards = psutil.net_io_counters(pernic=True)
        except (OSError, RuntimeError):
            return None
        outside = [counters for name, counters in cards.items() if not name.startswith("lo")]
        return sum(card.bytes_recv for card in outside), sum(card.bytes_sent for card in outside)

    @staticmethod
    def _temperature() -> float | None:
        """The warmest plausible sensor, degrees Celsius."""
        sensors = getattr(psutil, "sensors_temperatures", None)
        if sensors is None:
            return None
        try:
            found = [entry.current for entries in sensors().values() for entry in entries]
        except (OSError, RuntimeError):
            return None
        return max((value for value in found if value and 0.0 < value < MAX_TEMPERATURE_C), default=None)

    def take(self) -> dict[str, dict[str, Any]]:
        """The measurements of now, as a v2 event holds them."""

        def measured(value: float, unit: str | None = None) -> dict[str, Any]:
            return {"value": round(value, 2)} | ({"unit": unit} if unit else {})

        found = {
            "cpu": measured(psutil.cpu_percent(None), "%"),
            "memory": measured(psutil.virtual_memory().percent, "%"),
            "disk": measured(psutil.disk_usage(os.path.sep).percent, "%"),
            "load": measured(os.getloadavg()[0]),
        }
        now, net = time.monotonic(), self._network()
        if net and self._net and now > self._at:
            elapsed = now - self._at
            found["networkIn"] = measured(max(0, net[0] - self._net[0]) / elapsed, "B/s")
            found["networkOut"] = measured(max(0, net[1] - self._net[1]) / elapsed, "B/s")
        self._net, self._at = net, now
        if (temperature := self._temperature()) is not None:
            found["temperature"] = measured(temperature, "C")
        return found


class Agent:
    """Sends one event per interval; keeps events in a spool while the server does not take them.

    Args:
        spool: where events wait; None = they are dropped, loudly.
        say: told what a person should know, once per change.
    """

    def __init__(self, api: Api, device: str, spool: Spool | None, say: Say) -> None:
        self._api, self._device, self._spool, self._say = api, device, spool, say
        self._readings = HostReadings()
        self._backoff = Backoff(base_s=1.0, ceiling_s=60.0)
        self._not_before = 0.0
        self._offline = False

    def event(self) -> dict[str, Any]:
        now_us = time.time_ns() // 1000
        return {
            "eventId": uuid7(now_us),
            "deviceId": self._device,
            "recordedAt": rfc3339(now_us),
            "measurements": self._readings.take(),
        }

    async def step(self) -> None:
        """Take a reading and bring it, and what waits, to the server if it may be asked now.

        Raises:
            UndeliverableError: the credential is wrong.
        """
        event = self.event()
        if time.monotonic() < self._not_before or not await self._post([event]):
            self._keep(event)
            return
        while self._spool is not None and (oldest := await asyncio.to_thread(self._spool.oldest)) is not None:
            segment, events = oldest
            if events and not await self._post(events):
                return
            self._spool.done(segment)
            self._say(f"sent {len(events)} events that waited")

    async def _post(self, events: Sequence[dict[str, Any]]) -> bool:
        """Whether the server answered for `events`; what it refuses is said and not repeated."""
        content = b"\n".join(json.dumps(event, separators=(",", ":")).encode() for event in events)
        try:
            response = await self._api.attempt(
                "POST", "/api/v2/telemetry", content=content, headers={"Content-Type": "application/x-ndjson"}
            )
        except UnreachableError as error:
            self._wait(f"cannot reach {error}", None)
            return False
        if response.status_code in {200, 202, 422}:
            if self._offline:
                self._say("the server takes events again")
            self._offline = False
            self._backoff.reset()
            body = response.json()
            if refused := body.get("rejected"):
                self._say(f"{len(refused)} of {len(events)} events were refused: {refused[0].get('detail')}")
            elif response.status_code == 422:
                self._say(f"refused: {ProblemError(response)}")
            return True
        problem = ProblemError(response)
        if problem.status in TRANSIENT or problem.status >= 500:
            self._wait(str(problem), problem.retry_after_s)
            return False
        raise UndeliverableError(str(problem))

    def _wait(self, why: str, asked_s: float | None) -> None:
        if not self._offline:
            self._say(f"{why}; events are kept until it answers" if self._spool else f"{why}; events are dropped")
        self._offline = True
        self._not_before = time.monotonic() + self._backoff.pause_s(asked_s)

    def _keep(self, event: dict[str, Any]) -> None:
        if self._spool is None:
            return
        try:
            dropped = self._spool.put(event)
        except OSError as error:
            self._say(f"the spool {self._spool.folder} cannot be written: {error.strerror}; this event is lost")
        else:
            if dropped:
                self._say(
                    f"the spool is full ({self._spool.max_bytes} bytes): the {dropped} oldest events were dropped"
                )


async def run_agent(
    url: str,
    key: str,
    device: str,
    stop: asyncio.Event,
    *,
    interval_s: float = INTERVAL_S,
    spool: Path | None = None,
    ca_file: str | None = None,
    own: bool = False,
    say: Say = lambda _: None,
) -> None:
    """Send this host's readings to `url` as `device` every `interval_s` until `stop` is set.

    `own`: `url` is this user's own server on loopback.

    Raises:
        UndeliverableError: the credential is not accepted.
    """
    async with Api(url, key, ca_file=ca_file, own=own, timeout_s=15.0) as api:
        agent = Agent(api, device, Spool(spool) if spool else None, say)
        due = time.monotonic()
        while not stop.is_set():
            await agent.step()
            due = max(due + interval_s, time.monotonic())
            try:
                await asyncio.wait_for(stop.wait(), due - time.monotonic())
            except TimeoutError:
                continue


def run_agent_verb(target: Target, device: str, interval_s: float, spool: Path) -> None:
    """`tslice agent`: run until SIGINT or SIGTERM.

    Raises:
        UndeliverableError: the credential is not accepted.
    """

    def say(text: str) -> None:
        print(text, flush=True)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        say(f"Sending this host's readings to {target.url} as {device} every {interval_s:g} s; Ctrl-C stops")
        await run_agent(
            target.url,
            target.key,
            device,
            stop,
            interval_s=interval_s,
            spool=spool,
            ca_file=target.ca_file,
            own=target.own,
            say=say,
        )

    asyncio.run(run())
