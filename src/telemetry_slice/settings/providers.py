"""Providers of OpenID Connect, as the settings name them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

ROLES = ("owner", "admin", "operator", "viewer")
ProviderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Several = Annotated[tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]


class OidcProvider(BaseModel):
    """A provider of OpenID Connect by which people sign in (docs/operations/openid-connect.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, Field(pattern=r"^https?://[^?#\s]+$")]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    label: Annotated[str, Field(max_length=60)] | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    tenant: str | None = None
    groups_claim: str = "groups"
    roles: dict[str, Several] = {}
    admins: str | None = None
    link_by_email: bool = False
    allow_private: bool = False

    @property
    def secret(self) -> str | None:
        """The client's secret. Raises OSError if its file cannot be read."""
        if self.client_secret_file is not None:
            return self.client_secret_file.read_text().strip()
        return None if self.client_secret is None else self.client_secret.get_secret_value()

    @property
    def granted(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """What each group is: (tenant, role)."""
        return {group: tuple(self._granted(each) for each in given) for group, given in self.roles.items()}

    def _granted(self, given: str) -> tuple[str, str]:
        tenant, _, role = given.rpartition(":")
        if role not in ROLES or bool(tenant) == (self.tenant is not None):
            form = "ROLE" if self.tenant is not None else "TENANT:ROLE"
            raise ValueError(f"roles are {form}, and ROLE one of {', '.join(ROLES)}: not {given}")
        return tenant or self.tenant or "", role

    @model_validator(mode="after")
    def _consistent(self) -> OidcProvider:
        if not any(self.granted.values()) and self.admins is None:
            raise ValueError("roles must say what a group may do, or nobody could sign in")
        if self.tenant is not None and (self.admins is not None or self.link_by_email):
            raise ValueError("admins and link_by_email are not for a provider of one tenant: they reach beyond it")
        if self.issuer.startswith("http://") and not self.allow_private:
            raise ValueError("issuer must be https://, except with allow_private on this very machine")
        if self.client_secret is not None and self.client_secret_file is not None:
            raise ValueError("client_secret or client_secret_file, not both")
        if self.client_secret_file is not None and not os.access(self.client_secret_file, os.R_OK):
            raise ValueError(f"client_secret_file {self.client_secret_file} cannot be read")
        if "openid" not in self.scopes:
            raise ValueError("scopes must contain openid")
        return self
