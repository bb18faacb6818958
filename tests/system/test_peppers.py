"""Two API processes while signing keys and peppers follow one another: what one of them gives out, the other takes."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deploy.local.installation import DATABASE, LocalInstallation

from telemetry_slice.engines.folder.secrets import load_secrets
from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.postgres.registry import open_registry
from telemetry_slice.flow.access import console_token, signers_of
from telemetry_slice.model.times import DAY_US
from telemetry_slice.runtime.secrets import access_secrets

from .processes import Answering, own_environment, wait_until

START_S = 90
PASSWORD = "correct horse battery"


class Api(Answering):
    """`tslice serve --role api`, to be restarted."""

    def __init__(self, settings: dict[str, str], log: Path) -> None:
        self.environment = own_environment() | settings
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def restart(self) -> None:
        self.stop()
        self.log.write_text("")
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "telemetry_slice", "serve", "--role", "api", "--port", "0"]
            self.process = subprocess.Popen(command, env=self.environment, stderr=log, start_new_session=True)
        wait_until(self.is_serving, f"API process, see {self.log}", START_S)

    def is_serving(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        for line in self.log.read_text().splitlines():
            if '"api_serves"' in line:
                self.port = int(json.loads(line)["url"].rsplit(":", 1)[1])
                return True
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)


class Two:
    """Two API processes of one installation, and somebody who comes to both."""

    def __init__(self, installation: LocalInstallation, folder: Path) -> None:
        self.installation = installation
        self.settings = installation.settings
        self.data = Path(self.settings["TSLICE_DATA"])
        self.both = tuple(Api(self.settings, folder / name) for name in ("a", "b"))
        self.keys: list[str] = []
        self.tokens: list[str] = []

    def verb(self, *arguments: str, code: int = 0) -> str:
        environment = own_environment() | self.settings
        done = subprocess.run(
            [sys.executable, "-m", "telemetry_slice", *arguments],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def console(self, tenant: str | None = None) -> str:
        return console_token(load_secrets(self.data).signing_key, int(time.time()), tenant)

    def set_up(self) -> None:
        api = self.both[0]
        made, _ = api.request("POST", "/api/v1/tenants", key=self.console(), body={"tenantId": "two", "name": "Two"})
        assert made == 201
        ada = {"email": "ada@two.example", "role": "owner", "password": PASSWORD}
        assert api.request("POST", "/api/v1/users", key=self.console("two"), body=ada)[0] == 201
        status, made = api.request("POST", "/api/v1/keys", key=self.console("two"), body={"kind": "gateway"})
        assert status == 201
        self.idle: str = made["keyId"]

    def everything_works(self) -> None:
        """New keys and tokens of each are good at the other, and so are all that were given out before."""
        for api in self.both:
            made = api.request("POST", "/api/v1/keys", key=self.console("two"), body={"kind": "gateway"})[1]
            grant = {"grantType": "password", "email": "ada@two.example", "password": PASSWORD}
            given = api.request("POST", "/api/v1/auth/token", body=grant)[1]
            self.keys.append(made["key"])
            self.tokens.append(given["accessToken"])
        for api in self.both:
            for credential in self.keys + self.tokens:
                assert api.request("GET", "/api/v1/me", key=credential)[0] == 200, credential[:30]

    def next_signing_key(self) -> None:
        """As the scheduler does it, but without waiting for a day."""
        registry = open_registry(self.settings["TSLICE_DATABASE_URL"], SystemClock())
        signers = signers_of(access_secrets(load_secrets(self.data)), registry, SystemClock())
        try:
            asyncio.run(signers.rotate(DAY_US))
        finally:
            registry.close()
        server = self.installation.postgres
        with psycopg.connect(server.url_of("postgres", server.password, DATABASE)) as superuser:
            (count,) = superuser.execute("SELECT count(*) FROM registry.signing_keys").fetchone() or (0,)
            assert count == len(set(map(kid_of, self.tokens))) + 1
            superuser.execute(
                "UPDATE registry.signing_keys SET signs_from_us = (extract(epoch FROM now()) * 1000000)::bigint"
                " WHERE number = (SELECT max(number) FROM registry.signing_keys)"
            )


def kid_of(token: str) -> str:
    head: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    kid: str = head["kid"]
    return kid


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with LocalInstallation() as installation, ExitStack() as stack:
        started = Two(installation, tmp_path)
        for api in started.both:
            stack.callback(api.stop)
            api.restart()
        yield started


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_one_process_gives_out_the_other_takes_while_secrets_change(two: Two) -> None:
    two.set_up()
    two.everything_works()
    two.next_signing_key()
    wait_until(lambda: two.everything_works() or (len(set(map(kid_of, two.tokens[-2:]))) == 1
               and kid_of(two.tokens[-1]) != kid_of(two.tokens[0])), "the next signing key", 60)  # fmt: skip

    for step in ("announce", "use"):
        assert "restart" in two.verb("secrets", "rotate-pepper").lower(), step
        for api in two.both:
            api.restart()
            two.everything_works()
    refused = two.verb("secrets", "retire-peppers", code=1)
    assert "live keys" in refused, refused

    # Whoever has the duties seals anew; keys are kept anew by their use, the idle one by nobody.
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "telemetry_slice", "serve", "--role", "scheduler"],
        env=own_environment() | two.settings, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        two.everything_works()
        for api in two.both:
            api.restart()  # what it has to write down is written when it stops
        wait_until(lambda: "1 live keys and 0 sealed" in two.verb("secrets", "retire-peppers", code=1), "renewal", 120)
        path = f"/api/v1/keys/{two.idle}"
        assert two.both[0].request("DELETE", path, key=two.console("two"))[0] == 204
        two.verb("secrets", "retire-peppers")
    finally:
        scheduler.terminate()
        scheduler.wait(60)
    assert load_secrets(two.data).other_peppers == ()
    for api in two.both:
        api.restart()
        two.everything_works()
