from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest

from telemetry_slice.cli.agent import run_agent, uuid7
from telemetry_slice.cli.delivery import UndeliverableError
from telemetry_slice.cli.spool import Spool


async def poll(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)


def test_ids_are_uuids_of_version_7():
    parsed = uuid.UUID(uuid7(1_700_000_000_123_456))
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == 1_700_000_000_123


async def test_readings_arrive_and_the_agent_stops_when_told(receiver):
    stop = asyncio.Event()
    agent = asyncio.create_task(run_agent(receiver.url, receiver.key, "host", stop, interval_s=0.05))
    await poll(lambda: len(receiver.events) >= 3)
    stop.set()
    await asyncio.wait_for(agent, 20)
    event = next(iter(receiver.events.values()))
    assert event["deviceId"] == "host"
    assert 0 <= event["measurements"]["cpu"]["value"] <= 100
    assert event["measurements"]["memory"]["unit"] == "%"
    assert {"disk", "load"} <= event["measurements"].keys()


async def test_a_wrong_key_is_told(receiver):
    with pytest.raises(UndeliverableError, match="not accepted"):
        await run_agent(receiver.url, "tsk_wrong", "host", asyncio.Event())


async def test_an_outage_is_spooled_and_made_up_for(served, receiver, tmp_path):
    stop, said = asyncio.Event(), []
    spool = tmp_path / "spool"
    agent = asyncio.create_task(
        run_agent(receiver.url, receiver.key, "host", stop, interval_s=0.05, spool=spool, say=said.append)
    )
    await poll(lambda: len(receiver.events) >= 2)
    await asyncio.to_thread(served.stop)
    before = len(receiver.events)
    await poll(lambda: spool.exists() and sum(p.read_bytes().count(b"\n") for p in spool.iterdir()) >= 5)
    assert any("cannot reach" in line for line in said)
    await asyncio.to_thread(served.start)
    await poll(lambda: len(receiver.events) >= before + 6 and not any(spool.iterdir()))
    stop.set()
    await agent
    assert any("events that waited" in line for line in said)


async def test_what_an_earlier_agent_kept_is_sent(receiver, tmp_path):
    kept = Spool(tmp_path)
    kept.put({"eventId": "kept", "deviceId": "host", "recordedAt": "2024-01-01T00:00:00Z", "measurements": {"t": 1}})
    stop = asyncio.Event()
    agent = asyncio.create_task(run_agent(receiver.url, receiver.key, "host", stop, spool=tmp_path))
    await poll(lambda: "kept" in receiver.events)
    stop.set()
    await agent


def test_a_full_spool_drops_the_oldest_and_says_how_many(tmp_path):
    spool = Spool(tmp_path, max_bytes=40_000)
    dropped = sum(spool.put({"eventId": str(n), "padding": "x" * 30}) for n in range(2000))
    left = []
    while oldest := spool.oldest():
        left += [event["eventId"] for event in oldest[1]]
        spool.done(oldest[0])
    assert dropped > 0
    assert left == [str(n) for n in range(dropped, 2000)]


def test_a_line_cut_off_by_power_loss_is_no_event(tmp_path):
    spool = Spool(tmp_path)
    spool.put({"eventId": "whole"})
    segment = next(tmp_path.iterdir())
    segment.write_bytes(segment.read_bytes() + b'{"eventId": "cut')
    assert [event["eventId"] for event in Spool(tmp_path).oldest()[1]] == ["whole"]


def test_the_verb_stops_cleanly(receiver, tmp_path):
    command = [sys.executable, "-m", "telemetry_slice", "agent", "--url", receiver.url, "--key", receiver.key]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(
        [*command, "--interval", "0.1"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as agent:
        deadline = time.monotonic() + 15
        while not receiver.events:
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
        agent.send_signal(signal.SIGINT)
        out, err = agent.communicate(timeout=10)
    assert agent.returncode == 0, err
    assert "Sending this host's readings" in out
    assert err == ""
