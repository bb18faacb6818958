from __future__ import annotations

import json
import random
import re
import signal
import socket
import threading

import httpx2
import pytest
from platform_process import Process, demo_of, get, running, tslice
from tests.certificates import certificate


@pytest.fixture
def seed():
    value = random.SystemRandom().randrange(10**6)
    print(f"seed {value}")
    return value


def test_an_empty_folder_becomes_the_demo(demo_platform):
    demo, acme, url = demo_platform.demo, demo_platform.acme, demo_platform.url
    assert (demo_platform.data / "demo.json").stat().st_mode & 0o777 == 0o600
    assert demo.keys() == {"url", "tenants"}
    assert demo["url"] == url
    assert demo["tenants"].keys() == {"acme-123", "beta-456"}
    assert acme.keys() == {"user", "gatewayKey", "serviceKey", "deviceKeys"}
    assert acme["user"].keys() == {"email", "password"}
    assert acme["deviceKeys"].keys() == {"dev-001", "dev-002", "host"}
    assert acme["user"]["email"] in demo_platform.process.printed
    assert acme["user"]["password"] in demo_platform.process.printed
    devices = {d["deviceId"]: d for d in get(url, "/api/v1/devices", acme["serviceKey"])["devices"]}
    assert devices["dev-001"]["label"] == "Boiler #3"
    assert devices["dev-002"]["location"] == "Plant A"
    insights = get(url, "/api/v1/devices/dev-001/insights", acme["serviceKey"], hours=24)["insights"]
    temperature = next(i for i in insights if i["type"] == "temperature")
    assert temperature["count"] > 1300
    # It is 13 above what is usual at that hour, which may be the coolest of the day.
    assert temperature["max"] - temperature["avg"] > 7, "the day has an anomaly"
    pump = get(url, "/api/v1/devices", demo_platform.beta["serviceKey"])["devices"]
    assert ("dev-100", "Pump #9", "Site B") in [(d["deviceId"], d["label"], d["location"]) for d in pump]
    signed_in = httpx2.post(f"{url}/api/v1/auth/login", json=acme["user"], trust_env=False)
    assert signed_in.status_code == 200


def test_this_computer_is_a_device(demo_platform):
    key = demo_platform.acme["serviceKey"]

    def values():
        return get(demo_platform.url, "/api/v1/devices/host", key)["lastValues"]

    demo_platform.process.wait_for(values)
    assert {"cpu", "memory", "disk"} <= {value["type"] for value in values()}


def test_a_folder_is_used_by_one_server_at_a_time(demo_platform):
    second = tslice("up", "--port", "0", folder=demo_platform.folder)
    assert second.returncode == 1
    assert demo_platform.url in second.stderr
    assert "Traceback" not in second.stderr


def test_a_start_that_is_killed_is_continued(tmp_path, seed):
    rng = random.Random(seed)
    plan, done = tmp_path / "data" / "demo.plan.json", tmp_path / "data" / "demo.json"
    for _ in range(2):
        with running(tmp_path) as up:
            up.wait_for(lambda: plan.exists() or done.exists())
            threading.Event().wait(rng.uniform(0.0, 0.5))
            up.kill()
        if done.exists():
            break
    with running(tmp_path) as up:
        url = up.ready()
        demo = demo_of(tmp_path)
        assert not plan.exists()
        for tenant in demo["tenants"].values():
            assert httpx2.post(f"{url}/api/v1/auth/login", json=tenant["user"], trust_env=False).status_code == 200
            for device in set(tenant["deviceKeys"]) - {"host"}:
                insights = get(url, f"/api/v1/devices/{device}/insights", tenant["serviceKey"], hours=25)["insights"]
                assert {i["count"] for i in insights} == {1440}
            books = get(url, "/api/v1/books", tenant["serviceKey"])
            assert books["balanced"]
            assert books["rejected"] == {}
        assert up.end(signal.SIGINT) == 0
        assert "Traceback" not in up.printed
    with running(tmp_path) as again:
        again.ready()
        assert demo_of(tmp_path) == demo | {"url": again.url}
        assert again.end(signal.SIGTERM) == 0


