"""The page's files, the headers of every answer, problems nobody foresaw, and /docs."""

import httpx2
import pytest
from structlog.testing import capture_logs

from telemetry_slice.http import page as page_module
from telemetry_slice.http.app import create_app
from telemetry_slice.http.page import Page, read_page


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>The page</title>")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "sw.js").write_text("self.addEventListener('fetch', () => {})")
    (folder / "manifest.webmanifest").write_text("{}")
    (folder / "assets" / "index-abc.js").write_text("let x = 1;\n" * 500)
    (folder / "assets" / "font.woff2").write_bytes(b"\x00\x01")
    return folder


@pytest.fixture
async def page(built):
    from fastapi import FastAPI

    from telemetry_slice.http import problems

    app = FastAPI()
    problems.install(app)
    app.router.default = Page(read_page(built))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://slice.example") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/index.html", "/devices/dev-1", "/setup?token=x", "/devices/a.b"])
async def test_the_page_answers_at_its_addresses(page, path):
    answer = await page.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "The page" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy


async def test_assets_are_kept_for_good_and_sent_small(page):
    answer = await page.get("/assets/index-abc.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == "let x = 1;\n" * 500
    assert int(answer.headers["content-length"]) < 200
    plain = await page.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    again = await page.get("/assets/index-abc.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await page.head("/assets/index-abc.js")
    assert (head.status_code, head.headers["content-length"], head.content) == (
        200,
        answer.headers["content-length"],
        b"",
    )
    assert (await page.get("/assets/font.woff2")).content == b"\x00\x01"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/sw.js", "text/javascript; charset=utf-8"), ("/manifest.webmanifest", "application/manifest+json")],
)
async def test_what_makes_it_installable_is_asked_for_anew_each_time(page, path, media_type):
    answer = await page.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "worker-src 'self'" in policy
    assert "manifest-src 'self'" in policy
    # The worker asks the server itself, under the policy that it came with.
    assert "connect-src 'self'" in policy


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/assets/gone.js", 404),
        ("GET", "/robots.txt", 404),
        ("GET", "/api/v1/nothing", 404),
        ("POST", "/api/v1/nothing", 404),
        ("GET", "/assets/../../secrets.json", 404),
        ("GET", "/assets/%2e%2e/%2e%2e/secrets.json", 404),
        ("GET", "/.well-known/nothing", 404),
        ("POST", "/", 405),
        ("DELETE", "/devices", 405),
    ],
)
async def test_what_is_not_there(page, method, path, status):
    answer = await page.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_without_a_built_page_it_says_so(services, monkeypatch):
    monkeypatch.setattr(page_module, "find_page", lambda: None)
    app = create_app(services)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://slice.example") as client:
        answer = await client.get("/")
    assert answer.status_code == 503
    assert "make web" in answer.text


async def test_every_answer_carries_safe_headers(door):
    for path in ("/api/v1/me", "/api/v1/nothing", "/.well-known/jwks.json", "/openapi.json", "/docs"):
        headers = (await door.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
    assert (await door.get("/api/v1/me")).headers["cache-control"] == "no-store"
    assert (await door.get("https://slice.example/api/v1/me")).headers["strict-transport-security"]


async def test_the_description_is_plain_and_whole(door, app):
    answer = await door.get("/docs")
    assert answer.status_code == 200
    assert "<script" not in answer.text
    document = (await door.get("/openapi.json")).json()
    for path in document["paths"]:
        assert path in answer.text


async def test_every_route_is_described(door):
    document = (await door.get("/openapi.json")).json()
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            assert operation["tags"], path
            good = [response for status, response in operation["responses"].items() if status[0] in "23"]
            assert good, path
            if path.startswith("/api/"):
                assert operation["responses"]["422"]["content"].keys() == {"application/problem+json"}, (method, path)
    assert len(names) == len(set(names))
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_an_unforeseen_error_tells_the_outside_nothing(door, app, as_, registry, monkeypatch):
    async def broken(*_args, **_more):
        raise RuntimeError("the secret is 42")

    headers = await as_("owner")
    monkeypatch.setattr(type(registry.devices), "get", broken)
    with capture_logs() as logs:
        answer = await door.get("/api/v1/devices/dev-1", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (500, "about:blank")
    assert "42" not in answer.text
    assert "RuntimeError" not in answer.text
    assert [entry["log_level"] for entry in logs] == ["error"]


async def test_an_unreachable_registry_is_a_503(door, as_, registry):
    headers = await as_("owner")
    registry.database.reader.dispose()

    def lost(*_args, **_more):
        from telemetry_slice.engines.sqlite import dbapi

        raise dbapi.OperationalError("disk I/O error")

    registry.database.reader.dialect.connect = lost
    answer = await door.get("/api/v1/devices/dev-1", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
