"""Erases what is due, and is killed on the way: `python -m tests.erasing.dies SETTINGS WHERE`.

WHERE is a number of steps done, `between` (the audit is told, nothing is finished), or `never`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from tests.erasing.parts import erasing_in

from telemetry_slice.engines.postgres import erasing as postgres
from telemetry_slice.engines.sql import erasures as registry
from telemetry_slice.engines.sql.erasures import SqlErasures
from telemetry_slice.runtime.erasing.database import DatabaseErasing
from telemetry_slice.runtime.erasing.folder import FolderErasing
from telemetry_slice.settings import Settings

_done = 0


def die() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def dying_after(kind: type[Any], steps: int) -> None:
    erase = kind.erase_some

    async def erase_and_count(self: Any, *arguments: Any) -> int:
        global _done  # noqa: PLW0603 - of both parts together
        gone: int = await erase(self, *arguments)
        _done += 1
        if _done == steps:
            die()
        return gone

    kind.erase_some = erase_and_count


async def main(settings: str, where: str) -> None:
    # Small steps: a life is short, and shall be found half erased.
    postgres.AT_ONCE = registry.AT_ONCE = 7
    if where == "between":

        async def finish(*_: Any) -> Any:
            die()

        SqlErasures.finish = finish  # type: ignore[method-assign]
    elif where != "never":
        for kind in (DatabaseErasing, FolderErasing, SqlErasures):
            dying_after(kind, int(where))
    async with erasing_in(Settings.model_validate_json(settings)) as erasing:
        await erasing.round()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