def test_a_port_in_use_is_told_and_leaves_nothing_behind(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = tslice("up", "--port", port, folder=tmp_path)
    assert result.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in result.stderr
    assert not (tmp_path / "data").exists()


def test_no_demo_gives_a_link_that_works_once(tmp_path):
    with running(tmp_path, "--no-demo") as up:
        url = up.ready()
        token = re.search(r"/setup\?token=(\S+)", up.printed)[1]
        body = {
            "token": token,
            "email": "a@b.example",
            "password": "correct horse",
            "tenantId": "t-1",
            "tenantName": "T",
        }
        assert httpx2.post(f"{url}/api/v1/auth/setup", json=body, trust_env=False).status_code == 200
        assert httpx2.post(f"{url}/api/v1/auth/setup", json=body, trust_env=False).status_code >= 400
        up.end()
    with running(tmp_path) as up:
        up.ready()
        assert "setup?token" not in up.printed
        assert not (tmp_path / "data" / "demo.json").exists(), "an installation in use gets no demo"


def test_the_demo_is_refused_to_a_network(tmp_path):
    result = tslice("up", "--host", "0.0.0.0", "--port", "0", folder=tmp_path)
    assert result.returncode == 1
    assert "--demo-public" in result.stderr
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo.json").write_text(json.dumps({"tenants": {"acme-123": {}}}))
    result = tslice("up", "--host", "0.0.0.0", "--port", "0", "--no-demo", folder=tmp_path)
    assert result.returncode == 1
    assert "--demo-public" in result.stderr


def test_an_interrupt_while_starting_is_clean(tmp_path):
    up = Process(tmp_path)
    up.wait_for(lambda: any((tmp_path / "data").glob("demo*.json")))
    assert up.end(signal.SIGINT) == 0
    assert "Traceback" not in up.printed


def test_a_wrong_setting_is_named(tmp_path):
    result = tslice("up", folder=tmp_path, TSLICE_LIMIT_KEY_PER_SECOND="many")
    assert result.returncode == 1
    assert "TSLICE_LIMIT_KEY_PER_SECOND" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_settings_name_the_folder_for_every_verb(tmp_path):
    (tmp_path / "tslice.toml").write_text('data = "kept"\n')
    assert tslice("migrate", folder=tmp_path).stdout == "kept is up to date\n"
    url = f"sqlite:///{tmp_path}/other/telemetry.db"
    moved = tslice("migrate", folder=tmp_path, TSLICE_DATABASE_URL=url)
    assert moved.returncode == 0, moved.stderr
    assert not (tmp_path / "data").exists()


def test_https_works_for_this_machine_whatever_name_the_certificate_has(tmp_path):
    certificate(tmp_path, "telemetry.example")
    with running(tmp_path, "--tls-cert", "cert.pem", "--tls-key", "key.pem") as up:
        assert up.url.startswith("https://127.0.0.1:")

        def host_is_heard():
            listed = tslice("devices", "list", "-q", "host", "--json", folder=tmp_path)
            assert listed.returncode == 0, listed.stderr
            return json.loads(listed.stdout)[0]["lastSeen"] is not None

        up.wait_for(host_is_heard)
        tail = tslice("tail", "-n", "1", "--json", folder=tmp_path)
        assert json.loads(tail.stdout)["deviceId"] == "host", tail.stderr
        (tmp_path / "x.csv").write_text("time,value\n2026-01-01,1\n")
        assert tslice("send", "x.csv", folder=tmp_path).returncode == 0
        stranger = tslice("books", "--url", up.url, "--key", "tsk_x", folder=tmp_path)
        assert "certificate is not trusted" in stranger.stderr
