import pytest

from telemetry_slice.engines.sql.placements import Placements
from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.events import TenantNo
from telemetry_slice.model.placement import SHARED, Placement
from telemetry_slice.model.tenancy import Limits


async def test_a_tenant_is_found_by_its_id(registry, clock):
    created = await registry.tenants.create("acme-123", "Acme", auto_register=False, limits=Limits(tenant_per_second=5))
    assert await registry.tenants.get("acme-123") == created
    assert (created.id, created.name, created.auto_register) == ("acme-123", "Acme", False)
    assert created.limits == Limits(tenant_per_second=5)
    assert created.created_us == clock.us
    assert await registry.tenants.get("nobody") is None


async def test_a_tenant_is_found_by_its_number(registry):
    first, second = [await registry.tenants.create(name, name.title()) for name in ("first", "second")]
    assert await registry.tenants.by_no(second.no) == second
    assert await registry.tenants.by_no(first.no) == first
    assert await registry.tenants.by_no(TenantNo(second.no + 1)) is None


@pytest.mark.parametrize("placement", [SHARED, Placement("tenant_a"), Placement(database="one")])
async def test_a_tenant_stays_where_it_was_placed(registry, placement):
    created = await registry.tenants.create("a", "A", placement=placement)
    assert created.placement == placement
    await registry.tenants.change("a", name="B")
    assert (await registry.tenants.get("a")).placement == placement
    placements = Placements(registry.database)
    assert await placements.of(created.no) == placement
    assert await placements.every() == [SHARED, placement][: 1 if placement == SHARED else 2]


async def test_who_is_not_known_is_in_the_shared_tables_until_it_is(registry):
    """A tenant that another process has just made is looked up, not remembered as unknown."""
    placements = Placements(registry.database)
    first = await registry.tenants.create("first", "First")
    assert await placements.of(TenantNo(first.no + 1)) == SHARED
    second = await registry.tenants.create("second", "Second", placement=Placement("tenant_second"))
    assert second.no == first.no + 1
    assert await placements.of(second.no) == Placement("tenant_second")


async def test_an_id_is_taken_once(registry, acme):
    with pytest.raises(SliceError) as refusal:
        await registry.tenants.create("acme-123", "Another")
    assert refusal.value.code == Code.CONFLICT
    assert [tenant.name for tenant in await registry.tenants.list()] == ["Acme Corporation"]


async def test_tenants_are_listed_by_id(registry, beta, acme):
    assert [tenant.id for tenant in await registry.tenants.list()] == ["acme-123", "beta-456"]
    assert acme.no != beta.no


async def test_a_tenant_is_suspended_and_resumed(registry, acme, beta):
    assert acme.suspended is None
    suspended = await registry.tenants.suspend("acme-123", "the bill")
    assert suspended.suspended == "the bill"
    assert await registry.tenants.get("acme-123") == suspended
    # Other changes leave it so, and other tenants are not concerned.
    assert (await registry.tenants.change("acme-123", name="Other")).suspended == "the bill"
    assert (await registry.tenants.get("beta-456")).suspended is None
    assert (await registry.tenants.suspend("acme-123", None)).suspended is None
    assert await registry.tenants.suspend("nobody", "x") is None


async def test_only_what_is_given_changes(registry, acme):
    changed = await registry.tenants.change("acme-123", limits=Limits(key_per_second=0))
    assert (changed.name, changed.auto_register, changed.limits) == (acme.name, True, Limits(key_per_second=0))
    renamed = await registry.tenants.change("acme-123", name="New", auto_register=False)
    assert (renamed.name, renamed.auto_register, renamed.limits) == ("New", False, Limits(key_per_second=0))
    assert await registry.tenants.change("acme-123") == renamed
    assert await registry.tenants.change("nobody", name="X") is None
    assert await registry.tenants.change("nobody") is None
