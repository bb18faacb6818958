"""Certificates that stand for devices: registered here, listed and revoked like keys."""

from __future__ import annotations

import ssl
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, Field, StringConstraints

from ..model.permissions import Permission
from .auditing import AuditedRoute
from .devices import find_device
from .keys import KeyView, expiry, note_issued, shown
from .paths import DeviceId
from .principal import Caller, TheServices, allowed_in_tenant
from .problems import problems
from .schemas import Text200, Wire

router = APIRouter(prefix="/api/v1", tags=["keys"], route_class=AuditedRoute)


def _one_certificate(text: str) -> str:
    pem = text.strip()
    if pem.count("-----BEGIN CERTIFICATE-----") != 1:
        raise ValueError("Expected one certificate, as PEM.")
    try:
        ssl.PEM_cert_to_DER_cert(pem)
        # That is lenient; this reads it.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ValueError, TypeError, ssl.SSLError):
        raise ValueError("Expected one certificate, as PEM.") from None
    return pem


class NewCertificate(Wire):
    """A device's own certificate, without its private key. `expiresAt` is when we end to believe it."""

    certificate: Annotated[
        str, StringConstraints(max_length=32_768), AfterValidator(_one_certificate), Field(description="PEM.")
    ]
    name: Text200 = ""
    expires_at: str | None = None


@router.post(
    "/devices/{deviceId}/certificates",
    operation_id="registerDeviceCertificate",
    status_code=201,
    responses=problems(404, 409),
)
async def register_device_certificate(
    device_id: DeviceId,
    body: NewCertificate,
    caller: Annotated[Caller, allowed_in_tenant(Permission.ISSUE_DEVICE_KEYS)],
    services: TheServices,
) -> KeyView:
    """Let a certificate stand for a device, which has at most two live ones. It ends like a key."""
    device = await find_device(services, caller.tenant.no, device_id)
    record = await services.access.keys.register_certificate(
        caller.tenant,
        device,
        sha256(ssl.PEM_cert_to_DER_cert(body.certificate)).digest(),
        name=body.name,
        expires_us=expiry(services, body.expires_at),
    )
    note_issued(caller, record)
    return shown(services, record)
