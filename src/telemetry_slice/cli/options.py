"""Options that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..model.placement import PlacementKind


def default_data() -> Path:
    """The data folder that the settings name, ./data where they name none."""
    if "TSLICE_DATABASE_URL" not in os.environ and not Path("tslice.toml").exists():
        return Path("./data")
    from .configuration import settings_of  # noqa: PLC0415  # heavy, and rarely needed

    return settings_of().data


Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="TSLICE_DATA",
        default_factory=default_data,
        show_default=False,
        help="Data folder of the local platform; default: ./data.",
    ),
]
Url = Annotated[str | None, typer.Option("--url", envvar="TSLICE_URL", help="Address of the server.")]
Key = Annotated[str | None, typer.Option("--key", envvar="TSLICE_KEY", help="Key (tsk_…) to act with.")]
TenantId = Annotated[str | None, typer.Option("--tenant", help="Tenant to act in.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PlacedIn = Annotated[
    PlacementKind,
    typer.Option("--placement", help="Where its telemetry is to lie, for good; other than shared: PostgreSQL alone."),
]
PlacementDatabase = Annotated[
    str | None, typer.Option("--database", help="The placement database, as TSLICE_PLACEMENT_DATABASES names it.")
]
