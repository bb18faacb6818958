"""`tslice tail`: events as they are stored."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from .backoff import Backoff
from .client import Api, ProblemError, UnreachableError, describe
from .failure import CliError

SILENCE_S = 5.0
"""A heartbeat comes every 2 s; a longer silence than this is a dead connection."""


def live_url(url: str, device: str | None, type_: str | None) -> str:
    parts = urlsplit(url)
    query = urlencode({name: value for name, value in (("device", device), ("type", type_)) if value})
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/api/v1/live", query, ""))


def line(event: dict[str, Any]) -> str:
    """One event on one line."""
    unit = f" {event['unit']}" if event.get("unit") else ""
    value = json.dumps(event["value"], ensure_ascii=False)
    time = str(event["recordedAt"])[:23].replace("T", " ")
    return f"{time}  {event['deviceId']}  {event['type']} = {value}{unit}"


class Follower:
    """Prints the events of one connection and notices what it missed."""

    def __init__(self, *, as_json: bool, limit: int | None) -> None:
        self._as_json = as_json
        self._left = limit
        self._epoch: object = None
        self._sequence = 0

    async def follow(self, socket: ClientConnection) -> bool:
        """Until the connection ends (False) or enough was printed (True)."""
        while True:
            frame = json.loads(await asyncio.wait_for(socket.recv(), SILENCE_S))
            kind, sequence = frame.get("kind"), frame.get("sequence", 0)
            if kind == "hello":
                self._epoch, self._sequence = frame.get("epoch"), sequence
                continue
            expected = self._sequence + (kind == "events")
            if frame.get("epoch") != self._epoch or sequence != expected:
                print("(some events were missed here)", file=sys.stderr, flush=True)
            self._epoch, self._sequence = frame.get("epoch"), sequence
            for event in frame.get("events", []):
                print(json.dumps(event, ensure_ascii=False) if self._as_json else line(event), flush=True)
                if self._left is not None:
                    self._left -= 1
                    if self._left <= 0:
                        return True


async def tail(api: Api, *, device: str | None, type_: str | None, as_json: bool, limit: int | None) -> None:
    """Print stored events of `api`'s tenant until cancelled, or `limit` of them; reconnects by itself.

    Raises:
        ProblemError, CliError: the server refuses; repeating will not help.
    """
    if api.url.startswith("http://in-process"):
        raise CliError("no server runs on this folder: start it with `tslice up`, or name one with --url and --key")
    follower = Follower(as_json=as_json, limit=limit)
    backoff = Backoff(ceiling_s=10.0)
    address = live_url(api.url, device, type_)
    while True:
        try:
            headers = {"Authorization": f"Bearer {api.token}", "User-Agent": "tslice"}
            async with connect(address, additional_headers=headers, ssl=api.tls, open_timeout=10) as socket:
                backoff.reset()
                if await follower.follow(socket):
                    return
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            if status < 500 and status != 429:
                raise CliError(describe(status, "", _problem(refusal.response.body))) from refusal
            why = f"HTTP {status}"
        except InvalidURI as error:
            raise CliError(str(error)) from error
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
            why = str(error) or "no sign of life"
            # The token of the console ends after minutes; a plain request tells a refusal from an outage.
            try:
                await api.call("GET", "/api/v1/me", patience_s=0.0)
            except ProblemError as refusal:
                if refusal.status in {401, 403}:
                    raise
            except UnreachableError:
                pass
        pause = backoff.pause_s()
        print(f"({api.url}: {why}; connecting again in {pause:.0f} s)", file=sys.stderr, flush=True)
        await asyncio.sleep(pause)


def _problem(body: bytes | bytearray | None) -> dict[str, Any]:
    try:
        problem = json.loads(body or b"{}")
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
