"""The audit, read: of the tenant acted in, and of the installation."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from ..model.audit import INSTALLATION, ActorKind, AuditOutcome, AuditRecord, detail_text
from ..model.cursor import seal, unseal
from ..model.errors import invalid
from ..model.events import TenantNo
from ..model.permissions import Permission
from ..model.tenancy import Principal
from ..model.times import rfc3339
from ..ports.audit import AuditFilter
from .auditing import AuditedRoute
from .export import plain_cell
from .principal import Caller, TheServices, allowed, allowed_in_tenant
from .problems import problems
from .reading import Cursor, Limit, moment
from .schemas import Wire

router = APIRouter(prefix="/api/v1", tags=["audit"], route_class=AuditedRoute)

STEP = 500
"""Records of an export that are in memory at a time."""


class ActorBody(Wire):
    """Who acted: the id of an account or key, and the name that it had then."""

    kind: ActorKind
    id: str
    name: str


class AuditRecordBody(Wire):
    """One thing that was done, or refused. `hash` is over this record and the hash of the one before it."""

    sequence: int
    at: str
    actor: ActorBody
    action: str
    resource: str
    target: str
    tenant: str | None
    address: str | None
    agent: str | None
    outcome: AuditOutcome
    detail: dict[str, str | int | bool | None]
    hash: str


class HeadBody(Wire):
    """The last record; sequence 0 where there is none."""

    sequence: int
    hash: str


class AuditBody(Wire):
    """A page of records, newest first."""

    records: list[AuditRecordBody]
    next: str | None
    head: HeadBody


Word = Annotated[str | None, Query(max_length=254)]


def _filter(
    actor: Annotated[str | None, Query(max_length=254, description="Id or name of who acted.")] = None,
    action: Word = None,
    resource: Word = None,
    outcome: AuditOutcome | None = None,
    from_: Annotated[str | None, Query(alias="from", max_length=40, description="Start, included.")] = None,
    to: Annotated[str | None, Query(max_length=40, description="End, excluded.")] = None,
) -> AuditFilter:
    return AuditFilter(actor, action, resource, outcome, moment("from", from_), moment("to", to))


Wanted = Annotated[AuditFilter, Depends(_filter)]
Format = Annotated[str, Query(alias="format", max_length=20, description="ndjson or csv.")]


def _body(record: AuditRecord) -> dict[str, Any]:
    entry = record.entry
    return {
        "sequence": record.sequence,
        "at": rfc3339(entry.at_us),
        "actor": {"kind": entry.actor.kind, "id": entry.actor.id, "name": entry.actor.name},
        "action": entry.action,
        "resource": entry.resource,
        "target": entry.target,
        "tenant": entry.tenant_id,
        "address": entry.address,
        "agent": entry.agent,
        "outcome": entry.outcome,
        "detail": dict(entry.detail),
        "hash": record.hash.hex(),
    }


async def _page(
    services: TheServices, chain: TenantNo, wanted: AuditFilter, limit: int, cursor: str | None
) -> AuditBody:
    bound = f"audit:{wanted}"
    before = int(unseal(services.cursor_secret, chain, bound, cursor)[0]) if cursor else None
    head = await services.audit.head(chain)
    records = await services.audit.page(chain, wanted, before=before, limit=limit + 1)
    shown, more = records[:limit], len(records) > limit
    return AuditBody(
        records=[AuditRecordBody.model_validate(_body(record)) for record in shown],
        next=seal(services.cursor_secret, chain, bound, [shown[-1].sequence]) if more else None,
        head=HeadBody(sequence=head[0], hash=head[1].hex()),
    )


COLUMNS = (
    "sequence", "at", "actorKind", "actorId", "actorName", "action", "resource", "target", "tenant", "address", "agent",
    "outcome", "detail", "hash",
)  # fmt: skip


def _csv(records: Sequence[AuditRecord]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for record in records:
        body = _body(record)
        actor = body.pop("actor")
        body |= {"actorKind": actor["kind"], "actorId": actor["id"], "actorName": actor["name"]}
        body["detail"] = detail_text(record.entry.detail)
        writer.writerow([plain_cell("" if body[column] is None else body[column]) for column in COLUMNS])
    return text.getvalue().encode()


def _ndjson(records: Sequence[AuditRecord]) -> bytes:
    return b"".join(json.dumps(_body(record), ensure_ascii=False).encode() + b"\n" for record in records)


_FORMATS: dict[str, tuple[str, bytes, Callable[[Sequence[AuditRecord]], bytes]]] = {
    "ndjson": ("application/x-ndjson", b"", _ndjson),
    "csv": ("text/csv; charset=utf-8", (",".join(COLUMNS) + "\r\n").encode(), _csv),
}


async def _export(services: TheServices, chain: TenantNo, wanted: AuditFilter, format_: str) -> Response:
    if format_ not in _FORMATS:
        raise invalid("format", f"Must be one of: {', '.join(_FORMATS)}.")
    media_type, head, write = _FORMATS[format_]
    # The first records are read before the answer begins, so that what is wrong still gets its own status.
    first = await services.audit.after(chain, wanted, sequence=0, limit=STEP)

    async def rows() -> AsyncIterator[bytes]:
        records = first
        yield head + write(records)
        while len(records) == STEP:
            records = await services.audit.after(chain, wanted, sequence=records[-1].sequence, limit=STEP)
            yield write(records)

    headers = {"Content-Disposition": f'attachment; filename="audit.{format_}"', "Cache-Control": "no-store"}
    return StreamingResponse(rows(), media_type=media_type, headers=headers)


_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file, oldest first.", "content": {"application/x-ndjson": {}, "text/csv": {}}}
}


@router.get("/audit", operation_id="readAudit", responses=problems())
async def read_audit(
    caller: Annotated[Caller, allowed_in_tenant(Permission.READ_AUDIT)],
    services: TheServices,
    wanted: Wanted,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AuditBody:
    """Who did what in the tenant, newest first."""
    return await _page(services, caller.tenant.no, wanted, limit, cursor)


@router.get("/audit/export", operation_id="exportAudit", response_class=StreamingResponse, responses=problems() | _FILE)
async def export_audit(
    caller: Annotated[Caller, allowed_in_tenant(Permission.EXPORT_AUDIT)],
    services: TheServices,
    wanted: Wanted,
    format_: Format = "ndjson",
) -> Response:
    """The tenant's audit as a file. If the connection breaks off, the file is not whole."""
    return await _export(services, caller.tenant.no, wanted, format_)


@router.get("/installation/audit", operation_id="readInstallationAudit", responses=problems())
async def read_installation_audit(
    _principal: Annotated[Principal, allowed(Permission.READ_INSTALLATION_AUDIT)],
    services: TheServices,
    wanted: Wanted,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AuditBody:
    """What was done to tenants and to the installation, newest first."""
    return await _page(services, INSTALLATION, wanted, limit, cursor)


@router.get(
    "/installation/audit/export",
    operation_id="exportInstallationAudit",
    response_class=StreamingResponse,
    responses=problems() | _FILE,
)
async def export_installation_audit(
    _principal: Annotated[Principal, allowed(Permission.EXPORT_INSTALLATION_AUDIT)],
    services: TheServices,
    wanted: Wanted,
    format_: Format = "ndjson",
) -> Response:
    """The installation's audit as a file. If the connection breaks off, the file is not whole."""
    return await _export(services, INSTALLATION, wanted, format_)
