"""Whether Valkey or Redis can be used: asked by `tslice doctor`."""

from __future__ import annotations

from .connection import OUTAGES, Server


async def examine(url: str) -> list[tuple[str, str]]:
    """(what is wrong, what to do) for each thing that is; empty when all is well."""
    try:
        link = await Server(url).connect()
        try:
            await link.ask(("PING",))
        finally:
            await link.close()
    except (*OUTAGES, ValueError) as error:
        return [(f"cannot be reached: {error}", "look at TSLICE_REDIS_URL; ingest goes on without it meanwhile")]
    return []
