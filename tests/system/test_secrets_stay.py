"""No secret is in anything that the platform writes: a real process with secrets that are known, and its whole talk."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import pyotp
import pytest

from telemetry_slice.flow.access import new_signing_key

from .processes import START_S, own_environment, wait_until

PASSWORD = "owner's pass+word/1 %"
WRONG = "wrong pass+word/2 %"
CURSORS, PEPPER, OLD_PEPPER = (base64.b64encode(os.urandom(32)).decode() for _ in range(3))
METRICS_TOKEN = "metrics-" + os.urandom(12).hex()
MAIL_PASSWORD = "mail-" + os.urandom(12).hex()
SERVERS_PASSWORD = "db-" + os.urandom(12).hex()
EVENT = {"eventId": "e", "deviceId": "dev-1", "recordedAt": "2026-01-01T00:00:00Z", "type": "t", "value": 1}


def forms(secret: str) -> set[str]:
    """How a secret may appear: as it is, quoted in the ways of URLs and of JSON, in base64 at any offset."""
    found = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    raw = secret.encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        # What the neighbours of the secret would change is cut off.
        inner = encoded[(4 if shift else 0) : len(encoded) - 4].decode()
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= 8}


def leaks(said: dict[str, str], secrets: dict[str, str]) -> list[str]:
    """Which secret is in what."""
    return [
        f"{name} in {where}"
        for name, secret in secrets.items()
        for where, text in said.items()
        if any(form in text for form in forms(secret))
    ]


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Talk:
    """A server at debug level, everything that it says, and every secret that it was given or has given."""

    def __init__(self, folder: Path) -> None:
        console = new_signing_key()
        self.data = folder / "data"
        self.secrets = {
            "metrics token": METRICS_TOKEN,
            "mail password": MAIL_PASSWORD,
            "pepper": PEPPER,
            "previous pepper": OLD_PEPPER,
            "console key": console["d"],
            "cursor secret": CURSORS,
            "password": PASSWORD,
            "wrong password": WRONG,
        }
        self.said: dict[str, str] = {}
        self.out, self.err = folder / "out", folder / "err"
        self.environment = own_environment() | {
            "TSLICE_LOG_LEVEL": "debug",
            "TSLICE_METRICS_TOKEN": METRICS_TOKEN,
            "TSLICE_PEPPER": PEPPER,
            "TSLICE_PREVIOUS_PEPPERS": OLD_PEPPER,
            "TSLICE_CONSOLE_KEY": json.dumps(console),
            "TSLICE_CURSOR_SECRET": CURSORS,
            "TSLICE_SMTP_URL": f"smtp://mailer:{MAIL_PASSWORD}@127.0.0.1:{closed_port()}",
            "TSLICE_SMTP_FROM": "slice@example.org",
            "TSLICE_PUBLIC_URL": "https://slice.example",
        }
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "telemetry_slice", "up", "--no-demo", "--port", "0", "--data", str(self.data)],
                env=self.environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        wait_until(lambda: "Ctrl-C" in self.out.read_text(), "server", START_S)
        url = json.loads((self.data / "lock").read_text())["url"]
        assert not (self.data / "secrets.json").exists()
        self.client = httpx2.Client(base_url=url, trust_env=False, timeout=60)

    def hear(self, name: str, *arguments: Any, expect: int, telling: bool = False, **more: Any) -> Any:
        """One request; what is answered is searched, unless it is there to tell a secret."""
        answer = self.client.request(*arguments, **more)
        assert answer.status_code == expect, (name, answer.text)
        if not telling:
            self.said[f"answer: {name}"] = f"{answer.headers}\n{answer.text}"
        return answer

    def verb(self, *arguments: str, expect: int | None = 0, **environment: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "telemetry_slice", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert expect is None or done.returncode == expect, done.stderr
        self.said[f"verb: {' '.join(arguments[:2])}"] = done.stdout + done.stderr

    def keep(self, name: str, secret: str) -> str:
        self.secrets[name] = secret
        return secret

    def live(self) -> None:
        """Everything in which secrets take part, going well and going wrong."""
        token = self.keep("set-up link", re.findall(r"token=(\S+)", self.out.read_text())[0])
        setup = {"email": "ada@example.org", "tenantId": "acme", "tenantName": "Acme"}
        self.hear("setup", "POST", "/api/v1/auth/setup", json=setup | {"token": token, "password": "short"}, expect=422)
        self.hear("setup", "POST", "/api/v1/auth/setup", json=setup | {"token": token, "password": PASSWORD},
                  expect=200, telling=True)  # fmt: skip
        self.hear("setup again", "POST", "/api/v1/auth/setup", json=setup | {"token": token, "password": PASSWORD},
                  expect=401)  # fmt: skip
        login = {"email": "ada@example.org", "password": PASSWORD}
        self.client.cookies.clear()
        wrong = login | {"password": WRONG}
        self.hear("wrong password", "POST", "/api/v1/auth/login", json=wrong, expect=401)
        self.hear("a password in the wrong place", "POST", f"/api/v1/auth/login?password={quote(WRONG)}", json=[WRONG],
                  expect=422)  # fmt: skip
        signed = self.hear("login", "POST", "/api/v1/auth/login", json=login, expect=200, telling=True)
        self.keep("cookie", signed.cookies["tslice_session"])
        self.client.cookies.clear()
        grant = {"grantType": "password"} | login
        tokens = self.hear("token", "POST", "/api/v1/auth/token", json=grant, expect=200, telling=True).json()
        access = self.keep("access token", tokens["accessToken"])
        refresh = {"grantType": "refresh", "refreshToken": self.keep("refresh token", tokens["refreshToken"])}
        self.hear("refresh", "POST", "/api/v1/auth/token", json=refresh, expect=200, telling=True)
        self.hear("refresh again", "POST", "/api/v1/auth/token", json=refresh, expect=401)
        tokens = self.hear("token", "POST", "/api/v1/auth/token", json=grant, expect=200, telling=True).json()
        access = self.keep("second access token", tokens["accessToken"])
        mine = {"Authorization": f"Bearer {access}"}
        self._keys(mine)
        self._links(mine)
        self._second_factor(mine)
        for name, header in {
            "garbage": f"Bearer {access}x",
            "basic": "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode(),
            "no scheme": access,
            "two": f"Bearer {access} {access}",
        }.items():
            self.hear(f"header: {name}", "GET", "/api/v1/me", headers={"Authorization": header}, expect=401)
        for path in ("/api/v1/audit", "/api/v1/audit/export", "/api/v1/me", "/api/v1/users", "/api/v1/keys",
                     "/api/v1/me/sessions", "/api/v1/invitations", "/api/v1/installation/audit/export"):  # fmt: skip
            self.hear(path, "GET", path, headers=mine, expect=200)
        self.hear("metrics", "GET", "/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}, expect=200)
        self.hear("jwks", "GET", "/.well-known/jwks.json", expect=200)

    def _keys(self, mine: dict[str, str]) -> None:
        for number, body in enumerate(({"kind": "gateway", "name": "g"}, {"kind": "service", "scopes": ["read"]})):
            made = self.hear("key", "POST", "/api/v1/keys", json=body, headers=mine, expect=201, telling=True)
            key = self.keep(f"key {number}", made.json()["key"])
            for name, headers in (("bearer", {"Authorization": f"Bearer {key}"}), ("x-api-key", {"X-API-Key": key})):
                self.hear(f"{name} {number}", "POST", "/api/v1/telemetry", json=EVENT, headers=headers,
                          expect=202 if number == 0 else 403)  # fmt: skip
            broken = key[:-1] + ("a" if key[-1] != "a" else "b")
            self.hear(f"broken {number}", "POST", "/api/v1/telemetry", json=EVENT, headers={"X-API-Key": broken},
                      expect=401)  # fmt: skip
            self.hear(f"malformed {number}", "POST", "/api/v1/telemetry", content=f'{{"eventId": "{key}',
                      headers={"X-API-Key": key}, expect=400 if number == 0 else 403)  # fmt: skip
            path = f"/api/v1/keys/{made.json()['keyId']}"
            self.hear(f"revoke {number}", "DELETE", path, headers=mine, expect=204)

    def _links(self, mine: dict[str, str]) -> None:
        invited = {"email": "bob@example.org", "role": "viewer"}
        made = self.hear("invite", "POST", "/api/v1/invitations", json=invited, headers=mine, expect=201, telling=True)
        token = self.keep("invitation", made.json()["link"].partition("token=")[2])
        accept = {"token": token, "name": "Bob", "password": PASSWORD}
        self.hear("invitation", "POST", "/api/v1/auth/invitation", json={"token": token}, expect=200)
        self.hear("bad name", "POST", "/api/v1/auth/invitation/accept", json=accept | {"name": 1}, expect=422)
        self.hear("accept", "POST", "/api/v1/auth/invitation/accept", json=accept, expect=200, telling=True)
        self.client.cookies.clear()
        self.hear("accept again", "POST", "/api/v1/auth/invitation/accept", json=accept, expect=401)
        # Sent by e-mail, to a server that is not there.
        self.hear("reset", "POST", "/api/v1/auth/reset", json={"email": "bob@example.org"}, expect=202)
        wait_until(lambda: "email_not_sent" in self.err.read_text(), "an e-mail that is not sent")

    def _second_factor(self, mine: dict[str, str]) -> None:
        path = "/api/v1/me/second-factor"
        offered = self.hear("offer", "POST", path, json={"password": PASSWORD}, headers=mine, expect=200, telling=True)
        secret = self.keep("authenticator", offered.json()["secret"])
        self.hear("wrong code", "POST", f"{path}/confirm", json={"code": "000000"}, headers=mine, expect=422)
        confirm = {"code": pyotp.TOTP(secret).now()}
        codes = self.hear("confirm", "POST", f"{path}/confirm", json=confirm, headers=mine, expect=200, telling=True)
        for number, code in enumerate(codes.json()["recoveryCodes"][:2]):
            self.keep(f"recovery code {number}", code)
            wrong = {"email": "ada@example.org", "password": WRONG, "code": code}
            self.hear(f"code {number}", "POST", "/api/v1/auth/login", json=wrong, expect=401)

    def engines_fail(self) -> None:
        """A distributed installation whose servers are not there, or are not what they should be."""
        at = f"{SERVERS_PASSWORD}@127.0.0.1:{closed_port()}"
        self.keep("password of servers", SERVERS_PASSWORD)
        servers = {
            "TSLICE_DATABASE_URL": f"postgresql://tslice_api:{at}/slice",
            "TSLICE_DATABASE_WRITER_URL": f"postgresql://tslice_writer:{at}/slice",
            "TSLICE_DATABASE_MIGRATION_URL": f"postgresql://tslice_migration:{at}/slice",
            "TSLICE_DATABASE_ADMIN_URL": f"postgresql://postgres:{at}/slice",
            "TSLICE_QUEUE_URL": f"nats://slice:{at}",
            "TSLICE_QUEUE_DURABILITY": "assumed",
            "TSLICE_REDIS_URL": f"redis://slice:{at}/0",
        }
        other = str(self.data.parent / "other")
        self.verb("serve", "--role", "api", "--port", "0", "--data", other, expect=1, **servers)
        self.verb("migrate", "--data", other, expect=1, **servers)
        self.verb("doctor", "--data", other, expect=1, **servers)
        self.said["doctor of nothing"] = self.said.pop("verb: doctor --data")
        # What is wrong with a setting is told without the setting.
        wrong = servers | {"TSLICE_QUEUE_URL": f"http://slice:{at}", "TSLICE_SMTP_URL": f"http://{at}"}
        self.verb("migrate", "--data", other, "--tenant", "x", expect=1, **wrong, TSLICE_PEPPER=SERVERS_PASSWORD)

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(60)
        self.said["log"] = self.err.read_text()
        # The set-up link is printed to be used.
        self.said["terminal"] = re.sub(r"token=\S+", "", self.out.read_text())


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    talk = Talk(tmp_path)
    try:
        yield talk
    finally:
        if talk.process.poll() is None:
            talk.close()


@pytest.mark.timeout(600)
def test_no_secret_is_in_anything_that_is_written(talk: Talk) -> None:
    talk.live()
    talk.verb("doctor", "--data", str(talk.data), expect=None)
    talk.verb("audit", "list", "--data", str(talk.data), "--tenant", "acme")
    talk.engines_fail()
    talk.close()
    print(f"{len(talk.secrets)} secrets in {len(talk.said)} texts of {sum(map(len, talk.said.values())):,} characters")
    assert leaks(talk.said, talk.secrets) == []
    assert len(talk.secrets) >= 18
    assert "email_not_sent" in talk.said["log"]


def test_a_secret_that_is_written_is_found() -> None:
    """The negative control: in each of its forms, wherever it is."""
    secret = "a/secret+with %signs"
    for number, planted in enumerate(
        (
            f'{{"event": "login", "password": "{secret}"}}',
            f"GET /?password={quote(secret, safe='')} HTTP/1.1",
            f"GET /?password={quote_plus(secret)} HTTP/1.1",
            "Authorization: Basic " + base64.b64encode(f"ada:{secret}".encode()).decode(),
            "Authorization: Basic " + base64.b64encode(f"eve1:{secret}".encode()).decode(),
            "token " + base64.urlsafe_b64encode(f"xy:{secret}!".encode()).decode(),
        )
    ):
        assert leaks({"log": f"before {planted} after"}, {"it": secret}) == ["it in log"], number
    assert leaks({"log": "before and after"}, {"it": secret}) == []
