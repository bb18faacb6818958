"""Lists of devices over HTTP: CSV in, keys out once."""

import csv
import io
import json

import pytest

from telemetry_slice.model.times import rfc3339

PATH = "/api/v1/provisioning"
LIST = "deviceId,label,location,type,tags\r\npump-1,Pump,Hall 1,pump,a;b\r\npump-2,,,,\r\n"
SEED = "a-random-text-of-the-caller-1"


@pytest.fixture
async def provision(door, as_):
    operator = await as_("operator")

    async def call(body=LIST, *, headers=None, content_type="text/csv", **params):
        return await door.post(
            PATH,
            content=body.encode() if isinstance(body, str) else body,
            params=params,
            headers=(operator if headers is None else headers) | {"Content-Type": content_type},
        )

    return call


def rows(answer):
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_a_list_makes_devices_with_working_keys(door, provision, as_, registry, acme):
    answer = await provision()
    assert answer.headers["cache-control"] == "no-store"
    first, second = rows(answer)
    assert (first["line"], first["deviceId"], first["outcome"], first["detail"]) == ("2", "pump-1", "created", "")
    assert first["keyId"] == first["key"][4:14]
    made = await registry.devices.get(acme.no, "pump-1")
    assert (made.label, made.location, made.tags) == ("Pump", "Hall 1", ("a", "b", "type:pump"))
    assert (await registry.devices.get(acme.no, "pump-2")).label == "pump-2"
    for row in (first, second):
        me = await door.get("/api/v1/me", headers={"X-API-Key": row["key"]})
        assert (me.status_code, me.json()["kind"]) == (200, "device")
    keys = (await door.get("/api/v1/devices/pump-1/keys", headers=await as_("operator"))).json()["keys"]
    assert [key["keyId"] for key in keys] == [first["keyId"]]
    again = rows(await provision())
    assert [(row["outcome"], row["key"]) for row in again] == [("kept", "")] * 2


async def test_a_lost_answer_is_had_again(provision, as_):
    headers = await as_("operator") | {"Idempotency-Key": f'"{SEED}"'}
    first = rows(await provision(headers=headers))
    again = rows(await provision(headers=headers))
    assert [row["outcome"] for row in again] == ["repeated"] * 2
    assert [row["key"] for row in again] == [row["key"] for row in first]
    other = rows(await provision(headers=await as_("operator") | {"Idempotency-Key": SEED + "x"}))
    assert [row["key"] for row in other] == ["", ""]
    short = await provision(headers=await as_("operator") | {"Idempotency-Key": "short"})
    assert short.status_code == 422


async def test_the_same_seed_in_another_tenant_gives_other_keys(provision, as_, beta):
    seed = {"Idempotency-Key": SEED}
    ours = rows(await provision(headers=await as_("operator") | seed))
    theirs = rows(await provision(headers=await as_("operator", beta) | seed))
    assert [row["outcome"] for row in theirs] == ["created"] * 2
    assert not {row["key"] for row in ours} & {row["key"] for row in theirs}


async def test_rows_at_fault_are_named_and_nothing_is_done(provision, registry, acme):
    await registry.devices.create(acme.no, "gone", label="", location="", tags=())
    await registry.devices.delete(acme.no, "gone")
    body = (
        "tags,deviceId,label,type\n"
        f",good,,\n,,,\n,good,,\n,{'x' * 129},,\n{'t' * 65},tagged,,\n,typed,,{'t' * 65}\n"
        f",labelled,{'l' * 201},\n,gone,,\n"
    )
    answer = await provision(body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "line 3, deviceId",
        "line 4, deviceId",
        "line 5, deviceId",
        "line 6, tags",
        "line 7, type",
        "line 8, label",
    ]
    assert answer.json()["detail"] == "6 rows are at fault; nothing was done."
    assert await registry.devices.get(acme.no, "good") is None
    preview = rows(await provision(body, dryRun=True))
    assert [row["outcome"] for row in preview] == ["created", *["error"] * 7]
    assert not any(row["key"] for row in preview)
    assert await registry.devices.get(acme.no, "good") is None
    gone = await provision("deviceId\nfresh\ngone\n")
    assert gone.json()["errors"] == [
        {"pointer": "line 3, deviceId", "detail": "There was a device with this id; its history is still there."}
    ]
    assert await registry.devices.get(acme.no, "fresh") is None
    taken = rows(await provision(body, onError="skip"))
    assert [(row["line"], row["outcome"]) for row in taken] == [
        ("2", "created"),
        *[(str(line), "error") for line in range(3, 10)],
    ]
    assert (await registry.devices.get(acme.no, "good")).label == "good"


