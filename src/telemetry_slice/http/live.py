"""Stored events as they are stored, over a WebSocket of JSON text frames.

`hello` first, when whatever is not told from then on is in what the client reads from then on; then `events`, numbered
1, 2, 3, …; a `heartbeat` with the last number every two seconds. A gap, another epoch or five silent seconds tell the
client to read again. A frame with `degraded` says that no news can be heard at the moment; the end of that is a gap.
What the client says is ignored.
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
_encode = msgspec.json.Encoder().encode


class _Stream:
    """One connection: numbers its frames and sends them one after another."""

    def __init__(self, socket: WebSocket, epoch: str, watcher: Watcher) -> None:
        self._socket = socket
        self._epoch = epoch
        self._watcher = watcher
        self._sequence = 0
        self._sending = asyncio.Lock()

    async def _send(self, kind: str, readings: Sequence[Reading] | None = None) -> None:
        async with self._sending:
            frame: dict[str, Any] = {"kind": kind, "epoch": self._epoch}
            if readings is not None:
                self._sequence += 1
                frame["events"] = [{"deviceId": reading.device_id, **reading_body(reading)} for reading in readings]
            frame["sequence"] = self._sequence
            if self._watcher.deaf:
                frame["degraded"] = True
            await self._socket.send_text(_encode(frame).decode())
            # A socket with room in its buffer does not wait: let the others have their turn.
            await asyncio.sleep(0)

    async def hello(self) -> None:
        await self._watcher.begun(BEGIN_S)
        await self._send("hello")

    async def events(self) -> None:
        async for readings in self._watcher.frames():
            if readings:
                await self._send("events", readings)
            else:
                self._sequence += 1
                await self._send("heartbeat")

    async def heartbeats(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._send("heartbeat")

    async def until_gone(self) -> None:
        """Until the client leaves."""
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            pass


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
        await stream.hello()
        gone = asyncio.ensure_future(stream.until_gone())
        slow = asyncio.ensure_future(watcher.cut.wait())
        refused = asyncio.ensure_future(_until_not_allowed(socket, tenant, RECHECK_S))
        sending = [asyncio.ensure_future(stream.events()), asyncio.ensure_future(stream.heartbeats())]
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
