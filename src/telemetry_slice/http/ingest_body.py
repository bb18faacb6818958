"""The body of an ingest request: announced, read within a deadline, of a type that is taken, unpacked."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import zstandard
from starlette.types import Receive

from ..model.errors import Code, FieldError, SliceError

BODY_DEADLINE_S = 10.0
SWEEP_S = 0.5
_JSON = frozenset((b"", b"application/json", b"text/json"))
_NDJSON = frozenset((b"application/x-ndjson", b"application/ndjson", b"application/jsonl"))


class DisconnectedError(Exception):
    """The sender has gone before its body was whole."""


def announced_length(headers: dict[bytes, bytes], most: int) -> int:
    """What the sender announces; a body of unknown length is reckoned at a quarter of the most."""
    announced = headers.get(b"content-length")
    if announced is None:
        return most // 4
    if not announced.isdigit():
        raise _refused_header("Content-Length", "Content-Length is not a number")
    length = int(announced)
    if length > most:
        raise SliceError(Code.TOO_LARGE, f"{length} bytes on the wire; at most {most} are taken")
    return length


class BodyDeadlines:
    """One timer for all bodies on their way instead of one a request."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._sweeping = False
        # Asked for once: on Python 3.11 each question costs a system call.
        self._loop: asyncio.AbstractEventLoop | None = None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, due in self._due.items():
            if due > now:
                break
            self._late.add(task)
            task.cancel()
        for task in self._late:
            self._due.pop(task, None)
        self._sweeping = bool(self._due)
        if self._sweeping:
            loop.call_later(SWEEP_S, self._sweep, loop)

    async def read(self, receive: Receive, most: int) -> bytes:
        """The whole body.

        Raises:
            SliceError: TOO_LARGE above `most` bytes, TOO_SLOW after `BODY_DEADLINE_S`.
            DisconnectedError: the sender has gone.
        """
        loop = self._loop = self._loop or asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("bodies are read in a task")
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(SWEEP_S, self._sweep, loop)
        self._due[task] = loop.time() + BODY_DEADLINE_S
        try:
            return await _read(receive, most)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise SliceError(Code.TOO_SLOW, f"the body did not arrive within {BODY_DEADLINE_S:.0f} s") from None
        finally:
            self._due.pop(task, None)
            self._late.discard(task)


async def _read(receive: Receive, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise SliceError(Code.TOO_LARGE, f"more than {most} bytes on the wire")
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def is_ndjson(content_type: bytes) -> bool:
    if content_type == b"application/json":
        return False
    media_type, _, parameters = content_type.partition(b";")
    media_type = media_type.strip().lower()
    if b"charset" in parameters.lower() and b"utf-8" not in parameters.lower():
        raise _refused_header("Content-Type", "the charset must be utf-8", Code.UNSUPPORTED_MEDIA_TYPE)
    if media_type in _NDJSON:
        return True
    if media_type in _JSON or (media_type.startswith(b"application/") and media_type.endswith(b"+json")):
        return False
    shown = media_type.decode("latin-1", "replace")[:100]
    detail = f"Content-Type {shown!r} is not taken: use application/json or application/x-ndjson"
    raise _refused_header("Content-Type", detail, Code.UNSUPPORTED_MEDIA_TYPE)


def _refused_header(name: str, detail: str, code: Code = Code.MALFORMED) -> SliceError:
    return SliceError(code, detail, fields=(FieldError(name, detail),))


def decompressed(body: bytes, encoding: bytes, most: int) -> bytes:
    """One layer of gzip or zstd, never more than `most` bytes of output."""
    encoding = encoding.strip().lower()
    if encoding in (b"", b"identity"):
        return body
    try:
        if encoding in (b"gzip", b"x-gzip"):
            inflater = zlib.decompressobj(31)
            plain = inflater.decompress(body, most + 1)
            whole = inflater.eof and not inflater.unused_data
        elif encoding == b"zstd":
            unzstd = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj(read_across_frames=False)
            plain, whole = _unzstd(unzstd, body, most)
        else:
            shown = encoding.decode("latin-1", "replace")[:100]
            detail = f"Content-Encoding {shown!r} is not taken: use one of gzip, zstd"
            raise _refused_header("Content-Encoding", detail, Code.UNSUPPORTED_MEDIA_TYPE)
    except (zlib.error, zstandard.ZstdError) as error:
        raise _refused_header("Content-Encoding", f"the body is not {encoding.decode()}: {error}") from None
    if len(plain) > most:
        raise SliceError(Code.TOO_LARGE, f"more than {most} bytes when decompressed")
    if not whole:
        raise _refused_header("Content-Encoding", f"the body is not one whole {encoding.decode()} stream")
    return plain


_ZSTD_STEP = 256
"""Four bytes can make a block of 128 KiB: one step makes at most 8 MiB."""


def _unzstd(unzstd: Any, body: bytes, most: int) -> tuple[bytes, bool]:
    """Fed in small steps, because the library bounds no output itself."""
    parts, size = [], 0
    for start in range(0, len(body), _ZSTD_STEP):
        if unzstd.eof:
            return b"", False
        part = unzstd.decompress(body[start : start + _ZSTD_STEP])
        parts.append(part)
        size += len(part)
        if size > most:
            break
    return b"".join(parts), bool(unzstd.eof) and not unzstd.unused_data
