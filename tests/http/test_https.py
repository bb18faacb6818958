"""On https, our own or a trusted proxy's, every answer tells browsers to come back on https; on http none does."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.certificates import certificate

from telemetry_slice.runtime import build_embedded, serve
from telemetry_slice.settings import Settings

HSTS = "strict-transport-security"
# Whatever answers: the page, a route, a refusal, the ingest route, what is not there.
ASKED = (
    ("GET", "/", 200),
    ("GET", "/health", 200),
    ("GET", "/metrics", 200),
    ("GET", "/api/v1/me", 401),
    ("POST", "/api/v1/auth/login", 422),
    ("POST", "/api/v1/telemetry", 401),
    ("GET", "/api/v2/telemetry", 405),
    ("GET", "/api/v1/nothing", 404),
)
SAYS_HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.fixture
async def platform(tmp_path):
    built = build_embedded(Settings(data=tmp_path / "data"))
    await built.start()
    yield built
    await built.stop()


@asynccontextmanager
async def door(platform, verify=True, **settings):
    """A client of the platform as it is served with these settings."""
    stop, started = asyncio.Event(), asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(serve(platform, Settings(**settings), listener, stop, started.set))
        await asyncio.wait_for(started.wait(), 60)
        scheme = "https" if "tls_cert" in settings else "http"
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=url, verify=verify, trust_env=False, timeout=60) as client:
            yield client
        stop.set()
        await serving


async def told(client, **headers):
    """What each kind of answer says of it."""
    found = {}
    for method, path, status in ASKED:
        answer = await client.request(method, path, headers=headers)
        assert answer.status_code in {status, 503 if path == "/" else status}, (path, answer.text)
        found[method, path] = answer.headers.get(HSTS)
    return found


async def test_every_answer_on_https_has_it_and_none_on_http(platform, tmp_path):
    certificate(tmp_path, "127.0.0.1")
    tls = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    async with door(platform, verify=ssl.create_default_context(cafile=tmp_path / "cert.pem"), **tls) as client:
        assert set((await told(client)).values()) == {"max-age=31536000"}
    async with door(platform) as client:
        assert set((await told(client)).values()) == {None}
        # Anybody may say so; only a trusted proxy is believed.
        assert set((await told(client, **SAYS_HTTPS)).values()) == {None}


async def test_a_trusted_proxy_that_says_https_is_believed(platform):
    async with door(platform, trusted_proxies=("127.0.0.1",)) as client:
        assert set((await told(client, **SAYS_HTTPS)).values()) == {"max-age=31536000"}
        assert set((await told(client)).values()) == {None}
