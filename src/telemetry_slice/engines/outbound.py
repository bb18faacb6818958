"""HTTP to servers elsewhere, safe against addresses that lead back inside (SSRF).

The name is resolved once, every address that it has is judged, and the connection is made to one of these very
addresses; the name goes on in the Host header, and in TLS, where the certificate must be that of the name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2

from ..model.errors import UnavailableError
from ..ports.outbound import AddressRefusedError, Answer, Ask

TIMEOUT_S = 10.0
MAX_BYTES = 512 << 10
_MOST_ADDRESSES = 4
_PORTS = {"http": 80, "https": 443}
_NEVER = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        # Link-local, with the metadata services of most clouds.
        "169.254.0.0/16",
        # Metadata services elsewhere: Alibaba, Oracle, Azure, Amazon, Google.
        "100.100.100.200/32",
        "192.0.0.0/24",
        "168.63.129.16/32",
        "fd00:ec2::/32",
        "fd20:ce::/32",
        # Documentation, relays, measuring, multicast, reserved.
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
_PRIVATE = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
)
_GLOBAL_V6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")

# The deadline is over the whole of a request; one address of several must not use it up.
_PATIENCE = httpx2.Timeout(None, connect=3.0)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the machine finds them. Raises OSError, UnicodeError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def may_connect(address: str, *, allow_private: bool) -> bool:
    """Whether an address is one to connect to."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip in _NAT64:
        # What a network without IPv4 calls an IPv4 address.
        ip = IPv4Address(int(ip) & 0xFFFF_FFFF)
    if any(ip in network for network in _NEVER):
        return False
    if any(ip in network for network in _PRIVATE):
        return allow_private
    # Beyond the global ones lie those that hide an IPv4 address, link-local ones, multicast, and what is not given out.
    return ip.version == 4 or ip in _GLOBAL_V6


class OutboundHttp:
    """`ports.outbound.Outbound`. Attributes: timeout_s for the whole of a request; max_bytes of an answer."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._resolve = resolve
        self._tls = tls
        self.timeout_s = timeout_s
        self.max_bytes = max_bytes

    async def ask(self, request: Ask) -> Answer:
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._ask(request)
        except TimeoutError as error:
            raise UnavailableError(f"no answer within {self.timeout_s:.0f} s") from error
        except (httpx2.HTTPError, OSError, UnicodeError) as error:
            raise UnavailableError(str(error) or type(error).__name__) from error

    async def _ask(self, request: Ask) -> Answer:
        url = _url_of(request)
        port = url.port or _PORTS[url.scheme]
        addresses = await self._resolve(url.raw_host.decode("ascii"), port)
        refused = [each for each in addresses if not may_connect(each, allow_private=request.allow_private)]
        if refused:
            raise AddressRefusedError(f"{url.host} has addresses that are not connected to: {', '.join(refused)}")
        if url.scheme == "http" and not all(ip_address(each).is_loopback for each in addresses):
            raise AddressRefusedError(f"{url.host} is another machine: only https is spoken with it")
        failure: Exception = AddressRefusedError(f"{url.host} has no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._ask_at(address, url, request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _ask_at(self, address: str, url: httpx2.URL, request: Ask) -> Answer:
        """Ask at one address. Nothing is kept between requests: a connection is of one name, a cookie of nobody."""
        if self._tls is None and url.scheme == "https":
            self._tls = ssl.create_default_context()
        # Without https it is this very machine, and nothing to be verified.
        tls: ssl.SSLContext | bool = False if self._tls is None else self._tls
        headers = {"Accept-Encoding": "identity", **request.headers, "Host": url.netloc.decode("ascii")}
        async with (
            httpx2.AsyncClient(verify=tls, trust_env=False, follow_redirects=False, timeout=_PATIENCE) as client,
            client.stream(
                request.method,
                url.copy_with(host=address),
                headers=headers,
                content=request.body or None,
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            ) as answer,
        ):
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise UnavailableError("the answer is compressed, which was not asked for")
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > self.max_bytes:
                    raise UnavailableError(f"the answer has more than {self.max_bytes} bytes")
            return Answer(
                answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, bytes(body)
            )


def _url_of(request: Ask) -> httpx2.URL:
    try:
        url = httpx2.URL(request.url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise AddressRefusedError(f"not an address: {error}") from error
    if url.scheme not in ({"http", "https"} if request.allow_private else {"https"}):
        raise AddressRefusedError("only https is spoken with servers elsewhere")
    if not url.host or url.userinfo or url.fragment or (url.port or 1) > 65_535:
        raise AddressRefusedError("an address has a host, perhaps a port, and neither a user nor a fragment")
    return url
