"""Secret settings from files, from AWS Secrets Manager (moto's server) and from an Azure Key Vault.

No emulator of Key Vault can be had as a package: a server here speaks the two calls that are made, as Microsoft's
reference of its REST interface has them, over https and behind its challenge; tokens come from an App Service's
identity endpoint, as the reference of that has it. Microsoft's own libraries are the clients.
"""

from __future__ import annotations

import base64
import builtins
import json
import os
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import ValidationError
from tests.certificates import certificate

from telemetry_slice.cli.configuration import settings_of
from telemetry_slice.cli.failure import CliError
from telemetry_slice.flow.access import new_signing_key
from telemetry_slice.runtime.secrets import kept_secrets
from telemetry_slice.settings import Settings

PEPPER, OLD = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
CONSOLE = new_signing_key()
PLACED = {"own": {"url": "postgresql://a:b@own/x", "writer_url": "postgresql://c:d@own/x"}}
GIVEN = {
    "TSLICE_PEPPER": PEPPER,
    "TSLICE_PREVIOUS_PEPPERS": f"{OLD},{OLD}",
    "TSLICE_CONSOLE_KEY": json.dumps(CONSOLE),
    "TSLICE_CURSOR_SECRET": OLD,
    "TSLICE_METRICS_TOKEN": "a token, with a comma",
    "TSLICE_DATABASE_URL": "postgresql://tslice_api:p%40ss@db/slice",
    "TSLICE_DATABASE_WRITER_URL": "postgresql://tslice_writer:p%40ss@db/slice",
    "TSLICE_QUEUE_URL": "nats://queue",
    "TSLICE_REDIS_URL": "redis://cache",
    "TSLICE_PLACEMENT_DATABASES": json.dumps(PLACED),
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A folder without tslice.toml, and an installation whose queue need not be looked at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TSLICE_QUEUE_DURABILITY", "assumed")


def check(settings):
    assert settings.database_url == GIVEN["TSLICE_DATABASE_URL"]
    assert settings.metrics_token == GIVEN["TSLICE_METRICS_TOKEN"]
    assert settings.placement_databases["own"].url == "postgresql://a:b@own/x"
    kept = kept_secrets(settings)
    assert (kept.pepper, kept.previous_peppers) == (base64.b64decode(PEPPER), (base64.b64decode(OLD),) * 2)
    assert (kept.signing_key, kept.cursor_secret) == (CONSOLE, base64.b64decode(OLD))
    assert not settings.data.exists()
    assert PEPPER not in repr(settings)
    assert CONSOLE["d"] not in repr(settings)


# ------------------------------------------------------------------------------------------------------------ files
def test_each_secret_may_come_from_a_file(tmp_path, monkeypatch):
    for name, value in GIVEN.items():
        path = tmp_path / name
        path.write_text(f"{value}\n")
        monkeypatch.setenv(f"{name}_FILE", str(path))
    check(Settings())


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"TSLICE_PEPPER_FILE": "missing"}, "TSLICE_PEPPER_FILE: missing: No such file"),
        ({"TSLICE_PEPPER_FILE": "."}, "TSLICE_PEPPER_FILE: .: Is a directory"),
        ({"TSLICE_PEPPER_FILE": "empty"}, "TSLICE_PEPPER_FILE: empty is empty"),
        ({"TSLICE_PEPPER_FILE": "short"}, "TSLICE_PEPPER: must be at least 24 random bytes, as base64; this has 6"),
        (
            {"TSLICE_PEPPER_FILE": "short", "TSLICE_PEPPER": PEPPER},
            "TSLICE_PEPPER and TSLICE_PEPPER_FILE are both given",
        ),
        ({"TSLICE_PORT_FILE": "short"}, "unknown setting TSLICE_PORT_FILE"),
        ({"TSLICE_PEPPER": "not base64!"}, "TSLICE_PEPPER: must be base64"),
        ({"TSLICE_CONSOLE_KEY": '{"kty": "RSA"}'}, "TSLICE_CONSOLE_KEY: must be a private Ed25519 key"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_name(tmp_path, monkeypatch, given, complaint):
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "short").write_text("c2hvcnQh")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CliError) as refused:
        settings_of()
    assert complaint in str(refused.value)
    assert "c2hvcnQh" not in str(refused.value)


def test_what_is_wrong_is_not_printed(monkeypatch):
    monkeypatch.setenv("TSLICE_SMTP_URL", "http://user:precious@mail")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "precious" not in str(refused.value)


