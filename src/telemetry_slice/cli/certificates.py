"""`tslice devices certificate`: a certificate that stands for a device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .administration import KEY_COLUMNS, ask, given, quoted, show
from .failure import CliError
from .options import AsJson, Data, Key, TenantId, Url


def register_certificate(
    device: Annotated[str, typer.Argument()],
    file: Annotated[Path, typer.Argument(help="PEM file of the device's certificate; no private key.")],
    *,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[str | None, typer.Option(help="When it ends here, e.g. 2027-01-31T00:00:00Z.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Let a certificate stand for a device. It is listed and revoked by `tslice keys --device`."""
    try:
        pem = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{file} cannot be read: {error}") from error
    if "PRIVATE KEY" in pem:
        raise CliError(f"{file} holds a private key, which is nobody's but the device's: give the certificate alone")
    body = {"certificate": pem, "name": name} | given(expiresAt=expires)
    path = f"/api/v1/devices/{quoted(device)}/certificates"
    show([ask(url, key, data, tenant, lambda api: api.call("POST", path, json=body))], KEY_COLUMNS, as_json, "")
