"""The reading routes: shapes, parameters and their errors, and export."""

from __future__ import annotations

import csv
import io
import json

import pytest
from sqlalchemy import text

from telemetry_slice.http.query import QueryAnswer
from telemetry_slice.http.reading import EventPage, ReadingPage, SeriesView
from telemetry_slice.http.telemetry import DeviceTypes, Insights
from telemetry_slice.model.events import Kind, event_key
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
        {
            "start": rfc3339(start + HOUR_US // 2),
            "count": 10,
            "min": 1.0,
            "avg": 5.5,
            "max": 10.0,
            "last": 1.0,
            "late": 9,
        }
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