# -------------------------------------------------------------------------------------------------------------- AWS
@pytest.fixture
def aws(monkeypatch):
    """A Secrets Manager, and what every AWS program reads to find it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    yield boto3.client("secretsmanager")
    server.stop()


def test_secrets_come_from_aws(aws, monkeypatch):
    aws.create_secret(Name="slice/production", SecretString=json.dumps(GIVEN))
    monkeypatch.setenv("TSLICE_AWS_SECRET_ID", "slice/production")
    check(Settings())
    # The environment wins, and another setting is none of the vault's.
    monkeypatch.setenv("TSLICE_METRICS_TOKEN", "mine")
    assert Settings(port=1).metrics_token == "mine"


def test_what_aws_does_not_have_is_told(aws, monkeypatch):
    monkeypatch.setenv("TSLICE_AWS_SECRET_ID", "nothing")
    with pytest.raises(CliError, match="TSLICE_AWS_SECRET_ID: cannot be read: ResourceNotFoundException"):
        settings_of()
    aws.create_secret(Name="misspelt", SecretString=json.dumps({"TSLICE_PEPER": PEPPER}))
    monkeypatch.setenv("TSLICE_AWS_SECRET_ID", "misspelt")
    with pytest.raises(CliError, match="TSLICE_PEPER") as refused:
        settings_of()
    assert PEPPER not in str(refused.value)


# ------------------------------------------------------------------------------------------------------------ Azure
class Vault(BaseHTTPRequestHandler):
    """Two calls of the REST interface of Key Vault: Get Secrets, Get Secret."""

    secrets: dict[str, str]
    asked: list[str]

    def do_GET(self):
        host = self.headers["host"]
        name = self.path.partition("?")[0].removeprefix("/secrets").strip("/")
        self.asked.append(name)
        if self.headers.get("authorization") != "Bearer a-token":
            # The library makes sure that the vault is of the domain for which it asks for a token.
            domain = host.partition(".")[2]
            challenge = f'Bearer authorization="https://login.example/tenant", resource="https://{domain}"'
            return self.answer(401, {}, {"WWW-Authenticate": challenge})
        if not name:
            listed = [
                {"id": f"https://{host}/secrets/{each}", "attributes": {"enabled": True}} for each in self.secrets
            ]
            return self.answer(200, {"value": listed, "nextLink": None})
        if name not in self.secrets:
            return self.answer(404, {"error": {"code": "SecretNotFound", "message": "no such secret"}})
        found = {"value": self.secrets[name], "id": f"https://{host}/secrets/{name}/1", "attributes": {"enabled": True}}
        return self.answer(200, found)

    def answer(self, status, body, headers=()):
        content = json.dumps(body).encode()
        self.send_response(status)
        for header, value in {"Content-Type": "application/json", **dict(headers)}.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Nothing to say."""


class Identity(Vault):
    """The identity endpoint of an App Service: a token for who has its secret header."""

    def do_GET(self):
        if self.headers.get("x-identity-header") != "the header":
            return self.answer(401, {"error": "unauthorized"})
        return self.answer(200, {"access_token": "a-token", "expires_on": "4102444800", "token_type": "Bearer"})


@contextmanager
def served(handler, context=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def azure(tmp_path, monkeypatch):
    """A vault that the environment leads to, and what it holds."""
    certificate(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    holding = type("Holding", (Vault,), {"secrets": {}, "asked": []})
    with served(holding, context) as port, served(Identity) as identity:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{identity}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "the header")
        monkeypatch.setenv("TSLICE_AZURE_VAULT_URL", f"https://127.0.0.1:{port}")
        yield holding


def test_secrets_come_from_azure(azure):
    azure.secrets |= {name.replace("_", "-"): value for name, value in GIVEN.items()} | {"another-program": "x"}
    check(Settings())
    assert azure.asked.count("") == 2  # without a token, and with one


def test_what_azure_does_not_have_is_told(azure, monkeypatch):
    azure.secrets["TSLICE-PEPER"] = PEPPER
    with pytest.raises(CliError, match="unknown setting TSLICE_PEPER in the Azure Key Vault"):
        settings_of()
    monkeypatch.setenv("IDENTITY_HEADER", "another")
    with pytest.raises(CliError, match="TSLICE_AZURE_VAULT_URL: cannot be read: ClientAuthenticationError"):
        settings_of()


@pytest.mark.parametrize(
    ("name", "value", "library", "extra"),
    [("AWS_SECRET_ID", "x", "boto3", "aws"), ("AZURE_VAULT_URL", "https://x", "azure.identity", "azure")],
)
def test_a_vault_without_its_library_says_what_to_install(monkeypatch, name, value, library, extra):
    real = builtins.__import__

    def without(wanted, *arguments, **more):
        if wanted == library:
            raise ImportError(wanted)
        return real(wanted, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setenv(f"TSLICE_{name}", value)
    with pytest.raises(CliError, match=rf"TSLICE_{name} needs a library: pip install 'telemetry-slice\[{extra}\]'"):
        settings_of()
