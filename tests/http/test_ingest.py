"""Sending over HTTP, from the request to the books: shapes, outcomes, refusals, dead letters."""

import asyncio
import gzip
import json
from uuid import uuid4

import pytest
import zstandard

from telemetry_slice.engines.inprocess import HandOffQueue
from telemetry_slice.engines.sqlite.store import SqliteStore
from telemetry_slice.model.times import DAY_US, rfc3339
from telemetry_slice.runtime import embedded

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT = {"Prefer": "wait=10"}
MEASUREMENTS = {"t": {"value": 1.5, "unit": "C"}, "on": True, "s": "x"}
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
async def acme(house):
    return await house.tenant()


async def outcomes(answer):
    assert answer.status_code == 200, answer.text
    return [result["outcome"] for result in answer.json()["results"]]


async def balanced(door):
    """The books, which add up, as (received, accepted, stored, duplicate, dead, rejected)."""
    books = await door.books()
    assert books["balanced"], books
    assert books["accepted"] == books["stored"] + books["duplicate"] + sum(books["dead"].values()) + books["inFlight"]
    assert books["received"] == books["accepted"] + sum(books["rejected"].values())
    return (
        books["received"],
        books["accepted"],
        books["stored"],
        books["duplicate"],
        books["dead"],
        books["rejected"],
    )


# ------------------------------------------------------------------------------------------------------- shapes
def lines(events):
    return b"\n".join(json.dumps(event).encode() for event in events)


SHAPES = {
    "one": (lambda events: json.dumps(events[0]).encode(), JSON, 1),
    "array": (lambda events: json.dumps(events).encode(), JSON, 3),
    "envelope": (lambda events: json.dumps({"events": events}).encode(), JSON, 3),
    "no content type": (lambda events: json.dumps(events).encode(), {}, 3),
    "ndjson": (lines, NDJSON, 3),
    "ndjson with blank lines and CRLF": (lambda events: lines(events).replace(b"\n", b"\r\n\n") + b"\r\n\n", NDJSON, 3),
    "gzip": (
        lambda events: gzip.compress(json.dumps(events).encode()),
        {**JSON, "Content-Encoding": "gzip"},
        3,
    ),
    "zstd": (
        lambda events: zstandard.compress(json.dumps(events).encode()),
        {**JSON, "Content-Encoding": "zstd"},
        3,
    ),
    "ndjson, zstd": (lambda events: zstandard.compress(lines(events)), {**NDJSON, "Content-Encoding": "zstd"}, 3),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("version", [1, 2])
async def test_every_shape_is_taken(acme, event, shape, version):
    pack, headers, count = SHAPES[shape]
    events = [event() for _ in range(3)]
    if version == 2:
        events = [
            event(
                type=None, value=None, unit=None, measurements={"t": {"value": 1.5, "unit": "C"}, "on": True, "s": "x"}
            )
            for _ in range(3)
        ]
    path = f"/api/v{version}/telemetry"
    answer = await acme.gateway.post(path, content=pack(events), headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"accepted": count, "rejected": []})
    answer = await acme.gateway.post(path, content=pack(events), headers=headers | WAIT)
    assert await outcomes(answer) == ["duplicate"] * count
    assert [result["eventId"] for result in answer.json()["results"]] == [e["eventId"] for e in events[:count]]
    assert answer.headers["preference-applied"] == "wait=10"
    shown = (await acme.service.get("/api/v2/devices/dev-1/telemetry")).json()["events"]
    assert sorted(e["eventId"] for e in shown) == sorted(e["eventId"] for e in events[:count])
    if version == 2:
        values = {name: m["value"] for name, m in shown[0]["measurements"].items()}
        assert values == {"t": 1.5, "on": True, "s": "x"}
        assert values["on"] is True
    assert await balanced(acme.service) == (2 * count, 2 * count, count, count, {}, {})


async def test_bad_events_do_not_cost_their_neighbours(acme, event):
    good, missing, also_good = event(), event(value=None), event()
    answer = await acme.gateway.send([good, missing, 5, also_good], **WAIT)
    assert await outcomes(answer) == ["stored", "stored"]
    assert [result["index"] for result in answer.json()["results"]] == [0, 3]
    assert answer.json()["rejected"] == [
        {"index": 1, "eventId": missing["eventId"], "code": "invalid", "detail": "value is missing"},
        {"index": 2, "eventId": None, "code": "invalid", "detail": "expected an object, got a whole number"},
    ]
    answer = await acme.gateway.send([missing, good, event()])
    assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (202, 2, 1)
    assert await balanced(acme.service) == (7, 4, 3, 1, {}, {"invalid": 3})


