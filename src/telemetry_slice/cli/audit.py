"""`tslice audit list | export | verify`: who did what."""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from ..model.audit import Actor, ActorKind, AuditEntry, AuditOutcome, AuditRecord, ChainCheck
from ..model.times import parse_time
from .administration import ask, given
from .client import Api
from .failure import CliError
from .options import AsJson, Data, Key, TenantId, Url

audit = typer.Typer(help="Who did what: of a tenant, or of the installation.", no_args_is_help=True)

COLUMNS = (
    ("at", "AT"),
    ("who", "WHO"),
    ("action", "ACTION"),
    ("resource", "RESOURCE"),
    ("target", "TARGET"),
    ("outcome", "OUTCOME"),
    ("address", "FROM"),
    ("detail", "DETAIL"),
)
OfInstallation = Annotated[
    bool, typer.Option("--installation", help="What was done to tenants and to the installation.")
]
OfActor = Annotated[str | None, typer.Option("--actor", help="Id or name of who acted.")]
OfAction = Annotated[str | None, typer.Option("--action", help="A verb: issue, change, sign in, …")]
OfResource = Annotated[str | None, typer.Option("--resource", help="What it was done to: devices, keys, users, …")]
Refused = Annotated[bool, typer.Option("--refused", help="Only what was refused.")]
From = Annotated[str | None, typer.Option("--from", help="At or after this time.")]
To = Annotated[str | None, typer.Option("--to", help="Before this time.")]


def _path(installation: bool) -> str:
    return "/api/v1/installation/audit" if installation else "/api/v1/audit"


@audit.command("list")
def list_audit(
    *,
    installation: OfInstallation = False,
    actor: OfActor = None,
    action: OfAction = None,
    resource: OfResource = None,
    refused: Refused = False,
    from_: From = None,
    to: To = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 100,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """List who did what, newest first."""
    from .tables import show_rows

    params = given(actor=actor, action=action, resource=resource, to=to, outcome="refused" if refused else None)
    params |= {"limit": min(limit, 1000)} | ({"from": from_} if from_ else {})
    found = ask(
        url,
        key,
        data,
        tenant,
        lambda api: api.pages(_path(installation), "records", params, at_most=limit),
        in_tenant=not installation,
    )
    rows = found if as_json else [{**record, "who": _who(record["actor"])} for record in found]
    show_rows(rows, COLUMNS, as_json=as_json, nothing="nothing was done")


def _who(actor: dict[str, str]) -> str:
    return actor["name"] or f"{actor['kind']} {actor['id']}".removesuffix(" console")


@audit.command("export")
def export_audit(
    file: Annotated[Path | None, typer.Argument(help="The file to make, never to overwrite; default: print.")] = None,
    *,
    installation: OfInstallation = False,
    format_: Annotated[str, typer.Option("--format", help="ndjson or csv.")] = "ndjson",
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """Write the audit, oldest first. A kept NDJSON export is what `audit verify --against` compares with."""

    async def work(api: Api) -> int:
        try:
            target: BinaryIO = sys.stdout.buffer if file is None else file.open("xb")
        except OSError as error:
            raise CliError(f"{file}: {error.strerror}") from error
        lines = 0
        try:
            async for line in api.lines(f"{_path(installation)}/export", {"format": format_}):
                target.write(line.encode() + b"\n")
                lines += 1
        finally:
            target.flush()
            if file is not None:
                target.close()
        return lines

    lines = ask(url, key, data, tenant, work, in_tenant=not installation)
    if file is not None:
        print(f"{file}: {lines - (format_ == 'csv'):,} records")


def record_of(body: dict[str, Any]) -> AuditRecord:
    """A record as the server tells it."""
    actor = Actor(ActorKind(body["actor"]["kind"]), body["actor"]["id"], body["actor"]["name"])
    entry = AuditEntry(
        parse_time(body["at"]),
        actor,
        body["action"],
        body["resource"],
        body["target"],
        body["tenant"],
        body["address"],
        body["agent"],
        AuditOutcome(body["outcome"]),
        body["detail"],
    )
    return AuditRecord(body["sequence"], entry, bytes.fromhex(body["hash"]))


def read_export(lines: Iterable[str], name: str) -> dict[int, bytes]:
    """The hashes of an earlier export by sequence. Raises CliError for what is none, or does not hold itself."""
    check, hashes = ChainCheck(), {}
    try:
        for line in lines:
            record = record_of(json.loads(line))
            check.read([record])
            hashes[record.sequence] = record.hash
    except (ValueError, KeyError, TypeError) as error:
        raise CliError(f"{name} is no whole NDJSON export of an audit: {error}") from error
    if check.fault is not None:
        raise CliError(f"{name} does not hold itself: {check.fault}")
    return hashes


@audit.command("verify")
def verify_audit(
    *,
    installation: OfInstallation = False,
    against: Annotated[
        Path | None, typer.Option("--against", help="An earlier NDJSON export, which must be how the chain begins.")
    ] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """Read the whole chain and make every hash anew, here; fails if a record was changed, removed, inserted, moved."""
    try:
        known = {} if against is None else read_export(against.read_text().splitlines(), str(against))
    except OSError as error:
        raise CliError(f"{against}: {error.strerror}") from error

    async def work(api: Api) -> ChainCheck:
        head = (await api.call("GET", _path(installation), params={"limit": 1}))["head"]
        check = ChainCheck()
        async for line in api.lines(f"{_path(installation)}/export"):
            record = record_of(json.loads(line))
            check.read([record])
            exported = known.pop(record.sequence, record.hash)
            last = bytes.fromhex(head["hash"]) if record.sequence == head["sequence"] else record.hash
            if check.fault is None and not record.hash == exported == last:
                check.fault = f"record {record.sequence} is not the one that was exported, or last, before"
        if check.fault is None and (known or check.sequence < head["sequence"]):
            check.fault = f"the chain ends with record {check.sequence}, and once went further"
        return check

    check = ask(url, key, data, tenant, work, in_tenant=not installation)
    if check.fault is not None:
        raise CliError(check.fault)
    print(f"{check.sequence:,} records, unbroken; the last is {check.hash.hex()}")
