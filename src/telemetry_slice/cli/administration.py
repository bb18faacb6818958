"""`tslice devices | keys | users`: administration over HTTP, like everybody's."""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .failure import CliError
from .options import AsJson, Data, Key, TenantId, Url

devices = typer.Typer(help="Devices of a tenant.", no_args_is_help=True)
keys = typer.Typer(help="Device, gateway and service keys of a tenant.", no_args_is_help=True)
users = typer.Typer(help="Users of a tenant.", no_args_is_help=True)

OfDevice = Annotated[str | None, typer.Option("--device", help="The device whose key it is.")]

DEVICE_COLUMNS = (
    ("deviceId", "DEVICE"),
    ("label", "LABEL"),
    ("location", "LOCATION"),
    ("tags", "TAGS"),
    ("status", "STATUS"),
    ("lastSeen", "LAST SEEN"),
    ("last", "LAST VALUES"),
)
KEY_COLUMNS = (
    ("keyId", "KEY"),
    ("kind", "KIND"),
    ("name", "NAME"),
    ("scopes", "SCOPES"),
    ("createdAt", "CREATED"),
    ("expiresAt", "EXPIRES"),
    ("lastUsedAt", "LAST USED"),
    ("lastUsedFrom", "FROM"),
    ("revokedAt", "REVOKED"),
)
USER_COLUMNS = (("id", "USER"), ("email", "E-MAIL"), ("name", "NAME"), ("role", "ROLE"))

Json = dict[str, Any]


def ask(
    url: str | None,
    key: str | None,
    data: Path,
    tenant: str | None,
    work: Callable[[Any], Awaitable[Any]],
    *,
    in_tenant: bool = True,
) -> Any:
    """Run `work` with a connection to the server that the options mean."""
    from .connection import Where, with_api

    return with_api(Where(url, key, data, tenant), work, in_tenant=in_tenant)


def given(**fields: Any) -> Json:
    """The fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


def show(rows: list[Json], columns: tuple[tuple[str, str], ...], as_json: bool, nothing: str) -> None:
    from .tables import show_rows

    show_rows(rows, columns, as_json=as_json, nothing=nothing)


def issued(answer: Json, as_json: bool) -> None:
    """Print a new key, which is shown this once; alone on standard output, for scripts."""
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    typer.echo(f"Key {answer['keyId']}; it is shown only now:", err=True)
    print(answer["key"])


# ------------------------------------------------------------------------------------------------------------- devices
def with_last(device: Json) -> Json:
    values = [f"{v['type']} {v['value']}{' ' + v['unit'] if v['unit'] else ''}" for v in device["lastValues"]]
    return {**device, "last": values}


def show_devices(found: list[Json], as_json: bool) -> None:
    show(found if as_json else [with_last(device) for device in found], DEVICE_COLUMNS, as_json, "no devices")


@devices.command("list")
def list_devices(
    *,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Part of id, label or location.")] = None,
    tag: Annotated[str | None, typer.Option(help="With this tag.")] = None,
    location: Annotated[str | None, typer.Option(help="At this location.")] = None,
    status: Annotated[str | None, typer.Option(help="online, late, silent or new.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """List the devices with their last values."""
    params = {"q": query, "tag": tag, "location": location, "status": status, "limit": 200}
    found = ask(url, key, data, tenant, lambda api: api.pages("/api/v1/devices", "devices", params))
    show_devices(found, as_json)


@devices.command("create")
def create_device(
    device: Annotated[str, typer.Argument()],
    *,
    label: Annotated[str | None, typer.Option(help="What people call it; default: the id.")] = None,
    location: Annotated[str | None, typer.Option(help="Where it is.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Create a device."""
    body = given(deviceId=device, label=label, location=location, tags=tag)
    show_devices([ask(url, key, data, tenant, lambda api: api.call("POST", "/api/v1/devices", json=body))], as_json)


