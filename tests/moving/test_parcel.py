"""The parcel as a file: whole, or refused before anything is changed; and read in bounded memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from telemetry_slice.engines.parcel import LONGEST_LINE, ParcelReader, ParcelWriter
from telemetry_slice.flow.moving import examine, move
from telemetry_slice.model.parcel import PARTS, DeviceRow, Head, KeyRow, ReadingRow, Rows, SeriesRow
from telemetry_slice.model.tenancy import KeyKind, Limits
from telemetry_slice.ports.moving import MoveRefusedError

NOW_US = 1_790_000_000_000_000
HEAD = Head("acme", "Acme", True, Limits(), NOW_US, "0" * 16, NOW_US, NOW_US, (0, 0))


class Made:
    """A source of `count` readings made up on the way."""

    head = HEAD

    def __init__(self, count: int, rnd: random.Random) -> None:
        self._count = count
        self._rnd = rnd

    def parts(self) -> Iterator[tuple[str, Rows]]:
        yield "devices", [DeviceRow(7, "dev-1", "é\n", "", ("a",), NOW_US, None)]
        yield "keys", [KeyRow("k", KeyKind.DEVICE, 7, "", (), (), b"\x00" * 32, NOW_US, None, None, None)]
        yield "series", [SeriesRow(3, 7, "temperature", None, 0, None, None, None, None, None)]
        for start in range(0, self._count, 2_000):
            yield (
                "readings",
                [
                    ReadingRow(3, NOW_US + n, self._rnd.randbytes(16), NOW_US, NOW_US, self._rnd.random(), None, None)
                    for n in range(start, min(start + 2_000, self._count))
                ],
            )


def written(path: Path, source: Any) -> Path:
    with ParcelWriter(path) as parcel:
        move(source, parcel)
        parcel.commit()
    return path


@pytest.fixture
def parcel(tmp_path: Path, seed: int) -> Path:
    return written(tmp_path / "parcel", Made(500, random.Random(seed)))


def lines_of(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines(keepends=True)


def packed(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(lines)))
    return path


def read(path: Path) -> Any:
    return examine(ParcelReader(path), NOW_US)


def test_what_is_written_is_read(tmp_path: Path, seed: int) -> None:
    """Every value with every bit, for its owner's eyes only."""
    path = written(tmp_path / "parcel", Made(5_000, random.Random(seed)))
    back = ParcelReader(path)
    assert back.head == HEAD
    assert list(back.parts()) == list(Made(5_000, random.Random(seed)).parts())
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_any_damage_is_seen(parcel: Path, seed: int) -> None:
    """A byte changed anywhere, a piece missing at the end, something behind it."""
    rnd, whole = random.Random(seed), parcel.read_bytes()
    assert read(parcel).rows["readings"] == 500
    for _ in range(150):
        place = rnd.randrange(len(whole))
        parcel.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rnd.randrange(8)]) + whole[place + 1 :])
        with pytest.raises(MoveRefusedError):
            read(parcel)
    for length in (0, 1, len(whole) - 1, *(rnd.randrange(len(whole)) for _ in range(50))):
        parcel.write_bytes(whole[:length])
        with pytest.raises(MoveRefusedError, match="it ends too early"):
            read(parcel)
    for behind in (b"\x00", b"\n", whole, rnd.randbytes(10)):
        parcel.write_bytes(whole + behind)
        with pytest.raises(MoveRefusedError, match="something follows its end"):
            read(parcel)


def changed(lines: list[bytes]) -> list[bytes]:
    """One reading says another number; the compression's own checksum is made anew."""
    return [line.replace(b"[3,%d," % NOW_US, b"[3,%d," % (NOW_US - 1)) for line in lines]


def test_a_changed_value_is_seen(parcel: Path) -> None:
    """The checksum is over what is said, not over how it is packed."""
    lines = lines_of(parcel)
    assert changed(lines) != lines
    with pytest.raises(MoveRefusedError, match="checksum"):
        read(packed(parcel, changed(lines)))


