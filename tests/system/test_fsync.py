"""Every acknowledgement stands behind an fsync: counted from outside, with strace."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

from .processes import Server, wait_until

SINGLES = 25


def fsyncs_behind_singles(server: Server, trace: Path) -> int:
    """Send singles one after another; how many of them have an fsync of the writer between sending and answer."""
    strace = shutil.which("strace")
    assert strace, "strace is not installed"
    server.start()
    key = server.demo["tenants"]["beta-456"]["gatewayKey"]
    tracer = subprocess.Popen(
        [strace, "-f", "-ttt", "-e", "trace=fsync,fdatasync", "-o", str(trace), "-p", str(server.writer_pid())],
        stderr=subprocess.PIPE,
    )
    try:
        assert tracer.stderr is not None
        assert b"attached" in tracer.stderr.readline()
        spans = []
        for _ in range(SINGLES):
            event = {
                "eventId": str(uuid.uuid4()),
                "deviceId": "fsync-1",
                "recordedAt": "2026-11-01T00:00:00Z",
                "type": "n",
                "value": 1,
            }
            began = time.time()
            status, answer = server.request("POST", "/api/v1/telemetry", key=key, body=event)
            assert status == 202, answer
            spans.append((began, time.time()))
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=20)
    wait_until(trace.exists, "trace")
    calls = re.finditer(r"^(?:\d+ +)?(\d+\.\d+) f(?:data)?sync\(", trace.read_text(), re.MULTILINE)
    moments = [float(found[1]) for found in calls]
    return sum(any(began <= moment <= ended for moment in moments) for began, ended in spans)


def test_every_acknowledged_single_is_behind_an_fsync(tmp_path: Path) -> None:
    """One durable commit for each of a row of requests that wait for each other."""
    server = Server(tmp_path)
    try:
        assert fsyncs_behind_singles(server, tmp_path / "trace") == SINGLES
    finally:
        server.kill()


def test_a_writer_that_does_not_wait_for_the_disk_is_caught(tmp_path: Path) -> None:
    """The negative control: with the setting relaxed there is no fsync to be seen."""
    server = Server(tmp_path, program=(str(Path(__file__).with_name("relaxes_fsync.py")),))
    try:
        assert fsyncs_behind_singles(server, tmp_path / "trace") < SINGLES
    finally:
        server.kill()