@devices.command("change")
def change_device(
    device: Annotated[str, typer.Argument()],
    *,
    label: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    location: Annotated[str | None, typer.Option(help="Where it is.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="The tags from now on; may be repeated.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Change label, location or tags; what is not given stays."""
    body, path = given(label=label, location=location, tags=tag), f"/api/v1/devices/{quoted(device)}"
    if not body:
        raise CliError("nothing to change; see --help")
    show_devices([ask(url, key, data, tenant, lambda api: api.call("PATCH", path, json=body))], as_json)


@devices.command("delete")
def delete_device(
    device: Annotated[str, typer.Argument()],
    *,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """Delete a device; its keys end, its history stays."""
    ask(url, key, data, tenant, lambda api: api.call("DELETE", f"/api/v1/devices/{quoted(device)}"))
    print(f"deleted {device}")


def quoted(part: str) -> str:
    """An id as one segment of a path."""
    from urllib.parse import quote

    return quote(part, safe="")


# ---------------------------------------------------------------------------------------------------------------- keys
def keys_path(device: str | None) -> str:
    return "/api/v1/keys" if device is None else f"/api/v1/devices/{quoted(device)}/keys"


@keys.command("list")
def list_keys(
    *,
    device: OfDevice = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """List the gateway and service keys, or those of a device."""
    answer = ask(url, key, data, tenant, lambda api: api.call("GET", keys_path(device)))
    show(answer["keys"], KEY_COLUMNS, as_json, "no keys")


@keys.command("issue")
def issue_key(
    *,
    device: OfDevice = None,
    gateway: Annotated[bool, typer.Option("--gateway", help="A key that sends for any device.")] = False,
    service: Annotated[bool, typer.Option("--service", help="A key for a program, with --scope.")] = False,
    scope: Annotated[list[str] | None, typer.Option(help="read, ingest or admin; may be repeated.")] = None,
    address: Annotated[list[str] | None, typer.Option(help="Address or network to use it from; repeatable.")] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[str | None, typer.Option(help="When it ends, for example 2027-01-31T00:00:00Z.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Issue a key for a device, a gateway or a service."""
    if (device is not None) + gateway + service != 1:
        raise CliError("say what for: --device ID, --gateway, or --service --scope …")
    body = given(name=name, expiresAt=expires)
    if device is None:
        body |= {"kind": "gateway" if gateway else "service", "scopes": scope or []} | given(addresses=address)
    issued(ask(url, key, data, tenant, lambda api: api.call("POST", keys_path(device), json=body)), as_json)


@keys.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID")],
    *,
    device: OfDevice = None,
    overlap: Annotated[int | None, typer.Option(help="Seconds that the old key goes on; default: a day.")] = None,
    until: Annotated[str | None, typer.Option(help="Or when it ends, for example 2027-01-31T00:00:00Z.")] = None,
    expires: Annotated[str | None, typer.Option(help="When the new key ends.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Issue a key in place of an old one, which ends after the overlap."""
    path = f"{keys_path(device)}/{quoted(key_id)}/rotate"
    body = given(overlapSeconds=overlap, oldEndsAt=until, expiresAt=expires)
    issued(ask(url, key, data, tenant, lambda api: api.call("POST", path, json=body)), as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID")],
    *,
    device: OfDevice = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """End a key now."""
    ask(url, key, data, tenant, lambda api: api.call("DELETE", f"{keys_path(device)}/{quoted(key_id)}"))
    print(f"revoked {key_id}")


# --------------------------------------------------------------------------------------------------------------- users
@users.command("list")
def list_users(
    *, url: Url = None, key: Key = None, tenant: TenantId = None, data: Data, as_json: AsJson = False
) -> None:
    """List the users of the tenant."""
    answer = ask(url, key, data, tenant, lambda api: api.call("GET", "/api/v1/users"))
    show(answer["users"], USER_COLUMNS, as_json, "no users")


@users.command("create")
def create_user(
    email: Annotated[str, typer.Argument()],
    *,
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    role: Annotated[str, typer.Option(help="owner, admin, operator or viewer.")] = "viewer",
    password: Annotated[
        str | None, typer.Option(envvar="TSLICE_NEW_PASSWORD", help="Default: one is made up and printed.")
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="The account exists; let it join this tenant.")] = False,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Add a user to the tenant."""
    import secrets

    made_up = secrets.token_urlsafe(12) if password is None and not join else None
    body = {"email": email, "role": role} | given(name=name or None, password=password or made_up)
    answer = ask(url, key, data, tenant, lambda api: api.call("POST", "/api/v1/users", json=body))
    show([answer], USER_COLUMNS, as_json, "")
    if made_up:
        typer.echo("The password is shown only now:", err=True)
        typer.echo(made_up, err=as_json)


async def user_id(api: Any, user: str) -> str:
    """The id of a user given by id or e-mail."""
    for found in (await api.call("GET", "/api/v1/users"))["users"]:
        if user == found["id"] or user.casefold() == found["email"].casefold():
            return str(found["id"])
    raise CliError(f"there is no user {user} in this tenant")


@users.command("role")
def set_role(
    user: Annotated[str, typer.Argument(help="E-mail or id.")],
    role: Annotated[str, typer.Argument(help="owner, admin, operator or viewer.")],
    *,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Change what a user may do."""

    async def work(api: Any) -> Json:
        answer: Json = await api.call("PATCH", f"/api/v1/users/{await user_id(api, user)}", json={"role": role})
        return answer

    show([ask(url, key, data, tenant, work)], USER_COLUMNS, as_json, "")


@users.command("remove")
def remove_user(
    user: Annotated[str, typer.Argument(help="E-mail or id.")],
    *,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """End a user's membership in the tenant."""

    async def work(api: Any) -> None:
        await api.call("DELETE", f"/api/v1/users/{await user_id(api, user)}")

    ask(url, key, data, tenant, work)
    print(f"removed {user}")
