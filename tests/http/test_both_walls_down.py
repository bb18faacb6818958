"""The negative control of the tenant matrix on the distributed engines: without both walls it sees the leaks."""

from tests.http.test_tenant_matrix import belongings, crossings, furnish
from tests.http.walls import without_filters


async def test_with_both_walls_down_the_matrix_sees_the_leaks(house_without_row_security):
    """What each wall alone holds back."""
    async with house_without_row_security as house:
        caller, owner = await furnish(house, "acme"), await furnish(house, "beta")
        before = await belongings(owner)
        with without_filters():
            found = await crossings(caller, owner, before, callers=("service", "owner"))
    for route in ("devices", "devices/{deviceId}", "devices/{deviceId}/telemetry", "keys", "users", "dead-letters"):
        assert any(f"GET /api/v1/{route}" == each[0] and "tells" in each for each in found), (route, found)
    assert "the belongings changed" in found
