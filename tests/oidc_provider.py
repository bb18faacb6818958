"""A real, certified provider of OpenID Connect for tests: npm oidc-provider, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

WEB = Path(__file__).resolve().parents[1] / "web"
SEARCHED = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
"""Where programs are looked for: the environment's own first, like the Makefile, which puts a Node there if need be."""
CLIENT = {"client_id": "telemetry-slice", "client_secret": "a secret of tests alone"}


LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class Provider:
    """Attributes: issuer."""

    def __init__(self, issuer: str, key: RSAKey) -> None:
        self.issuer = issuer
        self._key = key

    def logout_token(self, **claims: Any) -> str:
        """As it would tell that somebody has left: for what it has no reason to tell."""
        now = int(time.time())
        told = {"iss": self.issuer, "aud": CLIENT["client_id"], "iat": now, "exp": now + 120, "jti": "x"}
        header = {"alg": "RS256", "kid": self._key.kid, "typ": "logout+jwt"}
        return jwt.encode(header, told | {"events": {LOGOUT: {}}} | claims, self._key)

    def settings(self, **more: Any) -> dict[str, Any]:
        """Of `TSLICE_OIDC_PROVIDERS`."""
        told = {"scopes": ["openid", "profile", "email", "groups"], "allow_private": True}
        return {"issuer": self.issuer, **CLIENT, **told, **more}

    async def sign_in(self, browser: httpx2.AsyncClient, address: str, name: str, claims: dict[str, Any]) -> str:
        """Go where the platform sends a browser, say who one is, and the address at which one comes back."""
        answer = await browser.get(address)
        while answer.status_code in {302, 303}:
            location = urljoin(str(answer.request.url), answer.headers["location"])
            if not location.startswith(self.issuer):
                return location
            answer = await browser.get(location)
            if answer.status_code == 200:
                action = re.search(r'action="([^"]+)"', answer.text)
                assert action, answer.text
                form = {"name": name, "claims": json.dumps(claims)}
                answer = await browser.post(urljoin(self.issuer, action[1]), data=form)
        raise AssertionError(f"{answer.status_code} {answer.text}")

    async def sign_out(self, browser: httpx2.AsyncClient, address: str) -> str:
        """Leave there, too, and the address at which one comes back."""
        asked = await browser.get(address)
        assert asked.status_code == 200, asked.text
        action, secret = (
            re.search(r'action="([^"]+)"', asked.text),
            re.search(r'name="xsrf" value="([^"]+)"', asked.text),
        )
        assert action, asked.text
        assert secret, asked.text
        left = await browser.post(action[1], data={"xsrf": secret[1], "logout": "yes"})
        assert left.status_code in {302, 303}, left.text
        return left.headers["location"]


@contextmanager
def provider(at: str) -> Iterator[Provider]:
    """One that runs, for a platform at the address `at`."""
    node = shutil.which("node", path=SEARCHED)
    if node is None or not (WEB / "node_modules" / "oidc-provider").is_dir():
        pytest.fail("Node and the page's libraries are needed: `make setup` installs them")
    names = {name: f"{at}/api/v1/auth/oidc/{name}" for name in ("corp", "other")}
    client: dict[str, Any] = {
        **CLIENT,
        "redirect_uris": [f"{address}/callback" for address in names.values()],
        "post_logout_redirect_uris": [f"{at}/sign-in"],
    }
    if at.startswith("http://127.0.0.1"):
        client["backchannel_logout_session_required"] = True
        client["backchannel_logout_uri"] = f"{names['corp']}/backchannel-logout"
    key = RSAKey.generate_key(2048, {"kid": "tests", "use": "sig", "alg": "RS256"})
    told = {"clients": [client], "jwks": {"keys": [key.as_dict(private=True)]}}
    process = subprocess.Popen(
        [node, WEB / "e2e-real" / "provider.js", json.dumps(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"NODE_ENV": "test"},
    )
    assert process.stdin
    assert process.stdout
    try:
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), f"the provider has not started: {issuer!r}"
        yield Provider(issuer, key)
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
