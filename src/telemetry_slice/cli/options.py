"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DATA = Path("./data")

Data = Annotated[Path, typer.Option("--data", envvar="TSLICE_DATA", help="Data folder of the local platform.")]
Url = Annotated[str | None, typer.Option("--url", envvar="TSLICE_URL", help="Address of the server.")]
Key = Annotated[str | None, typer.Option("--key", envvar="TSLICE_KEY", help="Key (tsk_…) to act with.")]
TenantId = Annotated[str | None, typer.Option("--tenant", help="Tenant to act in.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
