"""The reading routes: shapes, parameters and their errors, export, and the live stream over a real socket."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
import os
import socket

import pytest
import uvicorn
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telemetry_slice.engines.inprocess import LocalBus
from telemetry_slice.flow.access.keys import key_id_of
from telemetry_slice.flow.live import Hub
from telemetry_slice.http import live
from telemetry_slice.http.app import create_app
from telemetry_slice.http.query import QueryAnswer
from telemetry_slice.http.reading import EventPage, ReadingPage, SeriesView
from telemetry_slice.http.telemetry import DeviceTypes, Insights
from telemetry_slice.model.events import EventBatch, Kind, Message, Settlement, event_key
from telemetry_slice.model.times import HOUR_US, SECOND_US, rfc3339

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
async def boiler(registry, acme):
    return await registry.devices.create(acme.no, "dev/001", label="", location="", tags=())


@pytest.fixture
def store(telemetry, clock):
    """Put events into the store: (event id, seconds ago, {type: (unit, kind, value)})."""

    def put(tenant, device, events):
        with telemetry.writer.begin() as connection:
            for event_id, ago_s, measurements in events:
                key, spelled = event_key(event_id)
                for type_, (unit, kind, value) in measurements.items():
                    named = {"t": tenant.no, "d": device.no, "type": type_, "unit": unit, "kind": kind}
                    find = (
                        "SELECT series_id FROM series WHERE tenant_no=:t AND device_no=:d AND type=:type"
                        " AND unit IS :unit AND kind=:kind"
                    )
                    found = connection.execute(text(find), named).scalar()
                    if found is None:
                        connection.execute(text("INSERT INTO series VALUES (NULL, :t, :d, :type, :unit, :kind)"), named)
                        found = connection.execute(text(find), named).scalar_one()
                    connection.execute(
                        text(
                            "INSERT INTO telemetry_recent"
                            " VALUES (NULL, :t, :s, :at, :key, :now, :now, :n, :text, :spelled)"
                        ),
                        {
                            "t": tenant.no,
                            "s": found,
                            "at": clock.us - int(ago_s * SECOND_US),
                            "key": key,
                            "now": clock.us,
                            "n": None if kind == Kind.STRING else float(value),
                            "text": value if kind == Kind.STRING else None,
                            "spelled": spelled,
                        },
                    )

    return put


NUMBER, BOOLEAN, STRING = Kind.NUMBER, Kind.BOOLEAN, Kind.STRING
BASE = "/api/v1/devices/dev%2F001"


@pytest.fixture
async def read(door, as_):
    headers = await as_("service read")

    async def get(path, **params):
        return await door.get(path, params=params, headers=headers)

    return get


async def test_telemetry_pages(read, store, acme, boiler, clock):
    store(acme, boiler, [(f"e-{n}", n, {"temperature": ("C", NUMBER, n)}) for n in range(1, 6)])
    first = (await read(f"{BASE}/telemetry", limit=3)).json()
    ReadingPage.model_validate(first)
    assert first["events"][0] == {
        "eventId": "e-5",
        "type": "temperature",
        "value": 5.0,
        "unit": "C",
        "recordedAt": rfc3339(clock.us - 5 * SECOND_US),
        "receivedAt": rfc3339(clock.us),
        "storedAt": rfc3339(clock.us),
    }
    second = (await read(f"{BASE}/telemetry", limit=3, cursor=first["next"])).json()
    assert [e["eventId"] for e in first["events"] + second["events"]] == ["e-5", "e-4", "e-3", "e-2", "e-1"]
    assert second["next"] is None
    newest = (await read(f"{BASE}/telemetry", order="desc", limit=1)).json()
    assert [e["eventId"] for e in newest["events"]] == ["e-1"]


async def test_types_filter_and_ranges_in_both_notations(read, store, acme, boiler, clock):
    store(
        acme,
        boiler,
        [("a", 10, {"x": (None, NUMBER, 1), "y": (None, NUMBER, 2)}), ("b", 5, {"z": (None, STRING, "s")})],
    )
    found = (await read(f"{BASE}/telemetry", type=["x", "z"])).json()["events"]
    assert [(e["type"], e["value"]) for e in found] == [("x", 1.0), ("z", "s")]
    cut_us = clock.us - 7 * SECOND_US
    assert len((await read(f"{BASE}/telemetry", to=rfc3339(cut_us))).json()["events"]) == 2
    assert len((await read(f"{BASE}/telemetry", **{"from": str(cut_us // 1000)})).json()["events"]) == 1
    assert (await read(f"{BASE}/telemetry", asOf=rfc3339(clock.us - 1))).json()["events"] == []


async def test_whole_events(read, store, acme, boiler):
    store(
        acme,
        boiler,
        [("a", 1, {"running": (None, BOOLEAN, 1), "state": (None, STRING, "idle"), "t": ("C", NUMBER, 2.5)})],
    )
    body = (await read("/api/v2/devices/dev%2F001/telemetry")).json()
    EventPage.model_validate(body)
    [event] = body["events"]
    assert event["measurements"] == {
        "running": {"value": True, "unit": None},
        "state": {"value": "idle", "unit": None},
        "t": {"value": 2.5, "unit": "C"},
    }
    assert event["measurements"]["running"]["value"] is True


async def test_series_insights_and_types(read, store, acme, boiler, clock):
    store(acme, boiler, [(f"{n}", n * 60, {"t": ("C", NUMBER, n)}) for n in range(1, 11)])
    store(acme, boiler, [("flag", 30, {"on": (None, BOOLEAN, 0)})])
    start = clock.us - HOUR_US
    body = (
        await read(f"{BASE}/series", type="t", points=2, **{"from": rfc3339(start), "to": rfc3339(clock.us)})
    ).json()
    SeriesView.model_validate(body)
    assert (body["type"], body["unit"], body["bucketSeconds"], body["settled"]) == ("t", "C", 1800, False)
    assert (body["from"], body["to"]) == (rfc3339(start), rfc3339(clock.us))
    assert body["buckets"] == [
        {"start": rfc3339(start + HOUR_US // 2), "count": 10, "min": 1.0, "avg": 5.5, "max": 10.0, "last": 1.0}
    ]
    flags = (await read(f"{BASE}/series", type="on")).json()["buckets"]
    assert [(b["count"], b["avg"], b["last"]) for b in flags] == [(1, None, False)]

    body = (await read(f"{BASE}/insights")).json()
    Insights.model_validate(body)
    assert body["hours"] == 24
    assert body["insights"] == [
        {"type": "on", "unit": None, "latest": False, "min": None, "avg": None, "max": None, "count": 1,
         "lastRecordedAt": rfc3339(clock.us - 30 * SECOND_US)},
        {"type": "t", "unit": "C", "latest": 1.0, "min": 1.0, "avg": 5.5, "max": 10.0, "count": 10,
         "lastRecordedAt": rfc3339(clock.us - 60 * SECOND_US)},
    ]  # fmt: skip
    body = (await read(f"{BASE}/types")).json()
    DeviceTypes.model_validate(body)
    assert body["types"] == [
        {"type": "on", "unit": None, "kind": "boolean"},
        {"type": "t", "unit": "C", "kind": "number"},
    ]


@pytest.mark.parametrize(
    ("path", "params", "pointer"),
    [
        ("telemetry", {"limit": 0}, "limit"),
        ("telemetry", {"limit": 1001}, "limit"),
        ("telemetry", {"limit": "many"}, "limit"),
        ("telemetry", {"order": "up"}, "order"),
        ("telemetry", {"from": "yesterday"}, "from"),
        ("telemetry", {"from": "2026-01-01T00:00:00"}, "from"),
        ("telemetry", {"to": "9" * 30}, "to"),
        ("telemetry", {"asOf": "x"}, "asOf"),
        ("telemetry", {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ("telemetry", {"cursor": "AAAA"}, "cursor"),
        ("telemetry", {"type": "x" * 65}, "type"),
        ("telemetry", {"type": ["x"] * 51}, "type"),
        ("series", {}, "type"),
        ("series", {"type": ""}, "type"),
        ("series", {"type": "t", "points": 0}, "points"),
        ("series", {"type": "t", "points": 2001}, "points"),
        ("series", {"type": "t", "unit": "x" * 33}, "unit"),
        ("insights", {"hours": 0}, "hours"),
        ("export", {"format": "parquet"}, "format"),
        ("export", {"format": "xml"}, "format"),
    ],
)
async def test_a_wrong_parameter_is_named(read, boiler, path, params, pointer):
    answer = await read(f"{BASE}/{path}", **params)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("path", ["telemetry", "series?type=t", "insights", "types", "export"])
async def test_foreign_and_unknown_devices_are_404_and_strangers_401(door, as_, boiler, beta, path):
    for who, device, status in (
        (await as_("service read", beta), "dev%2F001", 404),
        (await as_("viewer"), "nobody", 404),
        (await as_("service ingest"), "dev%2F001", 403),
        (await as_("gateway"), "dev%2F001", 403),
        ({}, "dev%2F001", 401),
    ):
        answer = await door.get(f"/api/v1/devices/{device}/{path}", headers=who)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_several_units_are_listed(read, store, acme, boiler):
    store(
        acme,
        boiler,
        [("a", 1, {"t": ("C", NUMBER, 1)}), ("b", 1, {"t": ("F", NUMBER, 1)}), ("c", 1, {"t": (None, NUMBER, 1)})],
    )
    answer = await read(f"{BASE}/series", type="t")
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["unit"]
    assert '"", "C", "F"' in answer.json()["detail"]
    assert (await read(f"{BASE}/series", type="t", unit="")).json()["unit"] is None


async def test_the_query_route(door, as_, store, acme, boiler):
    store(acme, boiler, [("a", 1, {"t": ("C", NUMBER, 1), "u": (None, STRING, "x")})])
    headers = await as_("viewer")

    async def ask(status=200, **body):
        answer = await door.post("/api/v1/query", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    body = await ask(select="series", devices=["dev/001"], types=["t"], points=10)
    QueryAnswer.model_validate(body)
    assert [(s["deviceId"], s["type"], len(s["buckets"])) for s in body["series"]] == [("dev/001", "t", 1)]
    assert (await ask(404, select="latest", devices=["nobody"]))["errors"][0]["pointer"] == "/devices/0"
    for wrong, pointer in (
        ({"select": "series", "devices": ["dev/001"]}, "/types"),
        ({"select": "latest", "devices": []}, "/devices"),
        ({"select": "all", "devices": ["dev/001"]}, "/select"),
        ({"select": "series", "devices": ["dev/001"], "types": ["t"], "from": "x"}, "/from"),
        ({"select": "series", "devices": ["dev/001"], "types": ["t"], "points": 0}, "/points"),
    ):
        assert pointer in {e["pointer"] for e in (await ask(422, **wrong))["errors"]}


async def test_export_as_csv_and_ndjson(read, store, acme, boiler, clock):
    store(
        acme,
        boiler,
        [
            ("=cmd", 4, {"t": ("C", NUMBER, -1.5)}),
            ('say "hi", twice', 3, {"s": (None, STRING, "-2\nx")}),
            ("plain", 2, {"b": (None, BOOLEAN, 1)}),
        ],
    )
    answer = await read(f"{BASE}/export", format="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="dev_001.csv"' in answer.headers["content-disposition"]
    assert answer.content.count(b"\r\n") == 4
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(r["eventId"], r["kind"], r["value"], r["unit"]) for r in rows] == [
        ("'=cmd", "number", "-1.5", "C"),
        ('say "hi", twice', "string", "'-2\nx", ""),
        ("plain", "boolean", "true", ""),
    ]
    assert {r["deviceId"] for r in rows} == {"dev/001"}
    answer = await read(f"{BASE}/export", format="ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [(e["eventId"], e["value"]) for e in lines] == [
        ("=cmd", -1.5),
        ('say "hi", twice', "-2\nx"),
        ("plain", True),
    ]
    empty = await read(f"{BASE}/export", **{"from": "2001-01-01T00:00:00Z", "to": "2001-01-02T00:00:00Z"})
    assert (empty.status_code, empty.text.count("\r\n")) == (200, 1)


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


async def test_what_may_have_been_missed_is_a_gap_and_an_outage_of_news_is_said(live_server, as_, acme, boiler):
    headers = await as_("service read")
    async with live_server.connect(additional_headers=headers) as connection:
        assert "degraded" not in await receive(connection, "hello")
        # Settled before by a writer that may have died before it could tell.
        batch = EventBatch(acme.no, 7)
        live_server.bus.publish(Message(b"i" * 16, 1, (batch,)), Settlement((), redelivered=True))
        assert await receive(connection, "heartbeat") == {
            "kind": "heartbeat", "epoch": live_server.hub.epoch, "sequence": 1,
        }  # fmt: skip
        live_server.hub._note(acme.no, hearing=False)
        frame = await receive(connection, "heartbeat")
        assert (frame["sequence"], frame["degraded"]) == (2, True)
        async with live_server.connect(additional_headers=headers) as another:
            assert (await receive(another, "hello"))["degraded"] is True
        live_server.hub._note(acme.no, hearing=True)
        frame = await receive(connection, "heartbeat")
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
