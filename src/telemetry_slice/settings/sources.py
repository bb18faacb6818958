"""Where secret settings may come from besides the environment: files, Azure Key Vault, AWS Secrets Manager."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic_settings import (
    AWSSecretsManagerSettingsSource,
    AzureKeyVaultSettingsSource,
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)

PREFIX = "TSLICE_"
SECRETS = frozenset(
    {
        *("database_url", "database_writer_url", "database_migration_url", "database_admin_url", "replica_urls"),
        *("placement_databases", "queue_url", "redis_url", "smtp_url", "metrics_token"),
        *("pepper", "previous_peppers", "console_key", "cursor_secret"),
    }
)
"""Settings that are secrets, or hold one."""
FILES = {f"{PREFIX}{name.upper()}_FILE": name for name in SECRETS}
"""Names the file that such a setting is read from."""
AWS, AZURE = "aws_secret_id", "azure_vault_url"


def _refuse_unknown(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """A misspelt secret must not be a silent one. `names` with other beginnings are other programs'."""
    unknown = {name.upper().replace("-", "_") for name in names if name.upper().replace("-", "_").startswith(PREFIX)}
    if unknown := unknown - {f"{PREFIX}{name.upper()}" for name in known}:
        raise ValueError(f"unknown setting {', '.join(sorted(unknown))} in {where}")


class SecretFiles(EnvSettingsSource):
    """TSLICE_<NAME>_FILE, for each of `SECRETS`; white space around what is in the file does not count."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        for file, name in FILES.items():
            setting, path = file.removesuffix("_FILE"), os.environ.get(file)
            if not path:
                continue
            if os.environ.get(setting):
                raise ValueError(f"{setting} and {file} are both given")
            try:
                found[f"{PREFIX}{name}".lower()] = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{file}: {path}: {getattr(error, 'strerror', None) or 'is no text'}") from None
            if not found[f"{PREFIX}{name}".lower()]:
                raise ValueError(f"{file}: {path} is empty")
        return found


class _AwsSecret(AWSSecretsManagerSettingsSource):
    """One secret, a JSON object of settings by their names in the environment."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found = super()._load_env_vars()
        _refuse_unknown(found, self.settings_cls.model_fields, "the secret of AWS Secrets Manager")
        return found


class _AzureVault(AzureKeyVaultSettingsSource):
    """A vault with a secret for each setting, dashes for underscores: TSLICE-DATABASE-URL."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found = super()._load_env_vars()
        _refuse_unknown(found, self.settings_cls.model_fields, "the Azure Key Vault")
        return found


def vaults(
    settings_cls: type[BaseSettings], *said: PydanticBaseSettingsSource
) -> tuple[PydanticBaseSettingsSource, ...]:
    """The vaults that are named in `said`, read. Raises ValueError where that is not possible; the text says why."""
    named: dict[str, str] = {}
    for source in said:
        named = {name: str(value) for name, value in source().items() if name in {AWS, AZURE} and value} | named
    opened: list[PydanticBaseSettingsSource] = []
    for name, extra in ((AWS, "aws"), (AZURE, "azure")):
        if name not in named:
            continue
        setting = f"{PREFIX}{name.upper()}"
        try:
            if name == AWS:
                # Region, credentials and endpoint are those that every AWS program finds.
                opened.append(_AwsSecret(settings_cls, named[AWS], case_sensitive=False, env_prefix=PREFIX))
            else:
                from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra

                credential = DefaultAzureCredential()
                opened.append(
                    _AzureVault(settings_cls, named[AZURE], credential, dash_to_underscore=True, env_prefix=PREFIX)
                )
        except ImportError:
            raise ValueError(f"{setting} needs a library: pip install 'telemetry-slice[{extra}]'") from None
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the provider's library raises
            raise ValueError(f"{setting}: cannot be read: {type(error).__name__}: {error}") from None
    return tuple(opened)
