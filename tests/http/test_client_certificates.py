"""Devices that are known by the certificate which a trusted proxy has verified, over the whole platform."""

import ssl
from base64 import b64encode
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx2
import pytest
from tests.certificates import certificate

from telemetry_slice.runtime.doors import behind_proxies
from telemetry_slice.settings import Settings

PROXY, STRANGER = "10.7.7.7", "203.0.113.9"
PROXIES = {"trusted_proxies": "10.7.0.0/16"}


class Certificate:
    """A certificate of its own, and what proxies say of it."""

    def __init__(self, folder):
        folder.mkdir()
        certificate(folder, "device.example")
        self.pem = (folder / "cert.pem").read_text()
        self.private = (folder / "key.pem").read_text()
        self.der = ssl.PEM_cert_to_DER_cert(self.pem)
        self.thumbprint = sha256(self.der).hexdigest()
        self.client_cert = f":{b64encode(self.der).decode()}:"
        self.forwarded = f'By=spiffe://proxy;Hash={self.thumbprint};Subject="CN=x, O=\\"y; Hash=z\\"";URI=a'


@pytest.fixture
def mine(tmp_path):
    return Certificate(tmp_path / "mine")


@pytest.fixture
def other(tmp_path):
    return Certificate(tmp_path / "other")


@pytest.fixture
def outside(opened_house, tmp_path):
    """The platform as it is called over a network: yields the house, a tenant with `dev-1`, and `call`."""

    @asynccontextmanager
    async def open_outside(header="Client-Cert", **settings):
        told = {"client_cert_header": header, **PROXIES, **settings}
        async with opened_house(**told) as house:
            app = behind_proxies(house.platform.app, Settings(data=tmp_path, **told))
            tenant = await house.tenant()
            await tenant.console.made("/api/v1/devices", {"deviceId": "dev-1"})

            async def call(*headers, peer=PROXY, method="GET", path="/api/v1/me", **more):
                transport = httpx2.ASGITransport(app=app, client=(peer, 1))
                async with httpx2.AsyncClient(transport=transport, base_url="http://slice.example") as client:
                    return await client.request(method, path, headers=list(headers), **more)

            yield house, tenant, call

    return open_outside


async def register(tenant, pem, device="dev-1", **more):
    return await tenant.console.made(f"/api/v1/devices/{device}/certificates", {"certificate": pem, **more})


@pytest.mark.parametrize("header", ["Client-Cert", "X-Forwarded-Client-Cert"])
async def test_a_device_sends_by_its_certificate(outside, mine, other, event, header):
    async with outside(header) as (house, tenant, call):
        registered = await register(tenant, mine.pem, name="in the chip")
        assert (registered["kind"], registered["name"]) == ("certificate", "in the chip")
        told = [(header, mine.client_cert if header == "Client-Cert" else mine.forwarded)]
        me = (await call(*told)).json()
        assert (me["kind"], me["tenant"]["id"]) == ("device", tenant.id)
        sent = await call(*told, method="POST", path="/api/v1/telemetry", json=event())
        assert sent.status_code == 202
        foreign = await call(*told, method="POST", path="/api/v1/telemetry", json=event(deviceId="dev-2"))
        assert foreign.status_code == 403
        unknown = [(header, other.client_cert if header == "Client-Cert" else other.forwarded)]
        assert (await call(*unknown)).status_code == 401
        await house.platform.services.access.tidy()
        (listed,) = (await tenant.console.get("/api/v1/devices/dev-1/keys")).json()["keys"]
        assert listed["lastUsedFrom"] == PROXY


async def test_nobody_but_a_trusted_proxy_is_believed(outside, mine, event):
    async with outside() as (_, tenant, call):
        await register(tenant, mine.pem)
        told = ("Client-Cert", mine.client_cert)
        # Negative control: the same from the proxy is believed.
        assert (await call(told)).status_code == 200
        for peer in (STRANGER, "::1", "unix"):
            assert (await call(told, peer=peer)).status_code == 401
            assert (await call(told, ("X-Forwarded-For", PROXY), peer=peer)).status_code == 401
            sent = await call(told, peer=peer, method="POST", path="/api/v1/telemetry", json=event())
            assert sent.status_code == 401
        # What the proxy says of the caller's address does not make the proxy a stranger.
        assert (await call(told, ("X-Forwarded-For", STRANGER))).status_code == 200
        assert (await call(told, peer=f"::ffff:{PROXY}")).status_code == 200
        # A stranger's header beside a good key is nothing at all.
        key = (await tenant.console.made("/api/v1/devices/dev-1/keys", {}))["key"]
        assert (await call(told, ("X-API-Key", key), peer=STRANGER)).status_code == 200


