from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta

import pytest

from telemetry_slice.cli.client import ProblemError
from telemetry_slice.cli.readings import ReadingError
from telemetry_slice.cli.target import TargetError


def last_line(result):
    return result.stdout.strip().splitlines()[-1]


def many(count):
    start = datetime(2024, 1, 1)  # noqa: DTZ001  # written as a file without offsets does
    return "timestamp,value\n" + "".join(f"{start + timedelta(minutes=n)},{n / 4}\n" for n in range(count))


def until(condition, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        threading.Event().wait(0.02)


def test_a_file_is_stored_once_however_often_it_is_sent(send, receiver, csv_file):
    path = csv_file(many(1234))
    first = send(path, "--device", "press-7", "--type", "temperature", "--unit", "C")
    assert first.exit_code == 0, first.output
    assert last_line(first) == "stored 1234, duplicate 0, dead 0, rejected 0"
    second = send(path, "--device", "press-7", "--type", "temperature", "--unit", "C")
    assert second.exit_code == 0
    assert last_line(second) == "stored 0, duplicate 1234, dead 0, rejected 0"
    assert len(receiver.events) == 1234
    event = min(receiver.events.values(), key=lambda event: event["recordedAt"])
    assert event["deviceId"] == "press-7"
    assert event["recordedAt"] == "2024-01-01T00:00:00.000000Z"
    assert (event["type"], event["value"], event["unit"]) == ("temperature", 0.0, "C")


def test_two_readings_of_one_instant_are_both_kept(send, receiver, csv_file):
    path = csv_file("timestamp,value\n2024-01-01 00:00:00,1\n2024-01-01 00:00:00,1\n2024-01-01 00:00:00,2\n")
    assert last_line(send(path)) == "stored 3, duplicate 0, dead 0, rejected 0"
    assert last_line(send(path)) == "stored 0, duplicate 3, dead 0, rejected 0"
    assert {event["deviceId"] for event in receiver.events.values()} == {"readings"}


def test_one_column_a_type(send, receiver, csv_file):
    path = csv_file(
        "pressure,recordedAt,running,state\n1.02,2024-01-01T00:00:00+02:00,true,idle\n,2024-01-01T00:01:00Z,false,\n"
    )
    result = send(path)
    assert last_line(result) == "stored 4, duplicate 0, dead 0, rejected 0", result.output
    assert "2 cells were empty" in result.stdout
    kept = sorted(receiver.events.values(), key=lambda event: json.dumps(event["recordedAt"]))
    assert kept[0]["recordedAt"] == "2023-12-31T22:00:00.000000Z"
    assert {"running": True} in [event.get("measurements") for event in kept]
    assert {"state": "idle"} in [event.get("measurements") for event in kept]
    assert receiver.requests.keys() == {"/api/v1/telemetry", "/api/v2/telemetry"}


@pytest.mark.parametrize("name", ["events.json", "events.ndjson"])
def test_json_and_ndjson_events_keep_their_ids(send, receiver, csv_file, name):
    events = [
        {"eventId": "a", "deviceId": "d", "recordedAt": "2024-01-01T00:00:00Z", "type": "t", "value": 1},
        {"deviceId": "d", "recordedAt": 1704067200000, "type": "t", "value": 1, "unit": "C"},
        {"deviceId": "d", "recordedAt": 1704067200000, "measurements": {"t": 1, "on": True}},
    ]
    text = json.dumps(events) if name.endswith(".json") else "\n".join(map(json.dumps, events))
    assert last_line(send(csv_file(text, name))) == "stored 3, duplicate 0, dead 0, rejected 0"
    assert "a" in receiver.events
    assert len({event["recordedAt"] for event in receiver.events.values()}) == 1
    assert last_line(send(csv_file(text, name))) == "stored 0, duplicate 3, dead 0, rejected 0"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("timestamp,value\n2024-01-01,1\n2024-01-02,abc\n", ":3: field 'value': 'abc' is not a number"),
        ("timestamp,value\n2024-01-01,1\nyesterday,2\n", ":3: field 'timestamp': 'yesterday' is not a time"),
        ("timestamp,value\n2024-01-01,1,2\n", ":2: 3 fields where the first line has 2"),
        ("timestamp,value\n2024-01-01,inf\n", ":2: field 'value': inf is not a finite number"),
        ("", "the file is empty"),
        ("timestamp\n2024-01-01\n", ":1: expected a time column and at least one value column"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_sent(send, receiver, csv_file, text, complaint):
    result = send(csv_file(text))
    assert isinstance(result.exception, ReadingError)
    assert complaint in str(result.exception)
    assert not receiver.events


def test_a_json_mistake_is_named_by_line(send, csv_file):
    result = send(csv_file('{"recordedAt": "2024-01-01", "value": 1}\n{"recordedAt": \n', "x.ndjson"))
    assert "x.ndjson:2: not JSON" in str(result.exception)


def test_a_missing_file_and_a_missing_target_are_told(run, csv_file, tmp_path):
    result = run("send", tmp_path / "nothing.csv", "--url", "http://127.0.0.1:1", "--key", "k")
    assert "nothing.csv: No such file" in str(result.exception)
    result = run("send", csv_file(many(1)))
    assert isinstance(result.exception, TargetError)
    assert "--url" in str(result.exception)


def test_the_demo_gives_address_and_key(run, receiver, csv_file, tmp_path):
    demo = {"url": receiver.url, "tenants": {"acme-123": {"gatewayKey": receiver.key}}}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo.json").write_text(json.dumps(demo))
    assert last_line(run("send", csv_file(many(3)))) == "stored 3, duplicate 0, dead 0, rejected 0"
    other = run("send", csv_file(many(3)), "--url", "http://127.0.0.1:1")
    assert isinstance(other.exception, TargetError), "the demo's key must not travel to another address"


def test_a_wrong_key_ends_at_once(run, receiver, csv_file):
    result = run("send", csv_file(many(3)), "--url", receiver.url, "--key", "tsk_wrong")
    assert result.exit_code == 1
    assert "not accepted" in result.stderr
    assert sum(receiver.requests.values()) <= 4


def test_busy_answers_are_waited_out(send, receiver, csv_file):
    receiver.refusals = [(429, {"Retry-After": "1"}), (503, {"Retry-After": "1"}), (503, {})]
    started = time.monotonic()
    result = send(csv_file(many(1500)))
    assert last_line(result) == "stored 1500, duplicate 0, dead 0, rejected 0"
    assert time.monotonic() - started >= 1.0


def test_quotas_are_kept_without_being_refused(send, receiver, csv_file):
    receiver.quota = 2000
    started = time.monotonic()
    assert last_line(send(csv_file(many(5000)))) == "stored 5000, duplicate 0, dead 0, rejected 0"
    assert time.monotonic() - started >= 1.4
    assert receiver.refused <= 1


def test_a_lost_answer_is_asked_again(send, receiver, csv_file):
    receiver.lose_answers = 1
    result = send(csv_file(many(10)))
    assert result.exit_code == 0
    assert last_line(result) == "stored 0, duplicate 10, dead 0, rejected 0"
    assert "10 of the duplicates were sent twice" in result.stdout


def test_an_undecided_batch_is_asked_again(send, receiver, csv_file):
    receiver.undecided = 1
    assert "10" in last_line(send(csv_file(many(10))))
    assert len(receiver.events) == 10


def test_too_large_a_batch_is_halved(send, receiver, csv_file):
    receiver.max_events = 100
    assert last_line(send(csv_file(many(450)))) == "stored 450, duplicate 0, dead 0, rejected 0"


def test_dead_and_rejected_events_are_told_and_fail(send, csv_file):
    assert send(csv_file("timestamp,value\n2024-01-01,1\n")).exit_code == 0
    result = send(csv_file("timestamp,value\n2024-01-01,2\n"))
    assert result.exit_code == 1
    assert last_line(result) == "stored 0, duplicate 0, dead 1, rejected 0"
    assert "conflict" in result.stdout
    result = send(csv_file("timestamp,ok,refused\n2024-01-03,1,1\n2024-01-04,1,1\n"))
    assert result.exit_code == 1
    assert last_line(result) == "stored 2, duplicate 0, dead 0, rejected 2"
    result = send(csv_file("timestamp,refused\n2024-01-03,1\n"))
    assert last_line(result) == "stored 0, duplicate 0, dead 0, rejected 1"


def test_speed_replays_at_the_recorded_pace(send, receiver, csv_file):
    path = csv_file("timestamp,value\n" + "".join(f"2024-01-01 00:00:{n:02},{n}\n" for n in range(0, 31, 10)))
    started = time.monotonic()
    assert last_line(send(path, "--speed", "20")) == "stored 4, duplicate 0, dead 0, rejected 0"
    assert 1.4 <= time.monotonic() - started < 10
    assert receiver.requests["/api/v1/telemetry"] >= 3


def test_an_outage_is_outlived(served, receiver, csv_file, send):
    path = csv_file(many(8000))
    receiver.delay_s, receiver.quick_events = 2.0, 1000
    results = []
    sender = threading.Thread(target=lambda: results.append(send(path)))
    sender.start()
    until(lambda: len(receiver.events) >= 1000 and receiver.most_in_flight > 1)
    served.stop()
    kept = len(receiver.events)
    receiver.delay_s = 0.0
    threading.Event().wait(0.5)
    served.start()
    sender.join(180)
    assert results[0].exit_code == 0, results[0].output
    assert kept < 8000
    assert len(receiver.events) == 8000
    assert 1 < receiver.most_in_flight <= 4


def test_patience_ends(run, csv_file):
    result = run("send", csv_file(many(1)), "--url", "http://127.0.0.1:1", "--key", "k", "--patience", "0.1")
    assert result.exit_code == 1
    assert "cannot reach http://127.0.0.1:1" in result.stderr


def test_an_interrupted_sending_goes_on_where_it_was(receiver, csv_file, tmp_path):
    path = csv_file(many(12_000))
    receiver.delay_s, receiver.quick_events = 3.0, 3000
    command = [sys.executable, "-m", "telemetry_slice", "send", path, "--url", receiver.url, "--key", receiver.key]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        until(lambda: len(receiver.events) >= 3000)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
    assert first.returncode == 130, err
    assert "Traceback" not in err
    assert "stored" in out
    receiver.delay_s = 0
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 0, second.stderr
    assert "Going on after" in second.stdout
    assert len(receiver.events) == 12_000
    third = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert third.stdout.strip().splitlines()[-1] == "stored 0, duplicate 12000, dead 0, rejected 0"


def test_a_problem_names_its_fields():
    import httpx2

    body = {"title": "Invalid", "detail": "Wrong.", "errors": [{"pointer": "/label", "detail": "too long"}]}
    assert str(ProblemError(httpx2.Response(422, json=body))) == "Wrong. (HTTP 422)\n  /label: too long"
    assert "HTTP 502" in str(ProblemError(httpx2.Response(502, text="<html>")))
