"""Bad input against a real server: a clear 4xx, soon, for little memory, and never at the cost of others."""

import gzip
import json
import socket
import time
import unicodedata
import zlib
from types import SimpleNamespace
from urllib.parse import quote

import httpx2
import pytest
import zstandard

MIB = 1 << 20
SOON_S = 1.0
MUCH_MEMORY = 64 * MIB
JSON = {"Content-Type": "application/json"}
WAIT = {"Prefer": "wait=10"}


@pytest.fixture(scope="module")
def client(server):
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def acme(server, client):
    """A tenant with a device, a dead letter, a gateway and a service key."""
    made = client.post("/api/v1/tenants", json={"tenantId": "acme", "name": "Acme"}, headers=server.console())
    assert made.status_code == 201, made.text
    keys = {}
    for kind, scopes in (("gateway", []), ("service", ["read", "ingest", "admin"])):
        body = {"kind": kind, "name": kind, "scopes": scopes}
        issued = client.post("/api/v1/keys", json=body, headers=server.console("acme"))
        keys[kind] = {"Authorization": f"Bearer {issued.json()['key']}"}
    assert client.post("/api/v1/telemetry", json=good(recordedAt=0), headers=keys["gateway"] | WAIT).status_code == 200
    (letter,) = client.get("/api/v1/dead-letters", headers=keys["service"]).json()["deadLetters"]
    ids = {
        "deviceId": "dev-1",
        "letter_id": letter["id"],
        "keyId": "0123456789",
        "userId": "nobody",
        "tenantId": "acme",
    }
    return SimpleNamespace(**keys, ids=ids)


def good(**changes):
    return {"eventId": "good", "deviceId": "dev-1", "recordedAt": 1_780_000_000_000, "type": "t", "value": 1} | changes


GOOD = json.dumps(good()).encode()
GOOD_V2 = GOOD.replace(b'"type": "t", "value": 1', b'"measurements": {"t": 1}')


def is_problem(answer):
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:500]
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    assert len(answer.content) < 200_000
    return body


def soon_and_small(server, ask):
    """The answer of `ask()`, which came within a second for less than 64 MiB.

    The machine may be busy with something else: the best of three tries counts.
    """
    times = []
    for _ in range(3):
        peak = server.watch_memory()
        began = time.monotonic()
        answer = ask()
        times.append(time.monotonic() - began)
        assert peak() < MUCH_MEMORY
        if times[-1] < SOON_S:
            return answer
    raise AssertionError(times)


