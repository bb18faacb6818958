"""Secrets that are none: what examples and demos are shown with, and what is found by trying."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from ..settings import Settings

SHORTEST = 8
_EXAMPLE = re.compile(
    r"(my|your|the|a|some)?[-_ .]?"
    r"(change[-_ ]?(me|it|this)|replace[-_ ]?(me|this)|choose.*|secrets?|password|passwort|pass|pw|admin\w*|root|user"
    r"|test|demo|example|sample|default|guest|letmein|qwert\w*|postgres(ql)?|nats|redis|valkey|smtp|tslice\w*"
    r"|telemetry[-_ ]?(slice)?|metrics[-_ ]?token|token|abc\w?|x+|\.+|…|todo|none)"
    r"([-_ ]?(password|secret|token|me|here|now))?[\d!?.]*"
    r"|<.*>|\$\{.*\}|\{\{.*\}\}|\d+",
    re.IGNORECASE,
)


def weak_secrets(settings: Settings) -> list[str]:
    """One sentence for each setting whose secret is an example's, or too short to be one; never the secret itself."""
    return [
        f"TSLICE_{name.upper()}: {what} {fault}; choose a long random one"
        for name, what, secret, user in _given(settings)
        if (fault := _fault(secret, user)) is not None
    ]


def _fault(secret: str, user: str | None) -> str | None:
    if _EXAMPLE.fullmatch(secret) or secret.casefold() == (user or "").casefold() or len(set(secret)) == 1:
        return "is one that examples have"
    return f"has fewer than {SHORTEST} characters" if len(secret) < SHORTEST else None


def _given(settings: Settings) -> Iterator[tuple[str, str, str, str | None]]:
    """(setting, what in it, the secret, whose) of all that can be tried from outside."""
    if settings.metrics_token is not None:
        yield "metrics_token", "the token", settings.metrics_token, None
    for name, urls in _urls(settings):
        for url in urls.split(","):
            named = _split(url.strip())
            if named is not None and named.password:
                yield name, "the password", unquote(named.password), unquote(named.username or "")


def _urls(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in (
        *("database_url", "database_writer_url", "database_migration_url", "database_admin_url"),
        *("queue_url", "redis_url", "smtp_url"),
    ):
        if (url := getattr(settings, name)) is not None:
            yield name, url
    for url in settings.replica_urls:
        yield "replica_urls", url
    for database in settings.placement_databases.values():
        for address in (database.url, database.writer_url, database.migration_url, database.admin_url):
            if address is not None:
                yield "placement_databases", address


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None
