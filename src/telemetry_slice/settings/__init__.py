"""Every setting: environment `TSLICE_<NAME>`, `<name>` in tslice.toml, or as `sources` says. Read once, by the
composition root.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ..model.peppers import LEAST_BYTES
from .providers import OidcProvider, ProviderName
from .sources import FILES, SecretFiles, vaults

CLIENT_SETTINGS = frozenset(f"TSLICE_{name}" for name in ("URL", "KEY", "CA_FILE", "STATE", "NEW_PASSWORD", "SKIP_WEB"))
"""Read by the verbs that speak to a server or build it, not by the server."""

PerSecond = Annotated[int, Field(ge=0, le=10_000_000)]
MIB = 1 << 20
_POSTGRES = ("postgresql://", "postgres://")
PostgresUrl = Annotated[str, Field(pattern=r"^postgres(ql)?://")]
DatabaseName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]


class PlacementDatabase(BaseModel):
    """A database that tenants are placed in, on any server: an address for each role, as of the installation's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: PostgresUrl
    writer_url: PostgresUrl
    migration_url: PostgresUrl | None = None
    admin_url: PostgresUrl | None = None
    queue_bytes: int = Field(256 * MIB, ge=16 * MIB)


def _check_bytes(value: SecretStr) -> SecretStr:
    try:
        found = b64decode(value.get_secret_value(), validate=True)
    except ValueError:
        raise ValueError("must be base64") from None
    if len(found) < LEAST_BYTES:
        raise ValueError(f"must be at least {LEAST_BYTES} random bytes, as base64; this has {len(found)}")
    return value


def _check_key(value: SecretStr) -> SecretStr:
    try:
        found = json.loads(value.get_secret_value())
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("crv") != "Ed25519" or not {"kty", "x", "d"} <= found.keys():
        raise ValueError("must be a private Ed25519 key as a JWK")
    return value


def bytes_of(value: SecretStr) -> bytes:
    """The bytes of a checked setting."""
    return b64decode(value.get_secret_value())


def jwk_of(value: SecretStr) -> dict[str, str]:
    """The key of a checked setting."""
    found: dict[str, str] = json.loads(value.get_secret_value())
    return found


SecretBytes = Annotated[SecretStr, AfterValidator(_check_bytes)]
SecretKey = Annotated[SecretStr, AfterValidator(_check_key)]


