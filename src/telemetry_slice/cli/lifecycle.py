"""`tslice tenants suspend | resume | erase`: what an administrator of the platform does to a tenant as a whole."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from .administration import ask, quoted, show
from .failure import CliError
from .options import AsJson, Data, Key, Url
from .tenants import TENANT_COLUMNS

Tenant = Annotated[str, typer.Argument(metavar="TENANT")]


def suspend_tenant(
    tenant_id: Tenant,
    *,
    reason: Annotated[str, typer.Option(help="Why; its senders are told.")],
    url: Url = None,
    key: Key = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Take nothing more from a tenant's senders: they get 403 with the reason. What is stored can be read."""
    path = f"/api/v1/tenants/{quoted(tenant_id)}/suspend"
    answer = ask(url, key, data, None, lambda api: api.call("POST", path, json={"reason": reason}), in_tenant=False)
    show([answer], TENANT_COLUMNS, as_json, "")


def resume_tenant(tenant_id: Tenant, *, url: Url = None, key: Key = None, data: Data, as_json: AsJson = False) -> None:
    """Take telemetry of a suspended tenant again."""
    path = f"/api/v1/tenants/{quoted(tenant_id)}/resume"
    answer = ask(url, key, data, None, lambda api: api.call("POST", path), in_tenant=False)
    show([answer], TENANT_COLUMNS, as_json, "")


def erase_tenant(
    tenant_id: Tenant,
    *,
    confirm: Annotated[str | None, typer.Option(help="The tenant's id once more; default: you are asked.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until nothing is left of it.")] = True,
    url: Url = None,
    key: Key = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Erase a suspended tenant for good: devices, keys, users, telemetry, books. Its audit is kept. Repeating it waits
    for what has begun.
    """
    if confirm is None:
        confirm = typer.prompt(f"Everything of {tenant_id} will be gone for good. Type its id to go on")
    if confirm != tenant_id:
        raise CliError("that is not the tenant's id: nothing was erased")
    path = f"/api/v1/tenants/{quoted(tenant_id)}"

    async def work(api: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await api.call("POST", f"{path}/erase", json={"tenantId": tenant_id})
        while wait and answer["finishedAt"] is None:
            await asyncio.sleep(1.0)
            answer = await api.call("GET", f"{path}/erasure")
        return answer

    answer = ask(url, key, data, None, work, in_tenant=False)
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    counts = ", ".join(f"{rows:,} {part}" for part, rows in answer["erased"].items())
    print(f"{tenant_id} {'erased' if answer['finishedAt'] else 'is being erased'}: {counts}")
