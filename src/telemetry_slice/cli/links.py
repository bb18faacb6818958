"""`tslice users invite | reset | remove-second-factor`: ways in for people."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from .administration import Json, ask, user_id
from .options import AsJson, Data, Key, TenantId, Url


def told(answer: Json, what: str, as_json: bool) -> None:
    """Print a link, which is shown this once; alone on standard output, for scripts."""
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    sent = " It was sent by e-mail, too." if answer.get("sent") else ""
    typer.echo(f"{what}, good once and until {answer['expiresAt']}; it is shown only now.{sent}", err=True)
    print(answer["link"])


def invite(
    email: Annotated[str, typer.Argument()],
    *,
    role: Annotated[str, typer.Option(help="owner, admin, operator or viewer.")] = "viewer",
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Make a link by which somebody joins the tenant, with a new account or with their own."""
    body = {"email": email, "role": role}
    answer = ask(url, key, data, tenant, lambda api: api.call("POST", "/api/v1/invitations", json=body))
    told(answer, f"Invitation for {email}", as_json)


def reset(
    user: Annotated[str, typer.Argument(help="E-mail or id.")],
    *,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Make a link by which a user sets a new password."""

    async def work(api: Any) -> Json:
        answer: Json = await api.call("POST", f"/api/v1/users/{await user_id(api, user)}/reset")
        return answer

    told(ask(url, key, data, tenant, work), f"Link for a new password of {user}", as_json)


def remove_second_factor(
    user: Annotated[str, typer.Argument(help="E-mail or id.")],
    *,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """Let a user who has lost authenticator and recovery codes sign in with the password alone."""

    async def work(api: Any) -> None:
        await api.call("DELETE", f"/api/v1/users/{await user_id(api, user)}/second-factor")

    ask(url, key, data, tenant, work)
    typer.echo(f"{user} is asked for no code any more.", err=True)
