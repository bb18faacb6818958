"""The live stream over a real socket: frames, filters, refusals, gaps, and the end of a connection."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import socket

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telemetry_slice.engines.inprocess import LocalBus
from telemetry_slice.flow.access.texts import key_id_of
from telemetry_slice.flow.live import Hub
from telemetry_slice.http import live
from telemetry_slice.http.app import create_app
from telemetry_slice.model.events import EventBatch, Kind, Message, Settlement
from telemetry_slice.ports.cache import FRESH_S

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
async def boiler(registry, acme):
    return await registry.devices.create(acme.no, "dev/001", label="", location="", tags=())


async def until(true, within_s=10):
    """Poll until `true()` holds."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


class LiveServer:
    """The application behind a real socket, and a bus to publish on."""

    def __init__(self, services, **hub_options):
        self.bus = LocalBus()
        self.hub = Hub(self.bus, **hub_options)
        app = create_app(dataclasses.replace(services, live=self.hub))
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        config = uvicorn.Config(
            app, lifespan="off", log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=2
        )
        self.server = uvicorn.Server(config)

    async def __aenter__(self):
        self.task = asyncio.create_task(self.server._serve([self.listener]))
        await until(lambda: self.server.started)
        return self

    async def __aexit__(self, *_):
        self.server.should_exit = True
        await self.task

    def connect(self, query="", **options):
        return connect(f"ws://127.0.0.1:{self.port}/api/v1/live{query}", **options)

    def publish(self, tenant, device, values, type_="t"):
        batch = EventBatch(tenant.no, 7)
        for value in values:
            batch.keys.append(os.urandom(16))
            batch.texts.append(None)
            batch.devices.append(device.no)
            batch.device_ids.append(device.id)
            batch.recorded_us.append(5)
            batch.meanings.append(0)
            batch.measurements.append(((type_, "C", Kind.NUMBER, float(value)),))
        self.bus.publish(Message(b"i" * 16, 1, (batch,)), Settlement((bytes(len(values)),), {}, 9))


@pytest.fixture
async def live_server(services):
    async with LiveServer(services) as server:
        yield server


async def receive(connection, kind):
    """The next frame of a kind; heartbeats in between are passed over."""
    async with asyncio.timeout(10):
        while True:
            frame = json.loads(await connection.recv())
            if frame["kind"] == kind:
                return frame


