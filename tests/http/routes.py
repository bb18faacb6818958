"""Every route that the documents name, with a valid body. The tenant matrix sees that none is missing."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.certificates import certificate


def _certificate():
    with TemporaryDirectory() as folder:
        certificate(Path(folder), "device.example")
        return (Path(folder) / "cert.pem").read_text()


PEM = _certificate()
"""Registered for a device already, whoever asks."""
PASSWORD = "correct horse battery"
WAIT = {"Prefer": "wait=10"}
EVENT = {"eventId": "matrix", "deviceId": "{deviceId}", "recordedAt": 1_780_000_000_000}
V1 = EVENT | {"type": "t", "value": 1}
NEW_USER = {"email": "{who}@{tenantId}.example", "role": "viewer", "password": PASSWORD}
SETUP = {"token": "x", "email": "x@example.org", "password": PASSWORD, "tenantId": "x", "tenantName": "x"}
V2 = EVENT | {"measurements": {"t": 1}}
PANEL = {"id": "p", "kind": "table", "at": {"x": 0, "y": 0, "w": 4, "h": 4}, "of": {"deviceIds": ["{deviceId}"]}}
CHOICE = {"name": "device", "kind": "device", "choices": ["{deviceId}"]}
DOCUMENT = {"schema": 1, "variables": [CHOICE], "panels": [PANEL]}
DASHBOARD = {"name": "by {who}", "document": DOCUMENT}
PANELS = {"panels": [PANEL], "variables": [CHOICE], "values": {"device": ["{deviceId}"]}}

# Who may, what its own tenant's service key and owner are told, and a valid body. Texts in braces are the path's.
ROUTES = {
    "GET /health": ("public", 200, None),
    "GET /health/ready": ("public", 200, None),
    "GET /metrics": ("public", 200, None),
    "GET /.well-known/jwks.json": ("public", 200, None),
    "POST /api/v1/auth/login": ("public", 401, {"email": "nobody@example.org", "password": "x"}),
    "POST /api/v1/auth/token": ("public", 401, {"grantType": "refresh", "refreshToken": "x"}),
    "POST /api/v1/auth/setup": ("public", 401, SETUP),
    "GET /api/v1/auth/methods": ("public", 200, None),
    "GET /api/v1/auth/oidc/{provider}/start": ("public", 404, None),
    "GET /api/v1/auth/oidc/{provider}/callback": ("public", 404, None),
    "POST /api/v1/auth/oidc/{provider}/backchannel-logout": ("public", 400, None),
    "POST /api/v1/auth/invitation": ("public", 401, {"token": "x"}),
    "POST /api/v1/auth/invitation/accept": ("public", 401, {"token": "x", "password": PASSWORD}),
    "POST /api/v1/auth/reset": ("public", 403, {"email": "nobody@example.org"}),
    "POST /api/v1/auth/reset/confirm": ("public", 401, {"token": "x", "newPassword": PASSWORD}),
    "POST /api/v1/enrol": ("public", 401, {"deviceId": "x", "nonce": "a-random-text-of-the-device"}),
    "POST /api/v1/telemetry": ("ingest", 202, V1),
    "POST /api/v2/telemetry": ("ingest", 202, V2),
    "GET /api/v1/me": ("anyone", 200, None),
    "GET /api/v1/me/sessions": ("person", 200, None),
    "GET /api/v1/me/second-factor": ("person", 200, None),
    "POST /api/v1/me/second-factor": ("person", 401, {"password": "x"}),
    "POST /api/v1/me/second-factor/confirm": ("person", 422, {"code": "000000"}),
    "POST /api/v1/me/second-factor/remove": ("person", 401, {"password": "x", "code": "000000"}),
    "DELETE /api/v1/me/sessions/{sessionId}": ("person", 204, None),
    "POST /api/v1/auth/logout": ("anyone", 204, None),
    "GET /api/v1/status": ("anyone", 200, None),
    "POST /api/v1/auth/password": ("person", 401, {"currentPassword": "wrong", "newPassword": "x" * 12}),
    "POST /api/v1/auth/tenant": ("session", 403, {"tenantId": "{tenantId}"}),
    "GET /api/v1/books": ("read", 200, None),
    "GET /api/v1/books/history": ("read", 200, None),
    "GET /api/v1/dead-letters": ("read", 200, None),
    "GET /api/v1/dead-letters/{letter_id}": ("read", 200, None),
    "GET /api/v1/devices": ("read", 200, None),
    "GET /api/v1/fleet": ("read", 200, None),
    "GET /api/v1/sparklines?device={deviceId}": ("read", 200, None),
    "GET /api/v1/devices/{deviceId}": ("read", 200, None),
    "GET /api/v1/devices/{deviceId}/export": ("read", 200, None),
    "GET /api/v1/devices/{deviceId}/insights": ("read", 200, None),
    "GET /api/v1/devices/{deviceId}/series?type={type}": ("read", 200, None),
    "GET /api/v1/devices/{deviceId}/telemetry": ("read", 200, None),
    "GET /api/v2/devices/{deviceId}/telemetry": ("read", 200, None),
    "GET /api/v1/devices/{deviceId}/types": ("read", 200, None),
    "POST /api/v1/query": ("read", 200, {"select": "latest", "devices": ["{deviceId}"]}),
    "POST /api/v1/panels/query": ("read", 200, PANELS),
    "POST /api/v1/panels/choices": ("read", 200, {"variables": [CHOICE]}),
    "GET /api/v1/shared/dashboard": ("shared", 200, None),
    "POST /api/v1/shared/panels": ("shared", 200, {"panelIds": ["p"], "values": {"device": ["{deviceId}"]}}),
    "GET /api/v1/dashboards": ("read", 200, None),
    "GET /api/v1/dashboards/{dashboardId}": ("read", 200, None),
    "GET /api/v1/dashboards/{dashboardId}/versions": ("read", 200, None),
    "GET /api/v1/dashboards/{dashboardId}/versions/1": ("read", 200, None),
    "GET /api/v1/dashboards/{dashboardId}/links": ("operate", 200, None),
    "POST /api/v1/dashboards": ("operate", 201, DASHBOARD),
    "PUT /api/v1/dashboards/{dashboardId}": ("operate", 200, DASHBOARD | {"version": 1}),
    "POST /api/v1/dashboards/{dashboardId}/versions/1/restore": ("operate", 200, {"version": 2}),
    "POST /api/v1/dashboards/{dashboardId}/links": ("operate", 201, {"name": "another"}),
    "DELETE /api/v1/dashboards/{dashboardId}/links/{linkId}": ("operate", 204, None),
    "DELETE /api/v1/dashboards/{dashboardId}": ("operate", 204, None),
    "POST /api/v1/dead-letters/replay": ("operate", 200, {"reason": "clock"}),
    "PATCH /api/v1/dead-letters/{letter_id}": ("operate", 200, {"body": V1 | {"eventId": "mended"}}),
    "POST /api/v1/dead-letters/{letter_id}/replay": ("operate", 200, None),
    "DELETE /api/v1/dead-letters/{discarded_id}": ("operate", 204, None),
    "POST /api/v1/devices": ("operate", 201, {"deviceId": "new by {who}"}),
    "POST /api/v1/provisioning": ("operate", 415, {}),
    "PATCH /api/v1/devices/{deviceId}": ("operate", 200, {"location": "elsewhere"}),
    "GET /api/v1/devices/{deviceId}/keys": ("operate", 200, None),
    "POST /api/v1/devices/{deviceId}/keys": ("operate", 201, {"name": "another"}),
    "POST /api/v1/devices/{deviceId}/keys/{deviceKeyId}/rotate": ("operate", 201, {"overlapSeconds": 0}),
    "POST /api/v1/devices/{deviceId}/certificates": ("operate", 409, {"certificate": PEM}),
    "DELETE /api/v1/devices/{deviceId}/keys/{deviceKeyId}": ("operate", 204, None),
    "DELETE /api/v1/devices/{deviceId}": ("operate", 204, None),
    "GET /api/v1/keys": ("administer", 200, None),
    "POST /api/v1/keys": ("administer", 201, {"kind": "gateway", "name": "another"}),
    "POST /api/v1/keys/{keyId}/rotate": ("administer", 201, {"overlapSeconds": 0}),
    "DELETE /api/v1/keys/{keyId}": ("administer", 204, None),
    "GET /api/v1/enrolment-tokens": ("administer", 200, None),
    "POST /api/v1/enrolment-tokens": ("administer", 201, {"name": "another"}),
    "DELETE /api/v1/enrolment-tokens/{tokenId}": ("administer", 204, None),
    "GET /api/v1/users": ("administer", 200, None),
    "POST /api/v1/users": ("administer", 201, NEW_USER),
    "POST /api/v1/users/{userId}/reset": ("administer", 201, None),
    "DELETE /api/v1/users/{userId}/second-factor": ("administer", 204, None),
    "GET /api/v1/invitations": ("administer", 200, None),
    "POST /api/v1/invitations": ("administer", 201, {"email": "{who}@elsewhere.example", "role": "viewer"}),
    "DELETE /api/v1/invitations/{invitationId}": ("administer", 204, None),
    "POST /api/v1/me/invitations": ("person", 401, {"token": "x"}),
    "PATCH /api/v1/users/{userId}": ("administer", 200, {"role": "operator"}),
    "DELETE /api/v1/users/{userId}": ("administer", 204, None),
    "GET /api/v1/tenant": ("administer", 200, None),
    "PATCH /api/v1/tenant": ("administer", 200, {"autoRegister": True}),
    "GET /api/v1/audit": ("administer", 200, None),
    "GET /api/v1/audit/export": ("administer", 200, None),
    "GET /api/v1/installation/audit": ("platform", 403, None),
    "GET /api/v1/installation/audit/export": ("platform", 403, None),
    "GET /api/v1/tenants": ("platform", 403, None),
    "POST /api/v1/tenants": ("platform", 403, {"tenantId": "third", "name": "Third"}),
    "GET /api/v1/tenants/{tenantId}": ("platform", 403, None),
    "PATCH /api/v1/tenants/{tenantId}": ("platform", 403, {"name": "Renamed"}),
    "GET /api/v1/tenants/{tenantId}/figures": ("platform", 403, None),
    "POST /api/v1/tenants/{tenantId}/invitations": ("platform", 403, {"email": "{who}@elsewhere.example"}),
    "POST /api/v1/tenants/{tenantId}/suspend": ("platform", 403, {"reason": "x"}),
    "POST /api/v1/tenants/{tenantId}/resume": ("platform", 403, None),
    "POST /api/v1/tenants/{tenantId}/erase": ("platform", 403, {"tenantId": "{tenantId}"}),
    "GET /api/v1/tenants/{tenantId}/erasure": ("platform", 403, None),
    # Last: with it the person's own credential ends.
    "DELETE /api/v1/me/sessions": ("person", 204, None),
}
