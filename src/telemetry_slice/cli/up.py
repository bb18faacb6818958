"""`tslice up`: the whole platform in one process, with the demo."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Coroutine
from typing import Any

import httpx2
from rich.console import Console

from ..engines.folder.lock import FolderBusyError
from ..engines.sql.migrate import NewerSchemaError
from ..runtime import Platform, build_embedded, serve, set_up_logging
from ..settings import Settings
from . import demo
from .agent import run_agent
from .client import Api, Json
from .connection import IN_PROCESS_URL, mint
from .delivery import UndeliverableError
from .exposure import is_own
from .failure import CliError
from .listening import address_of, bind, event_loop


class Up:
    """One run of the platform.

    Args:
        settings: where, and with what.
        wants_demo: seed the demo if the folder is empty.
        console: where a person reads how to sign in.
    """

    def __init__(self, settings: Settings, *, wants_demo: bool, console: Console) -> None:
        self._settings = settings
        self._wants_demo = wants_demo
        self._console = console
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Until SIGINT or SIGTERM. Raises CliError."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        with bind(settings.host, settings.port) as listener:
            url = address_of(listener, settings)
            platform = open_platform(settings)
            try:
                await platform.start()
                lines, credentials = await self._unless_stopped(self._prepare(platform, url))
                if not self._stop.is_set():
                    await self._serve(platform, listener, url, lines, credentials)
            finally:
                await platform.stop()
        self._console.print("Stopped", highlight=False)

    async def _unless_stopped(self, work: Coroutine[Any, Any, tuple[list[str], Json]]) -> tuple[list[str], Json]:
        """The result of `work`, or nothing when the platform is told to stop first."""
        task, stopped = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return [], {}
        return task.result()

    async def _prepare(self, platform: Platform, url: str) -> tuple[list[str], Json]:
        """What to print about signing in, and the demo's credentials if there is one."""
        settings = self._settings
        if demo.is_complete(settings.data):
            found = demo.refresh_url(settings.data, url)
            return sign_in_lines(found), found
        if demo.is_begun(settings.data) or (self._wants_demo and await is_empty(platform)):
            self._console.print("Preparing the demo …", highlight=False)
            transport = httpx2.ASGITransport(app=platform.app)

            def console(tenant: str | None) -> Api:
                return Api(IN_PROCESS_URL, mint(settings.data, tenant), transport=transport)

            def as_key(key: str) -> Api:
                return Api(IN_PROCESS_URL, key, transport=transport)

            found = await demo.seed(settings.data, url, console, as_key)
            return sign_in_lines(found), found
        offer = await platform.services.access.people.offer_setup()
        if offer is not None:
            link = f"{url}/setup?token={offer}"
            return ["Set up the first administrator with this link, which works once:", f"  {link}"], {}
        return ["Sign in with your e-mail and password"], {}

    async def _serve(
        self, platform: Platform, listener: socket.socket, url: str, lines: list[str], credentials: Json
    ) -> None:
        def started() -> None:
            platform.tell_url(url)
            self._console.print(f"Telemetry Slice is at {url}", highlight=False, soft_wrap=True)
            for line in lines:
                self._console.print(line, highlight=False, markup=False, soft_wrap=True)
            self._console.print("Ctrl-C stops it", highlight=False)

        host_key = host_key_of(credentials)
        agent = asyncio.create_task(self._host_readings(url, host_key)) if host_key else None
        try:
            await serve(platform, self._settings, listener, self._stop, started)
        finally:
            if agent is not None:
                agent.cancel()
                await asyncio.gather(agent, return_exceptions=True)

    async def _host_readings(self, url: str, key: str) -> None:
        """This computer as the demo's device `host`, over the network like every device."""
        spool = self._settings.data / "host-spool"
        try:
            await run_agent(url, key, demo.HOST_DEVICE, self._stop, spool=spool, own=is_own(url))
        except UndeliverableError as error:
            self._console.print(f"This computer's readings are not sent: {error}", highlight=False, markup=False)


def open_platform(settings: Settings) -> Platform:
    """The composed platform. Raises CliError when another server holds the folder, or a newer release wrote it."""
    try:
        return build_embedded(settings)
    except FolderBusyError as error:
        where = f"a server is already running on it at {error.url}" if error.url else "another process is using it"
        raise CliError(f"the data folder {settings.data} is locked: {where}") from error
    except (NewerSchemaError, ValueError) as error:
        raise CliError(str(error)) from error
    except OSError as error:
        raise CliError(f"the data folder {settings.data} cannot be used: {error.strerror or error}") from error


async def is_empty(platform: Platform) -> bool:
    """Whether nobody has set anything up in this installation."""
    return not await platform.services.tenants.list() and not await platform.services.accounts.any_exists()


def sign_in_lines(found: Json) -> list[str]:
    lines = ["Sign in to the demo:"]
    for tenant_id, tenant in found["tenants"].items():
        user = tenant["user"]
        lines.append(f"  {tenant_id}   {user['email']}   password {user['password']}")
    return lines


def host_key_of(found: Json) -> str | None:
    for tenant in found.get("tenants", {}).values():
        key = tenant.get("deviceKeys", {}).get(demo.HOST_DEVICE)
        if isinstance(key, str):
            return key
    return None


def run_up(settings: Settings, *, wants_demo: bool) -> None:
    """Run the platform until it is told to stop. Raises CliError."""
    set_up_logging(settings)
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        runner.run(_main(settings, wants_demo=wants_demo))


async def _main(settings: Settings, *, wants_demo: bool) -> None:
    await Up(settings, wants_demo=wants_demo, console=Console()).run()
