"""`tslice secrets`: one pepper after another."""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .failure import CliError
from .options import Data

if TYPE_CHECKING:
    from ..engines.folder.secrets import FolderSecrets
    from ..settings import Settings

secrets = typer.Typer(help="Secrets of the installation.", no_args_is_help=True)


def _folder_secrets(data: Path) -> tuple[Settings, FolderSecrets]:
    from ..engines.folder.secrets import load_secrets
    from .configuration import settings_of

    settings = settings_of(data=data)
    if settings.pepper is not None:
        raise CliError(
            "the pepper comes from TSLICE_PEPPER: change it there, and TSLICE_PREVIOUS_PEPPERS"
            " (docs/operations/secrets.md)"
        )
    try:
        return settings, load_secrets(data)
    except FileNotFoundError:
        raise CliError(f"{data} has no secrets.json") from None
    except (OSError, ValueError) as error:
        raise CliError(str(error)) from error


@secrets.command("rotate-pepper")
def rotate_pepper(*, data: Data) -> None:
    """Make a new pepper, under which keys are kept from the next start on; the old one is believed still. A distributed
    installation takes it up in two steps, so that no process meets what it cannot read: this says what comes next.
    """
    from ..engines.folder.secrets import announce_pepper, replace_secrets, use_next_pepper

    settings, kept = _folder_secrets(data)
    if kept.next_pepper is None:
        kept = announce_pepper(kept)
        if settings.distributed:
            replace_secrets(data, kept)
            print(
                "The next pepper is known. Give this secrets.json to every machine, restart every process (SIGHUP to"
                " `serve --role all`), then run this again."
            )
            return
    replace_secrets(data, use_next_pepper(kept))
    print(
        "The new pepper is current. Restart every process. `tslice doctor` says what still needs the old one; when"
        " nothing does, `tslice secrets retire-peppers` lets it go."
    )


@secrets.command("retire-peppers")
def retire_peppers(
    *,
    force: Annotated[bool, typer.Option("--force", help="Also if keys end by it.")] = False,
    data: Data,
) -> None:
    """Let go of earlier peppers, when nothing needs them any more."""
    import asyncio

    from ..engines.folder.secrets import forget_previous_peppers, replace_secrets
    from ..model.errors import UnavailableError
    from ..runtime.secrets import depending_on_other_peppers

    settings, kept = _folder_secrets(data)
    if not kept.previous_peppers:
        raise CliError("there is no earlier pepper")
    try:
        found = asyncio.run(depending_on_other_peppers(settings))
    except UnavailableError as error:
        raise CliError(f"the registry cannot be asked what needs them: {error}") from error
    if found and not force:
        raise CliError(
            f"{len(found.keys)} live keys and {found.sealed} sealed secrets need an earlier pepper (`tslice doctor`):"
            " keys are renewed when they are used, the rest when a server runs (--force ends them)"
        )
    replace_secrets(data, forget_previous_peppers(kept))
    print("The earlier peppers are gone from secrets.json. Restart every process.")
