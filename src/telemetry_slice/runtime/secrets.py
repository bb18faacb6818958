"""The installation's own secrets: from settings where they say so, else from the data folder."""

from __future__ import annotations

from dataclasses import replace

from ..engines.folder.secrets import FolderSecrets, ensure_secrets, load_secrets
from ..engines.inprocess import SystemClock
from ..flow.access import Secrets, new_signing_key
from ..flow.access.renewal import Dependents, depending
from ..model.peppers import fingerprint_of
from ..settings import Settings, bytes_of, jwk_of
from .chains import registry_of


def kept_secrets(settings: Settings, *, make: bool = True) -> FolderSecrets:
    """All of them; without `make`, those of the folder are not made where there are none.

    Raises FileNotFoundError, or ValueError for a file that is broken or that others may read.
    """
    pepper, console_key, cursor_secret = settings.pepper, settings.console_key, settings.cursor_secret
    if pepper is not None and console_key is not None and cursor_secret is not None:
        # An installation whose machines share no folder.
        kept = FolderSecrets(bytes_of(pepper), jwk_of(console_key), bytes_of(cursor_secret))
    else:
        kept = ensure_secrets(settings.data, new_signing_key) if make else load_secrets(settings.data)
        if console_key is not None:
            kept = replace(kept, signing_key=jwk_of(console_key))
        if cursor_secret is not None:
            kept = replace(kept, cursor_secret=bytes_of(cursor_secret))
    if pepper is not None:
        others = tuple(bytes_of(each) for each in settings.previous_peppers)
        kept = replace(kept, pepper=bytes_of(pepper), next_pepper=None, previous_peppers=others)
    return kept


def access_secrets(kept: FolderSecrets) -> Secrets:
    """What those who sign in are checked with."""
    return Secrets(kept.pepper, kept.signing_key, kept.other_peppers)


def fingerprint_for(settings: Settings) -> str:
    """Of the pepper that a tenant's keys were made under, for whoever takes them elsewhere; of none while there are
    several.
    """
    kept = kept_secrets(settings, make=False)
    return "several" if kept.previous_peppers else fingerprint_of(kept.pepper)


async def depending_on_other_peppers(settings: Settings) -> Dependents:
    """What would be lost if only the current pepper were known. Raises as `kept_secrets`, and UnavailableError."""
    peppers = access_secrets(kept_secrets(settings, make=False)).peppers
    registry = registry_of(settings)
    try:
        return await depending(peppers, registry, SystemClock())
    finally:
        registry.close()
