"""A real provider of OpenID Connect beside the HTTP door."""

import time
from types import SimpleNamespace

import httpx2
import pytest
from tests.conftest import ManualClock
from tests.http.conftest import ORIGIN
from tests.oidc_provider import provider as running_provider

from telemetry_slice.flow.access import Access, Secrets
from telemetry_slice.model.audit import INSTALLATION
from telemetry_slice.runtime.providers import providers_of
from telemetry_slice.settings import Settings

PASSWORD = "correct horse battery"
OWN = {"X-Requested-With": "tslice", "Origin": ORIGIN}
ROLES = {"keepers": "acme-123:admin", "readers": ["acme-123:viewer", "beta-456:viewer"]}
ANN = {"name": "Ann", "email": "ann@example.org", "email_verified": True, "groups": ["keepers"]}


@pytest.fixture(scope="module")
def provider():
    with running_provider(ORIGIN) as running:
        yield running


@pytest.fixture
def clock():
    """The provider's tokens are of today."""
    made = ManualClock()
    made.us = time.time_ns() // 1000
    return made


@pytest.fixture
def told(provider, request):
    """Settings of the providers; `corp` is as a test says besides."""
    return {
        "corp": provider.settings(**{"label": "The company", "roles": ROLES} | getattr(request, "param", {})),
        "other": provider.settings(tenant="beta-456", roles={"keepers": "operator"}),
    }


def corp(**settings):
    """A provider that is set up like this."""
    return pytest.mark.parametrize("told", [settings], indirect=True, ids=["-".join(settings)])


@pytest.fixture
def access(registry, clock, signing_key, told, acme, beta):
    providers = providers_of(Settings(oidc_providers=told), clock)
    made = Access(Secrets(b"pepper" * 6, signing_key), registry, clock, providers=providers, monotonic=clock.monotonic)
    yield made
    made.close()


@pytest.fixture
async def browser():
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def visit(door, provider):
    """Sign in with a provider, in a new browser; where the page goes on, and who one is there."""

    async def go(name="ann", claims=ANN, by="corp", **start):
        async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
            door.cookies.clear()
            began = await door.get(f"/api/v1/auth/oidc/{by}/start", params=start)
            assert began.status_code == 303, began.text
            back = await provider.sign_in(browser, began.headers["location"], name, claims)
            ended = await door.get(back)
            assert ended.status_code == 303, ended.text
            me = await door.get("/api/v1/me")
            roles = {each["id"]: each["role"] for each in me.json().get("tenants", ())}
            return SimpleNamespace(
                next=ended.headers["location"], me=me.json() if me.status_code == 200 else None, roles=roles, back=back
            )

    return go


async def audit(registry, chain=INSTALLATION):
    found = [record.entry for record in await registry.audit.after(chain, sequence=0, limit=100)]
    return [(each.action, each.resource, each.outcome.value, dict(each.detail)) for each in found]


async def begun(door, by="corp", **start):
    door.cookies.clear()
    began = await door.get(f"/api/v1/auth/oidc/{by}/start", params=start)
    return began.headers["location"]
