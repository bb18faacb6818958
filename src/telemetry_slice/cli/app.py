"""The verbs of `tslice` and their options. Each imports what it needs when it runs, so that --help is quick."""

# ruff: noqa: PLC0415

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .failure import CliError

app = typer.Typer(
    name="tslice",
    help="Telemetry Slice: takes telemetry, keeps every event exactly once, accounts for each of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

Data = Annotated[Path, typer.Option("--data", envvar="TSLICE_DATA", help="Data folder of the local platform.")]
Url = Annotated[str | None, typer.Option("--url", envvar="TSLICE_URL", help="Address of the server.")]
Key = Annotated[str | None, typer.Option("--key", envvar="TSLICE_KEY", help="Key (tsk_…) to act with.")]
TenantId = Annotated[str | None, typer.Option("--tenant", help="Tenant to act in.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DATA = Path("./data")


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="CSV, JSON or NDJSON file, perhaps .gz.")],
    *,
    url: Url = None,
    key: Key = None,
    device: Annotated[str | None, typer.Option(help="Device id; default: the file's name.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Type of a `value` column; default: value.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the values.")] = None,
    tz: Annotated[str, typer.Option(help="Time zone of times without offset.")] = "UTC",
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="Replay at the recorded pace times this; default: as fast as allowed."),
    ] = None,
    patience: Annotated[
        float | None, typer.Option(help="Give up after so many seconds without an answer; default: never.")
    ] = None,
    data: Data = DATA,
    tenant: TenantId = None,
) -> None:
    """Replay a file of readings as events.

    Ids are derived from device, type, time and occurrence: sending a file again stores nothing. An interrupted sending
    goes on where it was.
    """
    from rich.console import Console

    from .journal import state_folder
    from .localtime import zone_of
    from .readings import FileReader
    from .send import Sending, run_send
    from .target import sending_target

    try:
        zone = zone_of(tz)
    except ValueError as error:
        raise CliError(str(error)) from None
    stem = file.name
    while (shorter := Path(stem).stem) != stem:
        stem = shorter
    reader = FileReader(file, device=device or stem, type_=type_, unit=unit, zone=zone)
    target = sending_target(url, key, data, tenant)
    sending = Sending(reader, target, speed, patience, state_folder() / "send")
    raise typer.Exit(run_send(sending, Console(), Console(stderr=True)))


@app.command()
def agent(
    *,
    url: Url = None,
    key: Key = None,
    device: Annotated[str | None, typer.Option(help="Device id; default: this host's name.")] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between readings.")] = 5.0,
    spool: Annotated[Path | None, typer.Option(help="Folder for events that wait for the network.")] = None,
    data: Data = DATA,
    tenant: TenantId = None,
) -> None:
    """Send this host's own CPU, memory, disk, network, load and temperature readings until stopped."""
    import platform
    from hashlib import blake2b

    from .agent import run_agent_verb
    from .journal import state_folder
    from .target import sending_target

    target = sending_target(url, key, data, tenant)
    name = device or platform.node() or "host"
    place = blake2b(repr((target.url, name)).encode(), digest_size=8).hexdigest()
    run_agent_verb(target, name, interval, spool or state_folder() / "spool" / place)


def run() -> None:
    """Parse the arguments and run the verb; a CliError becomes a sentence and its exit code."""
    try:
        app()
    except CliError as error:
        print(f"tslice: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain again when it flushes at exit.
        sys.stderr.close()
        sys.exit(141)
