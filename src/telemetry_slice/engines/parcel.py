"""The parcel: one tenant in one file. Format 1; docs/operations/moving.md describes it for people.

A Zstandard stream of lines of JSON. The first line says what it is and holds the head; each following one holds some
rows of one part, `{"part": …, "rows": [[…], …]}`, fields in the order of `model.parcel`, bytes as base64. The last line
counts the rows of each part and carries the SHA-256 of all lines before it. With anything missing, changed, or behind
the last line it is no parcel.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from io import BufferedReader, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec
import zstandard

from ..model.parcel import PARTS, Head, Rows
from ..ports.moving import MoveRefusedError

FORMAT = 2
READABLE = (1, FORMAT)
"""The first one had no dashboards."""
KIND = "telemetry-slice tenant"
LONGEST_LINE = 32 << 20
"""Bytes; what a reader holds at once. Whoever writes hands over fewer rows at a time than that."""
_WINDOW = 8 << 20
_STEP = 1 << 10
"""Packed bytes that are unpacked at a time: hardly more than a line can come of them, whatever they are."""
_LEVEL = 3

_encode = msgspec.json.Encoder().encode


class _First(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    format: int
    release: str
    head: Head


class _Format(msgspec.Struct):
    kind: str
    format: int


class _Some(msgspec.Struct, forbid_unknown_fields=True):
    part: str
    rows: msgspec.Raw


class _Last(msgspec.Struct, forbid_unknown_fields=True):
    rows: dict[str, int]
    sha256: str


_decode_some = msgspec.json.Decoder(_Some).decode
_decode_last = msgspec.json.Decoder(_Last).decode
_decode_rows = {part: msgspec.json.Decoder(list[row]).decode for part, row in PARTS.items()}  # type: ignore[valid-type]


class ParcelWriter:
    """A `TenantSink` that is a new file, mode 0600: complete and on disk under its name, or not there at all.

    Attributes:
        draft: where it is until `commit`; complete once it is closed.
    """

    def __init__(self, path: Path) -> None:
        """Raises MoveRefusedError if `path` exists, OSError if its folder cannot be written."""
        if path.exists():
            raise MoveRefusedError(f"{path} exists already; an export never overwrites")
        self._path = path
        self.draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        descriptor = os.open(self.draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._stream: Any = packer.stream_writer(self._file, closefd=False)
        self._digest = sha256()
        self._counts = Counter(dict.fromkeys(PARTS, 0))

    def _write(self, content: object) -> None:
        line = _encode(content) + b"\n"
        if len(line) > LONGEST_LINE:
            raise MoveRefusedError(f"rows of {len(line)} bytes do not fit into a line of {LONGEST_LINE}")
        self._digest.update(line)
        self._stream.write(line)

    def begin(self, head: Head) -> None:
        self._write(_First(KIND, FORMAT, version("telemetry-slice"), head))

    def take(self, part: str, rows: Rows) -> None:
        self._counts[part] += len(rows)
        self._write({"part": part, "rows": rows})

    def close(self) -> None:
        """Write its end, durable on return."""
        self._write(_Last(dict(self._counts), self._digest.hexdigest()))
        self._stream.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def commit(self) -> None:
        """Give it its name. Raises MoveRefusedError if another file has got it meanwhile."""
        if not self._file.closed:
            self.close()
        try:
            self._path.hardlink_to(self.draft)
        except FileExistsError:
            raise MoveRefusedError(f"{self._path} exists already; an export never overwrites") from None
        folder = os.open(self._path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._stream.close()
        self._file.close()
        self.draft.unlink(missing_ok=True)


class ParcelReader:
    """A `TenantSource` that is a file. Only a reading to the end tells whether it is whole: read it twice."""

    def __init__(self, path: Path) -> None:
        """Raises MoveRefusedError if it is no parcel, or one of a newer format; OSError if it cannot be opened."""
        self._path = path
        with path.open("rb") as file:
            self.head = self._first(self._line(_unpacked(file))).head

    def _refused(self, what: str) -> MoveRefusedError:
        return MoveRefusedError(f"{self._path} {what}")

    def _line(self, stream: BufferedReader) -> bytes:
        line = stream.readline(LONGEST_LINE + 1)
        if not line.endswith(b"\n"):
            raise self._refused("is no parcel: it has a line without end")
        return line

    def _first(self, line: bytes) -> _First:
        try:
            told = msgspec.json.decode(line, type=_Format)
            if told.kind != KIND:
                raise self._refused("is no parcel")
            if told.format not in READABLE:
                reads = " and ".join(map(str, READABLE))
                raise self._refused(f"has format {told.format}; this release reads {reads}")
            return msgspec.json.decode(line, type=_First)
        except msgspec.DecodeError as error:
            raise self._refused(f"is damaged, or no parcel: {error}") from error

    def parts(self) -> Iterator[tuple[str, Rows]]:
        """As the port promises; what does not fit its checksum is told at the end."""
        with self._path.open("rb") as file:
            stream = _unpacked(file)
            line = self._line(stream)
            if self._first(line).head != self.head:
                raise self._refused("was replaced while it was read")
            digest, counts, places = sha256(line), Counter(dict.fromkeys(PARTS, 0)), list(PARTS)
            place = 0
            while not (line := self._line(stream)).startswith(b'{"rows":'):
                digest.update(line)
                part, rows = self._rows(line)
                if places.index(part) < place:
                    raise self._refused(f"is damaged: its {part} come too late")
                place = places.index(part)
                counts[part] += len(rows)
                yield part, rows
            self._end(line, digest.hexdigest(), counts)
            if stream.read(1):
                raise self._refused("is damaged: something follows its end")

    def _rows(self, line: bytes) -> tuple[str, list[Any]]:
        try:
            some = _decode_some(line)
            return some.part, _decode_rows[some.part](some.rows)
        except KeyError as error:
            raise self._refused(f"is damaged: it has a part {error}") from None
        except msgspec.DecodeError as error:
            raise self._refused(f"is damaged: {error}") from error

    def _end(self, line: bytes, digest: str, counts: Counter[str]) -> None:
        try:
            last = _decode_last(line)
        except msgspec.DecodeError as error:
            raise self._refused(f"is damaged: {error}") from error
        if last.sha256 != digest or Counter(last.rows) != counts:
            raise self._refused("is damaged: its checksum does not fit")


class _Unpacked(RawIOBase):
    """The contents of a file with one Zstandard frame, nothing missing and nothing behind it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            piece = self._file.read(_STEP)
            if self._unpacker.eof and piece:
                raise self._refused("something follows its end")
            if not piece:
                if self._unpacker.eof:
                    return 0
                raise self._refused("it ends too early")
            try:
                self._ready = memoryview(self._unpacker.decompress(piece))
            except zstandard.ZstdError as error:
                raise self._refused(str(error)) from error
            if self._unpacker.unused_data:
                raise self._refused("something follows its end")
        taken = min(len(buffer), len(self._ready))
        buffer[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken

    def _refused(self, what: str) -> MoveRefusedError:
        return MoveRefusedError(f"{self._file.name} is damaged, or no parcel: {what}")


def _unpacked(file: BinaryIO) -> BufferedReader:
    return BufferedReader(_Unpacked(file), 1 << 16)
