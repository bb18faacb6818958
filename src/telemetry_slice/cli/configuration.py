"""Settings for a verb: what its options say before what the environment says."""

from __future__ import annotations

from typing import Any

from ..settings import Settings
from .failure import CliError


def settings_of(**options: Any) -> Settings:
    """The settings, with the options that were given.

    Raises:
        CliError: a setting is wrong; the text names it.
    """
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValueError as error:
        raise CliError(setting_errors(error)) from error


def setting_errors(error: ValueError) -> str:
    """One line per wrong setting, by the name it has in the environment."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    lines = []
    for found in errors():
        place = ".".join(str(part) for part in found["loc"])
        message = str(found["msg"]).removeprefix("Value error, ")
        lines.append(f"TSLICE_{place.upper()}: {message}" if place else message)
    return "\n".join(lines)
