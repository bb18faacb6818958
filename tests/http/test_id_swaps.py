"""Ids of another tenant in every position of every route, by every principal: nothing told, nothing changed, no 5xx."""

import asyncio
import hmac

import pytest
import pytest_asyncio
from tests.http.routes import ROUTES
from tests.http.sides import furnish, harvest, overheard, rows_in_files, rows_on_server
from tests.http.swaps import LIVE, Fuzzer
from tests.http.walls import EVERYWHERE, KINDS

from telemetry_slice.engines.sql.letters import LetterReads
from telemetry_slice.model import cursor

pytestmark = pytest.mark.asyncio(loop_scope="module")

EMBEDDED = pytest.mark.parametrize("house", ["embedded"], indirect=True, scope="module")


def pytest_generate_tests(metafunc):
    """In short on the embedded platform; at length on it and on every other one."""
    if "rounds" in metafunc.fixturenames:
        cases = [pytest.param("embedded", 0.5, id="embedded")]
        cases += [pytest.param(kind, 6, id=f"{kind}, long", marks=pytest.mark.long) for kind in EVERYWHERE]
        metafunc.parametrize(("house", "rounds"), cases, indirect=["house"], scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sides(house):
    """Two tenants of the same shape, and what the second one's answers hold that the first one's do not."""
    # Who is told from when on a watch counts is told at once here: no answer is looked for that could be a moment old.
    house.platform.services.live._stale_s = 0.0
    attacker, victim = await furnish(house, "acme", 1234.5), await furnish(house, "beta", 31337.25)
    own = await harvest(attacker)
    return attacker, victim, await harvest(victim, {value for values in own.values() for value in values})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def document(house):
    return (await house.nobody.get("/openapi.json")).json()


@pytest.fixture
def rows(request, house):
    """A function that reads every row of a tenant, wherever it is kept."""
    kind = request.node.callspec.params["house"]
    if kind == "embedded":
        return lambda side: rows_in_files(house.folder, side)
    server = request.getfixturevalue("postgres_server")
    names = ("placed_house", "placed_house_one") if kind == "placed" else (f"house_{list(KINDS).index(kind)}",)
    urls = [server.url_of("postgres", server.password, name) for name in names]
    return lambda side: rows_on_server(urls, side)


async def test_no_id_of_another_tenant_opens_anything(house, sides, document, rows, rounds, seed):
    attacker, victim, pool = sides
    assert {"next", "eventId", "deviceId", "letter_id", "keyId", "sessionId", "invitationId", "email"} <= set(pool)
    before = await asyncio.to_thread(rows, victim)
    assert len({table for table, kept in before.items() if kept}) > 8
    fuzzer = Fuzzer(seed, attacker, victim, pool, document)
    await fuzzer.run(rounds)
    assert fuzzer.found == [], "\n".join(map(str, fuzzer.found))
    await house.platform.services.auditor.write_down()
    after = await asyncio.to_thread(rows, victim)
    # Whoever tries to sign in with an address of the tenant is seen in its audit.
    for table, kept in after.items():
        if "audit_heads" in table[1]:
            kept[:] = before[table]
        kept[:] = [row for row in kept if row in before[table] or "'sign in', 'account'" not in row]
    assert after == before
    print(f"{fuzzer.cells} requests: {fuzzer.positions}, {fuzzer.statuses}")
    # What is in order but for the swap is let in, and what is not there is looked for.
    assert min(fuzzer.positions[each] for each in ("path", "query", "body", "cursor", "header", "cookie")) > 2
    assert min(fuzzer.statuses[status] for status in (200, 403, 404, 422)) > 15
    assert await overheard(attacker, victim) == []


# ------------------------------------------------------------------------------------------------ negative controls
async def finds(sides, document, seed, *routes):
    """What the fuzzer finds at last, by callers who may read."""
    fuzzer = Fuzzer(seed, *sides, document)
    await fuzzer.run(30, routes=routes or ROUTES, callers=("owner", "service read ingest admin"), until_found=True)
    return fuzzer.found


@EMBEDDED
async def test_a_reader_that_forgets_the_tenant_is_found(house, sides, document, seed, monkeypatch):
    devices, everybody = type(house.platform.services.devices), [side.no for side in sides[:2]]
    get, letter = devices.get, LetterReads.get

    async def of_anybody(self, _tenant, device_id):
        return next(filter(None, [await get(self, no, device_id) for no in everybody]), None)

    async def letter_of_anybody(self, _tenant, letter_id):
        return next(filter(None, [await letter(self, no, letter_id) for no in everybody]), None)

    with monkeypatch.context() as patched:
        patched.setattr(devices, "get", of_anybody)
        assert await finds(sides, document, seed)
        assert await finds(sides, document, seed, LIVE)
    with monkeypatch.context() as patched:
        patched.setattr(LetterReads, "get", letter_of_anybody)
        assert await finds(sides, document, seed, "GET /api/v1/dead-letters/{letter_id}")


@EMBEDDED
async def test_a_cursor_that_is_bound_to_no_tenant_is_found(sides, document, seed, monkeypatch):
    def unbound(secret, _tenant, filter_, body):
        return hmac.digest(secret, filter_.encode() + body, "sha256")[:16]

    attacker, victim, pool = sides
    monkeypatch.setattr(cursor, "_mac", unbound)
    pool = pool | {"next": (await harvest(victim))["next"]}
    listings = ["GET /api/v1/devices", "GET /api/v1/dead-letters", "GET /api/v1/audit"]
    assert "told apart: 200, 422" in str(await finds((attacker, victim, pool), document, seed, *listings))


@EMBEDDED
async def test_a_change_that_forgets_whose_it_is_is_found(house, sides, document, rows, seed, monkeypatch):
    _attacker, victim, _pool = sides
    sign_ins = type(house.platform.services.access.people._sign_ins)
    end = sign_ins.end

    async def of_anybody(self, user_id, family):
        ended = [await end(self, each, family) for each in (user_id, *victim.people.values())]
        return any(ended)

    monkeypatch.setattr(sign_ins, "end", of_anybody)
    before = rows(victim)
    await Fuzzer(seed, *sides, document).run(3, routes=["DELETE /api/v1/me/sessions/{sessionId}"])
    changed = {table for table, kept in rows(victim).items() if kept != before[table]}
    assert changed == {("registry.db", "sessions"), ("registry.db", "sign_ins")}


@EMBEDDED
async def test_a_stream_that_forgets_the_tenant_is_found(house, sides, monkeypatch):
    attacker, victim, _ = sides
    hub = house.platform.services.live
    watch = type(hub).watch
    monkeypatch.setattr(type(hub), "watch", lambda self, tenant, **filter_: watch(self, victim.no, **filter_))
    monkeypatch.setattr(attacker, "gateway", victim.gateway)
    monkeypatch.setattr(attacker, "name", victim.name)
    assert await overheard(attacker, victim) != []
