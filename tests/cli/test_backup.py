from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing

import apsw
import httpx2
import pytest
from platform_process import get, running, tslice

from telemetry_slice.cli.backup import BackupError, back_up, restore, sha256
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
def backups(demo_platform, tmp_path_factory):
    """A folder and a tar file, both taken under load: (folder of both, ids acknowledged before each)."""
    folder = tmp_path_factory.mktemp("backups")
    before = {}
    load = Load(demo_platform.url, demo_platform.acme["gatewayKey"])
    load.start()
    for name in ("folder", "file.tar.gz"):
        demo_platform.process.wait_for(lambda: len(load.acknowledged) >= 200 * (1 + len(before)))
        before[name] = list(load.acknowledged)
        result = tslice("backup", folder / name, folder=demo_platform.folder)
        assert result.returncode == 0, result.stderr
        assert "verified" in result.stdout
        assert len(load.acknowledged) > len(before[name]), "the server went on taking events"
    load.ended.set()
    load.join(10)
    return folder, before


@pytest.mark.parametrize("name", ["folder", "file.tar.gz"])
def test_what_was_acknowledged_before_a_backup_is_in_it(backups, tmp_path, name):
    folder, before = backups
    restore(folder / name, tmp_path / "data", silent)
    with closing(apsw.Connection(str(tmp_path / "data" / "telemetry.db"))) as connection:
        kept = {row[0] for row in connection.execute("SELECT event_text FROM telemetry_events")}
    assert set(before[name]) <= kept


def test_a_restored_folder_is_a_platform(backups, demo_platform, tmp_path):
    result = tslice("restore", backups[0] / "folder", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    with running(tmp_path) as up:
        url = up.ready()
        books = get(url, "/api/v1/books", demo_platform.acme["serviceKey"])
        assert books["balanced"]
        headers = {"Authorization": f"Bearer {demo_platform.acme['gatewayKey']}", "Prefer": "wait=10"}
        event = {"recordedAt": "2026-01-01T00:00:00Z", "eventId": "load-0", "deviceId": "load", "type": "n", "value": 1}
        answer = httpx2.post(f"{url}/api/v1/telemetry", json=event, headers=headers, trust_env=False)
        assert answer.json()["results"][0]["outcome"] == "duplicate"


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


def test_a_backup_overwrites_nothing(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(BackupError, match="exists already"):
        back_up(tmp_path / "data", tmp_path / "there", silent)


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
    with pytest.raises(BackupError, match="not a data folder"):
        back_up(tmp_path / "data", tmp_path / "b", silent)
