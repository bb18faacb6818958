"""Bad input on every route of the control plane, made from the OpenAPI document: a 4xx that tells, never a 5xx."""

import asyncio
import json
import unicodedata
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import pytest_asyncio

from telemetry_slice.http import bodies, ingest_body

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}
INGEST = ("/api/v1/telemetry", "/api/v2/telemetry")
BODIES = {
    "nothing": b"",
    "truncated": b'{"name": "x',
    "not JSON": b"name=x",
    "invalid UTF-8": b'{"name": "\xff"}',
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "depth 10,000": b"[" * 10_000 + b"]" * 10_000,
    "depth 10,000 of objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "an array of 300,000": b"[" + b",".join([b"1"] * 300_000) + b"]",
    "20,000 members": b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "a number of 100,000 digits": b'{"name": ' + b"7" * 100_000 + b"}",
    "half a character as name": b'{"\\ud800": 1}',
    "more than is taken": b'{"name": "' + b"x" * (1 << 20) + b'"}',
}
VALUES = [
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**400, 1.5, 1e308, float("nan"), float("inf"),
    "", " ", "x" * 100_000, "\x00", "\n", "\ud800", "é\u0301\u202e", "٣", "NaN", "../../etc", "' OR 1=1 --", "%00",
    "{}", [], {}, [[]], [None], ["x"] * 5000, {"a": {"b": {}}}, [{"a": 1}],
]  # fmt: skip


