"""Secrets that everybody knows keep the platform from starting, and are named without being told."""

from __future__ import annotations

import secrets

import pytest
from typer.testing import CliRunner

from telemetry_slice.cli.app import app
from telemetry_slice.cli.exposure import check_secrets
from telemetry_slice.cli.failure import CliError
from telemetry_slice.cli.names import DEMO_FILE
from telemetry_slice.runtime.weakness import weak_secrets
from telemetry_slice.settings import Settings

WEAK = (
    "change-me", "changeme123", "CHANGE_ME!", "password", "Password1", "secret", "my-secret", "postgres", "tslice_api",
    "<password>", "${API_PASSWORD}", "choose one", "12345678", "xxxxxxxx", "zzzzzzzzzz", "admin", "default", "short1",
    "your-token-here", "metrics-token", "example", "…",
)  # fmt: skip
FINE = ("correct horse battery", "kZ3vQ8_pLx1w", "passwordless-but-long-7Hq", secrets.token_urlsafe(24))


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A folder without tslice.toml."""
    monkeypatch.chdir(tmp_path)


def distributed(password, **more):
    urls = {
        "database_url": f"postgresql://tslice_api:{password}@db/slice",
        "database_writer_url": "postgresql://tslice_writer:kZ3vQ8_pLx1w@db/slice",
        "queue_url": "nats://nats",
        "queue_durability": "assumed",
        "redis_url": "redis://valkey",
    }
    return Settings(**(urls | more))


@pytest.mark.parametrize("password", WEAK)
def test_an_examples_secret_is_named_by_its_setting(password):
    (found,) = weak_secrets(Settings(metrics_token=password))
    assert found.startswith("TSLICE_METRICS_TOKEN: ")
    assert password not in found.replace("the token is one that examples have", "")


@pytest.mark.parametrize("password", FINE, ids=range(len(FINE)))
def test_a_long_random_one_is_fine(password):
    assert weak_secrets(Settings(metrics_token=password)) == []


def test_every_address_is_looked_at():
    def weak(**settings):
        return [found.partition(":")[0] for found in weak_secrets(distributed("kZ3vQ8_pLx1w", **settings))]

    other = {"url": "postgresql://tslice_api:secret@b/x", "writer_url": "postgresql://tslice_writer@b/x"}
    assert weak() == []
    assert weak(database_writer_url="postgresql://tslice_writer:tslice_writer@db/x") == ["TSLICE_DATABASE_WRITER_URL"]
    assert weak(queue_url="nats://a:kZ3vQ8_pLx1w@one,nats://a:change%2Dme@two") == ["TSLICE_QUEUE_URL"]
    assert weak(redis_url="redis://:changeme@valkey") == ["TSLICE_REDIS_URL"]
    assert weak(replica_urls=("postgresql://tslice_api:test@r/x",)) == ["TSLICE_REPLICA_URLS"]
    assert weak(placement_databases={"b": other}) == ["TSLICE_PLACEMENT_DATABASES"]
    mail = {"smtp_url": "smtp://u:admin@mail", "smtp_from": "a@b", "public_url": "https://slice.example"}
    assert weak(**mail) == ["TSLICE_SMTP_URL"]


def test_the_demo_on_this_machine_alone_may_have_them(tmp_path):
    weak = {"data": tmp_path, "metrics_token": "change-me"}
    with pytest.raises(CliError, match="TSLICE_METRICS_TOKEN"):
        check_secrets(Settings(**weak))
    (tmp_path / DEMO_FILE).write_text("{}")
    check_secrets(Settings(**weak))
    with pytest.raises(CliError, match="TSLICE_METRICS_TOKEN"):
        check_secrets(Settings(**weak, host="0.0.0.0"))


@pytest.mark.parametrize(
    ("verb", "settings"),
    [
        (("up", "--no-demo"), {"TSLICE_METRICS_TOKEN": "change-me"}),
        (
            ("serve", "--role", "all"),
            {
                "TSLICE_DATABASE_URL": "postgresql://tslice_api:change-me@127.0.0.1:1/x",
                "TSLICE_DATABASE_WRITER_URL": "postgresql://tslice_writer:change-me@127.0.0.1:1/x",
                "TSLICE_QUEUE_URL": "nats://127.0.0.1:1",
                "TSLICE_QUEUE_DURABILITY": "assumed",
                "TSLICE_REDIS_URL": "redis://127.0.0.1:1",
            },
        ),
    ],
)
def test_the_platform_does_not_start_with_them(tmp_path, monkeypatch, verb, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, [*verb, "--port", "0", "--data", str(tmp_path / "data")])
    assert isinstance(done.exception, CliError)
    assert next(iter(settings)) in str(done.exception)
    assert "change-me" not in str(done.exception)


def test_demo_credentials_are_not_served_to_a_network_by_roles_either(tmp_path, monkeypatch):
    (tmp_path / DEMO_FILE).write_text("{}")
    done = CliRunner().invoke(app, ["serve", "--role", "api", "--host", "0.0.0.0", "--data", str(tmp_path)])
    assert "demo's credentials" in str(done.exception)
