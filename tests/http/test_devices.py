"""Devices over HTTP: the list with last values, pages, changes, bad input."""

from urllib.parse import quote

import pytest

from telemetry_slice.model.times import SECOND_US, rfc3339


@pytest.fixture
async def owner(as_):
    return await as_("owner")


async def create(door, headers, device_id, **more):
    answer = await door.post("/api/v1/devices", json={"deviceId": device_id, **more}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_new_device(door, owner, clock):
    shown = await create(door, owner, "dev-1", label="Boiler", location="Plant A", tags=["hot", "hot", "old"])
    assert shown == {
        "deviceId": "dev-1",
        "label": "Boiler",
        "location": "Plant A",
        "tags": ["hot", "old"],
        "status": "new",
        "lastSeen": None,
        "lastValues": [],
        "createdAt": rfc3339(clock.us),
    }
    assert (await door.get("/api/v1/devices/dev-1", headers=owner)).json() == shown
    assert (await door.get("/api/v1/devices", headers=owner)).json() == {"devices": [shown], "next": None}
    assert (await create(door, owner, "dev-2"))["label"] == "dev-2"
    assert (await door.post("/api/v1/devices", json={"deviceId": "dev-1"}, headers=owner)).status_code == 409


@pytest.mark.parametrize(
    ("ago_s", "status"), [(0, "online"), (299, "online"), (300, "late"), (3599, "late"), (3600, "silent")]
)
async def test_the_status_is_how_long_ago_a_device_was_heard(door, owner, registry, acme, clock, heard, ago_s, status):
    await create(door, owner, "dev-1")
    device = await registry.devices.get(acme.no, "dev-1")
    at_us = clock.us - ago_s * SECOND_US
    heard(acme, device, received_us=at_us - 7 * SECOND_US, of="pressure", unit=None, number=1.5)
    heard(acme, device, received_us=at_us)
    shown = (await door.get("/api/v1/devices/dev-1", headers=owner)).json()
    assert (shown["status"], shown["lastSeen"]) == (status, rfc3339(at_us))
    assert shown["lastValues"] == [
        {"type": "pressure", "value": 1.5, "unit": None, "recordedAt": rfc3339(at_us - 7 * SECOND_US)},
        {"type": "temperature", "value": 21.5, "unit": "C", "recordedAt": rfc3339(at_us)},
    ]


async def test_pages_show_every_device_once(door, owner):
    for number in range(7):
        await create(door, owner, f"dev-{number}")
    seen, cursor = [], None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await door.get("/api/v1/devices", params=params, headers=owner)).json()
        seen += [device["deviceId"] for device in page["devices"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"dev-{number}" for number in range(7)]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("status", ["online", "new", "silent"])
async def test_pages_by_status(door, owner, registry, acme, clock, heard, limit, status):
    for number in range(9):
        await create(door, owner, f"dev-{number}")
        if number % 3 == 0:
            device = await registry.devices.get(acme.no, f"dev-{number}")
            heard(acme, device, received_us=clock.us)
    expected = {"online": [0, 3, 6], "new": [1, 2, 4, 5, 7, 8], "silent": []}[status]
    seen, cursor = [], None
    for _ in range(12):
        params = {"limit": limit, "status": status} | ({"cursor": cursor} if cursor else {})
        page = (await door.get("/api/v1/devices", params=params, headers=owner)).json()
        assert len(page["devices"]) <= limit
        seen += [device["deviceId"] for device in page["devices"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert cursor is None
    assert seen == [f"dev-{number}" for number in expected]


async def test_a_cursor_belongs_to_tenant_and_filter(door, as_, owner, beta):
    for number in range(3):
        await create(door, owner, f"dev-{number}")
    cursor = (await door.get("/api/v1/devices?limit=1", headers=owner)).json()["next"]
    theirs = await as_("owner", beta)
    for params, headers in (({"cursor": cursor}, theirs), ({"cursor": cursor, "q": "dev"}, owner)):
        answer = await door.get("/api/v1/devices", params=params, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "cursor")


async def test_filters_and_order(door, owner):
    await create(door, owner, "a", label="Zeta", location="Plant A", tags=["x"])
    await create(door, owner, "b", label="Alpha", location="Plant B")

    async def ids(query):
        found = (await door.get(f"/api/v1/devices?{query}", headers=owner)).json()
        return [device["deviceId"] for device in found["devices"]]

    assert await ids("q=PLANT") == ["a", "b"]
    assert await ids("q=zeta") == ["a"]
    assert await ids("tag=x") == ["a"]
    assert await ids("location=Plant+B") == ["b"]
    assert await ids("sort=label") == ["b", "a"]
    assert await ids("order=desc") == ["b", "a"]


async def test_changing_and_deleting(door, owner):
    await create(door, owner, "dev-1", label="Boiler", location="Plant A", tags=["x"])
    changed = (await door.patch("/api/v1/devices/dev-1", json={"location": "B"}, headers=owner)).json()
    assert (changed["label"], changed["location"], changed["tags"]) == ("Boiler", "B", ["x"])
    assert (await door.delete("/api/v1/devices/dev-1", headers=owner)).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        body = {} if method == "PATCH" else None
        answer = await door.request(method, "/api/v1/devices/dev-1", json=body, headers=owner)
        assert answer.status_code == 404
    assert (await door.post("/api/v1/devices", json={"deviceId": "dev-1"}, headers=owner)).status_code == 409


async def test_another_tenants_device_is_not_there(door, as_, owner, beta):
    await create(door, owner, "dev-1")
    theirs = await as_("owner", beta)
    missing = (await door.get("/api/v1/devices/nothing", headers=theirs)).json()
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"label": "mine"}),
        ("DELETE", "", None),
        ("GET", "/keys", None),
        ("POST", "/keys", {}),
    ):
        answer = await door.request(method, f"/api/v1/devices/dev-1{path}", json=body, headers=theirs)
        assert (answer.status_code, answer.json()) == (404, missing)
    assert (await door.get("/api/v1/devices", headers=theirs)).json()["devices"] == []


