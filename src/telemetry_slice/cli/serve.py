"""`tslice serve`: one role of a distributed installation, or all of them under a supervisor."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import suppress
from pathlib import Path

import structlog
from rich.console import Console

from ..engines.folder.lock import FolderBusyError, FolderLock
from ..model.errors import UnavailableError
from ..runtime import Platform, Role, serve, serve_watch, set_up_logging
from ..runtime.distributed import build_api, build_scheduler, build_worker
from ..runtime.secrets import kept_secrets
from ..settings import Settings
from .failure import CliError
from .listening import address_of, bind, event_loop
from .supervisor import Supervisor, member

log = structlog.get_logger()

STOP_ORDER = ("api", "scheduler", "worker")
"""Doors first; the writers last, so that what was accepted is settled as far as it goes."""
WATCH_AGAIN_S = 1.0


def run_serve(
    settings: Settings, role: str, *, apis: int, workers: int, listener: int | None, supervisor: int | None
) -> None:
    """Run until SIGINT or SIGTERM. Raises CliError."""
    if not settings.distributed:
        raise CliError(
            "tslice serve is for a distributed installation: set TSLICE_DATABASE_URL to PostgreSQL's address"
        )
    set_up_logging(settings)
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        runner.run(_main(settings, role, apis, workers, listener, supervisor))


async def _main(
    settings: Settings, role: str, apis: int, workers: int, listener: int | None, supervisor: int | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    channel = _Channel(supervisor, stop)
    try:
        if role == "all":
            await _all(settings, stop, apis, workers)
        elif role == "api":
            await _api(settings, stop, listener, channel)
        else:
            built = build_worker(settings) if role == "worker" else build_scheduler(settings)
            await _role(built, settings, stop, channel)
    except UnavailableError as error:
        raise CliError(f"a server of the installation cannot be used: {error}") from error
    except ValueError as error:
        raise CliError(str(error)) from error


class _Channel:
    """The other end of the supervisor's channel: says that the role works, and hears when the supervisor is gone."""

    def __init__(self, descriptor: int | None, stop: asyncio.Event) -> None:
        self._socket = None if descriptor is None else socket.socket(fileno=descriptor)
        if self._socket is not None:
            self._socket.setblocking(False)
            asyncio.get_running_loop().add_reader(self._socket, stop.set)

    def say_ready(self) -> None:
        if self._socket is not None:
            # A supervisor that is gone is noticed by the reader, which stops the role in order.
            with suppress(OSError):
                self._socket.send(b"1")


async def _role(role: Role, settings: Settings, stop: asyncio.Event, channel: _Channel) -> None:
    ended = asyncio.Event()
    watch = asyncio.create_task(_watch(role, settings, settings.watch_port, ended))
    try:
        await role.start()
        channel.say_ready()
        await stop.wait()
    finally:
        await role.stop()
        ended.set()
        await watch


async def _watch(role: Role, settings: Settings, port: int | None, ended: asyncio.Event) -> None:
    """Let the role be watched, if that is wanted. It works also while another program has the port, as the process
    that it replaces may have for a moment.
    """
    while port is not None and not ended.is_set():
        try:
            with bind(settings.host, port) as door:
                await serve_watch(role, settings, door, ended)
        except CliError as error:
            log.warning("watch_port_taken", error=str(error), retry_s=WATCH_AGAIN_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), WATCH_AGAIN_S)


async def _api(settings: Settings, stop: asyncio.Event, listener: int | None, channel: _Channel) -> None:
    opened = bind(settings.host, settings.port) if listener is None else socket.socket(fileno=listener)
    with opened as door:
        platform: Platform = build_api(settings)
        try:
            await platform.start()

            def started() -> None:
                channel.say_ready()
                log.info("api_serves", url=address_of(door, settings))

            await serve(platform, settings, door, stop, started)
        finally:
            await platform.stop()


async def _all(settings: Settings, stop: asyncio.Event, apis: int, workers: int) -> None:
    try:
        lock = FolderLock(settings.data)
    except FolderBusyError as error:
        raise CliError(str(error)) from error
    # Made before the API processes need them.
    kept_secrets(settings)
    console = Console()
    with bind(settings.host, settings.port) as door:
        # From now on callers wait in the socket's queue instead of being refused, whoever is being replaced.
        door.listen(1024)
        arguments = _arguments(settings.data)
        supervisor = Supervisor(
            [
                *(
                    member("worker", number, [*arguments, *_watched_at(settings, number)])
                    for number in range(1, workers + 1)
                ),
                member("scheduler", 1, [*arguments, *_watched_at(settings, 0)]),
                *(member("api", number + 1, arguments, door.fileno()) for number in range(apis)),
            ]
        )
        replacing: set[asyncio.Task[None]] = set()

        def replace() -> None:
            task = asyncio.create_task(supervisor.replace(("worker", "scheduler", "api")))
            replacing.add(task)
            task.add_done_callback(replacing.discard)

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, replace)
        try:
            await supervisor.start()
            url = address_of(door, settings)
            lock.tell(url)
            console.print(f"Telemetry Slice is at {url}", highlight=False, soft_wrap=True)
            await stop.wait()
        except TimeoutError:
            raise CliError("not every role could be started; the log says why") from None
        finally:
            await asyncio.gather(*replacing, return_exceptions=True)
            await supervisor.stop(STOP_ORDER)
            lock.release()
    console.print("Stopped", highlight=False)


def _watched_at(settings: Settings, place: int) -> list[str]:
    return [] if settings.watch_port is None else ["--watch-port", str(settings.watch_port + place)]


def _arguments(data: Path) -> list[str]:
    return ["--data", str(data)]
