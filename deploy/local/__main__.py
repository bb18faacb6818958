"""`make up-distributed`: real servers, every role and the demo on this machine. See `python -m deploy.local --help`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from telemetry_slice.cli import demo
from telemetry_slice.cli.client import Api, Json
from telemetry_slice.cli.connection import mint
from telemetry_slice.cli.up import host_key_of, sign_in_lines
from telemetry_slice.engines.folder.lock import holder_url

from .installation import LocalInstallation

START_S = 90.0
STOP_S = 90.0


def tslice(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "telemetry_slice", *arguments]


async def address_of(roles: asyncio.subprocess.Process, data: Path) -> str:
    """Where the roles serve. Raises RuntimeError when they end, TimeoutError."""
    async with asyncio.timeout(START_S):
        while (url := holder_url(data)) is None:
            if roles.returncode is not None:
                raise RuntimeError(f"tslice serve ended with {roles.returncode}")
            await asyncio.sleep(0.05)
    return url


async def demo_of(data: Path, url: str) -> Json:
    """The demo's credentials; it is seeded over HTTP if it is not there yet."""
    if demo.is_complete(data):
        return demo.refresh_url(data, url)
    print("Preparing the demo …", flush=True)
    return await demo.seed(data, url, lambda tenant: Api(url, mint(data, tenant)), lambda key: Api(url, key))


async def run(installation: LocalInstallation, port: int, apis: int, workers: int) -> int:
    """Until Ctrl-C; the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    environment = os.environ | installation.settings
    shape = ("--port", str(port), "--apis", str(apis), "--workers", str(workers))
    roles = await asyncio.create_subprocess_exec(
        *tslice("serve", "--role", "all", *shape), env=environment, process_group=0
    )
    agent: asyncio.subprocess.Process | None = None
    told = asyncio.create_task(stop.wait())
    try:
        url = await address_of(roles, installation.data)
        found = await demo_of(installation.data, url)
        print("\n".join([*sign_in_lines(found), "Ctrl-C stops it"]), flush=True)
        key = host_key_of(found)
        if key is not None:
            spool = installation.data / "host-agent"
            agent = await asyncio.create_subprocess_exec(
                *tslice("agent", "--url", url, "--device", demo.HOST_DEVICE),
                env={name: value for name, value in os.environ.items() if not name.startswith("TSLICE_")}
                | {"TSLICE_KEY": key, "TSLICE_STATE": str(spool)},
                stdout=subprocess.DEVNULL,
                process_group=0,
            )
        ended = asyncio.create_task(roles.wait())
        await asyncio.wait((told, ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        for process in (agent, roles):
            if process is not None and process.returncode is None:
                process.terminate()
                async with asyncio.timeout(STOP_S):
                    await process.wait()
    return roles.returncode or 0


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description="A distributed installation on this machine, with the demo.")
    parser.add_argument("--data", type=Path, default=Path("data-distributed"), help="folder of everything that is kept")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--apis", type=int, default=2, help="API processes")
    parser.add_argument("--workers", type=int, default=2, help="writers")
    options = parser.parse_args()
    print("Starting PostgreSQL, NATS and Valkey …", flush=True)
    with LocalInstallation(options.data) as installation:
        return asyncio.run(run(installation, options.port, options.apis, options.workers))


if __name__ == "__main__":
    sys.exit(main())