async def test_keys_are_rotated_when_asked(door, provision, clock):
    old = rows(await provision())[0]["key"]
    first, _ = rows(await provision(existing="rotate", overlapSeconds=60))
    assert first["outcome"] == "rotated"
    for key in (old, first["key"]):
        assert (await door.get("/api/v1/me", headers={"X-API-Key": key})).status_code == 200
    full = await provision(existing="rotate")
    assert full.status_code == 422
    assert "two live keys" in full.json()["errors"][0]["detail"]
    clock.advance(61)
    assert (await door.get("/api/v1/me", headers={"X-API-Key": old})).status_code == 401


async def test_keys_end_when_asked(door, provision, clock):
    (row,) = rows(await provision("deviceId\nd\n", expiresAt=rfc3339(clock.us + 60_000_000)))
    assert (await door.get("/api/v1/me", headers={"X-API-Key": row["key"]})).status_code == 200
    clock.advance(61)
    assert (await door.get("/api/v1/me", headers={"X-API-Key": row["key"]})).status_code == 401
    assert (await provision("deviceId\nd\n", expiresAt="yesterday")).json()["errors"][0]["pointer"] == "expiresAt"


async def test_ndjson_is_faithful(provision):
    answer = await provision("deviceId\n=cmd\n", format="ndjson")
    (row,) = [json.loads(line) for line in answer.text.splitlines()]
    assert (row["line"], row["deviceId"], row["key"][:4]) == (2, "=cmd", "tsk_")
    assert rows(await provision("deviceId\n=cmd\n"))[0]["deviceId"] == "'=cmd"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("label\nx\n", 400),
        ("deviceId,deviceId\nx,y\n", 400),
        ("deviceId,owner\nx,y\n", 400),
        ("deviceId,label\nx\n", 400),
        ('deviceId\n"x\n', 400),
        ('deviceId\n"x"y\n', 400),
        (b"deviceId\n\xff\n", 400),
        ("deviceId\n" + "".join(f"d{number}\n" for number in range(10_001)), 413),
        ("deviceId\n" + "x" * (4 << 20), 413),
    ],
)
async def test_files_that_are_no_lists_are_refused(provision, body, status):
    assert (await provision(body)).status_code == status


async def test_other_media_types_are_refused(provision):
    assert (await provision(content_type="application/json")).status_code == 415


async def test_who_may(provision, as_):
    for who, status in [("operator", 200), ("viewer", 403), ("gateway", 403), ("service read", 403), ("nobody", 401)]:
        assert (await provision(headers=await as_(who))).status_code == status, who


async def test_the_audit_counts_and_tells_no_key(provision, door, as_):
    key = rows(await provision())[0]["key"]
    await provision(dryRun=True)
    answer = await door.get("/api/v1/audit", headers=await as_("owner"))
    (record,) = [record for record in answer.json()["records"] if record["action"] == "provision"]
    assert (record["resource"], record["detail"]) == ("devices", {"created": 2})
    assert key not in answer.text


async def test_the_largest_list(provision):
    body = "deviceId,label,tags\n" + "".join(f"device-{number:05},Pump {number},a\n" for number in range(10_000))
    found = rows(await provision(body))
    assert len({row["key"] for row in found}) == len(found) == 10_000
