"""Overload over HTTP: quotas by a clock that stands still, dead letters, capacity, a full disk."""

import asyncio
import re
import time
from types import SimpleNamespace

import pytest

from telemetry_slice.engines.inprocess import HandOffQueue, TokenBuckets
from telemetry_slice.flow.gate import admit
from telemetry_slice.http import ingest
from telemetry_slice.runtime import embedded

DEFAULTS = {"limit_key_per_second": 100, "limit_tenant_per_second": 1_000, "limit_global_per_second": 10_000}
WAIT = {"Prefer": "wait=10"}


@pytest.fixture
def now(monkeypatch):
    """The limiter's monotonic clock."""
    clock = SimpleNamespace(s=1_000.0)
    monkeypatch.setattr(embedded, "TokenBuckets", lambda: TokenBuckets(lambda: clock.s))
    return clock


def refused(answer, policy, limit):
    """A 429 that names the policy in its body and its fields."""
    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
    assert answer.json()["policy"] == policy
    assert f"{policy!r}" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    assert re.fullmatch(rf'"{policy}";r=0;t=[1-9]\d*', answer.headers["ratelimit"])
    assert answer.headers["ratelimit-policy"] == f'"{policy}";q={limit};w=1'
    return True


async def admitted(door, tries, body=b"["):
    """How many of `tries` requests the quotas let pass, and an answer to one that they did not.

    The body is refused as malformed after the quotas of requests: nothing need be stored.
    """
    passed, refusal = 0, None
    for _ in range(tries):
        answer = await door.post("/api/v1/telemetry", content=body)
        if answer.status_code == 400:
            passed += 1
        else:
            refusal = answer
            break
    return passed, refusal


async def keys(house, tenant, count):
    made = [await tenant.console.made("/api/v1/keys", {"kind": "gateway", "name": f"g{n}"}) for n in range(count)]
    return [house.key(each["key"]) for each in made]


async def test_a_key_has_100_requests_a_second(opened_house, now, event):
    async with opened_house(**DEFAULTS) as house:
        acme = await house.tenant()
        answer = await acme.gateway.send(event())
        assert answer.headers["ratelimit"] == '"key";r=99;t=1'
        assert answer.headers["ratelimit-policy"] == '"key";q=100;w=1'
        passed, refusal = await admitted(acme.gateway, 200)
        assert passed == 99
        assert refused(refusal, "key", 100)
        # Another key of the tenant goes on; time heals.
        assert (await admitted(acme.service, 10))[0] == 10
        now.s += 0.25
        assert (await admitted(acme.gateway, 200))[0] == 25
        books = await acme.service.books()
        assert books["rejected"] == {"quota": 2, "malformed": 99 + 10 + 25}
        assert (books["balanced"], books["received"], books["accepted"]) == (True, 1 + 136, 1)
        # What is refused for its credential costs nobody anything; reading has no quota.
        for _ in range(30):
            assert (await house.key("tsk_nonsense").send(event())).status_code == 401
        assert (await acme.service.get("/api/v1/devices")).status_code == 200


