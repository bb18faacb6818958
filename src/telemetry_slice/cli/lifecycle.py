"""`tslice tenants suspend | resume`: what an administrator of the platform does to a tenant as a whole."""

from __future__ import annotations

from typing import Annotated

import typer

from .administration import TENANT_COLUMNS, ask, quoted, show
from .options import AsJson, Data, Key, Url

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
