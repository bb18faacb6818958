"""Verbs of administration against the running demo, and without a server."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx2
import pytest
from platform_process import get, last_line, tslice
from typer.testing import CliRunner


@pytest.fixture
def verb(demo_platform, monkeypatch):
    """Run a verb beside the demo's folder; its result must be `code`."""
    from telemetry_slice.cli.app import app

    monkeypatch.chdir(demo_platform.folder)
    for name in ("TSLICE_URL", "TSLICE_KEY", "TSLICE_DATA"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


def as_json(result):
    return json.loads(result.stdout)


def test_people_are_invited_and_get_new_passwords(verb, demo_platform):
    made = as_json(verb("users", "invite", "new@example.org", "--role", "operator", "--json"))
    assert (made["email"], made["role"], made["sent"]) == ("new@example.org", "operator", False)
    told = verb("users", "invite", "new@example.org")
    assert told.stdout.startswith(f"{demo_platform.url}/invitation?token=")
    verb("users", "create", "forgetful@example.org", "--password", "correct horse battery")
    told = verb("users", "reset", "forgetful@example.org")
    assert told.stdout.startswith(f"{demo_platform.url}/reset?token=")
    assert "no code any more" in verb("users", "remove-second-factor", "forgetful@example.org").stderr
    refused = verb("users", "remove-second-factor", "nobody@example.org", code=1)
    assert "nobody@example.org" in str(refused.exception)


def test_devices_and_their_keys(verb, demo_platform):
    made = as_json(verb("devices", "create", "kiln-1", "--label", "Kiln", "--tag", "hot", "--json"))
    assert (made[0]["deviceId"], made[0]["label"], made[0]["tags"]) == ("kiln-1", "Kiln", ["hot"])
    changed = as_json(verb("devices", "change", "kiln-1", "--location", "Hall 2", "--json"))
    assert (changed[0]["label"], changed[0]["location"]) == ("Kiln", "Hall 2")
    key = verb("keys", "issue", "--device", "kiln-1").stdout.strip()
    event = {"eventId": "k", "deviceId": "kiln-1", "recordedAt": "2026-01-01T00:00:00Z", "type": "t", "value": 1}
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{demo_platform.url}/api/v1/telemetry"
    assert httpx2.post(url, json=event, headers=headers, trust_env=False).status_code == 202
    key_id = as_json(verb("keys", "list", "--device", "kiln-1", "--json"))[0]["keyId"]
    assert verb("keys", "rotate", key_id, "--device", "kiln-1", "--overlap", "60").stdout.startswith("tsk_")
    verb("keys", "revoke", key_id, "--device", "kiln-1")
    assert httpx2.post(url, json=event, headers=headers, trust_env=False).status_code == 401
    assert "kiln-1" in verb("devices", "list", "-q", "kiln").stdout
    verb("devices", "delete", "kiln-1")
    assert verb("devices", "list", "-q", "kiln").stdout.strip() == "no devices"


def test_a_service_key_administers_from_elsewhere(verb, demo_platform):
    key = verb("keys", "issue", "--service", "--scope", "read", "--name", "report").stdout.strip()
    elsewhere = ("--url", demo_platform.url, "--key", key)
    assert as_json(verb("books", "--json", *elsewhere))["balanced"]
    refused = verb("users", "list", *elsewhere, code=1)
    assert "Not allowed" in str(refused.exception)
    assert "--key" in str(verb("books", "--url", demo_platform.url, code=1).exception)


def test_users(verb, demo_platform):
    made = verb("users", "create", "eva@acme.example", "--role", "operator")
    password = last_line(made)
    body = {"email": "eva@acme.example", "password": password}
    login = httpx2.post(f"{demo_platform.url}/api/v1/auth/login", json=body, trust_env=False)
    assert login.json()["role"] == "operator"
    assert as_json(verb("users", "role", "eva@acme.example", "viewer", "--json"))[0]["role"] == "viewer"
    verb("users", "remove", "eva@acme.example")
    assert "eva" not in verb("users", "list").stdout
    assert "no user eva" in str(verb("users", "remove", "eva@acme.example", code=1).exception)


def test_tenants_and_the_choice_of_one(verb):
    assert {t["id"] for t in as_json(verb("tenants", "list", "--json"))} >= {"acme-123", "beta-456"}
    made = as_json(verb("tenants", "create", "gamma-1", "--name", "Gamma", "--key-events-per-second", "9", "--json"))
    assert made[0]["limits"]["keyEventsPerSecond"] == 9
    assert as_json(verb("tenants", "change", "gamma-1", "--default-limits", "--json"))[0]["limits"] is None
    verb("tenants", "change", "gamma-1", "--key-per-second", "5")
    limits = as_json(verb("tenants", "change", "gamma-1", "--tenant-per-second", "7", "--json"))[0]["limits"]
    assert (limits["keyPerSecond"], limits["tenantPerSecond"]) == (5, 7)
    assert "dev-100" in verb("devices", "list", "--tenant", "beta-456").stdout
    assert "dev-001" in verb("devices", "list").stdout
    taken = verb("tenants", "create", "gamma-1", code=1)
    assert "HTTP 409" in str(taken.exception)


def test_a_tenant_is_erased_after_its_id_was_repeated(verb):
    verb("tenants", "create", "delta-1", "--name", "Delta")
    assert "suspend it first" in str(verb("tenants", "erase", "delta-1", "--confirm", "delta-1", code=1).exception)
    verb("tenants", "suspend", "delta-1", "--reason", "they left")
    assert "nothing was erased" in str(verb("tenants", "erase", "delta-1", "--confirm", "delta", code=1).exception)
    erased = as_json(verb("tenants", "erase", "delta-1", "--confirm", "delta-1", "--json"))
    assert erased["finishedAt"]
    assert "delta-1" not in verb("tenants", "list").stdout
    assert "HTTP 409" in str(verb("tenants", "create", "delta-1", code=1).exception)


def test_dead_letters(verb, demo_platform):
    key = demo_platform.beta["gatewayKey"]
    for number in range(2):
        event = {
            "eventId": f"old-{number}",
            "deviceId": "d",
            "recordedAt": "1999-01-01T00:00:00Z",
            "type": "t",
            "value": 1,
        }
        headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=10"}
        answer = httpx2.post(f"{demo_platform.url}/api/v1/telemetry", json=event, headers=headers, trust_env=False)
        assert answer.json()["results"][0]["outcome"] == "dead"
    letters = as_json(verb("dead-letters", "list", "--tenant", "beta-456", "--reason", "clock", "--json"))
    assert {letter["eventId"] for letter in letters} == {"old-0", "old-1"}
    assert "say which" in str(verb("dead-letters", "replay", "--tenant", "beta-456", code=1).exception)
    again = verb("dead-letters", "replay", letters[0]["id"], "--tenant", "beta-456", code=1)
    assert again.stdout.strip() == "stored 0, duplicate 0, dead 1"
    verb("dead-letters", "discard", *(letter["id"] for letter in letters), "--tenant", "beta-456")
    books = as_json(verb("books", "--tenant", "beta-456", "--json"))
    assert books["dead"] == {"clock": 2}
    assert "the books balance" in verb("books", "--tenant", "beta-456").stdout


def test_tail_prints_what_is_stored(verb, demo_platform):
    result = verb("tail", "-n", "1", "--device", "host", "--type", "cpu", "--json")
    assert json.loads(result.stdout)["deviceId"] == "host"
    result = verb("tail", "-n", "1", "--device", "host", "--type", "memory")
    assert "host  memory = " in result.stdout
    refused = verb("tail", "--url", demo_platform.url, "--key", "tsk_wrong", code=1)
    assert "not accepted" in str(refused.exception)


def test_send_without_options_goes_to_the_demo(verb, demo_platform, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(demo_platform.folder))
    lines = "".join(f"2025-06-01 00:{n:02}:00,{n}\n" for n in range(60))
    (demo_platform.folder / "oven.csv").write_text(f"timestamp,value\n{lines}")
    assert last_line(verb("send", "oven.csv", "--type", "heat")) == "stored 60, duplicate 0, dead 0, rejected 0"
    assert last_line(verb("send", "oven.csv", "--type", "heat")) == "stored 0, duplicate 60, dead 0, rejected 0"
    page = get(
        demo_platform.url,
        "/api/v1/devices/oven/telemetry",
        demo_platform.acme["serviceKey"],
        **{"from": "2025-06-01T00:00:00Z", "to": "2025-06-02T00:00:00Z", "limit": 100},
    )
    assert [event["value"] for event in page["events"]] == list(range(60))
    foreign = verb("send", "oven.csv", "--key", demo_platform.acme["deviceKeys"]["dev-001"], code=1)
    assert "Not allowed" in foreign.stderr


def test_doctor(verb, demo_platform):
    result = verb("doctor")
    assert "✗" not in result.stdout
    assert f"ready at {demo_platform.url}" in result.stdout
    demo_file = demo_platform.data / "demo.json"
    demo_file.chmod(0o644)
    try:
        result = verb("doctor", code=1)
    finally:
        demo_file.chmod(0o600)
    assert f"others may read {demo_file.relative_to(demo_platform.folder)}" in result.stdout
    elsewhere = verb("doctor", "--url", demo_platform.url, "--key", demo_platform.acme["serviceKey"], "--json")
    assert all(finding["fine"] for finding in as_json(elsewhere))
    nowhere = verb("doctor", "--data", "nothing", code=1)
    assert "does not exist" in nowhere.stdout
    unreachable = verb("doctor", "--url", "http://127.0.0.1:1", code=1)
    assert "cannot" in unreachable.stdout or "refused" in unreachable.stdout


def test_a_tenant_is_suspended_and_resumed(verb, demo_platform):
    (suspended,) = as_json(verb("tenants", "suspend", "beta-456", "--reason", "the bill", "--json"))
    assert suspended["suspended"] == "the bill"
    assert "the bill" in verb("tenants", "list").stdout
    (resumed,) = as_json(verb("tenants", "resume", "beta-456", "--json"))
    assert resumed["suspended"] is None
    assert "no such tenant" in str(verb("tenants", "resume", "nobody", code=1).exception)


def test_the_audit_is_listed_exported_and_verified(verb, demo_platform):
    verb("devices", "create", "audited-1")
    (row,) = as_json(verb("audit", "list", "--resource", "devices", "--limit", "1", "--json"))
    assert (row["action"], row["target"], row["actor"]["kind"]) == ("create", "audited-1", "console")
    shown = verb("audit", "list", "--action", "create").stdout
    assert "audited-1" in shown
    assert "console" in shown
    assert "nothing was done" in verb("audit", "list", "--actor", "nobody").stdout
    assert "records, unbroken" in verb("audit", "verify", "--installation").stdout
    assert "records" in verb("audit", "export", "kept.ndjson").stdout
    assert "File exists" in str(verb("audit", "export", "kept.ndjson", code=1).exception)
    assert verb("audit", "export", "--format", "csv").stdout.startswith("sequence,at,actorKind")
    assert "unbroken" in verb("audit", "verify", "--against", "kept.ndjson").stdout
    kept = demo_platform.folder / "kept.ndjson"
    lines = kept.read_text().splitlines()
    # Another tenant's chain does not begin as this one's.
    other = str(verb("audit", "verify", "--tenant", "beta-456", "--against", "kept.ndjson", code=1).exception)
    assert "once went further" in other or "not the one" in other
    kept.write_text("\n".join(lines[1:]))
    assert "record 1 is missing" in str(verb("audit", "verify", "--against", "kept.ndjson", code=1).exception)
    assert "unbroken" in verb("doctor").stdout


def test_the_doctor_finds_a_changed_audit(tmp_path):
    import apsw

    from telemetry_slice.cli.doctor import check_audit
    from telemetry_slice.engines.inprocess import SystemClock
    from telemetry_slice.engines.sqlite.registry import open_registry
    from telemetry_slice.model.audit import Actor, ActorKind, AuditEntry, AuditOutcome
    from telemetry_slice.settings import Settings

    registry = open_registry(tmp_path / "registry.db", SystemClock())
    settings = Settings(data=tmp_path)

    async def fill():
        acme = await registry.tenants.create("acme", "Acme")
        actor = Actor(ActorKind.CONSOLE, "console", "")
        for n in range(3):
            entry = AuditEntry(n, actor, "a", "r", "", None, None, None, AuditOutcome.DONE, {})
            await registry.audit.append(acme.no, entry)

    asyncio.run(fill())
    registry.close()
    assert check_audit(settings).found == "3 records in 1 chains, unbroken"
    file = apsw.Connection(str(tmp_path / "registry.db"))
    file.execute("DROP TRIGGER audit_no_update; UPDATE audit SET outcome = 'refused' WHERE sequence = 2")
    file.close()
    found = check_audit(settings)
    assert (found.fine, found.found) == (False, "of acme: record 2 is not what was written after 1")


def test_without_a_server_the_folder_is_administered_directly(tmp_path, monkeypatch):
    from telemetry_slice.cli.connection import Where, connect
    from telemetry_slice.cli.failure import CliError
    from telemetry_slice.cli.tail import tail

    data = tmp_path / "data"
    assert "not a data folder" in tslice("books", folder=tmp_path).stderr
    assert tslice("migrate", folder=tmp_path).stdout.strip() == "data is up to date"
    assert "shared tables" in tslice("migrate", "--tenant", "acme", folder=tmp_path).stderr
    # The secrets come with the first start.
    from telemetry_slice.engines.folder.secrets import ensure_secrets
    from telemetry_slice.flow.access import new_signing_key

    ensure_secrets(data, new_signing_key)

    async def administer():
        async with connect(Where(None, None, data), in_tenant=False) as api:
            await api.call("POST", "/api/v1/tenants", json={"tenantId": "only-1", "name": "Only"})
        async with connect(Where(None, None, data)) as api:
            await api.call("POST", "/api/v1/devices", json={"deviceId": "d-1"})
            with pytest.raises(CliError, match="no server runs"):
                await tail(api, device=None, type_=None, as_json=False, limit=1)
            return await api.pages("/api/v1/devices", "devices", {"limit": 1})

    found = []
    # A loop of its own: a verb is never run inside another one.
    thread = threading.Thread(target=lambda: found.extend(asyncio.run(administer())))
    thread.start()
    thread.join(60)
    assert [device["deviceId"] for device in found] == ["d-1"]


def test_devices_by_a_list(verb, demo_platform, tmp_path):
    listed = tmp_path / "devices.csv"
    listed.write_text("deviceId,label\nlisted-1,One\nlisted-2,\n")
    assert verb("devices", "import", listed, "--dry-run").stdout.count("created") == 2
    keys = tmp_path / "keys.csv"
    verb("devices", "import", listed, "--out", keys)
    assert keys.stat().st_mode & 0o777 == 0o600
    first = keys.read_text().splitlines()[1].split(",")
    assert first[:3] == ["2", "listed-1", "created"]
    event = {"eventId": "l", "deviceId": "listed-1", "recordedAt": "2026-01-01T00:00:00Z", "type": "t", "value": 1}
    headers = {"Authorization": f"Bearer {first[4]}"}
    sent = httpx2.post(f"{demo_platform.url}/api/v1/telemetry", json=event, headers=headers, trust_env=False)
    assert sent.status_code == 202
    verb("devices", "import", listed, "--out", keys, code=1)
    assert "kept" in verb("devices", "import", listed, "--format", "ndjson").stdout
    listed.write_text("deviceId,label\n,One\n")
    verb("devices", "import", listed, "--out", tmp_path / "none.csv", code=1)
    assert not (tmp_path / "none.csv").exists()


def test_the_doctor_names_keys_that_end_soon(tmp_path):
    from telemetry_slice.cli.doctor import check_keys
    from telemetry_slice.engines.inprocess import SystemClock
    from telemetry_slice.engines.sqlite.registry import open_registry
    from telemetry_slice.model.tenancy import KeyKind
    from telemetry_slice.ports.registry import KeyRecord
    from telemetry_slice.settings import Settings

    registry, day_us = open_registry(tmp_path / "registry.db", SystemClock()), 86_400_000_000
    now_us = SystemClock().now_us()

    async def fill():
        acme = await registry.tenants.create("acme", "Acme")
        for key_id, days in (("soon", 13), ("later", 20)):
            of_key = (key_id, KeyKind.GATEWAY, acme, None, None, "", frozenset(), (), bytes(32), now_us)
            await registry.keys.add(KeyRecord(*of_key, now_us + days * day_us, None, None))

    asyncio.run(fill())
    registry.close()
    found = check_keys(Settings(data=tmp_path))
    assert found.fine is False
    assert found.found.startswith("1 end within 14 days: soon of acme on ")
    assert check_keys(Settings(data=tmp_path, key_warning_days=1)).fine


def test_the_doctor_names_an_erasing_that_stands_still(tmp_path):
    from telemetry_slice.cli.doctor import check_erasures
    from telemetry_slice.engines.inprocess import SystemClock
    from telemetry_slice.engines.sqlite.registry import open_registry
    from telemetry_slice.model.audit import Actor, ActorKind
    from telemetry_slice.settings import Settings

    registry, now_us = open_registry(tmp_path / "registry.db", SystemClock()), SystemClock().now_us()

    async def fill():
        for tenant_id, hours in (("stuck", 2), ("begun", 0)):
            await registry.tenants.create(tenant_id, tenant_id)
            await registry.tenants.suspend(tenant_id, "to be erased")
            asked_us = now_us - hours * 3_600_000_000
            await registry.erasures.begin(tenant_id, Actor(ActorKind.CONSOLE, "console", ""), asked_us)

    asyncio.run(fill())
    found = check_erasures(Settings(data=tmp_path))
    assert (found.fine, "stuck, asked for at" in found.found, "begun" in found.found) == (False, True, False)
    asyncio.run(registry.erasures.finish(1, now_us))
    assert check_erasures(Settings(data=tmp_path)).fine
    registry.close()


def test_enrolment_tokens(verb, demo_platform):
    token = verb("enrolment", "create", "--uses", "2", "--name", "batch", "--prefix", "self-").stdout.strip()
    body = {"deviceId": "self-1", "nonce": "a-random-text-of-the-device"}
    url, headers = f"{demo_platform.url}/api/v1/enrol", {"Authorization": f"Bearer {token}"}
    assert httpx2.post(url, json=body, headers=headers, trust_env=False).status_code == 201
    (listed,) = as_json(verb("enrolment", "list", "--json"))
    assert (listed["name"], listed["uses"], listed["maxUses"]) == ("batch", 1, 2)
    verb("enrolment", "revoke", listed["tokenId"])
    body["deviceId"] = "self-2"
    assert httpx2.post(url, json=body, headers=headers, trust_env=False).status_code == 401


def test_a_certificate_stands_for_a_device(verb, demo_platform, tmp_path):
    from tests.certificates import certificate

    certificate(tmp_path, "kiln")
    verb("devices", "create", "kiln-9")
    (made,) = as_json(verb("devices", "certificate", "kiln-9", tmp_path / "cert.pem", "--name", "chip", "--json"))
    assert (made["kind"], made["name"]) == ("certificate", "chip")
    verb("devices", "certificate", "kiln-9", tmp_path / "key.pem", code=1)
    verb("keys", "revoke", made["keyId"], "--device", "kiln-9")