async def test_a_tenant_has_1000_and_all_have_10000(opened_house, now):
    async with opened_house(**DEFAULTS) as house:
        acme, beta = await house.tenant(), await house.tenant()
        doors = await keys(house, acme, 10)
        assert [(await admitted(door, 100))[0] for door in doors] == [100] * 10
        passed, refusal = await admitted(acme.gateway, 1)
        assert passed == 0
        assert refused(refusal, "tenant", 1_000)
        # Its neighbour has not noticed.
        assert (await admitted(beta.gateway, 100))[0] == 100
        # The rest of ten thousand requests is taken by others at once, without going through HTTP each time.
        left = 10_000 - 1_100
        for number in range(left // 100):
            stranger = SimpleNamespace(
                no=10_000 + number, id=f"stranger-{number}", limits=SimpleNamespace(**NO_LIMITS), suspended=None
            )
            for _ in range(100):
                await house.gate.admit_request(SimpleNamespace(tenant=stranger, key_id=f"stranger-{number}"))
        passed, refusal = await admitted(beta.service, 1)
        assert passed == 0
        assert refused(refusal, "global", 10_000)
        now.s += 2**-7
        assert (await admitted(beta.service, 100))[0] == 78


NO_LIMITS = dict.fromkeys(("key_per_second", "tenant_per_second", "key_events_per_second", "tenant_events_per_second"))


async def test_events_have_quotas_of_their_own(opened_house, now, event):
    async with opened_house(**DEFAULTS) as house:
        acme = await house.tenant()
        batch = [event() for _ in range(1000)]
        assert (await acme.gateway.send(batch)).headers["ratelimit"] == '"key-events";r=1000;t=1'
        assert (await acme.gateway.send(batch)).status_code == 202
        answer = await acme.gateway.send(event())
        assert refused(answer, "key-events", 2_000)
        now.s += 0.5
        assert (await acme.gateway.send(batch)).status_code == 202
        books = await acme.service.books()
        assert (books["stored"], books["duplicate"], books["rejected"]) == (1000, 2000, {"quota": 1})


async def test_a_tenants_own_limits(opened_house, now, event):
    async with opened_house(**DEFAULTS) as house:
        limits = {"keyPerSecond": 2, "tenantPerSecond": 3, "keyEventsPerSecond": 5, "tenantEventsPerSecond": 0}
        acme = await house.tenant(limits=limits)
        passed, refusal = await admitted(acme.gateway, 5)
        assert passed == 2
        assert refused(refusal, "key", 2)
        passed, refusal = await admitted(acme.service, 5)
        assert passed == 1
        assert refused(refusal, "tenant", 3)
        now.s += 1
        assert (await acme.gateway.send([event() for _ in range(5)])).status_code == 202
        assert refused(await acme.gateway.send(event()), "key-events", 5)
        # A change holds at once, for keys in use too.
        change = {"limits": {"keyPerSecond": 0, "tenantPerSecond": 0, "keyEventsPerSecond": 0}}
        assert (await house.console().call("PATCH", f"/api/v1/tenants/{acme.id}", json=change)).status_code == 200
        assert (await admitted(acme.gateway, 300))[0] == 300


async def test_too_many_dead_letters(opened_house, event):
    async with opened_house(max_dead_letters=3) as house:
        acme, beta = await house.tenant(), await house.tenant()
        await acme.gateway.send([event(recordedAt=0) for _ in range(3)], **WAIT)
        answer = None
        async with asyncio.timeout(10):
            while answer is None or answer.status_code != 429:
                answer = await acme.gateway.send(event())
                await asyncio.sleep(0.01)
        assert answer.json()["policy"] == "dead-letters"
        assert answer.headers["ratelimit"].startswith('"dead-letters";r=0;t=')
        assert int(answer.headers["retry-after"]) >= 1
        # The refusal is steady, the neighbour's letters are its own, and reading goes on.
        for _ in range(50):
            assert (await acme.gateway.send(event())).status_code == 429
            await asyncio.sleep(0.03)
        assert (await beta.gateway.send(event())).status_code == 202
        letters = (await acme.service.get("/api/v1/dead-letters")).json()["deadLetters"]
        assert len(letters) == 3
        assert (await acme.service.call("DELETE", f"/api/v1/dead-letters/{letters[0]['id']}")).status_code == 204
        async with asyncio.timeout(10):
            while (await acme.gateway.send(event())).status_code == 429:
                await asyncio.sleep(0.01)
        books = await house.settled_books(acme.service)
        assert books["balanced"]
        assert books["rejected"]["quota"] >= 51


class SlowQueue(HandOffQueue):
    """Hands nothing to the writer before it may."""

    may = None

    def __init__(self, *arguments):
        super().__init__(*arguments)
        type(self).may = asyncio.Event()

    async def lease(self, max_events):
        leased = await super().lease(max_events)
        await self.may.wait()
        return leased


def padded(event, size):
    """An event that weighs `size` bytes."""
    return event(note="x" * size)


async def test_capacity_is_bounded_and_shared(opened_house, event, monkeypatch):
    """With the writer stuck, a flood gets 503 and leaves room for its neighbour; nothing accepted is lost."""
    monkeypatch.setattr(ingest, "REFUSAL_S", 0.0)
    monkeypatch.setattr(embedded, "HandOffQueue", SlowQueue)
    async with opened_house(max_inflight_bytes=1 << 20) as house:
        acme, beta = await house.tenant(), await house.tenant()
        flood = [asyncio.create_task(acme.gateway.send(padded(event, 10_000))) for _ in range(60)]
        async with asyncio.timeout(10):
            while sum(task.done() for task in flood) < 40:
                await asyncio.sleep(0.01)
        refusals = [task.result() for task in flood if task.done()]
        assert {answer.status_code for answer in refusals} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refusals)
        assert {answer.headers["content-type"] for answer in refusals} == {"application/problem+json"}
        neighbour = asyncio.create_task(beta.gateway.send(padded(event, 10_000)))
        async with asyncio.timeout(10):
            while sum(batch[2] for batch in await batches_held(house)) < 61 - len(refusals):
                await asyncio.sleep(0.01)
        # Nothing is written while the writer is stuck, yet people read.
        assert (await acme.service.get("/api/v1/devices")).status_code == 200
        books = await acme.service.books()
        assert (books["inFlight"], books["stored"], books["balanced"]) == (60 - len(refusals), 0, True)
        SlowQueue.may.set()
        assert (await neighbour).status_code == 202
        answers = await asyncio.gather(*flood)
        assert [a.status_code for a in answers].count(202) == 60 - len(refusals)
        books = await acme.service.books()
        assert (books["accepted"], books["stored"]) == (60 - len(refusals),) * 2
        assert books["rejected"] == {"capacity": len(refusals)}
        assert (await acme.gateway.send(padded(event, 10_000))).status_code == 202