@pytest.mark.parametrize(
    "device_id", ["a/b", "a b", "%2F", "ä€😀", "a?b#c", "..a", "/", "+", "\u2028", "a%00b", "'\";--"]
)
async def test_any_id_without_control_characters_can_be_addressed(door, owner, device_id):
    await create(door, owner, device_id)
    path = f"/api/v1/devices/{quote(device_id, safe='')}"
    assert (await door.get(path, headers=owner)).json()["deviceId"] == device_id
    assert (await door.post(f"{path}/keys", headers=owner)).status_code == 201
    assert (await door.delete(path, headers=owner)).status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/deviceId"),
        ({"deviceId": ""}, "/deviceId"),
        ({"deviceId": "x" * 129}, "/deviceId"),
        ({"deviceId": "a\nb"}, "/deviceId"),
        ({"deviceId": "a\x7f"}, "/deviceId"),
        ({"deviceId": 7}, "/deviceId"),
        ({"deviceId": None}, "/deviceId"),
        ({"deviceId": "x", "label": "x" * 201}, "/label"),
        ({"deviceId": "x", "location": ["x"]}, "/location"),
        ({"deviceId": "x", "tags": "x"}, "/tags"),
        ({"deviceId": "x", "tags": ["x"] * 33}, "/tags"),
        ({"deviceId": "x", "tags": ["ok", ""]}, "/tags/1"),
        ({"deviceId": "x", "tags": ["ok", "x" * 65]}, "/tags/1"),
        ({"deviceId": "x", "tenant": "beta-456"}, "/tenant"),
        ([], ""),
        ("text", ""),
        (None, ""),
    ],
)
async def test_the_field_at_fault_is_named(door, owner, body, pointer):
    answer = await door.post("/api/v1/devices", json=body, headers=owner)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 422),
        (b'{"deviceId": "x"} trailing', "application/json", 400),
        (b'{"deviceId": "\xff"}', "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b'{"deviceId":' * 10_000, "application/json", 400),
        (b'{"deviceId": ' + b"9" * 10_000 + b"}", "application/json", 400),
        (b'{"deviceId": "\\ud800"}', "application/json", 422),
        (b'{"deviceId": NaN}', "application/json", 422),
        (b'{"deviceId": "x"}', "text/plain", 415),
        (b"deviceId=x", "application/x-www-form-urlencoded", 415),
        (b'{"deviceId": "x"}', None, 415),
        (b'{"deviceId": "' + b"x" * (1 << 20) + b'"}', "application/json", 413),
    ],
)
async def test_bad_bodies_are_refused(door, owner, body, content_type, status):
    headers = owner | ({"Content-Type": content_type} if content_type else {})
    answer = await door.post("/api/v1/devices", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "status=dead", "sort=password", "order=up", "cursor="]
)
async def test_the_parameter_at_fault_is_named(door, owner, query):
    answer = await door.get(f"/api/v1/devices?{query}", headers=owner)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, query.partition("=")[0])
