from __future__ import annotations

import json
import threading

import pytest
from platform_process import demo_of, get, running, tslice

from telemetry_slice.cli.backup import BackupError, restore
from telemetry_slice.cli.client import Api
from telemetry_slice.cli.delivery import Batch


def silent(_text):
    pass


class Load(threading.Thread):
    """Sends batches until told to stop; `acknowledged` grows with each 2xx."""

    def __init__(self, url, key):
        super().__init__(daemon=True)
        self.url, self.key = url, key
        self.acknowledged = []
        self.ended = threading.Event()

    def run(self):
        import asyncio

        asyncio.run(self._send())

    async def _send(self):
        async with Api(self.url, self.key) as api:
            number = 0
            while not self.ended.is_set():
                ids = [f"load-{number + n}" for n in range(20)]
                events = [
                    {"eventId": i, "deviceId": "load", "recordedAt": "2026-01-01T00:00:00Z", "type": "n", "value": 1}
                    for i in ids
                ]
                content = Batch(events, 1).encode()
                headers = {"Content-Type": "application/x-ndjson"}
                answer = await api.attempt("POST", "/api/v1/telemetry", content=content, headers=headers)
                if answer.status_code == 202:
                    self.acknowledged.extend(ids)
                    number += 20


@pytest.fixture(scope="module")
def backups(tmp_path_factory):
    """A folder and a tar file, both taken under load: (folder of all, ids acknowledged before, demo)."""
    folder = tmp_path_factory.mktemp("backups")
    before = {}
    with running(folder, TSLICE_LIMIT_KEY_PER_SECOND="0", TSLICE_LIMIT_KEY_EVENTS_PER_SECOND="0") as up:
        url = up.ready()
        demo = demo_of(folder)
        load = Load(url, demo["tenants"]["acme-123"]["gatewayKey"])
        load.start()
        for name in ("folder", "file.tar.gz"):
            up.wait_for(lambda: len(load.acknowledged) >= 200 * (1 + len(before)))
            before[name] = list(load.acknowledged)
            result = tslice("backup", name, folder=folder)
            assert result.returncode == 0, result.stderr
            assert "verified" in result.stdout
            assert len(load.acknowledged) > len(before[name]), "the server went on taking events"
        load.ended.set()
        load.join(10)
        up.kill()
    return folder, before, demo


@pytest.mark.parametrize("name", ["folder", "file.tar.gz"])
def test_what_was_acknowledged_before_a_backup_is_in_it(backups, tmp_path, name):
    folder, before, demo = backups
    result = tslice("restore", folder / name, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    key = demo["tenants"]["acme-123"]["serviceKey"]
    with running(tmp_path) as up:
        url = up.ready()
        stored, cursor = set(), None
        while True:
            params = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "limit": 1000}
            page = get(url, "/api/v1/devices/load/telemetry", key, **params, **({"cursor": cursor} if cursor else {}))
            stored |= {event["eventId"] for event in page["events"]}
            cursor = page["next"]
            if cursor is None:
                break
        assert set(before[name]) <= stored
        assert get(url, "/api/v1/books", key)["balanced"]
        # The restored keys work, and the ids of the past are still known.
        again = tslice("books", "--json", folder=tmp_path)
        assert again.returncode == 0, again.stderr


def test_a_backup_is_private_and_complete(backups):
    folder = backups[0] / "folder"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json",
        "telemetry.db",
        "registry.db",
        "secrets.json",
        "demo.json",
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


def test_restore_refuses_a_folder_with_something_in_it(backups, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").write_text("x")
    with pytest.raises(BackupError, match="not empty"):
        restore(backups[0] / "folder", tmp_path / "data", silent)


def test_a_backup_overwrites_nothing(backups, tmp_path):
    (tmp_path / "there").mkdir()
    result = tslice("backup", tmp_path / "there", "--data", backups[0] / "data", folder=tmp_path)
    assert result.returncode == 1
    assert "exists already" in result.stderr


@pytest.mark.parametrize("name", ["telemetry.db", "registry.db", "secrets.json"])
def test_one_flipped_byte_is_found_and_nothing_restored(backups, tmp_path, name):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in (backups[0] / "folder").iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(content)
    with pytest.raises(BackupError, match=name):
        restore(damaged, tmp_path / "data", silent)
    assert not (tmp_path / "data").exists()


def test_a_copy_that_lost_a_row_is_found_even_with_a_matching_checksum(backups, tmp_path):
    import apsw

    from telemetry_slice.cli.backup import sha256

    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in (backups[0] / "folder").iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    connection = apsw.Connection(str(damaged / "telemetry.db"))
    connection.execute("DELETE FROM event_ledger WHERE event_key = (SELECT min(event_key) FROM event_ledger)")
    connection.close()
    manifest = json.loads((damaged / "manifest.json").read_text())
    manifest["files"]["telemetry.db"]["sha256"] = sha256(damaged / "telemetry.db")
    (damaged / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BackupError, match="telemetry"):
        restore(damaged, tmp_path / "data", silent)


def test_what_is_no_backup_is_told(tmp_path):
    (tmp_path / "x.tar").write_text("no archive")
    with pytest.raises(BackupError, match="cannot be read as a backup"):
        restore(tmp_path / "x.tar", tmp_path / "data", silent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackupError, match="not a backup"):
        restore(tmp_path / "empty", tmp_path / "data", silent)
    with pytest.raises(BackupError, match="does not exist"):
        restore(tmp_path / "nothing", tmp_path / "data", silent)
    result = tslice("backup", "b", folder=tmp_path)
    assert "not a data folder" in result.stderr
