"""Settings are refused by name when they make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from telemetry_slice.settings import Settings
from telemetry_slice.settings.providers import OidcProvider


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A folder without tslice.toml."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TSLICE_RETENTION_DASY", "90", "TSLICE_RETENTION_DASY"),
        ("TSLICE_LIMIT_KEY_PER_SECOND", "-1", "limit_key_per_second"),
        ("TSLICE_PORT", "70000", "port"),
        ("TSLICE_TLS_CERT", "cert.pem", "TSLICE_TLS_KEY"),
        ("TSLICE_DATABASE_URL", "postgresql://db/tslice", "TSLICE_DATABASE_URL"),
        ("TSLICE_QUEUE_URL", "nats://127.0.0.1", "TSLICE_QUEUE_URL"),
        ("TSLICE_REPLICA_URLS", "postgresql://replica/tslice", "TSLICE_REPLICA_URLS"),
        ("TSLICE_REPLICA_MAX_LAG_S", "0", "replica_max_lag_s"),
        (
            "TSLICE_PLACEMENT_DATABASES",
            '{"a": {"url": "postgresql://x", "writer_url": "postgresql://y"}}',
            "distributed",
        ),
        ("TSLICE_PLACEMENT_DATABASES", '{"A b": {"url": "postgresql://x", "writer_url": "postgresql://y"}}', "A b"),
        ("TSLICE_PLACEMENT_DATABASES", '{"a": {"url": "postgresql://x"}}', "a.writer_url"),
        ("TSLICE_PLACEMENT_DATABASES", '{"a": {"url": "mysql://x", "writer_url": "postgresql://y"}}', "a.url"),
        ("TSLICE_V1_SUNSET", "2027-01-01T00:00:00Z", "TSLICE_V1_DEPRECATION"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(monkeypatch, name, value, complaint):
    """Unknown, out of range, contradictory, or an engine that is not built in: never silently ignored."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=complaint):
        Settings()


def test_a_choice_of_numbers_is_understood_from_the_environment(monkeypatch):
    monkeypatch.setenv("TSLICE_QUEUE_REPLICAS", "3")
    assert Settings().queue_replicas == 3
    monkeypatch.setenv("TSLICE_QUEUE_REPLICAS", "2")
    with pytest.raises(ValidationError, match="queue_replicas"):
        Settings()


def test_a_sunset_comes_half_a_year_after_the_deprecation(monkeypatch):
    """Users have time to move."""
    monkeypatch.setenv("TSLICE_V1_DEPRECATION", "2027-01-01T00:00:00Z")
    monkeypatch.setenv("TSLICE_V1_SUNSET", "2027-06-30T00:00:00Z")
    with pytest.raises(ValidationError, match="6 months"):
        Settings()
    monkeypatch.setenv("TSLICE_V1_SUNSET", "2027-07-01T00:00:00Z")
    assert Settings().v1_sunset is not None


def test_arguments_come_before_environment_before_file(monkeypatch, tmp_path):
    """One order of precedence; the database's address is another way to name the folder."""
    (tmp_path / "tslice.toml").write_text("port = 1\nhost = '::1'\nbatch_events = 7\n")
    monkeypatch.setenv("TSLICE_PORT", "2")
    monkeypatch.setenv("TSLICE_HOST", "127.0.0.2")
    monkeypatch.setenv("TSLICE_DATABASE_URL", "sqlite:////srv/tslice/telemetry.db")
    settings = Settings(port=3)
    assert (settings.port, settings.host, settings.batch_events) == (3, "127.0.0.2", 7)
    assert settings.data == Path("/srv/tslice")


