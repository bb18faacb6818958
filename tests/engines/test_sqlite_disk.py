"""What a data folder takes and has left."""

from __future__ import annotations

import apsw

from telemetry_slice.engines.sqlite.disk import DataDisk, reusable_bytes
from telemetry_slice.engines.sqlite.files import TELEMETRY


def test_pages_that_were_emptied_count_as_free(tmp_path):
    """A file does not shrink when rows are deleted; what they took can be filled again."""
    path = tmp_path / TELEMETRY
    assert reusable_bytes(path) == 0
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (zeroblob(?))", [(1000,)] * 1000)
    assert reusable_bytes(path) == 0
    taken, before = DataDisk(tmp_path).usage()
    assert taken >= 1_000_000
    connection.execute("DELETE FROM t")
    freelist = connection.execute("PRAGMA freelist_count").fetchone()[0]
    assert freelist > 200
    assert reusable_bytes(path) == freelist * 4096
    assert DataDisk(tmp_path).usage()[1] - before > 500_000
    connection.close()
