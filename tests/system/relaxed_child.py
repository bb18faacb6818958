"""The writer child with its fsyncs switched off: what the fsync test must not let pass. Called as an interpreter."""

import runpy
import sys

from telemetry_slice.engines.sqlite import files

open_writer = files.open_writer


def open_relaxed(path):
    """As the real one, but commits do not wait for the disk."""
    connection = open_writer(path)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


files.open_writer = open_relaxed
assert sys.argv[1] == "-m", sys.argv
module = sys.argv[2]
sys.argv[1:3] = []
runpy.run_module(module, run_name="__main__", alter_sys=True)