def test_without_the_checksum_it_would_not_be_seen(parcel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    monkeypatch.setattr(ParcelReader, "_end", lambda *_: None)
    assert read(packed(parcel, changed(lines_of(parcel)))).rows["readings"] == 500


def test_lines_that_do_not_belong_are_refused(parcel: Path) -> None:
    """Missing, doubled and exchanged lines; parts that nobody knows; rows of another shape."""
    lines = lines_of(parcel)
    wrong = {
        "without its end": lines[:-1],
        "twice its end": [*lines, lines[-1]],
        "without a part": [*lines[:2], *lines[3:]],
        "a part twice": [*lines[:3], *lines[2:]],
        "parts exchanged": [lines[0], lines[2], lines[1], *lines[3:]],
        "an unknown part": [*lines[:-1], b'{"part":"spells","rows":[]}\n', lines[-1]],
        "another shape": [*lines[:-1], b'{"part":"counts","rows":[["now","stored","",1]]}\n', lines[-1]],
        "no last newline": [*lines[:-1], lines[-1].rstrip()],
        "nothing": [],
    }
    for name, these in wrong.items():
        with pytest.raises(MoveRefusedError):
            print(name, read(packed(parcel, these)))


def test_another_format_is_named(parcel: Path) -> None:
    """A parcel of a release to come says so, whatever else has changed in it."""
    first = msgspec.json.decode(lines_of(parcel)[0]) | {"format": 3, "mystery": 1}
    with pytest.raises(MoveRefusedError, match="has format 3; this release reads 1 and 2"):
        read(packed(parcel, [msgspec.json.encode(first) + b"\n"]))
    parcel.write_text("time,value\n1,2\n")
    with pytest.raises(MoveRefusedError, match="no parcel"):
        read(parcel)


def test_a_line_without_end_does_not_fill_the_memory(parcel: Path) -> None:
    """A few kB that unpack to gigabytes are given up at the longest line."""
    with parcel.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as stream:
        for _ in range(16 * LONGEST_LINE >> 20):
            stream.write(b" " * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(MoveRefusedError, match="no parcel"):
            read(parcel)
        assert tracemalloc.get_traced_memory()[1] < 4 * LONGEST_LINE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("part", "rows"), [
    ("keys", [KeyRow("j", KeyKind.DEVICE, 8, "", (), (), b"", NOW_US, None, None, None)]),
    ("series", [SeriesRow(4, 8, "t", None, 0, None, None, None, None, None)]),
    ("readings", [ReadingRow(4, 1, b"", 1, 1, 1.0, None, None)]),
])  # fmt: skip
def test_what_names_nothing_is_refused(tmp_path: Path, seed: int, part: str, rows: Rows) -> None:
    """Devices and series are looked for before anything is changed."""
    made = Made(1, random.Random(seed))
    parts = sorted([*made.parts(), (part, rows)], key=lambda piece: list(PARTS).index(piece[0]))
    made.parts = lambda: iter(parts)
    with pytest.raises(MoveRefusedError, match=f"its {part} name what is not in it"):
        read(written(tmp_path / "parcel", made))


def test_memory_does_not_grow_with_the_readings(tmp_path: Path, seed: int) -> None:
    """Writing and reading 100,000 readings takes no more than some of them at once."""
    tracemalloc.start()
    try:
        path = written(tmp_path / "parcel", Made(100_000, random.Random(seed)))
        assert read(path).rows["readings"] == 100_000
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 16 << 20


def test_nothing_is_left_of_what_was_not_finished(tmp_path: Path, seed: int) -> None:
    """Without `commit` there is no file, under no name."""
    with ParcelWriter(tmp_path / "parcel") as parcel:
        move(Made(10_000, random.Random(seed)), parcel)
    assert list(tmp_path.iterdir()) == []
