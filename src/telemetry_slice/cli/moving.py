"""`tslice tenants export | import`: a tenant whole, from one installation to another."""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.placement import PlacementKind
from .failure import CliError
from .options import Data, PlacedIn, PlacementDatabase

if TYPE_CHECKING:
    from ..runtime.moving import Moved


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _moved(work: Callable[[], Moved]) -> Moved:
    """What `work` moved; its refusals as sentences."""
    from ..engines.folder.lock import FolderBusyError
    from ..engines.sql.migrate import NewerSchemaError
    from ..model.errors import SliceError, UnavailableError
    from ..ports.moving import MoveRefusedError

    try:
        return work()
    except FolderBusyError as error:
        raise CliError(f"{error}: stop it first, so that nothing is in flight") from error
    except UnavailableError as error:
        raise CliError(f"a database or queue cannot be used, nothing was moved: {error}") from error
    except SliceError as error:
        raise CliError(" ".join([error.detail, *(field.detail for field in error.fields)])) from error
    except OSError as error:
        raise CliError(f"{error.filename or 'the file'}: {error.strerror or error}") from error
    except (MoveRefusedError, NewerSchemaError, ValueError) as error:
        raise CliError(str(error)) from error


def _summary(moved: Moved) -> str:
    rows = moved.rows
    ended = f", {moved.ended_keys} keys ended" if moved.ended_keys else ""
    return (
        f"{moved.tenant_id}: {rows['devices']:,} devices, {moved.live_keys:,} live keys, {rows['members']:,} users,"
        f" {rows['claims']:,} events, {rows['readings']:,} readings, {rows['letters']:,} dead letters{ended}"
    )


def export_tenant(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT")],
    file: Annotated[Path, typer.Argument(help="The file to make; it never overwrites.")],
    *,
    data: Data,
) -> None:
    """Write a tenant whole to a file, for `tenants import` elsewhere. It must be quiet: a data folder's server is
    stopped, a distributed installation's queue holds nothing of it. The file holds secrets.
    """
    from ..runtime.moving import export_tenant
    from .configuration import settings_of

    settings = settings_of(data=data)
    moved = _moved(lambda: export_tenant(settings, tenant_id, file, _say))
    print(f"{file}: {_summary(moved)}")


def import_tenant(
    file: Annotated[Path, typer.Argument(help="What `tslice tenants export` made.")],
    *,
    end_keys: Annotated[
        bool, typer.Option("--end-keys", help="End the tenant's keys, where the other installation's do not work.")
    ] = False,
    placement: PlacedIn = PlacementKind.SHARED,
    database: PlacementDatabase = None,
    data: Data,
) -> None:
    """Take a tenant from a file, verified first: all of it, or nothing. A data folder's server is stopped meanwhile."""
    from ..runtime.moving import import_tenant
    from .configuration import settings_of

    settings = settings_of(data=data)
    moved = _moved(
        lambda: import_tenant(settings, file, end_keys=end_keys, said=_say, kind=placement, database=database)
    )
    print(_summary(moved))