def _whole(value: object) -> object:
    """The environment speaks in text, which a choice of numbers would refuse."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


class Settings(BaseSettings):
    """Units and defaults. Without a PostgreSQL address the installation is embedded: one process over one folder."""

    model_config = SettingsConfigDict(
        env_prefix="TSLICE_",
        toml_file="tslice.toml",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        # What is wrong may hold a password.
        hide_input_in_errors=True,
    )

    data: Path = Field(Path("./data"), description="Data folder.")
    database_url: str | None = Field(
        None,
        description="sqlite:///DIR/telemetry.db, another way to name the data folder; or"
        " postgresql://tslice_api:…@HOST/DATABASE, signed in as the API role: then the installation is distributed.",
    )
    database_writer_url: str | None = Field(
        None, description="The same database, signed in as the writer role; distributed only."
    )
    database_migration_url: str | None = Field(
        None, description="The same database, signed in as the migration role; read by `tslice migrate` alone."
    )
    database_admin_url: str | None = Field(
        None,
        description="An administrator's address of the server: with it `tslice migrate` makes what is missing of roles"
        " and database, with the passwords that the other addresses have. Needed once.",
    )
    replica_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="postgresql://… of every streaming replica that may answer reads, comma-separated, signed in as the"
        " API role; distributed only.",
    )
    replica_max_lag_s: float = Field(
        1.0, ge=0.1, le=10, description="Seconds that an answer of a replica may be behind the primary."
    )
    placement_databases: dict[DatabaseName, PlacementDatabase] = Field(
        {},
        description='Databases for tenants of their own, by name: {"NAME": {"url": …, "writer_url": …, "migration_url":'
        ' …, "admin_url": …, "queue_bytes": …}}, the addresses as TSLICE_DATABASE_URL and its kin; distributed only.',
    )
    queue_url: str = Field(
        "inprocess:",
        pattern=r"^(inprocess:|(nats|tls)://.+)$",
        description="inprocess:, or nats://HOST:PORT (tls://USER:PASSWORD@HOST:PORT) of every JetStream server,"
        " comma-separated; distributed only.",
    )
    queue_monitor_url: str | None = Field(
        None, description="Monitoring address of every JetStream server, comma-separated: durability is checked there."
    )
    queue_durability: Literal["checked", "assumed"] = Field(
        "checked", description="assumed = start without looking whether the queue waits for the disk."
    )
    queue_replicas: Annotated[Literal[1, 3, 5], BeforeValidator(_whole)] = Field(
        1, description="Copies of the queue: 1 on one server, 3 in a cluster."
    )
    queue_bytes: int = Field(
        1024 * MIB, ge=16 * MIB, description="Bytes the queue holds on disk; above it ingest answers 503."
    )
    redis_url: str | None = Field(
        None, description="redis://HOST:PORT of Valkey or Redis: quotas and news between processes; distributed only."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    watch_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Port at which a writer or the scheduler answers /health, /health/ready and /metrics, on"
        " TSLICE_HOST; unset = none. With `serve --role all` the scheduler has this one and the writers the next ones.",
    )
    tls_cert: Path | None = Field(
        None, description="PEM file of the certificate chain; with TSLICE_TLS_KEY the server speaks HTTPS."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks, comma-separated, whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    client_cert_header: Literal["Client-Cert", "X-Forwarded-Client-Cert"] | None = Field(
        None,
        description="Header in which the trusted proxies say which client certificate they have verified: Client-Cert"
        " (RFC 9440) or X-Forwarded-Client-Cert (Envoy, with Hash). Unset = none is believed.",
    )

    limit_key_per_second: PerSecond = Field(100, description="Requests a second per key; 0 = none.")
    limit_tenant_per_second: PerSecond = Field(1_000, description="Requests a second per tenant; 0 = none.")
    limit_global_per_second: PerSecond = Field(10_000, description="Requests a second in all; 0 = none.")
    limit_key_events_per_second: PerSecond | None = Field(
        None, description="Events a second per key; default 20 × the requests; 0 = none."
    )
    limit_tenant_events_per_second: PerSecond | None = Field(
        None, description="Events a second per tenant; default 20 × the requests; 0 = none."
    )
    limit_global_events_per_second: PerSecond | None = Field(
        None, description="Events a second in all; default 20 × the requests; 0 = none."
    )

    max_request_bytes: int = Field(MIB, ge=1_024, description="Bytes of a request on the wire.")
    max_decoded_bytes: int = Field(8 * MIB, ge=1_024, description="Bytes of a request when decompressed.")
    max_request_events: int = Field(1_000, ge=1, le=100_000, description="Events of a request.")
    max_inflight_bytes: int = Field(
        64 * MIB, ge=MIB, description="Bytes of requests worked on at once, shared fairly between tenants."
    )
    max_queued_events: int = Field(
        50_000, ge=1_000, description="Events waiting for the writer; above it ingest answers 503."
    )
    max_dead_letters: int = Field(100_000, ge=1, description="Open dead letters of a tenant; at it ingest answers 429.")
    max_series: int = Field(
        100_000, ge=1, description="Series (device, type, unit, kind) of a tenant; above it events die as series_limit."
    )
    batch_events: int = Field(5_000, ge=1, le=50_000, description="Events the writer stores in one transaction, about.")

    retention_days: int | None = Field(
        None, ge=1, description="Readings recorded more days ago are deleted; unset keeps everything."
    )
    ledger_days: int | None = Field(
        None,
        ge=14,
        description="PostgreSQL: the ledger lets go of UUIDv7 made more days ago, in whole weeks; such an id dies as"
        " id_expired when it comes again. Unset knows every id for ever.",
    )
    disk_reserve_bytes: int = Field(
        256 * MIB, ge=0, description="Free bytes below which ingest answers 503 while reads go on."
    )

    public_url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]+/?$")] | None = Field(
        None, description="Where people reach the page, as https://HOST; links in e-mails begin with it."
    )
    smtp_url: Annotated[str, Field(pattern=r"^smtps?://")] | None = Field(
        None,
        description="smtp://USER:PASSWORD@HOST:PORT (STARTTLS where offered) or smtps://…: sends invitations and links"
        " for new passwords; with TSLICE_SMTP_FROM and TSLICE_PUBLIC_URL. Unset = whoever makes a link hands it on.",
    )
    smtp_from: Annotated[str, Field(pattern=r"^[^\r\n]+@[^\r\n]+$")] | None = Field(
        None, description="Sender of e-mails: an address, or NAME <ADDRESS>."
    )
    pepper: SecretBytes | None = Field(
        None,
        description="Base64 of at least 24 random bytes: the secret under which keys are kept; unset = that of"
        " secrets.json in the data folder. With TSLICE_CONSOLE_KEY and TSLICE_CURSOR_SECRET no such file is needed.",
    )
    previous_peppers: Annotated[tuple[SecretBytes, ...], NoDecode] = Field(
        (),
        description="Peppers that are believed as well, comma-separated: those before TSLICE_PEPPER, and while it is"
        " being changed the next one.",
    )
    console_key: SecretKey | None = Field(
        None,
        description="Private Ed25519 key, as a JWK, by which the machine of the installation speaks for its console;"
        " unset = that of secrets.json.",
    )
    cursor_secret: SecretBytes | None = Field(
        None, description="Base64 of at least 24 random bytes: seals cursors; unset = that of secrets.json."
    )
    aws_secret_id: str | None = Field(
        None,
        description="A secret of AWS Secrets Manager, a JSON object of settings by their names here; region and"
        " credentials as every AWS program finds them. Needs the extra `aws`.",
    )
    azure_vault_url: Annotated[str, Field(pattern=r"^https://")] | None = Field(
        None,
        description="An Azure Key Vault with a secret for each setting, named TSLICE-DATABASE-URL and so on; signed in"
        " as DefaultAzureCredential does. Needs the extra `azure`.",
    )
    oidc_providers: dict[ProviderName, OidcProvider] = Field(
        {},
        description='Providers of OpenID Connect by which people sign in, by name: {"NAME": {"issuer": …, "client_id":'
        ' …, "client_secret" or "client_secret_file": …, "label": …, "scopes": […], "tenant": …, "groups_claim": …,'
        ' "roles": {GROUP: ROLE or TENANT:ROLE}, "admins": GROUP, "link_by_email": …, "allow_private": …}}; see'
        " [OpenID Connect](../operations/openid-connect.md).",
    )
    signing_key_days: int = Field(
        30, ge=1, le=365, description="Days that a key signs access tokens before the next one does."
    )
    key_warning_days: int = Field(
        14, ge=1, le=365, description="Days before a key ends from which on everybody concerned is told."
    )
    metrics_token: str | None = Field(
        None, description="Bearer token for /metrics; without it only loopback may read it."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto = console on a terminal, JSON elsewhere."
    )

    v1_deprecation: AwareDatetime | None = Field(None, description="From when v1 answers say Deprecation.")
    v1_sunset: AwareDatetime | None = Field(
        None, description="When v1 ends with 410; at least 6 months after the deprecation."
    )

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: object) -> object:
        for name in ("trusted_proxies", "replica_urls", "previous_peppers"):
            if isinstance(values, dict) and isinstance(values.get(name), str):
                given = values[name].split(",")
                values = values | {name: tuple(each.strip() for each in given if each.strip())}
        return values

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: object) -> object:
        """A misspelt setting must not be a silent one."""
        known = {f"TSLICE_{name.upper()}" for name in cls.model_fields} | CLIENT_SETTINGS | FILES.keys()
        unknown = sorted(name for name in os.environ if name.startswith("TSLICE_") and name not in known)
        if unknown:
            raise ValueError(f"unknown setting {', '.join(unknown)}; docs/reference/settings.md lists them all")
        return values

    @model_validator(mode="before")
    @classmethod
    def _folder_of_url(cls, values: object) -> object:
        if not isinstance(values, dict) or not values.get("database_url"):
            return values
        url = str(values["database_url"])
        if url.startswith(_POSTGRES):
            return values
        found = re.fullmatch(r"sqlite:///(.+)/telemetry\.db", url)
        if not found:
            raise ValueError("TSLICE_DATABASE_URL must be sqlite:///DIR/telemetry.db or postgresql://…")
        return {"data": found[1]} | values

    @property
    def distributed(self) -> bool:
        """Whether the engines are servers of their own."""
        return self.database_url is not None and self.database_url.startswith(_POSTGRES)

    @model_validator(mode="after")
    def _engines_that_fit(self) -> Settings:
        needed: dict[str, object] = {
            "TSLICE_DATABASE_WRITER_URL": self.database_writer_url,
            "TSLICE_QUEUE_URL": None if self.queue_url == "inprocess:" else self.queue_url,
            "TSLICE_REDIS_URL": self.redis_url,
        }
        if self.distributed:
            missing = [name for name, value in needed.items() if value is None]
            if missing:
                raise ValueError(f"TSLICE_DATABASE_URL is PostgreSQL: {', '.join(missing)} must be set as well")
            if self.queue_monitor_url is None and self.queue_durability == "checked":
                raise ValueError("TSLICE_QUEUE_MONITOR_URL must be set, or TSLICE_QUEUE_DURABILITY=assumed")
            if not all(url.startswith(_POSTGRES) for url in self.replica_urls):
                raise ValueError("TSLICE_REPLICA_URLS must be postgresql://… addresses, comma-separated")
        else:
            needed["TSLICE_REPLICA_URLS"] = ",".join(self.replica_urls) or None
            needed["TSLICE_PLACEMENT_DATABASES"] = self.placement_databases or None
            given = [name for name, value in needed.items() if value is not None]
            if given:
                raise ValueError(f"{', '.join(given)} belongs to a distributed installation: set TSLICE_DATABASE_URL")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TSLICE_TLS_CERT and TSLICE_TLS_KEY are given together or not at all")
        if self.smtp_url is not None and (self.smtp_from is None or self.public_url is None):
            raise ValueError("TSLICE_SMTP_URL needs TSLICE_SMTP_FROM and TSLICE_PUBLIC_URL")
        if self.client_cert_header is not None:
            if not self.trusted_proxies:
                raise ValueError("TSLICE_CLIENT_CERT_HEADER needs TSLICE_TRUSTED_PROXIES: nobody else is believed")
            try:
                [ip_network(proxy, strict=False) for proxy in self.trusted_proxies]
            except ValueError as error:
                raise ValueError(f"TSLICE_CLIENT_CERT_HEADER needs addresses of proxies: {error}") from None
        if self.v1_sunset is not None:
            if self.v1_deprecation is None:
                raise ValueError("TSLICE_V1_SUNSET needs TSLICE_V1_DEPRECATION")
            if self.v1_sunset < _months_later(self.v1_deprecation, 6):
                raise ValueError("TSLICE_V1_SUNSET must be at least 6 months after TSLICE_V1_DEPRECATION")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic's signature; not read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment before files of secrets before vaults before tslice.toml."""
        toml = TomlConfigSettingsSource(settings_cls)
        named = vaults(settings_cls, toml, env_settings, init_settings)
        return init_settings, env_settings, SecretFiles(settings_cls), *named, toml


def _months_later(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    # The 28th exists in every month; a few days' difference in a limit of months does not matter.
    return moment.replace(year=moment.year + years, month=month + 1, day=min(moment.day, 28))