async def test_live_frames(live_server, as_, acme, beta, boiler, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    headers = await as_("service read")
    async with live_server.connect("?device=dev/001&type=t", additional_headers=headers) as connection:
        hello = json.loads(await connection.recv())
        assert hello == {"kind": "hello", "epoch": live_server.hub.epoch, "sequence": 0}
        live_server.publish(beta, boiler, [9])
        live_server.publish(acme, boiler, [8], type_="other")
        live_server.publish(acme, boiler, [1, 2])
        first = await receive(connection, "events")
        assert (first["epoch"], first["sequence"]) == (hello["epoch"], 1)
        assert [(e["deviceId"], e["type"], e["value"], e["unit"]) for e in first["events"]] == [
            ("dev/001", "t", 1.0, "C"), ("dev/001", "t", 2.0, "C"),
        ]  # fmt: skip
        assert set(first["events"][0]) == {
            "eventId", "deviceId", "type", "value", "unit", "recordedAt", "receivedAt", "storedAt",
        }  # fmt: skip
        live_server.publish(acme, boiler, [3])
        assert (await receive(connection, "events"))["sequence"] == 2
        assert (await receive(connection, "heartbeat"))["sequence"] == 2
    await until(lambda: not live_server.hub._watchers)


async def say(connection, kind="watch", **more):
    await connection.send(json.dumps({"kind": kind, **more}))


async def values(connection):
    return [event["value"] for event in (await receive(connection, "events"))["events"]]


async def test_what_is_watched_can_be_changed_without_another_connection(live_server, as_, registry, acme, boiler):
    chiller = await registry.devices.create(acme.no, "dev/002", label="", location="", tags=())
    async with live_server.connect(additional_headers=await as_("service read")) as connection:
        # Said before the greeting: the greeting answers it, and the last one counts.
        await say(connection, id=7, devices=["dev/001"], types=["t"])
        await say(connection, id=8, devices=["dev/001"])
        hello = json.loads(await connection.recv())
        epoch = live_server.hub.epoch
        assert hello == {"kind": "hello", "epoch": epoch, "sequence": 0, "id": 8}
        live_server.publish(acme, chiller, [1])
        live_server.publish(acme, boiler, [2])
        assert await values(connection) == [2]
        asked_s = asyncio.get_running_loop().time()
        await say(connection, id=9, devices=["dev/002", "dev/003"], types=["t", "u"])
        assert await receive(connection, "watching") == {"kind": "watching", "epoch": epoch, "sequence": 1, "id": 9}
        # What is read now holds all that was not told before.
        assert asyncio.get_running_loop().time() - asked_s >= FRESH_S - 0.01
        live_server.publish(acme, boiler, [3])
        live_server.publish(acme, chiller, [4], type_="u")
        live_server.publish(acme, chiller, [5], type_="v")
        assert await values(connection) == [4]
        await say(connection, devices=None)
        assert await receive(connection, "watching") == {"kind": "watching", "epoch": epoch, "sequence": 2}
        live_server.publish(acme, boiler, [6])
        assert await values(connection) == [6]
        await say(connection, devices=[])
        assert "id" not in await receive(connection, "watching")
        live_server.publish(acme, boiler, [7])
        await say(connection, "watch", id=10)
        assert (await receive(connection, "watching"))["id"] == 10
        live_server.publish(acme, boiler, [8])
        assert await values(connection) == [8]


async def test_devices_of_others_match_nothing_and_tell_nothing(live_server, as_, registry, acme, beta, boiler):
    theirs = await registry.devices.create(beta.no, "pump", label="", location="", tags=())
    headers = await as_("service read")
    answers = []
    for asked in (["pump"], ["nobody has this"]):
        async with live_server.connect(additional_headers=headers) as connection:
            await receive(connection, "hello")
            await say(connection, id=1, devices=asked)
            answers.append(await receive(connection, "watching"))
            live_server.publish(beta, theirs, [1])
            live_server.publish(acme, boiler, [2])
            await say(connection, id=2)
            assert (await receive(connection, "watching"))["sequence"] == 0
    assert answers[0] == answers[1]
    # The same id in both tenants: each sees its own.
    own = await registry.devices.create(acme.no, "pump", label="", location="", tags=())
    async with live_server.connect(additional_headers=headers) as connection:
        await say(connection, id=1, devices=["pump"])
        assert (await receive(connection, "hello"))["id"] == 1
        live_server.publish(beta, theirs, [1])
        live_server.publish(acme, own, [2])
        assert await values(connection) == [2]


MALFORMED = [
    {"devices": ["d"] * (live.MAX_WATCHED + 1)},
    {"devices": ["x" * 129]},
    {"devices": [""]},
    {"devices": "dev/001"},
    {"devices": [1]},
    {"devices": {"a": 1}},
    {"types": ["t"] * (live.MAX_TYPES + 1)},
    {"types": ["x" * 65]},
    {"types": 3},
    {"id": -1},
    {"id": 1 << 60},
    {"id": "7"},
]


async def test_what_is_malformed_is_refused_or_ignored_and_changes_nothing(live_server, as_, acme, boiler, monkeypatch):
    monkeypatch.setattr(live, "SAID_S", 0.001)
    async with live_server.connect(additional_headers=await as_("service read")) as connection:
        await receive(connection, "hello")
        for each in MALFORMED:
            await say(connection, **({"id": 5} | each))
            refused = await receive(connection, "refused")
            assert f"$.{next(iter(each))}" in refused["detail"]
            assert refused.get("id") == {"7": None}.get(each.get("id"), each.get("id", 5))
        for ignored in (
            "",
            "no json",
            "[]",
            '"watch"',
            "{}",
            '{"kind": 1}',
            '{"kind": "news"}',
            b"\x00\xff",
            "[" * 5_000,
        ):
            await connection.send(ignored)
        live_server.publish(acme, boiler, [1])
        assert await values(connection) == [1]
        await say(connection, id=6, devices=["d"] * live.MAX_WATCHED)
        assert (await receive(connection, "watching"))["id"] == 6


async def test_a_flood_of_wishes_is_answered_once_and_holds_nobody_up(live_server, as_, acme, boiler):
    headers = await as_("service read")
    async with (
        live_server.connect(additional_headers=headers) as flooding,
        live_server.connect(additional_headers=headers) as quiet,
    ):
        for connection in (flooding, quiet):
            await receive(connection, "hello")
        for id_ in range(1, 31):
            await say(flooding, id=id_, devices=["dev/001"])
        live_server.publish(acme, boiler, [1])
        assert await values(quiet) == [1]
        answered = [(await receive(flooding, "watching"))["id"]]
        while answered[-1] != 30:
            answered.append((await receive(flooding, "watching"))["id"])
        assert len(answered) <= 3


async def test_what_may_have_been_missed_is_a_gap_and_an_outage_of_news_is_said(live_server, as_, acme, boiler):
    headers = await as_("service read")
    async with live_server.connect(additional_headers=headers) as connection:
        assert "degraded" not in await receive(connection, "hello")
        # Settled before by a writer that may have died before it could tell.
        batch = EventBatch(acme.no, 7)
        live_server.bus.publish(Message(b"i" * 16, 1, (batch,)), Settlement((), redelivered=True))
        while (frame := await receive(connection, "heartbeat"))["sequence"] == 0:
            pass
        assert frame == {"kind": "heartbeat", "epoch": live_server.hub.epoch, "sequence": 1}
        live_server.hub._note(acme.no, hearing=False)
        while (frame := await receive(connection, "heartbeat"))["sequence"] == 1:
            assert frame["degraded"] is True
        assert (frame["sequence"], frame["degraded"]) == (2, True)
        async with live_server.connect(additional_headers=headers) as another:
            assert (await receive(another, "hello"))["degraded"] is True
        live_server.hub._note(acme.no, hearing=True)
        while (frame := await receive(connection, "heartbeat"))["sequence"] == 2:
            pass
        assert (frame["sequence"], frame.get("degraded")) == (3, None)
        live_server.publish(acme, boiler, [1])
        assert (await receive(connection, "events"))["sequence"] == 4


async def test_live_refuses_with_a_status_before_it_opens(live_server, as_, boiler, beta):
    async def status(query="", **headers):
        with pytest.raises(InvalidStatus) as refusal:
            async with live_server.connect(query, additional_headers=headers):
                pass
        assert refusal.value.response.headers["content-type"] == "application/problem+json"
        return refusal.value.response.status_code

    assert await status() == 401
    assert await status(**await as_("gateway")) == 403
    assert await status("?device=dev/001", **await as_("service read", beta)) == 404
    assert await status("?device=" + "x" * 200, **await as_("viewer")) == 422
    assert await status("?type=" + "x" * 65, **await as_("viewer")) == 422


async def test_live_with_the_cookie_needs_our_own_origin(live_server, door, registry, acme, access, boiler):
    await access.people.add("v@example.org", "v", "correct horse battery", [(acme.no, "viewer")])
    login = await door.post("/api/v1/auth/login", json={"email": "v@example.org", "password": "correct horse battery"})
    assert login.status_code == 200, login.text
    cookie = {"Cookie": f"tslice_session={login.cookies['tslice_session']}"}
    for origin in ("https://evil.example", None):
        with pytest.raises(InvalidStatus) as refusal:
            async with live_server.connect(additional_headers=cookie, origin=origin):
                pass
        assert refusal.value.response.status_code == 403
    async with live_server.connect(additional_headers=cookie, origin=f"http://127.0.0.1:{live_server.port}") as opened:
        assert json.loads(await opened.recv())["kind"] == "hello"


async def close_code(connection):
    """Read until the other side closes."""
    async with asyncio.timeout(20):
        while True:
            try:
                await connection.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None


async def test_a_slow_reader_is_disconnected_and_never_waited_for(services, as_, acme, boiler, monkeypatch):
    monkeypatch.setattr(live, "CLOSE_S", 0.2)
    headers = await as_("service read")
    async with (
        LiveServer(services, pending_events=3_000) as server,
        server.connect(additional_headers=headers, compression=None, max_queue=1) as slow,
        server.connect("?type=marker", additional_headers=headers) as quick,
    ):
        await receive(quick, "hello")
        watchers = set(server.hub._watchers[acme.no])
        sent = 0
        async with asyncio.timeout(60):
            # The sockets' own buffers take megabytes before anything is felt.
            while not any(watcher.cut.is_set() for watcher in watchers):
                server.publish(acme, boiler, range(1_000), type_="t" * 64)
                server.publish(acme, boiler, [sent], type_="marker")
                assert (await receive(quick, "events"))["events"][0]["value"] == sent
                sent += 1
            await until(lambda: len(server.hub._watchers[acme.no]) == 1)
        assert await close_code(slow) in {live.TOO_SLOW, None, 1006}
        server.publish(acme, boiler, [-1], type_="marker")
        assert (await receive(quick, "events"))["events"][0]["value"] == -1


async def test_a_revoked_credential_ends_the_stream(live_server, as_, acme, access, boiler, clock, monkeypatch):
    monkeypatch.setattr(live, "RECHECK_S", 0.05)
    headers = await as_("service read")
    key_id = key_id_of(headers["X-API-Key"])
    async with live_server.connect(additional_headers=headers) as connection:
        assert (await receive(connection, "hello"))["sequence"] == 0
        await access.keys.revoke(acme.no, key_id)
        assert await close_code(connection) == live.NOT_ALLOWED


async def test_a_session_that_ended_ends_the_stream(live_server, acme, access, boiler, monkeypatch):
    assert live.RECHECK_S <= 30
    monkeypatch.setattr(live, "RECHECK_S", 0.05)
    account = await access.people.add("v@example.org", "v", "correct horse battery", [(acme.no, "viewer")])
    signed_in = await access.people.sign_in(account.user_id, None, None)
    cookie = {"Cookie": f"tslice_session={signed_in.token}"}
    origin = f"http://127.0.0.1:{live_server.port}"
    async with live_server.connect(additional_headers=cookie, origin=origin) as connection:
        await receive(connection, "hello")
        await access.people.end_sign_in(account.user_id, signed_in.profile.user.family)
        assert await close_code(connection) == live.NOT_ALLOWED
