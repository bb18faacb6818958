"""E-mail over a real SMTP server: what arrives, and what is not handed over."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from deploy.local.process import free_port
from tests.postbox import postbox

from telemetry_slice.engines.smtp import SmtpPost
from telemetry_slice.model.errors import UnavailableError

SENDER = "Telemetry Slice <slice@example.org>"


@pytest.fixture
def box():
    with postbox() as running:
        yield running


@pytest.fixture
def certificate(tmp_path):
    """Paths of a certificate of 127.0.0.1 that vouches for itself, and of its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def test_a_message_arrives_as_it_was_meant(box):
    text = "Grüße,\n\nhttps://slice.example/reset?token=" + "x" * 60 + "\n"
    await SmtpPost(box.url, SENDER).send("ann@example.org", "Für Ann", text)
    [(recipients, message, _)] = box.sent
    assert recipients == ["ann@example.org"]
    assert (message["To"], message["From"], message["Subject"]) == ("ann@example.org", SENDER, "Für Ann")
    assert message["Date"]
    assert message["Message-ID"].endswith("@example.org>")
    assert message.get_content().replace("\r\n", "\n") == text


@pytest.mark.parametrize(
    "to",
    ["a,b@example.org", "ann@example.org\r\nBcc: eve@example.org", "<ann@example.org>", "ann", "", "a;b@example.org"],
)
async def test_what_is_no_single_address_is_sent_to_nobody(box, to):
    with pytest.raises(UnavailableError):
        await SmtpPost(box.url, SENDER).send(to, "subject", "text")
    assert box.sent == []


async def test_a_refusal_and_an_absence_are_told(box):
    for url, to in ((box.url, "unknown@example.org"), (f"smtp://127.0.0.1:{free_port()}", "a@example.org")):
        with pytest.raises(UnavailableError):
            await SmtpPost(url, SENDER).send(to, "subject", "text")


async def test_a_password_is_not_sent_without_tls(box):
    url = box.url.replace("//", "//ann:secret@")
    with pytest.raises(UnavailableError, match="no TLS"):
        await SmtpPost(url, SENDER).send("ann@example.org", "subject", "text")
    assert box.sent == []


async def test_a_password_is_sent_over_tls_to_whom_a_certificate_vouches_for(certificate):
    heard = []

    def check(_server, _session, _envelope, _mechanism, data):
        heard.append((data.login, data.password))
        return AuthResult(success=True)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    told = {"tls_context": context, "require_starttls": True, "authenticator": check, "auth_required": True}
    with postbox(**told) as box:
        url = box.url.replace("//", "//ann:p%40ss@")
        trusting = ssl.create_default_context(cafile=certificate[0])
        await SmtpPost(url, SENDER, tls=trusting).send("bob@example.org", "subject", "text")
        with pytest.raises(UnavailableError):
            await SmtpPost(url, SENDER).send("bob@example.org", "subject", "text")
    assert heard == [(b"ann", b"p@ss")]
    assert [kept.over_tls for kept in box.sent] == [True]
