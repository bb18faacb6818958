"""The fleet over HTTP: counts under filters, lists by what telemetry tells, sparklines."""

import pytest

from telemetry_slice.model.times import HOUR_US, MINUTE_US, SECOND_US, rfc3339

STATUSES = {"online": SECOND_US, "late": 10 * MINUTE_US, "silent": 2 * HOUR_US}


@pytest.fixture
async def owner(as_):
    return await as_("owner")


@pytest.fixture
async def fleet(door, owner, registry, acme, clock, heard):
    """Nine devices in two places: three online, two late, one silent, three new."""
    plan = {
        "a1": ("Plant A", ["hot"], "online", ["temperature"]),
        "a2": ("Plant A", ["hot", "old"], "online", ["temperature", "pressure"]),
        "a3": ("Plant A", [], "late", ["pressure"]),
        "a4": ("Plant A", ["old"], "silent", ["temperature"]),
        "b1": ("Plant B", ["hot"], "online", ["pressure"]),
        "b2": ("Plant B", [], "late", ["temperature"]),
        "b3": ("Plant B", ["hot"], None, []),
        "n1": ("", [], None, []),
        "n2": ("", [], None, []),
    }
    for device_id, (location, tags, status, types) in plan.items():
        body = {"deviceId": device_id, "label": f"Device {device_id}", "location": location, "tags": tags}
        assert (await door.post("/api/v1/devices", json=body, headers=owner)).status_code == 201
        device = await registry.devices.get(acme.no, device_id)
        for place, of in enumerate(types):
            # The types of one device were not heard at once: the newest counts.
            heard(acme, device, received_us=clock.us - STATUSES[status] - place * SECOND_US, of=of)
    return plan


async def told(door, owner, query=""):
    answer = await door.get(f"/api/v1/fleet?{query}", headers=owner)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(online=0, late=0, silent=0, new=0):
    return {"online": online, "late": late, "silent": silent, "new": new}


async def test_the_whole_fleet_is_counted(door, owner, fleet):
    assert await told(door, owner) == {
        "devices": 9,
        "matching": 9,
        "statuses": counts(3, 2, 1, 3),
        "locations": [
            {"location": ""} | counts(new=2),
            {"location": "Plant A"} | counts(2, 1, 1),
            {"location": "Plant B"} | counts(1, 1, 0, 1),
        ],
        "types": [{"name": "pressure", "devices": 3}, {"name": "temperature", "devices": 4}],
        "tags": [{"name": "hot", "devices": 4}, {"name": "old", "devices": 2}],
    }


async def test_each_choice_is_counted_as_if_it_were_not_made(door, owner, fleet):
    shown = await told(door, owner, "location=Plant+A&status=online&type=temperature")
    assert (shown["devices"], shown["matching"]) == (9, 2)
    assert shown["statuses"] == counts(2, 0, 1)
    assert shown["locations"] == [{"location": "Plant A"} | counts(2)]
    assert shown["types"] == [{"name": "pressure", "devices": 1}, {"name": "temperature", "devices": 2}]
    assert shown["tags"] == [{"name": "hot", "devices": 2}, {"name": "old", "devices": 1}]
    assert (await told(door, owner, "q=DEVICE+A&tag=hot&tag=old"))["matching"] == 1
    assert (await told(door, owner, "q=nothing"))["statuses"] == counts()


async def pages(door, owner, query, limit):
    found, cursor = [], None
    while True:
        params = f"{query}&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        answer = await door.get(f"/api/v1/devices?{params}", headers=owner)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [device["deviceId"] for device in page["devices"]]
        cursor = page["next"]
        assert (len(page["devices"]) == limit) or cursor is None, "no page but the last is short"
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=online", "a1 a2 b1"),
        ("status=late&status=silent&sort=label&order=desc", "b2 a4 a3"),
        ("type=pressure", "a2 a3 b1"),
        ("type=pressure&type=temperature&location=Plant+B", "b1 b2"),
        ("location=Plant+B&location=&sort=location", "n1 n2 b1 b2 b3"),
        ("tag=hot&tag=old", "a2"),
        ("q=plant&status=new", "b3"),
        ("sort=status", "a4 a3 b2 b3 n1 n2 a1 a2 b1"),
        ("sort=status&order=desc", "b1 a2 a1 n2 n1 b3 b2 a3 a4"),
        ("sort=lastSeen&location=Plant+B", "b3 b2 b1"),
        ("sort=lastSeen&order=desc&tag=old", "a2 a4"),
        ("status=new&sort=createdAt", "b3 n1 n2"),
    ],
)
async def test_lists_by_what_telemetry_tells(door, owner, fleet, query, expected, limit):
    assert await pages(door, owner, query, limit) == expected.split()


async def test_a_foreign_fleet_is_empty(door, as_, beta, fleet):
    theirs = await as_("owner", beta)
    shown = await told(door, theirs)
    assert (shown["devices"], shown["locations"], shown["types"], shown["tags"]) == (0, [], [], [])
    assert (await door.get("/api/v1/devices?sort=status", headers=theirs)).json()["devices"] == []
    answer = await door.get("/api/v1/sparklines?device=a1", headers=theirs)
    assert (answer.status_code, answer.json()["sparklines"]) == (200, [])


async def test_sparklines_of_those_that_send_numbers(door, owner, fleet, clock):
    answer = await door.get("/api/v1/sparklines?device=a2&device=n1&device=unknown&hours=6&points=12", headers=owner)
    body = answer.json()
    assert answer.status_code == 200
    assert body["bucketSeconds"] == 1800
    assert rfc3339(clock.us - 6 * HOUR_US) <= body["start"] <= rfc3339(clock.us - 5 * HOUR_US)
    assert [(line["deviceId"], line["type"], len(line["min"])) for line in body["sparklines"]] == [
        ("a2", "pressure", 12)
    ]
    answer = await door.get("/api/v1/sparklines?device=a2&type=temperature", headers=owner)
    assert [line["type"] for line in answer.json()["sparklines"]] == ["temperature"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("sparklines", "device"),
        ("sparklines?" + "&".join(f"device=d{n}" for n in range(101)), "device"),
        ("sparklines?device=a&hours=1&points=7", "points"),
        ("sparklines?device=a&hours=0", "hours"),
        ("fleet?status=asleep", "status"),
        ("fleet?" + "&".join(f"tag=t{n}" for n in range(101)), "tag"),
        ("devices?sort=weight", "sort"),
    ],
)
async def test_bad_input_names_its_field(door, owner, query, pointer):
    answer = await door.get(f"/api/v1/{query}", headers=owner)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"].lstrip("/")) == (422, pointer)
