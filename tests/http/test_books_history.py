"""The books over time, over HTTP, and the letters that are found by device and time."""

import pytest

from telemetry_slice.model.times import HOUR_US, MINUTE_US, rfc3339

WAIT = {"Prefer": "wait=10"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_history_adds_up_to_the_books(house, event):
    tenant = await house.tenant()
    first = event()
    await tenant.gateway.send([first, event(), {**event(), "recordedAt": 0}], **WAIT)
    await tenant.gateway.send([first], **WAIT)
    books = await house.settled_books(tenant.service)
    assert books["balanced"] is True
    for step, seconds in (("hour", 3600), ("day", 86_400)):
        history = (await tenant.service.get(f"/api/v1/books/history?step={step}")).json()
        assert (history["stepSeconds"], sum(each["stored"] for each in history["steps"])) == (seconds, 2)
    history = (await tenant.service.get("/api/v1/books/history")).json()
    steps = history["steps"]
    assert sum(each["accepted"] for each in steps) == books["accepted"] == 4
    assert sum(each["stored"] for each in steps) == books["stored"] == 2
    assert sum(each["duplicate"] for each in steps) == 1
    assert [each["dead"] for each in steps if each["dead"]] == [{"clock": 1}]
    assert all(history["from"] <= each["start"] < history["to"] for each in steps)
    other = await house.tenant()
    assert (await other.service.get("/api/v1/books/history")).json()["steps"] == []
    figures = await house.console().get(f"/api/v1/tenants/{tenant.id}/figures")
    assert figures.json() == await tenant.service.books()
    assert (await house.console().get("/api/v1/tenants/nobody/figures")).status_code == 404


async def test_a_range_that_is_none_or_too_long_is_refused(house):
    tenant = await house.tenant()
    now_us = house.platform.services.clock.now_us()
    for query, field in (
        (f"from={rfc3339(now_us)}&to={rfc3339(now_us - 2 * MINUTE_US)}", "to"),
        (f"from={rfc3339(now_us - 801 * HOUR_US)}&to={rfc3339(now_us)}", "step"),
        ("from=2001-01-01T00:00:00Z&step=day", "step"),
        ("from=yesterday", "from"),
        ("step=week", "step"),
    ):
        answer = await tenant.service.get(f"/api/v1/books/history?{query}")
        assert answer.status_code == 422, query
        assert field in answer.json()["errors"][0]["pointer"], query


async def test_letters_by_device_and_time(house, event):
    tenant = await house.tenant()
    dead = [{**event(), "deviceId": f"dev-{n % 2}", "recordedAt": 0} for n in range(5)]
    await tenant.gateway.send(dead, **WAIT)
    path = "/api/v1/dead-letters"
    page = (await tenant.service.get(f"{path}?device=dev-0&limit=2")).json()
    assert [letter["eventId"] for letter in page["deadLetters"]] == [dead[4]["eventId"], dead[2]["eventId"]]
    rest = (await tenant.service.get(f"{path}?device=dev-0&limit=2&cursor={page['next']}")).json()
    assert [letter["eventId"] for letter in rest["deadLetters"]] == [dead[0]["eventId"]]
    # A cursor is good for what it was given for.
    assert (await tenant.service.get(f"{path}?device=dev-1&cursor={page['next']}")).status_code == 422
    for asked, count in (("from=2020-01-01T00:00:00Z", 5), ("to=2020-01-01T00:00:00Z", 0), ("device=dev-9", 0)):
        assert len((await tenant.service.get(f"{path}?{asked}")).json()["deadLetters"]) == count
    assert (await tenant.service.get(f"{path}?from=then")).status_code == 422