# ------------------------------------------------------------------------------------------------------- ingest
def gzip_bomb(size):
    """`size` zeros within a gzip stream, made of one piece repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + piece * (size // (16 * MIB))


def zstd_bomb(size, **parameters):
    packer = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(3, **parameters)
    ).compressobj()
    return b"".join(packer.compress(bytes(16 * MIB)) for _ in range(size // (16 * MIB))) + packer.flush()


def many(item, count):
    return b"[" + b",".join([item] * count) + b"]"


GZIP = JSON | {"Content-Encoding": "gzip"}
ZSTD = JSON | {"Content-Encoding": "zstd"}
NDJSON = {"Content-Type": "application/x-ndjson"}
BODIES = {
    "nothing": (lambda: b"", JSON, 400),
    "truncated": (lambda: GOOD[:-7], JSON, 400),
    "a truncated list": (lambda: b"[" + GOOD + b"," + GOOD[:-7], JSON, 400),
    "not JSON": (lambda: b"temperature=5", JSON, 400),
    "UTF-16": (lambda: GOOD.decode().encode("utf-16"), JSON, 400),
    "NaN": (lambda: GOOD.replace(b": 1}", b": NaN}"), JSON, 400),
    "Infinity": (lambda: GOOD.replace(b": 1}", b": -Infinity}"), JSON, 400),
    "beyond a double": (lambda: GOOD.replace(b": 1}", b": 1e999}"), JSON, 422),
    "a number of a million digits": (lambda: GOOD.replace(b": 1}", b": " + b"7" * 1_000_000 + b"}"), JSON, 413),
    "a repeated key": (lambda: GOOD[:-1] + b',"value":2}', JSON, 422),
    "invalid UTF-8": (lambda: GOOD.replace(b"dev-1", b"dev-\xff"), JSON, 400),
    "half a character": (lambda: GOOD.replace(b"dev-1", b"\\udfff"), JSON, 400),
    "a repeated key of half a character": (lambda: GOOD[:-1] + b',"\\ud800":1,"\\ud800":1}', JSON, 422),
    "wrong types": (lambda: json.dumps(good(eventId=1, deviceId=[], recordedAt={}, value="x")).encode(), JSON, 422),
    "depth 10,000": (lambda: b"[" * 10_000 + b"]" * 10_000, JSON, 400),
    "depth 10,000 of objects": (lambda: b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON, 400),
    "depth 500,000": (lambda: b"[" * 500_000 + b"]" * 500_000, JSON, 413),
    "an array of 500,000": (lambda: many(b"1", 500_000), JSON, 413),
    "an array of 250,000": (lambda: many(b"1", 250_000), JSON, 413),
    "an envelope of 250,000": (lambda: b'{"events":' + many(b"1", 250_000) + b"}", JSON, 413),
    "an array of a million, packed": (lambda: gzip.compress(many(b"1", 1_000_000)), GZIP, 413),
    "a million lines, packed": (lambda: gzip.compress(b"1\n" * 1_000_000), NDJSON | GZIP | NDJSON, 413),
    "100,000 events, packed": (lambda: zstandard.compress(many(GOOD, 70_000)), ZSTD, 413),
    "1,001 events": (lambda: many(GOOD, 1_001), JSON, 413),
    "more than a MiB": (lambda: b" " * MIB + GOOD, JSON, 413),
    "a gzip bomb of 900 MiB": (lambda: gzip_bomb(896 * MIB), GZIP, 413),
    "a zstd bomb of 1 GiB": (lambda: zstd_bomb(1024 * MIB), ZSTD, 413),
    "a zstd bomb with a large window": (lambda: zstd_bomb(256 * MIB, window_log=27), ZSTD, 400),
    "8 MiB of white space, packed": (lambda: gzip.compress(b" " * 8 * MIB), GZIP, 400),
    "8 MiB of brackets, packed": (lambda: gzip.compress(b"[" * 8 * MIB), GZIP, 413),
    "8 MiB of quotes, packed": (lambda: gzip.compress(b'["' + b'","' * (2 * MIB)), GZIP, 413),
    "8 MiB of escapes, packed": (lambda: gzip.compress(GOOD.replace(b"good", b"\\u00e9" * MIB)), GZIP, 413),
    "8 MiB of line ends, packed": (lambda: gzip.compress(b"x" + b"\n" * (8 * MIB - 9)), NDJSON | GZIP | NDJSON, 413),
    "packed twice": (lambda: gzip.compress(gzip.compress(GOOD)), GZIP, 400),
    "packed twice, and said so": (
        lambda: gzip.compress(gzip.compress(GOOD)),
        JSON | {"Content-Encoding": "gzip, gzip"},
        415,
    ),
    "packed differently": (lambda: zstandard.compress(GOOD), GZIP, 400),
    "not packed": (lambda: GOOD, ZSTD, 400),
    "truncated gzip": (lambda: gzip.compress(GOOD)[:-5], GZIP, 400),
    "gzip with a wrong checksum": (lambda: gzip.compress(GOOD)[:-8] + bytes(8), GZIP, 400),
    "gzip with something behind": (lambda: gzip.compress(GOOD) + b"x", GZIP, 400),
    "truncated zstd": (lambda: zstandard.compress(GOOD)[:-2], ZSTD, 400),
    "zstd with something behind": (lambda: zstandard.compress(GOOD) + b"x", ZSTD, 400),
    "brotli": (lambda: GOOD, JSON | {"Content-Encoding": "br"}, 415),
    "text": (lambda: GOOD, {"Content-Type": "text/plain"}, 415),
    "a form": (lambda: b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "Latin-1": (lambda: GOOD, {"Content-Type": "application/json; charset=iso-8859-1"}, 415),
    "a content type of 60,000 characters": (lambda: GOOD, {"Content-Type": "x" * 60_000}, 415),
    "a content type that is not ASCII": (lambda: GOOD, {"Content-Type": "\xff"}, 415),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("version", [1, 2])
def test_a_bad_body(server, client, acme, name, version):
    made, headers, status = BODIES[name]
    content = made()
    if version == 2:
        content = content.replace(b'"type": "t", "value": 1', b'"measurements": {"t": 1}').replace(
            b'"value":2', b'"x":1,"x":2'
        )
    headers = [(key, value.encode("latin-1")) for key, value in (acme.gateway | headers).items()]
    answer = soon_and_small(server, lambda: client.post(f"/api/v{version}/telemetry", content=content, headers=headers))
    body = is_problem(answer)
    # Some of these bodies are wrong in more than one way for version 2.
    assert answer.status_code == status or (version == 2 and answer.status_code in {400, 422}), answer.text[:300]
    if answer.status_code != 413:
        assert body["errors"]
    # The server is as well as before.
    assert client.post("/api/v1/telemetry", json=good(), headers=acme.gateway).status_code == 202


def test_bad_events_beside_good_ones(server, client, acme):
    deep = GOOD[:-1] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    bad = [
        deep,
        GOOD.replace(b": 1}", b": NaN}"),
        GOOD.replace(b": 1}", b": 1e999}"),
        GOOD.replace(b"dev-1", b"dev-\xff"),
        GOOD[:-1] + b',"value":2}',
        GOOD[:-1] + b',"x":"' + b"x" * 70_000 + b'"}',
        b"7",
    ]
    for number, each in enumerate(bad):
        ids = [f"beside-{number}-{side}" for side in ("before", "behind")]
        before, behind = (GOOD.replace(b"good", name.encode()) for name in ids)
        for body in (b"[%b,%b,%b]", b'{"events":[%b,%b,%b]}'):
            content = body % (before, each, behind)
            answer = soon_and_small(
                server,
                lambda content=content: client.post(
                    "/api/v1/telemetry", content=content, headers=acme.gateway | JSON | WAIT
                ),
            )
            assert answer.status_code == 200, (each[:100], answer.text[:300])
            assert [(r["index"], r["eventId"]) for r in answer.json()["results"]] == [(0, ids[0]), (2, ids[1])]
            assert {r["outcome"] for r in answer.json()["results"]} <= {"stored", "duplicate"}
            assert [r["index"] for r in answer.json()["rejected"]] == [1]
            assert answer.json()["rejected"][0]["detail"]
    books = client.get("/api/v1/books", headers=acme.service).json()
    assert books["balanced"]
    assert books["received"] == books["accepted"] + sum(books["rejected"].values())


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_another_method(client, acme, method):
    for path in ("/api/v1/telemetry", "/api/v2/telemetry"):
        answer = client.request(method, path, headers=acme.gateway)
        if method == "BREW":
            assert answer.status_code == 400
        else:
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("version", [1, 2])
def test_ids_of_every_unicode_class(client, acme, version):
    """Control characters and halves of characters are refused, everything else is kept to the code point."""
    samples = {}
    for code in range(0x11_0000):
        samples.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    chosen = {category: [found[0], found[len(found) // 2], found[-1]] for category, found in samples.items()}
    assert len(chosen) == 30
    base = good() if version == 1 else json.loads(GOOD_V2)
    for category, characters in chosen.items():
        for character in characters:
            name = f"v{version} {category} {character}"
            event = base | {"eventId": name, "deviceId": name}
            answer = client.post(
                f"/api/v{version}/telemetry", content=json.dumps(event), headers=acme.gateway | JSON | WAIT
            )
            path = f"/api/v1/devices/{quote(name, safe='', errors='surrogatepass')}"
            shown = client.get(path, headers=acme.service)
            if category in {"Cc", "Cs"}:
                assert answer.status_code in {400, 422}, ascii(name)
                assert shown.status_code in {404, 422}, ascii(name)
                continue
            assert answer.status_code == 200, (ascii(name), answer.text)
            assert answer.json()["results"][0]["eventId"] == event["eventId"]
            assert shown.json()["deviceId"] == name
            (kept,) = client.get(f"{path}/telemetry?from=0", headers=acme.service).json()["events"]
            assert kept["eventId"] == event["eventId"]


# -------------------------------------------------------------------------------------------------- HTTP itself
def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


def head(acme, *lines, path="/api/v1/telemetry", method="POST"):
    start = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {acme.gateway['Authorization']}\r\n"
    return start.encode() + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


@pytest.mark.parametrize("size", [20_000, 200_000, 4 * MIB, 40 * MIB])
@pytest.mark.parametrize("where", ["header", "many headers", "path", "query"])
def test_huge_heads(server, client, acme, size, where):
    """Refused, or the connection closed, before they cost memory."""
    junk = b"x" * min(size, MIB)
    parts = [junk] * (size // len(junk))
    if where == "header":
        data, more = head(acme)[:-2] + b"X-Junk: ", [*parts, b"\r\n\r\n"]
    elif where == "many headers":
        line = b"X-Junk: " + b"x" * 80 + b"\r\n"
        block = line * (len(junk) // len(line))
        data, more = head(acme)[:-2], [block] * len(parts) + [b"\r\n"]
    elif where == "path":
        data, more = b"GET /api/v1/devices/", [*parts, b" HTTP/1.1\r\nHost: x\r\n\r\n"]
    else:
        data, more = b"GET /api/v1/devices?q=", [*parts, b" HTTP/1.1\r\nHost: x\r\n\r\n"]
    answer = soon_and_small(server, lambda: server.raw(data, more=more))
    status = status_of(answer)
    assert status is None or 400 <= status < 500, answer[:300]
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        ((b"Content-Length: 99999999999",), b"", 413),
        ((b"Content-Length: -1",), b"", 400),
        ((b"Content-Length: x",), b"", 400),
        ((b"Content-Length: 5", b"Content-Length: 6"), GOOD, 400),
        ((b"Transfer-Encoding: chunked",), b"zz\r\n", 400),
        ((b"Transfer-Encoding: chunked",), b"0\r\n\r\n", 400),
        ((b"Prefer: wait=999999999999999999",), b"", 400),
        ((b"Prefer: " + b"wait=1," * 5000,), b"", 400),
        ((b"Content-Encoding: \xff\xfe", b"Content-Length: 1"), b"x", 415),
        ((b"X-API-Key: \xff", b"Content-Length: 0"), b"", 400),
    ],
)
def test_odd_heads(server, acme, lines, body, status):
    assert status_of(soon_and_small(server, lambda: server.raw(head(acme, *lines) + body))) == status


def test_a_body_without_end_is_cut_off(server, acme):
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = soon_and_small(server, lambda: server.raw(head(acme, b"Transfer-Encoding: chunked"), more=[chunk] * 2000))
    # The answer may be lost when the server closes on a sender that never stops.
    assert status_of(answer) in {413, None}


def test_slow_bodies_end_and_keep_nobody_waiting(server, client, acme):
    """Bodies that stop in the middle are ended after ten seconds; meanwhile everybody else is served."""
    connections = [socket.create_connection(server.address, 30) for _ in range(50)]
    began = time.monotonic()
    for number, connection in enumerate(connections):
        path = "/api/v1/telemetry" if number % 2 else "/api/v1/query"
        connection.sendall(head(acme, b"Content-Length: 1000", b"Content-Type: application/json", path=path) + b'{"a":')
    for _ in range(20):
        assert client.post("/api/v1/telemetry", json=good(), headers=acme.gateway).status_code == 202
    statuses = set()
    for connection in connections:
        with connection:
            statuses.add(status_of(connection.recv(65536)))
    assert statuses <= {408, 403}
    assert 408 in statuses
    assert time.monotonic() - began < 20