async def batches_held(house):
    return [batch for message in await house.platform.services.books._queue.held() for batch in message.batches]


async def test_the_queue_is_bounded(opened_house, event, monkeypatch):
    monkeypatch.setattr(embedded, "HandOffQueue", SlowQueue)
    monkeypatch.setattr(admit, "FULL_S", 0.0)
    async with opened_house(max_queued_events=1_000) as house:
        acme = await house.tenant()
        batches = [[event() for _ in range(300)] for _ in range(5)]
        sending = [asyncio.create_task(acme.gateway.send(batch)) for batch in batches]
        async with asyncio.timeout(10):
            while sum(task.done() for task in sending) < 2:
                await asyncio.sleep(0.01)
        refusals = [task.result() for task in sending if task.done()]
        assert [(a.status_code, a.headers["retry-after"]) for a in refusals] == [(503, "1")] * 2
        SlowQueue.may.set()
        await asyncio.gather(*sending)
        books = await acme.service.books()
        assert (books["stored"], books["rejected"], books["balanced"]) == (900, {"capacity": 600}, True)
        # Repeating with the same ids is safe.
        assert {(await acme.gateway.send(batch)).status_code for batch in batches} == {202}
        books = await acme.service.books()
        assert (books["stored"], books["duplicate"], books["balanced"]) == (1500, 900, True)


async def test_who_is_refused_for_want_of_capacity_asks_again_a_little_later_by_itself(
    opened_house, event, monkeypatch
):
    """A refusal that came at once would be answered with the next request at once."""
    disk = SimpleNamespace(free=0)
    monkeypatch.setattr(embedded, "DataDisk", lambda folder: SimpleNamespace(usage=lambda: (1, disk.free)))
    async with opened_house() as house:
        acme = await house.tenant()
        began = time.monotonic()
        answers = await asyncio.gather(*(acme.gateway.send(event()) for _ in range(200)))
        took = time.monotonic() - began
        assert {answer.status_code for answer in answers} == {503}
        assert took >= ingest.REFUSAL_S / 2
        assert took < 200 * ingest.REFUSAL_S / 2, "they wait side by side"
        began = time.monotonic()
        assert (await acme.gateway.send({})).status_code == 503
        assert time.monotonic() - began >= ingest.REFUSAL_S / 2


async def test_a_disk_that_is_nearly_full(opened_house, event, monkeypatch):
    disk = SimpleNamespace(free=10**12)
    monkeypatch.setattr(embedded, "DataDisk", lambda folder: SimpleNamespace(usage=lambda: (1, disk.free)))
    async with opened_house() as house:
        acme = await house.tenant()

        async def ingest():
            return (await acme.service.get("/api/v1/status")).json()["storage"]["ingest"]

        assert await ingest() == "open"
        sent = event()
        assert (await acme.gateway.send(sent)).status_code == 202
        disk.free = 100 << 20
        assert await ingest() == "refused"
        answer = await acme.gateway.send(event())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert "disk" in answer.json()["detail"]
        # Reading goes on.
        shown = await acme.service.get("/api/v1/devices/dev-1/telemetry")
        assert [e["eventId"] for e in shown.json()["events"]] == [sent["eventId"]]
        assert (await acme.service.books())["rejected"] == {"capacity": 1}
        # It opens by itself, and not while it would close again at once.
        disk.free = 257 << 20
        assert await ingest() == "refused"
        disk.free = 10**12
        async with asyncio.timeout(10):
            while (await acme.gateway.send(event())).status_code != 202:
                await asyncio.sleep(0.05)
        assert await ingest() == "open"
