"""The announced end of v1: headers, then 410."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from telemetry_slice.http.versions import V1Ending
from telemetry_slice.model.times import DAY_US, to_us

DEPRECATION = datetime(2027, 1, 1, tzinfo=UTC)
SUNSET = datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)


class FixedClock:
    """A clock that stands."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us


async def answers(scope, receive, send):
    await send({"type": "http.response.start", "status": 202, "headers": [(b"x-inner", b"1")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def get(path: str, now_us: int, sunset: datetime | None = SUNSET) -> httpx2.Response:
    app = V1Ending(answers, FixedClock(now_us), to_us(DEPRECATION), None if sunset is None else to_us(sunset))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("path", "successor"),
    [
        ("/api/v1/telemetry", "/api/v2/telemetry"),
        ("/api/v1/devices/dev-001/telemetry", "/api/v2/devices/dev-001/telemetry"),
    ],
)
async def test_v1_says_when_it_ends_and_what_follows(path, successor):
    """Deprecation as a structured date, Sunset as an HTTP date, and the successor."""
    answer = await get(path, to_us(DEPRECATION))
    assert answer.status_code == 202
    assert answer.headers["deprecation"] == "@1798761600"
    assert answer.headers["sunset"] == "Fri, 31 Dec 2027 23:59:59 GMT"
    assert answer.headers["link"] == f'<{successor}>; rel="successor-version"'
    assert answer.headers["x-inner"] == "1"


async def test_after_the_sunset_v1_is_gone():
    """410 with the same headers; v2 and routes without a successor go on."""
    late = to_us(SUNSET + timedelta(seconds=1))
    answer = await get("/api/v1/telemetry", late)
    assert answer.status_code == 410
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["sunset"]
    for path in ("/api/v2/telemetry", "/api/v1/books"):
        answer = await get(path, late)
        assert answer.status_code == 202
        assert "deprecation" not in answer.headers


async def test_without_a_sunset_v1_never_ends():
    """A deprecation alone refuses nothing."""
    answer = await get("/api/v1/telemetry", to_us(DEPRECATION) + 10_000 * DAY_US, sunset=None)
    assert answer.status_code == 202
    assert "sunset" not in answer.headers
