"""`tslice devices import`: a list of devices in, their keys out, once."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from .administration import ask, given
from .backoff import Backoff
from .failure import CliError
from .options import Data, Key, TenantId, Url

if TYPE_CHECKING:
    from .client import Api

PATIENCE_S = 120.0


class Form(StrEnum):
    """How the keys are written."""

    CSV = "csv"
    NDJSON = "ndjson"


async def send_list(api: Api, content: bytes, params: Mapping[str, str | int | None]) -> bytes:
    """The server's answer to a list; repeated with one Idempotency-Key, so that a lost answer costs no key."""
    from .client import TRANSIENT, ProblemError, UnreachableError  # noqa: PLC0415 - heavy

    headers = {"Content-Type": "text/csv", "Idempotency-Key": secrets.token_urlsafe(32)}
    backoff, loop = Backoff(ceiling_s=5.0), asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while True:
        failure: ProblemError | UnreachableError
        asked: float | None = None
        try:
            answer = await api.attempt("POST", "/api/v1/provisioning", content=content, params=params, headers=headers)
        except UnreachableError as error:
            failure = error
        else:
            if answer.is_success:
                return answer.content
            failure = ProblemError(answer)
            if failure.status not in TRANSIENT:
                raise failure
            asked = failure.retry_after_s
        pause = backoff.pause_s(asked)
        if loop.time() + pause > deadline:
            raise failure
        await asyncio.sleep(pause)


def import_devices(
    file: Annotated[Path, typer.Argument(help="CSV with deviceId and any of label, location, type, tags (a;b).")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="The file to make for the keys, never to overwrite; default: print.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to write the keys.")] = Form.CSV,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="Take the good rows; default: all or none.")
    ] = False,
    rotate: Annotated[bool, typer.Option("--rotate", help="New keys also for devices that have one.")] = False,
    overlap: Annotated[int | None, typer.Option(help="With --rotate: seconds that the old keys go on.")] = None,
    expires: Annotated[str | None, typer.Option(help="When the new keys end, e.g. 2027-01-31T00:00:00Z.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    url: Url = None,
    key: Key = None,
    tenant: TenantId = None,
    data: Data,
) -> None:
    """Create devices by a list, each with a key. Without --rotate a device that is there keeps its key."""
    params = given(
        format=form.value,
        onError="skip" if skip_errors else None,
        existing="rotate" if rotate else None,
        overlapSeconds=overlap,
        expiresAt=expires,
        dryRun="true" if dry_run else None,
    )
    made: BinaryIO | None = None
    try:
        content = file.read_bytes()
        # Before anything is asked for: keys that cannot be written down would be lost.
        made = None if out is None else os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}") from error
    try:
        answer: bytes = ask(url, key, data, tenant, lambda api: send_list(api, content, params))
    except BaseException:
        if made is not None and out is not None:
            made.close()
            out.unlink()
        raise
    if made is None:
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
        return
    with made:
        made.write(answer)
        made.flush()
        os.fsync(made.fileno())
    typer.echo(f"{out}: {answer.count(b'tsk_'):,} keys; nobody can tell them again", err=True)