async def test_nothing_acceptable_names_the_fields(acme, event):
    answer = await acme.gateway.send([event(value=None), event(unit="x" * 33)])
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in body["errors"]] == ["/0/value", "/1/unit"]
    assert (body["accepted"], len(body["rejected"])) == (0, 2)
    answer = await acme.gateway.send(event(recordedAt="yesterday"))
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/recordedAt"]
    answer = await acme.gateway.send({"events": [event(deviceId="")]})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/events/0/deviceId"]
    assert (await acme.gateway.send([])).status_code == 422
    assert await balanced(acme.service) == (4, 0, 0, 0, {}, {"invalid": 4})


# ----------------------------------------------------------------------------------------------------- identity
async def test_the_same_again_is_a_duplicate_and_another_meaning_a_conflict(acme, event):
    first = event(eventId=str(uuid4()))
    same = {**first, "eventId": first["eventId"].upper(), "value": 25.50, "extra": "ignored"}
    other = first | {"value": 26.5}
    assert await outcomes(await acme.gateway.send(first, **WAIT)) == ["stored"]
    answer = await acme.gateway.send([same, other, other], **WAIT)
    assert await outcomes(answer) == ["duplicate", "dead", "duplicate"]
    assert answer.json()["results"][1] == {
        "index": 1,
        "eventId": first["eventId"],
        "outcome": "dead",
        "reason": "conflict",
    }
    as_v2 = {name: first[name] for name in ("eventId", "deviceId", "recordedAt")}
    as_v2["measurements"] = {"temperature": {"unit": "C", "value": 2.55e1}}
    assert await outcomes(await acme.gateway.send(as_v2, 2, **WAIT)) == ["duplicate"]
    shown = (await acme.service.get("/api/v1/devices/dev-1/telemetry")).json()["events"]
    assert [(e["eventId"], e["value"]) for e in shown] == [(first["eventId"], 25.5)]
    assert await balanced(acme.service) == (5, 5, 1, 3, {"conflict": 1}, {})


async def test_two_tenants_may_use_the_same_event_id(house, acme, event):
    beta = await house.tenant()
    for tenant, value in ((acme, 1.0), (beta, 2.0)):
        answer = await tenant.gateway.send(event(eventId="shared", value=value), **WAIT)
        assert await outcomes(answer) == ["stored"]
    for tenant, value in ((acme, 1.0), (beta, 2.0)):
        shown = (await tenant.service.get("/api/v1/devices/dev-1/telemetry")).json()["events"]
        assert [e["value"] for e in shown] == [value]
        assert await balanced(tenant.service) == (1, 1, 1, 0, {}, {})


# ------------------------------------------------------------------------------------------------- dead letters
async def only_letter(acme):
    (letter,) = (await acme.service.get("/api/v1/dead-letters")).json()["deadLetters"]
    return letter


@pytest.mark.parametrize(
    "when", ["1999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59Z", -62135596800000, 8_640_000_000_000_000]
)
async def test_a_time_that_cannot_be_is_accepted_and_dead(acme, event, when):
    answer = await acme.gateway.send([event(recordedAt=when), event()], **WAIT)
    assert await outcomes(answer) == ["dead", "stored"]
    assert answer.json()["results"][0]["reason"] == "clock"
    assert (await only_letter(acme))["reason"] == "clock"
    assert await balanced(acme.service) == (2, 2, 1, 0, {"clock": 1}, {})


async def test_the_edges_of_the_clock_window(house, acme, event):
    now_us = house.platform.services.clock.now_us()
    inside = [event(recordedAt="2000-01-01T00:00:00Z"), event(recordedAt=rfc3339(now_us + DAY_US - 60_000_000))]
    assert await outcomes(await acme.gateway.send(inside, **WAIT)) == ["stored", "stored"]
    beyond = event(recordedAt=rfc3339(now_us + DAY_US + 60_000_000))
    assert await outcomes(await acme.gateway.send(beyond, **WAIT)) == ["dead"]


