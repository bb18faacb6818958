"""`tslice tenants export | import`, as typed."""

from __future__ import annotations

import asyncio

import pytest
from platform_process import tslice

from telemetry_slice.engines.folder.secrets import ensure_secrets
from telemetry_slice.engines.inprocess import SystemClock
from telemetry_slice.engines.sqlite.registry import open_registry
from telemetry_slice.flow.access import new_signing_key
from telemetry_slice.model.audit import INSTALLATION


@pytest.fixture
def folder(run, tmp_path):
    """A data folder with one tenant of one device."""
    data = tmp_path / "old"
    data.mkdir()
    ensure_secrets(data, new_signing_key)
    assert run("migrate", "--data", data).exit_code == 0

    async def settle():
        registry = open_registry(data / "registry.db", SystemClock())
        tenant = await registry.tenants.create("acme", "Acme")
        await registry.devices.register(tenant.no, ["dev-1"])
        registry.close()

    asyncio.run(settle())
    return data


def test_a_tenant_is_moved_into_a_new_folder(run, folder, tmp_path):
    parcel = tmp_path / "acme.tenant"
    result = run("tenants", "export", "acme", parcel, "--data", folder)
    assert result.exit_code == 0, result.stderr
    assert "acme: 1 devices, 0 live keys, 0 users, 0 events" in result.stdout
    result = run("tenants", "import", parcel, "--data", tmp_path / "new")
    assert result.exit_code == 0, result.stderr
    assert "acme: 1 devices" in result.stdout
    result = run("tenants", "import", parcel, "--data", tmp_path / "new")
    assert result.exit_code == 1
    assert "there is a tenant acme here already" in str(result.exception)


def test_a_move_is_told_to_both_audits(run, folder, tmp_path):
    parcel = tmp_path / "acme.tenant"
    run("tenants", "export", "acme", parcel, "--data", folder)
    run("tenants", "import", parcel, "--end-keys", "--data", tmp_path / "new")

    async def told(data):
        registry = open_registry(data / "registry.db", SystemClock())
        records = await registry.audit.page(INSTALLATION, limit=9)
        registry.close()
        return [(r.entry.action, r.entry.resource, r.entry.target, r.entry.detail) for r in records]

    assert asyncio.run(told(folder)) == [("export", "tenants", "acme", {"events": 0})]
    imported = ("import", "tenants", "acme", {"events": 0, "keysEnded": True})
    assert asyncio.run(told(tmp_path / "new")) == [imported]


@pytest.mark.parametrize(("arguments", "words"), [
    (("export", "nobody", "parcel", "--data", "old"), "there is no tenant nobody"),
    (("export", "acme", "parcel", "--data", "nowhere"), "nowhere is not a data folder"),
    (("export", "acme", "no/such/folder/parcel", "--data", "old"), "No such file or directory"),
    (("import", "absent", "--data", "old"), "absent: No such file or directory"),
    (("import", "old/registry.db", "--data", "new"), "no parcel"),
])  # fmt: skip
def test_a_mistake_is_named(run, folder, tmp_path, arguments, words):
    result = run("tenants", *arguments)
    assert result.exit_code == 1
    assert words in str(result.exception)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_served_says_so(demo_platform, tmp_path):
    """The server may accept events at any moment: it has to be stopped first."""
    result = tslice("tenants", "export", "acme-123", tmp_path / "parcel", folder=demo_platform.folder)
    assert result.returncode == 1
    assert f"is in use by the server at {demo_platform.url}: stop it first" in result.stderr
    assert list(tmp_path.iterdir()) == []