async def test_without_the_setting_the_header_says_nothing(outside, mine):
    async with outside(None) as (_, tenant, call):
        await register(tenant, mine.pem)
        assert (await call(("Client-Cert", mine.client_cert))).status_code == 401


async def test_what_cannot_be_understood_is_refused_alike(outside, mine, other, event):
    async with outside() as (_, tenant, call):
        await register(tenant, mine.pem)
        nothing = await call()
        good = ("Client-Cert", mine.client_cert)
        key = ("X-API-Key", (await tenant.console.made("/api/v1/devices/dev-1/keys", {}))["key"])
        wrong = [
            [good, good],
            [good, ("Client-Cert", other.client_cert)],
            [("Client-Cert", "")],
            [("Client-Cert", "::")],
            [("Client-Cert", mine.client_cert.strip(":"))],
            [("Client-Cert", mine.client_cert[:-3] + "!!:")],
            [("Client-Cert", f"{mine.client_cert}, {other.client_cert}")],
            [("Client-Cert", mine.forwarded)],
            [good, good, key],
            [good, ("Authorization", "Basic eDp5")],
        ]
        for headers in wrong:
            for more in ({}, {"method": "POST", "path": "/api/v1/telemetry", "json": event()}):
                answer = await call(*headers, **more)
                assert (answer.status_code, answer.json()) == (401, nothing.json()), headers


async def test_envoys_header_of_several_or_without_a_hash_is_refused(outside, mine, other):
    async with outside("X-Forwarded-Client-Cert") as (_, tenant, call):
        await register(tenant, mine.pem)
        for value in (
            f"{mine.forwarded},{other.forwarded}",
            f"Hash={mine.thumbprint};Hash={other.thumbprint}",
            f"Hash={mine.thumbprint[:-1]}",
            f'Subject="Hash={mine.thumbprint}"',
            f'Subject="CN=x;Hash={mine.thumbprint}',
            "",
        ):
            assert (await call(("X-Forwarded-Client-Cert", value))).status_code == 401, value
        assert (await call(("X-Forwarded-Client-Cert", mine.forwarded))).status_code == 200


async def test_a_certificate_is_revoked_at_once_and_ends_on_time(outside, mine, other):
    async with outside() as (_, tenant, call):
        registered = await register(tenant, mine.pem)
        keys = "/api/v1/devices/dev-1/keys"
        assert (await call(("Client-Cert", mine.client_cert))).status_code == 200
        rotated = await tenant.console.post(f"{keys}/{registered['keyId']}/rotate", json={})
        assert rotated.status_code == 409
        assert (await tenant.console.call("DELETE", f"{keys}/{registered['keyId']}")).status_code == 204
        assert (await call(("Client-Cert", mine.client_cert))).status_code == 401
        soon = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        ending = await register(tenant, other.pem, expiresAt=soon)
        assert ending["expiresSoon"]
        answer = await call(("Client-Cert", other.client_cert))
        assert answer.status_code == 200
        past = (datetime.now(UTC) - timedelta(days=3)).isoformat()
        refused = await tenant.console.post(
            "/api/v1/devices/dev-1/certificates", json={"certificate": other.pem, "expiresAt": past}
        )
        assert refused.status_code == 422


async def test_a_certificate_stands_for_one_device_of_one_tenant(outside, mine):
    async with outside() as (house, tenant, call):
        registered = await register(tenant, mine.pem)
        beta = await house.tenant()
        await beta.console.made("/api/v1/devices", {"deviceId": "dev-1"})
        path = "/api/v1/devices/dev-1/certificates"
        assert (await beta.console.post(path, json={"certificate": mine.pem})).status_code == 409
        await tenant.console.call("DELETE", f"/api/v1/devices/dev-1/keys/{registered['keyId']}")
        assert (await beta.console.post(path, json={"certificate": mine.pem})).status_code == 409
        for pem in ("", "x", mine.private, mine.pem + mine.pem, mine.pem.replace("MII", "!!!")):
            assert (await tenant.console.post(path, json={"certificate": pem})).status_code == 422
        # Its name is no secret, and nothing that one signs in with.
        for name in (registered["keyId"], mine.thumbprint):
            assert (await call(("Authorization", f"Bearer {name}"))).status_code == 401
            assert (await call(("X-API-Key", name))).status_code == 401
