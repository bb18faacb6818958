"""The demo: two tenants with devices, a day of history, and random credentials in DIR/demo.json.

Everything goes through the HTTP interface, the same road as everybody's. What is chosen at random is written to a plan
before it is used, so that a start that was killed in the middle is continued, not repeated.
"""

from __future__ import annotations

import asyncio
import platform
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.times import MINUTE_US
from .backoff import Backoff
from .client import Api, Json, ProblemError
from .delivery import Batch, UndeliverableError, deliver
from .demohistory import BOILER, CHILLER, PUMP, Machine, history
from .names import DEMO_FILE, PLAN_FILE
from .pacing import Pacer
from .privatefile import write_private_json
from .target import read_json

HOST_DEVICE = "host"
KEY_NAME = "demo"
BATCH_EVENTS = 720
ALL_SCOPES = ("read", "ingest", "admin")

Connect = Callable[[str | None], Api]
"""A connection with the credential of a tenant's gateway key or console token, see `seed`."""


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """One tenant of the demo."""

    tenant_id: str
    name: str
    email: str
    machines: Sequence[Machine]
    has_host: bool = False


DEMO = (
    DemoTenant("acme-123", "Acme Corporation", "demo@acme.example", (BOILER, CHILLER), has_host=True),
    DemoTenant("beta-456", "Beta Industries", "demo@beta.example", (PUMP,)),
)


def is_complete(folder: Path) -> bool:
    """Whether the demo was seeded to its end."""
    return bool(read_json(folder / DEMO_FILE).get("tenants"))


def is_begun(folder: Path) -> bool:
    """Whether a start was killed while it seeded the demo."""
    return (folder / PLAN_FILE).exists()


def plan(folder: Path) -> Json:
    """The random choices of this demo, the same until it is complete."""
    known = read_json(folder / PLAN_FILE)
    if known:
        return known
    chosen: Json = {
        "seed": secrets.randbits(32),
        "untilUs": time.time_ns() // 1000 // MINUTE_US * MINUTE_US,
        "passwords": {tenant.tenant_id: secrets.token_urlsafe(12) for tenant in DEMO},
    }
    write_private_json(folder / PLAN_FILE, chosen)
    return chosen


async def seed(folder: Path, url: str, console: Connect, as_key: Callable[[str], Api]) -> Json:
    """Create the demo and write DIR/demo.json; what it says.

    Args:
        folder: the data folder.
        url: where the platform will be reached.
        console: a connection as the console acting in a tenant (None: in no tenant).
        as_key: a connection with a key.

    Raises:
        ProblemError, UnreachableError, UndeliverableError: the platform did not take it.
    """
    chosen = plan(folder)
    tenants: Json = {}
    async with asyncio.TaskGroup() as group:
        tasks = {tenant.tenant_id: group.create_task(_seed_tenant(tenant, chosen, console, as_key)) for tenant in DEMO}
    tenants = {tenant_id: task.result() for tenant_id, task in tasks.items()}
    found = {"url": url, "tenants": tenants}
    write_private_json(folder / DEMO_FILE, found)
    (folder / PLAN_FILE).unlink(missing_ok=True)
    return found


async def _create(api: Api, path: str, body: Json) -> None:
    """Create what may exist from an earlier start."""
    try:
        await api.call("POST", path, json=body)
    except ProblemError as error:
        if error.status != 409:
            raise


async def _issue(api: Api, path: str, body: Json) -> str:
    """A fresh key; those of an earlier start, which nobody has, are revoked."""
    for key in (await api.call("GET", path))["keys"]:
        if key["name"] == body["name"] and key["revokedAt"] is None:
            await api.call("DELETE", f"{path}/{key['keyId']}")
    issued: str = (await api.call("POST", path, json=body))["key"]
    return issued


async def _seed_tenant(tenant: DemoTenant, chosen: Json, console: Connect, as_key: Callable[[str], Api]) -> Json:
    async with console(None) as api:
        await _create(api, "/api/v1/tenants", {"tenantId": tenant.tenant_id, "name": tenant.name})
    password = chosen["passwords"][tenant.tenant_id]
    devices: list[Json] = [
        {"deviceId": m.device_id, "label": m.label, "location": m.location, "tags": list(m.tags)}
        for m in tenant.machines
    ]
    if tenant.has_host:
        name = platform.node() or "localhost"
        devices.append({"deviceId": HOST_DEVICE, "label": "This computer", "location": name, "tags": ["agent"]})
    async with console(tenant.tenant_id) as api:
        person = {"email": tenant.email, "name": f"Demo ({tenant.name})", "role": "owner", "password": password}
        await _create(api, "/api/v1/users", person)
        device_keys = {}
        for device in devices:
            await _create(api, "/api/v1/devices", device)
            path = f"/api/v1/devices/{device['deviceId']}/keys"
            device_keys[device["deviceId"]] = await _issue(api, path, {"name": KEY_NAME})
        gateway = await _issue(
            api, "/api/v1/keys", {"kind": "gateway", "name": f"{KEY_NAME} gateway", "scopes": ["ingest"]}
        )
        service = await _issue(
            api, "/api/v1/keys", {"kind": "service", "name": f"{KEY_NAME} service", "scopes": list(ALL_SCOPES)}
        )
    async with as_key(gateway) as api:
        events = [event for m in tenant.machines for event in history(m, chosen["untilUs"], chosen["seed"])]
        await _send(api, events)
    return {
        "user": {"email": tenant.email, "password": password},
        "gatewayKey": gateway,
        "serviceKey": service,
        "deviceKeys": device_keys,
    }


async def _send(api: Api, events: Sequence[dict[str, Any]]) -> None:
    pacer = Pacer()
    for part in range(0, len(events), BATCH_EVENTS):
        batch = Batch(events[part : part + BATCH_EVENTS], 2)
        tally = await deliver(api, batch, say=lambda _: None, backoff=Backoff(), pacer=pacer, patience_s=60.0)
        if tally.dead or tally.rejected:
            raise UndeliverableError(f"the demo's history was not taken: {tally.summary()} {tally.reasons}")


def refresh_url(folder: Path, url: str) -> Json:
    """The credentials of a complete demo, with the address of this start."""
    found = read_json(folder / DEMO_FILE)
    if found.get("url") != url:
        found["url"] = url
        write_private_json(folder / DEMO_FILE, found)
    return found
