"""A server that wants TLS and a password, as one that is reached over a network does."""

import pytest
from deploy.local.nats import NatsServer
from tests.certificates import certificate
from tests.engines.nats_lanes import drain, lane_of, message, opened

from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.model.errors import UnavailableError


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    certificate(folder, "localhost")
    more = f"""
tls {{
  cert_file: "{folder}/cert.pem"
  key_file: "{folder}/key.pem"
}}
authorization {{
  user: tslice
  password: "hush: a secret"
}}
"""
    with NatsServer(folder / "data", cluster=more) as server:
        yield server, folder / "cert.pem"


def lane(server, credentials):
    return lane_of(server, urls=(f"tls://{credentials}localhost:{server.port}",))


async def test_with_the_password_and_a_certificate_that_is_trusted(secured, monkeypatch):
    server, trusted = secured
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with opened(lane(server, "tslice:hush%3A%20a%20secret@")) as queue:
        await queue.put(message(1))
        assert await drain(queue, [1]) == [1]


@pytest.mark.parametrize("credentials", ["", "tslice:wrong@"])
async def test_without_the_password(secured, monkeypatch, credentials):
    server, trusted = secured
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with pytest.raises(UnavailableError, match=r"(?i)authori[sz]ation") as refusal:
        await JetStreamQueue(lane(server, credentials)).start()
    assert "wrong" not in str(refusal.value)


async def test_a_certificate_that_is_not_trusted(secured):
    server, _ = secured
    with pytest.raises(UnavailableError, match=r"(?i)certificate") as refusal:
        await JetStreamQueue(lane(server, "tslice:hush%3A%20a%20secret@")).start()
    assert "hush" not in str(refusal.value)