async def test_a_letter_is_mended_and_replayed_exactly_once(acme, event):
    lost = event(recordedAt="1980-01-01T00:00:00Z")
    await acme.gateway.send(lost, **WAIT)
    letter = await only_letter(acme)
    path = f"/api/v1/dead-letters/{letter['id']}"
    assert letter["body"] == lost | {"recordedAt": "1980-01-01T00:00:00.000000Z"}
    unmended = await acme.service.post(f"{path}/replay")
    assert (unmended.status_code, unmended.json()) == (200, {"outcome": "dead", "reason": "clock"})
    assert await balanced(acme.service) == (1, 1, 0, 0, {"clock": 1}, {})

    mended = letter["body"] | {"recordedAt": event()["recordedAt"]}
    wrong = await acme.service.call("PATCH", path, json={"body": mended | {"deviceId": "nobody"}})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/body/deviceId")
    assert (await acme.service.call("PATCH", path, json={"body": mended})).json()["body"] == mended
    assert await balanced(acme.service) == (1, 1, 0, 0, {"clock": 1}, {})

    answers = await asyncio.gather(*(acme.service.post(f"{path}/replay") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404, 404]
    assert [answer.json()["outcome"] for answer in answers if answer.status_code == 200] == ["stored"]
    assert await balanced(acme.service) == (1, 1, 1, 0, {}, {})
    shown = (await acme.service.get("/api/v1/devices/dev-1/telemetry")).json()["events"]
    assert [e["eventId"] for e in shown] == [lost["eventId"]]
    assert await outcomes(await acme.gateway.send(mended, **WAIT)) == ["duplicate"]


async def test_a_discarded_letter_stays_dead_in_the_books(acme, event):
    await acme.gateway.send(event(recordedAt=0), **WAIT)
    path = f"/api/v1/dead-letters/{(await only_letter(acme))['id']}"
    assert (await acme.service.call("DELETE", path)).status_code == 204
    assert (await acme.service.call("DELETE", path)).status_code == 404
    assert (await acme.service.post(f"{path}/replay")).status_code == 404
    assert (await only_letter(acme))["state"] == "discarded"
    assert await balanced(acme.service) == (1, 1, 0, 0, {"clock": 1}, {})


async def test_many_letters_at_once(acme, event):
    stored = event()
    await acme.gateway.send(stored, **WAIT)
    await acme.gateway.send([event(recordedAt=0) for _ in range(3)] + [stored | {"value": 9.0}], **WAIT)
    assert (await balanced(acme.service))[4] == {"clock": 3, "conflict": 1}
    listed = (await acme.service.get("/api/v1/dead-letters", params={"reason": "clock"})).json()["deadLetters"]
    assert len(listed) == 3
    for letter in listed[:2]:
        body = letter["body"] | {"recordedAt": event()["recordedAt"]}
        await acme.service.call("PATCH", f"/api/v1/dead-letters/{letter['id']}", json={"body": body})
    answer = await acme.service.post("/api/v1/dead-letters/replay", json={"reason": "clock"})
    assert answer.json() == {"replayed": {"stored": 2, "duplicate": 0, "dead": 1}}
    assert await balanced(acme.service) == (5, 5, 3, 0, {"clock": 1, "conflict": 1}, {})


# ------------------------------------------------------------------------------------------- who may send for whom
async def test_a_device_key_sends_for_its_device_alone(house, acme, event):
    for device in ("dev-1", "dev-2"):
        await acme.console.made("/api/v1/devices", {"deviceId": device})
    issued = await acme.console.made("/api/v1/devices/dev-1/keys", {})
    door = house.key(issued["key"])
    own, foreign = event(), event(deviceId="dev-2")
    answer = await door.send([own, foreign])
    assert (answer.status_code, answer.json()["rejected"][0]["code"]) == (202, "foreign_device")
    for device in ("dev-2", "dev-3"):
        answer = await door.send(event(deviceId=device))
        assert (answer.status_code, answer.json()["rejected"][0]["code"]) == (403, "foreign_device")
    # Nothing is created by the attempt.
    listed = (await acme.service.get("/api/v1/devices")).json()["devices"]
    assert [device["deviceId"] for device in listed] == ["dev-1", "dev-2"]
    assert await balanced(acme.service) == (4, 1, 1, 0, {}, {"foreign_device": 3})


async def test_only_a_gateway_creates_devices_and_only_if_the_tenant_wants_it(house, event):
    open_, closed = await house.tenant(), await house.tenant(autoRegister=False)
    assert (await open_.gateway.send(event(deviceId="new"))).status_code == 202
    for door in (open_.service, closed.gateway, closed.service):
        answer = await door.send(event(deviceId="unknown"))
        assert (answer.status_code, answer.json()["rejected"][0]["code"]) == (422, "unknown_device")
    answer = await closed.console.made("/api/v1/devices", {"deviceId": "unknown"})
    assert (await closed.gateway.send(event(deviceId="unknown"))).status_code == 202, answer


async def test_a_deleted_device_sends_no_more_and_keeps_its_history(house, acme, event):
    await acme.gateway.send(event(), **WAIT)
    issued = await acme.console.made("/api/v1/devices/dev-1/keys", {})
    assert (await house.key(issued["key"]).send(event())).status_code == 202
    assert (await acme.console.call("DELETE", "/api/v1/devices/dev-1")).status_code == 204
    answer = await acme.gateway.send([event(), event(deviceId="dev-2")])
    assert (answer.status_code, answer.json()["rejected"][0]["code"]) == (202, "device_deleted")
    assert (await house.key(issued["key"]).send(event())).status_code == 401
    assert await balanced(acme.service) == (4, 3, 3, 0, {}, {"device_deleted": 1})


async def test_a_key_that_ends_soon_says_so(house, acme, event):
    now_us = house.platform.services.clock.now_us()
    for days, told in ((13, True), (15, False)):
        body = {"kind": "gateway", "expiresAt": rfc3339(now_us + days * DAY_US)}
        key = house.key((await acme.console.made("/api/v1/keys", body))["key"])
        answer = await key.send(event())
        assert answer.status_code == 202
        ends = f"@{(now_us + days * DAY_US) // 1_000_000}" if told else None
        assert answer.headers.get("tslice-key-expires") == ends


async def test_the_customer_must_be_the_keys_tenant(house, acme, event):
    beta = await house.tenant()
    answer = await acme.gateway.send([event(customerId=acme.id), event(customerId=beta.id)], **WAIT)
    assert await outcomes(answer) == ["stored"]
    assert answer.json()["rejected"][0]["code"] == "foreign_tenant"
    assert (await acme.gateway.send(event(customerId=beta.id))).status_code == 403
    assert (await balanced(beta.service))[0] == 0


# --------------------------------------------------------------------------------- what the books see of a bad queue
class ForgetfulQueue(HandOffQueue):
    """Loses the message that holds an event of a device called `lost`, and says it is kept."""

    async def put(self, message):
        if "lost" in message.batches[0].device_ids:
            return
        await super().put(message)


class RepeatingQueue(HandOffQueue):
    """Delivers every message twice: in one lease, and once more after it was acked."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.again = []
        self.repeated = 0

    async def lease(self, max_events):
        if self.again:
            again, self.again = self.again, []
            self.repeated += len(again)
            return again
        leased = list(await super().lease(max_events))
        self.repeated += len(leased)
        self.again = list(leased)
        return leased + leased


async def test_a_lost_message_unbalances_the_books(opened_house, event, monkeypatch):
    monkeypatch.setattr(embedded, "HandOffQueue", ForgetfulQueue)
    async with opened_house() as house:
        acme, beta = await house.tenant(), await house.tenant()
        for tenant in (acme, beta):
            assert (await tenant.gateway.send(event())).status_code == 202
        assert await balanced(acme.service) == (1, 1, 1, 0, {}, {})
        assert (await acme.gateway.send([event(deviceId="lost")] * 2)).status_code == 202
        books = await acme.service.books()
        assert (books["accepted"], books["stored"], books["inFlight"], books["balanced"]) == (3, 1, 0, False)
        # Later messages do not cover it up, and a neighbour's books are its own.
        assert (await acme.gateway.send(event())).status_code == 202
        assert (await acme.service.books())["balanced"] is False
        assert await balanced(beta.service) == (1, 1, 1, 0, {}, {})


async def test_a_repeated_message_is_counted_once(opened_house, event, monkeypatch):
    queues = []

    def made(*arguments):
        queues.append(RepeatingQueue(*arguments))
        return queues[0]

    monkeypatch.setattr(embedded, "HandOffQueue", made)
    async with opened_house() as house:
        acme = await house.tenant()
        first = event()
        answer = await acme.gateway.send([first, event(), event(recordedAt=0)], **WAIT)
        assert await outcomes(answer) == ["stored", "stored", "dead"]
        assert (await acme.gateway.send([first])).status_code == 202
        async with asyncio.timeout(10):
            while queues[0].again or queues[0].repeated < 4:
                await asyncio.sleep(0.01)
        assert await balanced(acme.service) == (4, 4, 2, 1, {"clock": 1}, {})


async def test_a_defect_behind_the_queue_is_survived(opened_house, event, monkeypatch):
    """Whatever the store raises, the writer tries again; the sender hears that the outcome is unknown."""
    append, failures = SqliteStore.append, ["once", "twice"]

    async def failing(self, messages, *, commit=True):
        if failures:
            raise RuntimeError(failures.pop())
        return await append(self, messages, commit=commit)

    monkeypatch.setattr(SqliteStore, "append", failing)
    async with opened_house() as house:
        acme = await house.tenant()
        sent = event()
        answer = await acme.gateway.send(sent)
        assert (answer.status_code, bool(answer.headers["retry-after"])) == (503, True)
        books = await house.settled_books(acme.service)
        assert (books["accepted"], books["stored"], books["balanced"]) == (1, 1, True)
        assert await outcomes(await acme.gateway.send(sent, **WAIT)) == ["duplicate"]
