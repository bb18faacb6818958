"""Requests to servers elsewhere never lead back inside, whatever a name or an address is made to say."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
from tests.certificates import certificate

from telemetry_slice.engines import outbound
from telemetry_slice.engines.outbound import OutboundHttp, may_connect
from telemetry_slice.model.errors import UnavailableError
from telemetry_slice.ports.outbound import AddressRefusedError, Ask

INSIDE = [
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.8.8.8",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    # NAT64 of 10.0.0.1 and 127.0.0.1.
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
]
NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "2001:0:7f00:1::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "0177.0.0.1",
    "2130706433",
    "not an address",
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"]

# Every one of these means this machine, or something that is no server elsewhere.
URLS = [
    "http://example.com/",
    "https://localhost/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://2852039166/",
    "https://①②⑦.⓪.⓪.①/",
    "https://user@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://127.0.0.1\\@example.com/",
    "https:///",
    "https://",
    "//127.0.0.1/",
    "127.0.0.1",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_",
    "https://exa mple.com/",
    "https://example.com:99999/",
    "",
]


@asynccontextmanager
async def server(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", host="127.0.0.1", port=0, tls=None):
    """A server that notes what it is sent; `answer` may be an endless iterator of pieces."""
    heads, ends = [], []

    async def serve(reader, writer):
        ended = asyncio.Event()
        ends.append(ended)
        try:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            for piece in [answer] if isinstance(answer, bytes) else answer:
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        except (OSError, asyncio.IncompleteReadError, NotImplementedError):
            pass
        finally:
            writer.close()
            ended.set()

    running = await asyncio.start_server(serve, host, port, ssl=tls)
    running.heads = heads
    running.port = running.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        running.close()
        for ended in ends:
            await asyncio.wait_for(ended.wait(), 30)


def names(*answers):
    """A resolver that answers otherwise each time it is asked, and notes how often it was."""
    asked = []

    async def resolve(host, _port):
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    resolve.asked = asked
    return resolve


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_connected_to_only_where_that_is_allowed(address):
    assert not may_connect(address, allow_private=False)
    assert may_connect(address, allow_private=True) == (address != "0.0.0.0")


@pytest.mark.parametrize("address", NEVER)
def test_what_is_never_connected_to(address):
    assert not may_connect(address, allow_private=False)
    assert not may_connect(address, allow_private=True)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_outside(address):
    assert may_connect(address, allow_private=False)


@pytest.mark.parametrize("url", URLS)
async def test_an_address_that_leads_inside_is_refused(url):
    async def resolve(host, port):
        assert host != "example.com", "nothing beyond this machine may be asked for"
        return await outbound.resolve(host, port)

    with pytest.raises(UnavailableError) as refused:
        await OutboundHttp(resolve=resolve, timeout_s=30).ask(Ask("GET", url))
    # What the machine itself cannot make sense of is not connected to either.
    assert isinstance(refused.value, AddressRefusedError) or isinstance(refused.value.__cause__, OSError | UnicodeError)


@pytest.mark.parametrize("private", ["10.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"])
async def test_one_bad_address_of_a_name_is_enough(private):
    resolve = names(["8.8.8.8", private])
    with pytest.raises(AddressRefusedError, match=private):
        await OutboundHttp(resolve=resolve).ask(Ask("GET", "https://example.com/"))


async def test_the_guard_is_what_refuses(monkeypatch):
    """The negative control: without it the server inside is reached."""
    async with server() as inside:
        url = f"http://localhost:{inside.port}/"
        with pytest.raises(AddressRefusedError):
            await OutboundHttp().ask(Ask("GET", url))
        private = names(["127.0.0.1"])
        with pytest.raises(AddressRefusedError):
            await OutboundHttp(resolve=private).ask(Ask("GET", f"https://inside.example:{inside.port}/"))
        assert inside.heads == []
        monkeypatch.setattr(outbound, "may_connect", lambda address, allow_private: True)
        monkeypatch.setattr(outbound, "_url_of", lambda request: outbound.httpx2.URL(request.url))
        assert (await OutboundHttp(resolve=private).ask(Ask("GET", url))).body == b"hi"
        assert len(inside.heads) == 1


async def test_the_connection_is_made_to_the_address_that_was_judged():
    """A name that changes its mind between the look and the connection (rebinding) gains nothing."""
    async with server() as judged, server(host="127.0.0.2", port=judged.port) as other:
        resolve = names(["127.0.0.1"], ["127.0.0.2"])
        asked = Ask("GET", f"http://rebinds.example:{judged.port}/", allow_private=True)
        client = OutboundHttp(resolve=resolve)
        assert (await client.ask(asked)).body == b"hi"
        assert (len(judged.heads), len(other.heads), resolve.asked) == (1, 0, ["rebinds.example"])
        assert f"host: rebinds.example:{judged.port}" in judged.heads[0].lower()
        # Of another request the new answer is judged anew.
        await client.ask(asked)
        assert (len(judged.heads), len(other.heads)) == (1, 1)


async def test_an_address_that_does_not_answer_is_followed_by_the_next():
    async with server() as running:
        client = OutboundHttp(resolve=names(["127.0.0.9", "127.0.0.1"]))
        assert (await client.ask(Ask("GET", f"http://two.example:{running.port}/", allow_private=True))).status == 200


async def test_the_certificate_must_be_that_of_the_name(tmp_path):
    certificate(tmp_path, "provider.example")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    named = []
    tls.sni_callback = lambda _socket, name, _context: named.append(name)
    trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    async with server(tls=tls) as running:
        client = OutboundHttp(resolve=names(["127.0.0.1"]), tls=trusting)
        url = f"https://provider.example:{running.port}/x?y=z"
        answer = await client.ask(Ask("POST", url, {"Accept": "text/plain"}, b"body", allow_private=True))
        assert (answer.status, answer.body, named) == (200, b"hi", ["provider.example"])
        assert running.heads[0].startswith("POST /x?y=z HTTP/1.1\r\n")
        for name, trust in (("other.example", trusting), ("provider.example", None)):
            with pytest.raises(UnavailableError, match="certificate"):
                await OutboundHttp(resolve=names(["127.0.0.1"]), tls=trust).ask(
                    Ask("GET", f"https://{name}:{running.port}/", allow_private=True)
                )


async def test_http_is_spoken_with_this_machine_alone():
    with pytest.raises(AddressRefusedError, match="https"):
        await OutboundHttp(resolve=names(["10.0.0.1"])).ask(Ask("GET", "http://near.example/", allow_private=True))


async def test_a_redirect_is_an_answer():
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    async with server(moved) as running:
        answer = await OutboundHttp().ask(Ask("GET", f"http://127.0.0.1:{running.port}/", allow_private=True))
        assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/")
        assert len(running.heads) == 1


def endless():
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    while True:
        yield b"x" * 65_536


async def test_an_endless_answer_is_cut_off():
    async with server(endless()) as running:
        with pytest.raises(UnavailableError, match="100000 bytes"):
            await OutboundHttp(max_bytes=100_000).ask(
                Ask("GET", f"http://127.0.0.1:{running.port}/", allow_private=True)
            )


async def test_a_compressed_answer_is_not_unpacked():
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi"
    async with server(bomb) as running:
        with pytest.raises(UnavailableError, match="compressed"):
            await OutboundHttp().ask(Ask("GET", f"http://127.0.0.1:{running.port}/", allow_private=True))


async def test_silence_has_an_end():
    ended = asyncio.Event()

    async def hear(reader, writer):
        await reader.read()
        writer.close()
        ended.set()

    silent = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent:
        with pytest.raises(UnavailableError, match="within"):
            await OutboundHttp(timeout_s=0.2).ask(Ask("GET", f"http://127.0.0.1:{port}/", allow_private=True))
        await asyncio.wait_for(ended.wait(), 30)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"])
async def test_what_is_not_http_is_unavailable(answer):
    async with server(answer) as running:
        with pytest.raises(UnavailableError):
            await OutboundHttp().ask(Ask("GET", f"http://127.0.0.1:{running.port}/", allow_private=True))


async def test_nobody_there_is_unavailable():
    async with server() as running:
        port = running.port
    with pytest.raises(UnavailableError):
        await OutboundHttp().ask(Ask("GET", f"http://127.0.0.1:{port}/", allow_private=True))
