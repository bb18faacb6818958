"""`tslice enrolment`: tokens with which devices register themselves."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .administration import ask, given, quoted, show
from .options import AsJson, Data, Key, TenantId, Url

enrolment = typer.Typer(help="Tokens with which devices register themselves.", no_args_is_help=True)

PATH = "/api/v1/enrolment-tokens"
COLUMNS = (
    ("tokenId", "TOKEN"),
    ("name", "NAME"),
    ("uses", "USES"),
    ("maxUses", "OF"),
    ("deviceIdPrefix", "PREFIX"),
    ("tags", "TAGS"),
    ("expiresAt", "EXPIRES"),
    ("lastUsedAt", "LAST USED"),
    ("revokedAt", "REVOKED"),
)


@enrolment.command("create")
def create_token(
    *,
    uses: Annotated[int, typer.Option(min=1, max=100_000, help="How many devices may register.")] = 1,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[str | None, typer.Option(help="When it ends; default: in a week.")] = None,
    prefix: Annotated[str | None, typer.Option(help="With what the ids of the devices begin.")] = None,
    location: Annotated[str | None, typer.Option(help="Where they are.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag that they get; may be repeated.")] = None,
    key_days: Annotated[int | None, typer.Option(help="Days that their keys live; default: for ever.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Make a token, which is shown this once."""
    body = {"maxUses": uses, "name": name} | given(
        expiresAt=expires, deviceIdPrefix=prefix, location=location, tags=tag, keyDays=key_days
    )
    answer = ask(url, key, data, tenant, lambda api: api.call("POST", PATH, json=body))
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    told = f"Enrolment token {answer['tokenId']}, for {uses:,} devices until {answer['expiresAt']}"
    typer.echo(f"{told}; it is shown only now:", err=True)
    print(answer["token"])


@enrolment.command("list")
def list_tokens(
    *, url: Url = None, key: Key = None, tenant: TenantId = None, data: Data, as_json: AsJson = False
) -> None:
    """List the tokens, ended ones included."""
    answer = ask(url, key, data, tenant, lambda api: api.call("GET", PATH))
    show(answer["tokens"], COLUMNS, as_json, "no enrolment tokens")


@enrolment.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID")],
    *,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """End a token now. Devices that have registered with it keep their keys."""
    ask(url, key, data, tenant, lambda api: api.call("DELETE", f"{PATH}/{quoted(token_id)}"))
    print(f"revoked {token_id}")