@pytest.fixture
def distributed(monkeypatch):
    """The environment of a distributed installation."""
    values = {
        "DATABASE_URL": "postgresql://db/tslice",
        "DATABASE_WRITER_URL": "postgresql://db/tslice",
        "QUEUE_URL": "nats://queue:4222",
        "QUEUE_DURABILITY": "assumed",
        "REDIS_URL": "redis://cache",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TSLICE_{name}", value)


@pytest.mark.usefixtures("distributed")
@pytest.mark.parametrize("url", ["tls://tslice:secret@queue:4222", "nats://one:4222,nats://two:4222"])
def test_addresses_of_the_queue(monkeypatch, url):
    monkeypatch.setenv("TSLICE_QUEUE_URL", url)
    assert Settings().queue_url == url


@pytest.mark.usefixtures("distributed")
def test_replicas_are_listed_and_are_postgresql(monkeypatch):
    """One address for each, of servers that can be replicas."""
    monkeypatch.setenv("TSLICE_REPLICA_URLS", "postgresql://one/tslice, postgres://two/tslice,")
    assert Settings().replica_urls == ("postgresql://one/tslice", "postgres://two/tslice")
    monkeypatch.setenv("TSLICE_REPLICA_URLS", "replica-1")
    with pytest.raises(ValidationError, match="TSLICE_REPLICA_URLS"):
        Settings()


PROVIDER = {"issuer": "https://login.example", "client_id": "slice", "roles": {"staff": "acme:viewer"}}


def test_a_provider_grants_roles_by_group(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    told = PROVIDER | {"roles": {"staff": "acme:viewer", "chiefs": ["acme:owner", "beta:admin"]}}
    provider = Settings(oidc_providers={"corp": told | {"client_secret_file": secret}}).oidc_providers["corp"]
    assert provider.granted == {
        "staff": (("acme", "viewer"),),
        "chiefs": (("acme", "owner"), ("beta", "admin")),
    }
    assert provider.secret == "from a file"
    own = OidcProvider(**PROVIDER | {"tenant": "acme", "roles": {"staff": "viewer"}, "client_secret": "hush"})
    assert (own.granted, own.secret) == ({"staff": (("acme", "viewer"),)}, "hush")
    assert "hush" not in repr(own)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"issuer": "http://login.example"}, "https"),
        ({"issuer": "login.example"}, "issuer"),
        ({"roles": {}}, "roles"),
        ({"roles": {"staff": "viewer"}}, "TENANT:ROLE"),
        ({"roles": {"staff": "acme:king"}}, "king"),
        ({"roles": {"staff": "acme:viewer"}, "tenant": "acme"}, "ROLE"),
        ({"roles": {"staff": "viewer"}, "tenant": "acme", "admins": "staff"}, "reach beyond"),
        ({"roles": {"staff": "viewer"}, "tenant": "acme", "link_by_email": True}, "reach beyond"),
        ({"client_secret": "x", "client_secret_file": "/dev/null"}, "not both"),
        ({"client_secret": None, "client_secret_file": "/nowhere"}, "cannot be read"),
        ({"scopes": ["email"]}, "openid"),
        ({"secret": "x"}, "secret"),
    ],
    ids=str,
)
def test_a_provider_that_cannot_be_meant_is_refused(wrong, word):
    with pytest.raises(ValidationError, match=word) as refused:
        Settings(oidc_providers={"corp": {"client_secret": "hush", **PROVIDER, **wrong}})
    assert "hush" not in str(refused.value)
    with pytest.raises(ValidationError, match="pattern"):
        Settings(oidc_providers={"Not a name": PROVIDER})


def test_certificates_are_believed_of_named_proxies_alone(monkeypatch):
    monkeypatch.setenv("TSLICE_CLIENT_CERT_HEADER", "Client-Cert")
    with pytest.raises(ValidationError, match="TSLICE_TRUSTED_PROXIES"):
        Settings()
    monkeypatch.setenv("TSLICE_TRUSTED_PROXIES", "*")
    with pytest.raises(ValidationError, match="addresses of proxies"):
        Settings()
    monkeypatch.setenv("TSLICE_TRUSTED_PROXIES", "10.0.0.1, fd00::/8")
    assert Settings().client_cert_header == "Client-Cert"
