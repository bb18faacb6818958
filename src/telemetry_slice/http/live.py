"""Stored events as they are stored, over a WebSocket of JSON text frames.

`hello` first, when whatever is not told from then on is in what the client reads from then on; then `events`, numbered
1, 2, 3, …; a `heartbeat` with the last number every two seconds. A gap, another epoch or five silent seconds tell the
client to read again. A frame with `degraded` says that no news can be heard at the moment; the end of that is a gap.

The client may say `watch` with the devices and types that it wants from then on, and an `id`. Once whatever is not told
of these is in what the client reads, it is answered by `watching` with that id, or by the `hello` if that is still to
come; of several, the last one is. One that is malformed is `refused` and changes nothing. All else is ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..flow.live import Watcher
from ..model.errors import SliceError, UnavailableError, invalid
from ..model.events import MAX_DEVICE_ID, MAX_TYPE, TenantNo
from ..model.series import Reading
from .principal import SocketReader, TheServices, socket_reader
from .reading import MAX_TYPES, reading_body

router = APIRouter(tags=["telemetry"])

HEARTBEAT_S = 2.0
RECHECK_S = 30.0
CLOSE_S = 2.0
BEGIN_S = 1.0
TOO_SLOW = 1013
NOT_ALLOWED = 1008
MAX_WATCHED = 1_000
SAID_S = 0.05
"""Between two things that a client says: a flood of them waits in its own buffers."""
_encode = msgspec.json.Encoder().encode


class _Said(msgspec.Struct):
    kind: str
    id: object = None


class _Watch(msgspec.Struct):
    id: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] | None = None
    devices: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_DEVICE_ID)]],
            msgspec.Meta(max_length=MAX_WATCHED),
        ]
        | None
    ) = None
    types: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TYPE)]], msgspec.Meta(max_length=MAX_TYPES)
        ]
        | None
    ) = None


_said = msgspec.json.Decoder(_Said).decode
_watch = msgspec.json.Decoder(_Watch).decode


def _answering(about: object) -> dict[str, int]:
    return {"id": about} if isinstance(about, int) else {}


class _Stream:
    """One connection: numbers its frames and sends them one after another."""

    def __init__(self, socket: WebSocket, epoch: str, watcher: Watcher) -> None:
        self._socket = socket
        self._epoch = epoch
        self._watcher = watcher
        self._sequence = 0
        self._sending = asyncio.Lock()
        self._greeted = asyncio.Event()
        self._watch: _Watch | None = None
        """The latest that the client has asked for and that was not answered yet."""
        self._asked = asyncio.Event()

    async def _send(self, kind: str, readings: Sequence[Reading] | None = None, **more: str | int) -> None:
        async with self._sending:
            frame: dict[str, Any] = {"kind": kind, "epoch": self._epoch, **more}
            if readings is not None:
                self._sequence += 1
                frame["events"] = [{"deviceId": reading.device_id, **reading_body(reading)} for reading in readings]
            frame["sequence"] = self._sequence
            if self._watcher.deaf:
                frame["degraded"] = True
            await self._socket.send_text(_encode(frame).decode())
            # A socket with room in its buffer does not wait: let the others have their turn.
            await asyncio.sleep(0)

    async def events(self) -> None:
        """The greeting, and then what is stored."""
        await self._watcher.begun(BEGIN_S)
        # Until now everything was heard. So what is wanted of it is complete without another wait.
        await self._send("hello", None, **(self._choose() if self._watcher.sees_all else {}))
        self._greeted.set()
        async for readings in self._watcher.frames():
            if readings:
                await self._send("events", readings)
            else:
                self._sequence += 1
                await self._send("heartbeat")

    async def heartbeats(self) -> None:
        """The number that has been reached, from time to time."""
        await self._greeted.wait()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._send("heartbeat")

    async def choices(self) -> None:
        """What the client wants to watch, one answer after another."""
        await self._greeted.wait()
        while True:
            await self._asked.wait()
            answer = self._choose()
            await self._watcher.chosen()
            if not self._asked.is_set():
                await self._send("watching", None, **answer)

    def _choose(self) -> dict[str, int]:
        watch, self._watch = self._watch, None
        self._asked.clear()
        if watch is None:
            return {}
        self._watcher.choose(watch.devices, watch.types)
        return _answering(watch.id)

    async def until_gone(self) -> None:
        """Hear what the client says, until it leaves."""
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            said = message.get("text") or ""
            try:
                about = _said(said)
            except msgspec.MsgspecError:
                continue
            if about.kind == "watch":
                try:
                    self._watch = _watch(said)
                except msgspec.ValidationError as error:
                    await self._greeted.wait()
                    await self._send("refused", None, detail=str(error), **_answering(about.id))
                else:
                    self._asked.set()
            await asyncio.sleep(SAID_S)


async def _until_not_allowed(socket: WebSocket, tenant: TenantNo, every_s: float) -> None:
    """Until the credential that opened the connection is no longer good for it."""
    while True:
        await asyncio.sleep(every_s)
        try:
            if (await socket_reader(socket)).tenant.no != tenant:
                return
        except SliceError:
            return
        except UnavailableError:
            continue


@router.websocket("/api/v1/live")
async def live(
    socket: WebSocket,
    caller: SocketReader,
    services: TheServices,
    device: Annotated[str | None, Query()] = None,
    types: Annotated[list[str] | None, Query(alias="type")] = None,
) -> None:
    """Watch the stored events of the caller's tenant, of one device and some types if named."""
    if device is not None and not 1 <= len(device) <= MAX_DEVICE_ID:
        raise invalid("device", f"Must have 1 to {MAX_DEVICE_ID} characters.")
    if types is not None and (len(types) > MAX_TYPES or any(len(type_) > MAX_TYPE for type_ in types)):
        raise invalid("type", f"At most {MAX_TYPES} types of at most {MAX_TYPE} characters.")
    tenant = caller.tenant
    device_no = None if device is None else (await services.query.device(tenant, device)).no
    watcher = services.live.watch(tenant.no, device_no=device_no, types=types)
    try:
        await socket.accept()
        await _serve(socket, _Stream(socket, services.live.epoch, watcher), watcher, tenant.no)
    finally:
        watcher.leave()


async def _serve(socket: WebSocket, stream: _Stream, watcher: Watcher, tenant: TenantNo) -> None:
    with suppress(WebSocketDisconnect):
        gone = asyncio.ensure_future(stream.until_gone())
        slow = asyncio.ensure_future(watcher.cut.wait())
        refused = asyncio.ensure_future(_until_not_allowed(socket, tenant, RECHECK_S))
        sending = [asyncio.ensure_future(each) for each in (stream.events(), stream.heartbeats(), stream.choices())]
        tasks = [gone, slow, refused, *sending]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        closing = None
        if results[0] is None:
            return
        if watcher.cut.is_set():
            closing = TOO_SLOW, "too slow: connect again and read what was missed"
        elif results[2] is None:
            closing = NOT_ALLOWED, "the credential is no longer valid"
        if closing is not None:
            # A peer that does not read cannot be told; the server's own pings end its connection.
            with suppress(TimeoutError, RuntimeError):
                await asyncio.wait_for(socket.close(*closing), CLOSE_S)
            return
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result
