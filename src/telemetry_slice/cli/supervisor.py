"""A small process supervisor: starts the roles of an installation on one machine and keeps them running.

It owns the listening socket, so that API processes come and go behind it without a refused connection.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

READY_S = 60.0
STOP_S = 40.0
FIRST_RESTART_S = 0.2
LAST_RESTART_S = 10.0
HEALTHY_S = 30.0
"""A process that ran for so long is restarted at once when it ends."""


@dataclass(frozen=True, slots=True)
class Member:
    """One process to keep running: its name, and what it is called with."""

    name: str
    role: str
    command: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


def member(role: str, number: int, arguments: Sequence[str], listener: int | None = None) -> Member:
    """`tslice serve --role ROLE` as a process of its own."""
    command = [sys.executable, "-m", "telemetry_slice", "serve", "--role", role, *arguments]
    if listener is None:
        return Member(f"{role}-{number}", role, tuple(command))
    return Member(f"{role}-{number}", role, (*command, "--listener", str(listener)), (listener,))


class _Running:
    """A process and the channel on which it says that it works; it ends when the channel does."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self.process = process
        self.ready = asyncio.Event()
        self._channel = channel

    def hear(self) -> None:
        """Something has come over the channel."""
        try:
            said = self._channel.recv(1)
        except OSError:
            said = b""
        if said:
            self.ready.set()
        else:
            self.forget()

    def forget(self) -> None:
        """Close the channel."""
        if self._channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()

    async def end(self) -> None:
        """Tell the process to stop, and kill it if it does not."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            log.error("role_killed", pid=self.process.pid)
            self.process.kill()
            await self.process.wait()
        self.forget()


class Supervisor:
    """Keeps members running until it is told to stop; replaces them one by one when asked."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._running: dict[str, _Running] = {}
        # Who starts a member waits for whoever else is about to.
        self._turns = {each.name: asyncio.Lock() for each in members}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start every member and wait until all of them work. Raises TimeoutError."""
        self._keepers = [asyncio.create_task(self._keep(each)) for each in self._members]
        async with asyncio.timeout(READY_S):
            for each in self._members:
                while each.name not in self._running or not self._running[each.name].ready.is_set():
                    await asyncio.sleep(0.02)

    async def _keep(self, each: Member) -> None:
        loop = asyncio.get_running_loop()
        restart_s = FIRST_RESTART_S
        while not self._stopping.is_set():
            async with self._turns[each.name]:
                running = self._running.get(each.name)
                if running is None or running.process.returncode is not None:
                    running = self._running[each.name] = await self._spawn(each)
            began = loop.time()
            code = await running.process.wait()
            if self._stopping.is_set():
                return
            if self._running[each.name] is not running:
                # Replaced on purpose: the other one is to be kept from now on.
                continue
            restart_s = FIRST_RESTART_S if loop.time() - began > HEALTHY_S else min(LAST_RESTART_S, 2 * restart_s)
            delay_s = restart_s * random.uniform(0.5, 1.0)  # nosec B311  # noqa: S311 - jitter
            log.error("role_ended", name=each.name, returncode=code, restart_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)

    async def _spawn(self, each: Member) -> _Running:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            number = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *each.command,
                "--supervisor",
                str(number),
                pass_fds=(*each.descriptors, number),
                # Ctrl-C is for the supervisor, which then ends the members in order.
                start_new_session=True,
            )
        running = _Running(process, ours)
        asyncio.get_running_loop().add_reader(ours, running.hear)
        return running

    async def replace(self, roles: Sequence[str]) -> None:
        """Replace the members of `roles` one after the other: the new one works before the old one is told to stop."""
        for each in self._members:
            if each.role not in roles or self._stopping.is_set():
                continue
            async with self._turns[each.name]:
                new = await self._spawn(each)
                try:
                    async with asyncio.timeout(READY_S):
                        await new.ready.wait()
                except TimeoutError:
                    log.error("replacement_failed", name=each.name)
                    await new.end()
                    return
                old, self._running[each.name] = self._running[each.name], new
            await old.end()
            log.info("role_replaced", name=each.name)

    async def stop(self, order: Sequence[str]) -> None:
        """End all members, role by role in `order`, and wait for them."""
        self._stopping.set()
        for role in order:
            ended = [each.name for each in self._members if each.role == role and each.name in self._running]
            await asyncio.gather(*(self._running[name].end() for name in ended))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
