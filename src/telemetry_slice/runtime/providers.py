"""Providers of OpenID Connect, as the settings have them."""

from __future__ import annotations

from ..engines.inprocess import SystemClock
from ..engines.outbound import OutboundHttp
from ..flow.access import Provider, RefusedError, Remote
from ..model.errors import UnavailableError
from ..model.tenancy import Role
from ..ports.edge import Clock
from ..settings import Settings
from ..settings.providers import OidcProvider


def providers_of(settings: Settings, clock: Clock) -> tuple[Remote, ...]:
    """All, by name."""
    outbound = OutboundHttp()
    return tuple(
        Remote(_provider(name, told), outbound, clock) for name, told in sorted(settings.oidc_providers.items())
    )


def _provider(name: str, told: OidcProvider) -> Provider:
    roles = {group: tuple((tenant, Role(role)) for tenant, role in given) for group, given in told.granted.items()}
    tenants = {tenant for given in roles.values() for tenant, _ in given}
    return Provider(
        name=name,
        label=told.label or name,
        issuer=told.issuer,
        client_id=told.client_id,
        client_secret=told.secret,
        scopes=told.scopes,
        groups_claim=told.groups_claim,
        roles=roles,
        tenants=frozenset(tenants),
        tenant=told.tenant,
        admins=told.admins,
        link_by_email=told.link_by_email,
        allow_private=told.allow_private,
    )


async def examine_providers(settings: Settings) -> dict[str, str | None]:
    """Of each provider what is wrong with it, None when what it publishes is as it should be."""
    found: dict[str, str | None] = {}
    for remote in providers_of(settings, SystemClock()):
        name = remote.provider.name
        try:
            found[name] = None if await remote.keys() else "publishes no key that its tokens could be verified with"
        except (UnavailableError, RefusedError) as error:
            found[name] = str(error)
    return found
