"""A connection for administration: the server that was named, the one that runs on this folder, or one in process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2

from ..engines.folder.lock import FolderBusyError, holder_url
from ..engines.sql.migrate import NewerSchemaError
from ..flow.access import console_token
from .client import Api
from .exposure import is_own
from .failure import CliError
from .names import DEMO_FILE, DEMO_TENANT
from .target import TargetError, ca_file

T = TypeVar("T")
IN_PROCESS_URL = "http://in-process"


@dataclass(frozen=True, slots=True)
class Where:
    """What the options say about the server to speak to."""

    url: str | None
    key: str | None
    data: Path
    tenant: str | None = None


def mint(data: Path, tenant: str | None) -> str:
    """A token of the folder's own console, good for some minutes. Raises TargetError."""
    # Heavy, and only needed for a folder's own console.
    from ..runtime.secrets import kept_secrets  # noqa: PLC0415
    from .configuration import settings_of  # noqa: PLC0415

    try:
        kept = kept_secrets(settings_of(data=data), make=False)
    except FileNotFoundError:
        raise TargetError(
            f"{data} is not a data folder: name one with --data, or a server with --url and --key"
        ) from None
    except (OSError, ValueError) as error:
        raise TargetError(str(error)) from error
    return console_token(kept.signing_key, int(time.time()), tenant)


@asynccontextmanager
async def _server(data: Path) -> AsyncIterator[tuple[str, httpx2.AsyncBaseTransport | None]]:
    """Address and transport of the folder's server; the application itself when no server runs."""
    url = holder_url(data)
    if url is not None:
        yield url, None
        return
    # Heavy, and only needed without a server.
    from ..runtime import build_embedded  # noqa: PLC0415
    from .configuration import settings_of  # noqa: PLC0415

    try:
        platform = build_embedded(settings_of(data=data, log_level="error"))
    except (FolderBusyError, NewerSchemaError) as error:
        raise TargetError(str(error)) from error
    await platform.start()
    try:
        yield IN_PROCESS_URL, httpx2.ASGITransport(app=platform.app)
    finally:
        await platform.stop()


async def _tenant_of(api: Api, data: Path) -> str:
    """The tenant meant when none is named: the only one, or the demo's first."""
    ids = [tenant["id"] for tenant in (await api.call("GET", "/api/v1/tenants"))["tenants"]]
    if len(ids) == 1:
        return str(ids[0])
    if DEMO_TENANT in ids and (data / DEMO_FILE).exists():
        return DEMO_TENANT
    if not ids:
        raise CliError("there is no tenant yet; make one with `tslice tenants create`")
    raise CliError(f"several tenants: choose one with --tenant ({', '.join(map(str, ids))})")


@asynccontextmanager
async def connect(where: Where, *, in_tenant: bool = True) -> AsyncIterator[Api]:
    """A connection with the right to administer.

    Args:
        where: the options.
        in_tenant: whether the call is about one tenant's things; else about the installation.

    Raises:
        TargetError: no server and no folder, or the folder's secrets cannot be read.
    """
    if where.url is not None and where.key is not None:
        async with Api(where.url, where.key, ca_file=ca_file()) as api:
            yield api
        return
    if where.url is not None:
        raise TargetError(f"No key for {where.url}: give --key or TSLICE_KEY")
    if where.key is not None:
        raise TargetError("No address for the key: give --url or TSLICE_URL")
    mint(where.data, None)
    async with _server(where.data) as (url, transport):
        own, tenant = is_own(url), where.tenant
        if in_tenant and tenant is None:
            async with Api(url, mint(where.data, None), transport=transport, ca_file=ca_file(), own=own) as api:
                tenant = await _tenant_of(api, where.data)
        token = mint(where.data, tenant if in_tenant else None)
        async with Api(url, token, transport=transport, ca_file=ca_file(), own=own) as api:
            yield api


def with_api(where: Where, work: Callable[[Api], Awaitable[T]], *, in_tenant: bool = True) -> T:
    """Run `work` with a connection, from a verb."""

    async def run() -> T:
        async with connect(where, in_tenant=in_tenant) as api:
            return await work(api)

    return asyncio.run(run())
