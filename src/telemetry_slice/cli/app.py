"""The verbs of `tslice` and their options. Each imports what it needs when it runs, so that --help is quick."""

# ruff: noqa: PLC0415

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..model.errors import UnavailableError
from . import administration, certificates, lifecycle, links, moving, provisioning
from .audit import audit
from .enrolment import enrolment
from .failure import CliError
from .options import AsJson, Data, Key, TenantId, Url
from .secrets import secrets
from .tenants import tenants

app = typer.Typer(
    name="tslice",
    help="Telemetry Slice: takes telemetry, keeps every event exactly once, accounts for each of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

administration.users.command("invite")(links.invite)
administration.users.command("reset")(links.reset)
administration.users.command("remove-second-factor")(links.remove_second_factor)
tenants.command("export")(moving.export_tenant)
tenants.command("import")(moving.import_tenant)
tenants.command("suspend")(lifecycle.suspend_tenant)
tenants.command("resume")(lifecycle.resume_tenant)
tenants.command("erase")(lifecycle.erase_tenant)
administration.devices.command("certificate")(certificates.register_certificate)
administration.devices.command("import")(provisioning.import_devices)
app.add_typer(tenants, name="tenants")
app.add_typer(administration.devices, name="devices")
app.add_typer(administration.keys, name="keys")
app.add_typer(administration.users, name="users")
app.add_typer(enrolment, name="enrolment")
app.add_typer(audit, name="audit")
app.add_typer(secrets, name="secrets")
dead_letters = typer.Typer(help="Accepted events that could not be stored.", no_args_is_help=True)
app.add_typer(dead_letters, name="dead-letters")


@app.command()
def up(
    *,
    data: Data,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; default: 8000; 0 takes a free one.")] = None,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="On an empty folder: a set-up link, no demo.")] = False,
    demo_public: Annotated[
        bool, typer.Option("--demo-public", help="Serve the demo's credentials on other than loopback, knowingly.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file of the certificate chain: HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's private key.")] = None,
) -> None:
    """Run the platform: everything in one command, data in one folder, a demo if it is empty."""
    from .configuration import settings_of
    from .exposure import check_exposure, check_secrets

    settings = settings_of(data=data, host=host, port=port, tls_cert=tls_cert, tls_key=tls_key)
    if settings.distributed:
        raise CliError("tslice up is the embedded platform; with PostgreSQL it is `tslice serve --role all`")
    if not demo_public:
        check_exposure(settings.host, settings.data, wants_demo=not no_demo)
    check_secrets(settings)
    from .up import run_up

    run_up(settings, wants_demo=not no_demo)


class RoleName(StrEnum):
    """A part of a distributed installation."""

    API = "api"
    WORKER = "worker"
    SCHEDULER = "scheduler"
    ALL = "all"


@app.command()
def serve(
    *,
    role: Annotated[RoleName, typer.Option(help="all = every role on this machine, under a supervisor.")],
    data: Data,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; default: 8000; 0 takes a free one.")] = None,
    apis: Annotated[int, typer.Option(min=1, max=64, help="API processes of --role all.")] = 2,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Writers of --role all.")] = 2,
    demo_public: Annotated[
        bool, typer.Option("--demo-public", help="Serve the demo's credentials on other than loopback, knowingly.")
    ] = False,
    watch_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port for health and metrics of a writer or the scheduler.")
    ] = None,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
    supervisor: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run one role of a distributed installation; its servers are named by settings. SIGHUP to `all` replaces every
    process without losing a request.
    """
    from .configuration import settings_of
    from .exposure import check_exposure, check_secrets
    from .serve import run_serve

    settings = settings_of(data=data, host=host, port=port, watch_port=watch_port)
    if supervisor is None:
        if not demo_public:
            check_exposure(settings.host, settings.data, wants_demo=False)
        check_secrets(settings)
    run_serve(settings, role.value, apis=apis, workers=workers, listener=listener, supervisor=supervisor)


@app.command()
def migrate(
    *,
    tenant: Annotated[
        list[str] | None, typer.Option(help="Make the schema of a tenant that is to have its own; repeatable.")
    ] = None,
    data: Data,
) -> None:
    """Bring the schemas up to date: of the data folder (`up` does the same when it starts), or of PostgreSQL, wherever
    tenants are placed.
    """
    from ..engines.folder.lock import FolderBusyError
    from ..engines.sql.migrate import NewerSchemaError, StillNeededError
    from ..runtime import migrate_embedded
    from .configuration import settings_of

    settings = settings_of(data=data)
    try:
        if settings.distributed:
            from ..runtime.placing import make_tenant_schema, migrate_distributed

            migrate_distributed(settings)
            for tenant_id in tenant or ():
                make_tenant_schema(settings, tenant_id)
            print("The database is up to date")
            return
        if tenant:
            raise CliError("an installation on SQLite keeps all tenants in the shared tables")
        migrate_embedded(settings)
    except (FolderBusyError, NewerSchemaError, StillNeededError, UnavailableError, ValueError) as error:
        raise CliError(str(error)) from error
    print(f"{data} is up to date")


@app.command()
def doctor(*, url: Url = None, key: Key = None, data: Data, as_json: AsJson = False) -> None:
    """Check settings, folder, databases, disk, clock and server, and say what to do."""
    from .doctor import run_doctor

    raise typer.Exit(run_doctor(url, key, data, as_json=as_json))


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
    data: Data,
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
    data: Data,
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


@app.command()
def tail(
    *,
    device: Annotated[str | None, typer.Option(help="Only of this device.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only of this type.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many events.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Print events as they are stored, until stopped."""
    from .connection import Where, with_api
    from .tail import tail as follow

    try:
        with_api(
            Where(url, key, data, tenant),
            lambda api: follow(api, device=device, type_=type_, as_json=as_json, limit=limit),
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def books(
    *,
    from_: Annotated[str | None, typer.Option("--from", help="Received at or after this time.")] = None,
    to: Annotated[str | None, typer.Option(help="Received before this time.")] = None,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Print what became of everything that arrived; fails if the books do not balance."""
    from .books import show_books
    from .connection import Where, with_api

    where = Where(url, key, data, tenant)
    raise typer.Exit(with_api(where, lambda api: show_books(api, from_, to, as_json=as_json)))


@dead_letters.command("list")
def list_dead_letters(
    *,
    reason: Annotated[str | None, typer.Option(help="Only of this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 100,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
    as_json: AsJson = False,
) -> None:
    """List accepted events that could not be stored."""
    from .books import list_letters
    from .connection import Where, with_api

    with_api(Where(url, key, data, tenant), lambda api: list_letters(api, reason, limit, as_json=as_json))


@dead_letters.command("replay")
def replay_dead_letters(
    ids: Annotated[list[int] | None, typer.Argument(help="Letters; none with --reason or --all.")] = None,
    *,
    reason: Annotated[str | None, typer.Option(help="All of this reason.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All.")] = False,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """Try to store dead letters again, each exactly once; fails if one dies again."""
    from .books import replay_letters
    from .connection import Where, with_api

    where = Where(url, key, data, tenant)
    raise typer.Exit(with_api(where, lambda api: replay_letters(api, ids or [], reason, every=every)))


@dead_letters.command("discard")
def discard_dead_letters(
    ids: Annotated[list[int], typer.Argument(help="Letters.")],
    *,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """Close dead letters without storing them; they stay `dead` in the books."""
    from .books import discard_letters
    from .connection import Where, with_api

    with_api(Where(url, key, data, tenant), lambda api: discard_letters(api, ids))


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="Folder to make, or a file ending in .tar, .tar.gz or .tgz.")],
    *,
    data: Data,
) -> None:
    """Copy the data folder, also while the server runs, and verify the copy. It holds secrets."""
    from .backup import back_up, summary

    manifest = back_up(data, target, lambda text: typer.echo(text, err=True))
    print(f"{target}: {summary(manifest)}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="What `tslice backup` made.")],
    *,
    data: Data,
) -> None:
    """Put a backup into an empty data folder, verified."""
    from .backup import restore as put_back
    from .backup import summary

    manifest = put_back(source, data, lambda text: typer.echo(text, err=True))
    print(f"{data}: {summary(manifest)}")


def print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tslice {version('telemetry-slice')}")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Telemetry Slice: takes telemetry, keeps every event exactly once, accounts for each of them."""


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