def is_refusal(answer, what):
    assert 400 <= answer.status_code < 500, (what, answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json", what
    assert answer.json()["detail"], what
    assert len(answer.content) < 100_000, what


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def own(house):
    """The operations of the document, the doors of a tenant, and ids to put into paths."""
    document = (await house.nobody.get("/openapi.json")).json()
    tenant = await house.tenant()
    await tenant.console.made("/api/v1/devices", {"deviceId": "dev-1"})
    now_ms = house.platform.services.clock.now_us() // 1000
    events = [
        {"eventId": f"e{n}", "deviceId": "dev-1", "recordedAt": at, "type": "t", "value": n}
        for n, at in enumerate([0, now_ms])
    ]
    assert (await tenant.gateway.send(events, 1, Prefer="wait=10")).status_code == 200
    (letter,) = (await tenant.service.get("/api/v1/dead-letters")).json()["deadLetters"]
    body = {"name": "x", "document": {"schema": 1}}
    dashboard = await tenant.console.made("/api/v1/dashboards", body)
    link = await tenant.console.made(f"/api/v1/dashboards/{dashboard['id']}/links", {})
    operations = [
        SimpleNamespace(method=method.upper(), path=path, **operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path not in INGEST
    ]
    ids = {
        "deviceId": "dev-1",
        "letter_id": letter["id"],
        "keyId": "0123456789",
        "userId": "nobody",
        "sessionId": "none",
        "invitationId": "none",
        "tokenId": "none",
        "dashboardId": dashboard["id"],
        "linkId": "none",
        "version": 1,
        "provider": "none",
        # Another one: what is done to it, suspended say, is no matter.
        "tenantId": (await house.tenant()).id,
    }
    return SimpleNamespace(
        document=document, operations=operations, tenant=tenant, ids=ids, house=house, link=house.key(link["token"])
    )


def door_of(own, operation):
    """Whoever may call: routes of the platform are for the console."""
    if "/shared/" in operation.path:
        return own.link
    return own.tenant.console if "/tenants" in operation.path or "/users" in operation.path else own.tenant.service


def with_bodies(own):
    return [each for each in own.operations if hasattr(each, "requestBody")]


def schema_of(own, operation):
    schema = operation.requestBody["content"]["application/json"]["schema"]
    named = own.document["components"]["schemas"]
    parts = schema.get("oneOf", schema.get("anyOf", [schema]))
    return [named[part["$ref"].rpartition("/")[2]] if "$ref" in part else part for part in parts]


SAMPLES = {
    "email": "x@example.org", "password": "correct horse battery", "grantType": "password", "tenantId": "other-tenant",
    "kind": "gateway", "role": "viewer", "select": "latest", "devices": ["dev-1"], "deviceId": "bad-input",
    "document": {"schema": 1}, "version": 1, "panels": [], "variables": [],
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_bodies_that_are_none(own, name):
    for operation in with_bodies(own):
        if name in {"nothing", "null"} and not operation.requestBody.get("required"):
            continue
        answer = await door_of(own, operation).call(
            operation.method, operation.path.format(**own.ids), content=BODIES[name], headers=JSON
        )
        is_refusal(answer, (operation.method, operation.path, name))


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "multipart/form-data", "application/x-ndjson", "x", ""]
)
async def test_other_media_types(own, media_type):
    for operation in with_bodies(own):
        if not operation.requestBody.get("required"):
            continue
        answer = await door_of(own, operation).call(
            operation.method,
            operation.path.format(**own.ids),
            content=b'{"name": "x"}',
            headers={"Content-Type": media_type},
        )
        is_refusal(answer, (operation.method, operation.path))


async def test_every_field_with_every_wrong_value(own):
    """Each member of each body takes each odd value in turn; some are right, none is a 5xx, refusals tell the field."""
    for operation in with_bodies(own):
        if "application/json" not in operation.requestBody["content"]:
            continue
        for schema in schema_of(own, operation):
            names = schema.get("properties", {})
            valid = {name: SAMPLES.get(name, "x") for name in schema.get("required", names)}
            for name in [*names, "unknown", "\ud800"]:
                for value in VALUES:
                    content = json.dumps(valid | {name: value}).encode()
                    what = (operation.method, operation.path, name, ascii(value)[:50])
                    answer = await door_of(own, operation).call(
                        operation.method, operation.path.format(**own.ids), content=content, headers=JSON
                    )
                    assert answer.status_code < 500, (what, answer.text)
                    if answer.status_code >= 400:
                        is_refusal(answer, what)
                    if answer.status_code == 422:
                        assert answer.json()["errors"], what


async def test_every_query_parameter_with_every_wrong_value(own):
    for operation in own.operations:
        for parameter in getattr(operation, "parameters", []):
            if parameter["in"] != "query":
                continue
            for value in VALUES:
                text = value if isinstance(value, str) else json.dumps(value)
                query = f"{parameter['name']}={quote(text[:5000], errors='surrogatepass')}"
                for more in ("", "&type=t"):
                    path = operation.path.format(**own.ids)
                    answer = await door_of(own, operation).call(operation.method, f"{path}?{query}{more}")
                    what = (operation.method, path, query[:60])
                    assert answer.status_code < 500, (what, answer.text)
                    if answer.status_code >= 400:
                        is_refusal(answer, what)
            answer = await door_of(own, operation).call(
                operation.method, f"{operation.path.format(**own.ids)}?%ff=%fe&&=&[]"
            )
            assert answer.status_code < 500


async def test_ids_of_every_unicode_class_in_every_path(own):
    samples = {}
    for code in range(0x11_0000):
        samples.setdefault(unicodedata.category(chr(code)), chr(code))
    odd = [quote(character, safe="", errors="surrogatepass") for character in samples.values()]
    odd += [
        "%ff",
        "%00",
        "%2f",
        "%2F..%2F..",
        "%25",
        "a%0d%0ab",
        "x" * 5000,
        "-1",
        "0",
        "9" * 30,
        "1e3",
        "%D9%A3",
        "%F0%9F",
    ]
    for operation in own.operations:
        names = [parameter["name"] for parameter in getattr(operation, "parameters", []) if parameter["in"] == "path"]
        for name in names:
            for value in odd:
                path = operation.path.format(**own.ids | {name: value})
                answer = await door_of(own, operation).call(operation.method, path)
                what = (operation.method, path[:100])
                assert answer.status_code < 500, (what, answer.text)
                if answer.status_code >= 400:
                    is_refusal(answer, what)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"])
async def test_other_methods(own, method):
    offered = {}
    for operation in own.operations:
        offered.setdefault(operation.path, set()).add(operation.method)
    for path, methods in offered.items():
        if method in methods or (method == "HEAD" and "GET" in methods):
            continue
        answer = await own.tenant.service.call(method, path.format(**own.ids))
        # An address may be the id of another route: /dead-letters/replay.
        assert answer.status_code in {404, 405, 422}, (method, path, answer.status_code)
        if method != "HEAD":
            is_refusal(answer, (method, path))


HEADERS = [
    {"Origin": "http://["},
    {"Origin": "http://[::1"},
    {"Origin": "\xff"},
    {"Origin": ":" * 1000},
    {"Cookie": "tslice_session=" + "é" * 1000},
    {"Cookie": ";;;=;tslice_session"},
    {"Authorization": "Bearer " + "a." * 5000},
    {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
    {"Authorization": "Bearer \xff"},
    {"Authorization": "tsk_"},
    {"X-API-Key": "tsk_" + "\xff" * 50},
    {"Host": "["},
    {"Accept": "\xff", "Accept-Encoding": "\xff;q=x", "If-None-Match": "\xff", "Range": "bytes=5-1"},
    {"X-Forwarded-For": "\xff", "X-Forwarded-Proto": "\xff", "Forwarded": "for=["},
]


@pytest.mark.parametrize("headers", HEADERS, ids=ascii)
async def test_odd_headers(own, headers):
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    login = {"email": "x@example.org", "password": "x"}
    for method, path, more in (
        ("POST", "/api/v1/auth/login", {"json": login}),
        ("POST", "/api/v1/auth/setup", {"json": login | {"token": "x", "tenantId": "x", "tenantName": "x"}}),
        ("POST", "/api/v1/devices", {"json": {"deviceId": "x"}}),
        ("GET", "/api/v1/me", {}),
        ("GET", "/metrics", {}),
        ("GET", "/", {}),
        ("POST", "/api/v1/telemetry", {"content": b"{}"}),
    ):
        answer = await own.house.client.request(method, path, headers=raw, **more)
        assert answer.status_code < 500 or path == "/", (path, answer.status_code, answer.text[:200])


@pytest.mark.parametrize("depth", [10, 100, 300, 700, 900, 950, 980, 1000, 1100, 3000])
async def test_a_mended_letter_of_any_depth(own, depth):
    nested = b'{"x":' * depth + b"1" + b"}" * depth
    answer = await own.tenant.service.call(
        "PATCH", f"/api/v1/dead-letters/{own.ids['letter_id']}", content=b'{"body":' + nested + b"}", headers=JSON
    )
    is_refusal(answer, depth)


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": float("nan")},
        {"value": "x"},
        {"eventId": "\ud800"},
        {"deviceId": "other"},
        {"recordedAt": 10**30},
        {"customerId": "beta"},
        {"events": []},
        {"measurements": {}},
        {"measurements": {"\ud800": None}},
        {"\ud800": 1},
    ],
)
async def test_a_letter_is_not_mended_to_something_worse(own, wrong):
    path = f"/api/v1/dead-letters/{own.ids['letter_id']}"
    before = (await own.tenant.service.get(path)).json()
    content = json.dumps({"body": before["body"] | wrong}).encode()
    answer = await own.tenant.service.call("PATCH", path, content=content, headers=JSON)
    if wrong not in ({"events": []}, {"\ud800": 1}):
        is_refusal(answer, wrong)
        assert answer.status_code == 422
        assert all(error["pointer"].startswith("/body") for error in answer.json()["errors"]), answer.text
        assert (await own.tenant.service.get(path)).json() == before
    assert answer.status_code < 500


@pytest.mark.parametrize("path", [*INGEST, "/api/v1/query", "/api/v1/auth/login"])
async def test_a_body_that_stops_is_given_up(own, path, monkeypatch):
    monkeypatch.setattr(ingest_body, "BODY_DEADLINE_S", 0.05)
    monkeypatch.setattr(ingest_body, "SWEEP_S", 0.01)
    house = own.house
    for middleware in _middlewares(house.platform.app):
        if isinstance(middleware, bodies.BodyBounds):
            monkeypatch.setattr(middleware, "_deadline_s", 0.05)
    sent, pieces = [], [{"type": "http.request", "body": b'{"a":', "more_body": True}]

    async def receive():
        if not pieces:
            await asyncio.Event().wait()
        return pieces.pop()

    async def send(message):
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in (own.tenant.service.headers | JSON).items()]
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": headers, "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("x", 80),
    }  # fmt: skip
    await asyncio.wait_for(house.platform.app(scope, receive, send), 10)
    assert sent[0]["status"] == 408
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]


def _middlewares(app):
    while app is not None:
        yield app
        app = getattr(app, "middleware_stack", None) or getattr(app, "_app", None) or getattr(app, "app", None)
