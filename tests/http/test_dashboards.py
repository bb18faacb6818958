"""Dashboards over HTTP: documents, versions, who sees which, and the links that open one of them."""

import copy

import pytest

from telemetry_slice.flow.access.dashboard_links import READS_A_MINUTE
from telemetry_slice.http.dashboard_documents import MAX_PANELS
from telemetry_slice.model.times import DAY_US, rfc3339

DASHBOARDS = "/api/v1/dashboards"
AT = {"x": 0, "y": 0, "w": 6, "h": 4}
LINE = {"id": "line", "kind": "line", "at": AT, "types": ["temperature"], "of": {"variable": "device"}}
TABLE = {"id": "table", "kind": "table", "at": AT, "of": {"deviceIds": ["boiler", "gone"]}}
ROLL_UP = {"id": "where", "kind": "locations", "at": AT}
DOCUMENT = {
    "schema": 1,
    "range": "6h",
    "refreshSeconds": 10,
    "variables": [{"name": "device", "kind": "device", "choices": ["boiler", "chiller"], "default": ["boiler"]}],
    "panels": [LINE, TABLE, ROLL_UP],
}


def changed(**changes):
    return copy.deepcopy(DOCUMENT) | changes


def with_panel(**changes):
    return changed(panels=[LINE | changes])


@pytest.fixture
async def operator(as_):
    return await as_("operator")


@pytest.fixture
def make(door, operator):
    async def call(name="Hall", document=DOCUMENT, headers=operator, **more):
        answer = await door.post(DASHBOARDS, json={"name": name, "document": document, **more}, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return call


@pytest.fixture
async def devices(registry, acme, beta, heard, clock):
    """Two devices of the tenant, a third besides, and one of a neighbour with the name of the first."""
    made = {}
    for name, place, age_s in (("boiler", "Plant A", 60), ("chiller", "Plant A", 600), ("pump", "Site B", 7200)):
        device = await registry.devices.create(acme.no, name, label=name.title(), location=place, tags=["type:x"])
        heard(acme, device, received_us=clock.us - age_s * 1_000_000, number=float(age_s))
        made[name] = device
    theirs = await registry.devices.create(beta.no, "secret", label="Secret", location="Hidden", tags=[])
    heard(beta, theirs, received_us=clock.us, number=31337.0)
    return made


# ------------------------------------------------------------------------------------------------------- documents
async def test_a_dashboard_comes_back_as_it_was_sent(door, make, operator, clock):
    made = await make()
    assert (made["version"], made["visibleTo"], made["changedBy"]) == (1, "viewer", "operator-acme-123@example.org")
    assert made["changedAt"] == rfc3339(clock.us)
    read = (await door.get(f"{DASHBOARDS}/{made['id']}", headers=operator)).json()
    assert read == made
    kept = read["document"]
    assert [panel["id"] for panel in kept["panels"]] == ["line", "table", "where"]
    # What it was read as can be sent back.
    body = {"name": "Hall 2", "version": 1, "document": kept}
    put = await door.put(f"{DASHBOARDS}/{made['id']}", json=body, headers=operator)
    assert (put.status_code, put.json()["document"]) == (200, kept)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"schema": 2}, "/document/schema"),
        ({}, "/document/schema"),
        (changed(theme="dark"), "/document/theme"),
        (changed(range="25h"), "/document/range"),
        (changed(refreshSeconds=1), "/document/refreshSeconds"),
        (changed(panels=[LINE, LINE]), "/document/panels"),
        (changed(variables=[]), "/document"),
        (changed(variables=[{"name": "device", "kind": "customer"}]), "/document/variables/0/kind"),
        (with_panel(kind="pie"), "/document/panels/0/kind"),
        (with_panel(id="../x"), "/document/panels/0/id"),
        (with_panel(at={"x": 8, "y": 0, "w": 6, "h": 4}), "/document/panels/0/at"),
        (with_panel(at={"x": 0, "y": 0, "w": 6}), "/document/panels/0/at/h"),
        (with_panel(types=[]), "/document/panels/0"),
        (with_panel(types=["x" * 65]), "/document/panels/0/types/0"),
        (with_panel(text="odd"), "/document/panels/0"),
        (with_panel(of={"deviceIds": ["a"], "tag": "b"}), "/document/panels/0/of"),
        (with_panel(kind="gauge", min=5, max=5), "/document/panels/0"),
        (with_panel(kind="stat", thresholds=[{"at": "x", "level": "good"}]), "/document/panels/0/thresholds/0/at"),
        (changed(panels=[LINE | {"id": f"p{n}"} for n in range(MAX_PANELS + 1)]), "/document/panels"),
        (
            changed(panels=[{"id": f"t{n}", "kind": "text", "at": AT, "text": "x" * 9_000} for n in range(12)]),
            "/document",
        ),
    ],
)
async def test_what_is_wrong_in_a_document_is_named(door, operator, document, pointer):
    answer = await door.post(DASHBOARDS, json={"name": "x", "document": document}, headers=operator)
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}, answer.text
    assert (await door.get(DASHBOARDS, headers=operator)).json() == {"dashboards": []}


async def test_a_number_that_is_none_is_refused(door, operator):
    body = '{"name": "x", "document": {"schema": 1, "panels": [{"id": "g", "kind": "gauge", "types": ["t"], "min": NaN,'
    body += ' "max": 1, "at": {"x": 0, "y": 0, "w": 1, "h": 1}}]}}'
    answer = await door.post(DASHBOARDS, content=body, headers=operator | {"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_a_conflict_says_so_and_changes_nothing(door, make, operator):
    made = await make()
    path = f"{DASHBOARDS}/{made['id']}"
    body = {"name": "First", "version": 1, "document": DOCUMENT}
    assert (await door.put(path, json=body, headers=operator)).json()["version"] == 2
    lost = await door.put(path, json=body | {"name": "Second"}, headers=operator)
    assert (lost.status_code, lost.json()["type"].rpartition(":")[2]) == (409, "conflict")
    assert "version 2" in lost.json()["detail"]
    assert (await door.get(path, headers=operator)).json()["name"] == "First"


async def test_a_version_is_read_and_restored(door, make, operator, registry, acme):
    made = await make()
    path = f"{DASHBOARDS}/{made['id']}"
    body = {"name": "Emptied", "version": 1, "document": {"schema": 1}}
    await door.put(path, json=body, headers=operator)
    versions = (await door.get(f"{path}/versions", headers=operator)).json()["versions"]
    assert [(each["version"], each["name"]) for each in versions] == [(2, "Emptied"), (1, "Hall")]
    first = (await door.get(f"{path}/versions/1", headers=operator)).json()
    assert first["document"] == made["document"]
    restore = f"{path}/versions/1/restore"
    assert (await door.post(restore, json={"version": 1}, headers=operator)).status_code == 409
    back = (await door.post(restore, json={"version": 2}, headers=operator)).json()
    assert (back["version"], back["name"], back["document"]) == (3, "Hall", made["document"])
    assert (await door.get(f"{path}/versions/9", headers=operator)).status_code == 404
    told = [record.entry for record in await registry.audit.page(acme.no, limit=5)]
    assert {entry.action for entry in told} == {"create", "change"}
    assert next(entry.detail for entry in told if "restored" in entry.detail) == {"version": 3, "restored": 1}


async def test_a_dashboard_is_seen_from_a_role_upwards(door, make, as_, operator):
    for_all, for_admins = await make("All"), await make("Admins", visibleTo="admin", headers=await as_("admin"))
    for who, names in (
        ("viewer", ["All"]), ("operator", ["All"]), ("admin", ["Admins", "All"]), ("owner", ["Admins", "All"]),
        ("service read", ["All"]), ("console", ["Admins", "All"]),
    ):  # fmt: skip
        headers = await as_(who)
        listed = (await door.get(DASHBOARDS, headers=headers)).json()["dashboards"]
        assert [each["name"] for each in listed] == names, who
        status = (await door.get(f"{DASHBOARDS}/{for_admins['id']}", headers=headers)).status_code
        assert status == (200 if "Admins" in names else 404), who
    path = f"{DASHBOARDS}/{for_admins['id']}"
    body = {"name": "Mine", "version": 1, "document": DOCUMENT}
    assert (await door.put(path, json=body, headers=operator)).status_code == 404
    for hidden in ("", "/versions", "/versions/1", "/links"):
        assert (await door.get(path + hidden, headers=operator)).status_code == 404
    assert (await door.post(f"{path}/links", json={}, headers=operator)).status_code == 404
    assert (await door.delete(path, headers=operator)).status_code == 404
    hides = await door.put(f"{DASHBOARDS}/{for_all['id']}", json=body | {"visibleTo": "owner"}, headers=operator)
    assert (hides.status_code, hides.json()["errors"][0]["pointer"]) == (422, "/visibleTo")
    assert (await door.post(DASHBOARDS, json=body, headers=await as_("viewer"))).status_code == 403


# ---------------------------------------------------------------------------------------------------------- panels
async def test_panels_show_what_is_stored(door, as_, devices, clock):
    viewer = await as_("viewer")
    attention = {"id": "late", "kind": "attention", "at": AT}
    body = {"panels": [*DOCUMENT["panels"], attention], "variables": DOCUMENT["variables"]}
    answer = await door.post("/api/v1/panels/query", json=body, headers=viewer)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    line, table, where, late = answer.json()["panels"]
    assert line["labels"] == {"boiler": "Boiler"}
    assert [(each["deviceId"], each["value"]) for each in table["latest"]] == [("boiler", 60.0)]
    assert table["unknown"] == ["gone"]
    assert where["locations"] == [
        {"location": "Plant A", "online": 1, "late": 1, "silent": 0, "new": 0},
        {"location": "Site B", "online": 0, "late": 0, "silent": 1, "new": 0},
    ]
    assert [(each["deviceId"], each["status"]) for each in late["attention"]] == [
        ("pump", "silent"),
        ("chiller", "late"),
    ]
    assert (answer.json()["to"], answer.json()["from"]) == (rfc3339(clock.us), rfc3339(clock.us - DAY_US))


async def test_a_variable_changes_what_its_panels_are_about(door, as_, devices):
    viewer = await as_("viewer")
    table = {"id": "t", "kind": "table", "at": AT, "of": {"variable": "v"}}

    async def shows(variable, values=None):
        body = {"panels": [table], "variables": [{"name": "v", **variable}], "values": values or {}}
        answer = await door.post("/api/v1/panels/query", json=body, headers=viewer)
        assert answer.status_code == 200, answer.text
        return [each["deviceId"] for each in answer.json()["panels"][0]["latest"]]

    device, location = {"kind": "device"}, {"kind": "location"}
    assert await shows(device) == ["boiler", "chiller", "pump"]
    assert await shows(device, {"v": ["pump"]}) == ["pump"]
    assert await shows(device | {"default": ["chiller"]}) == ["chiller"]
    assert await shows(device | {"location": "Plant A"}) == ["boiler", "chiller"]
    assert await shows(location) == ["boiler", "chiller", "pump"]
    assert await shows(location, {"v": ["Site B"]}) == ["pump"]
    body = {"variables": [{"name": "d", "kind": "device", "location": "Plant A"}, {"name": "l", "kind": "location"}]}
    choices = (await door.post("/api/v1/panels/choices", json=body, headers=viewer)).json()["choices"]
    assert [each["value"] for each in choices["d"]] == ["boiler", "chiller"]
    assert [each["value"] for each in choices["l"]] == ["Plant A", "Site B"]
    wrong = {"panels": [], "values": {"x": ["y"]}}
    answer = await door.post("/api/v1/panels/query", json=wrong, headers=viewer)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/values/x")


# ----------------------------------------------------------------------------------------------------------- links
@pytest.fixture
async def dashboard(make, devices):
    return await make()


@pytest.fixture
def link_to(door, operator):
    async def call(dashboard, **body):
        answer = await door.post(f"{DASHBOARDS}/{dashboard['id']}/links", json=body, headers=operator)
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store"), answer.text
        return answer.json()

    return call


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def test_a_link_opens_its_dashboard(door, dashboard, link_to, operator, clock):
    made = await link_to(dashboard, name="Lobby", days=7)
    assert made["expiresAt"] == rfc3339(clock.us + 7 * DAY_US)
    assert made["link"] == f"http://slice.example/shared#{made['token']}"
    headers = bearer(made["token"])
    shared = await door.get("/api/v1/shared/dashboard", headers=headers)
    assert (shared.status_code, shared.headers["cache-control"]) == (200, "no-store")
    assert (shared.json()["name"], shared.json()["document"]) == ("Hall", dashboard["document"])
    assert shared.json()["choices"]["device"] == [
        {"value": "boiler", "label": "Boiler"},
        {"value": "chiller", "label": "Chiller"},
    ]
    seen = await door.post("/api/v1/shared/panels", json={}, headers=headers)
    query = {"panels": DOCUMENT["panels"], "variables": DOCUMENT["variables"], "range": "6h"}
    signed_in = await door.post("/api/v1/panels/query", json=query, headers=operator)
    assert (seen.status_code, seen.headers["cache-control"]) == (200, "no-store")
    assert seen.json() == signed_in.json()
    listed = (await door.get(f"{DASHBOARDS}/{dashboard['id']}/links", headers=operator)).json()["links"]
    assert [(each["name"], each["lastUsedAt"], "token" in each) for each in listed] == [
        ("Lobby", rfc3339(clock.us), False)
    ]


async def test_behind_a_link_is_nothing_but_its_dashboard(door, dashboard, link_to, make):
    """The reach: other panels, other devices, other dashboards, every other route."""
    other = await make("Other", with_panel(of={"deviceIds": ["pump"]}))
    headers = bearer((await link_to(dashboard))["token"])
    shared = "/api/v1/shared/panels"
    for body, pointer in (
        ({"panelIds": ["pump"]}, "/panelIds/0"),
        ({"values": {"device": ["pump"]}}, "/values/device"),
        ({"values": {"device": ["boiler", "pump"]}}, "/values/device"),
        ({"values": {"device": ["secret"]}}, "/values/device"),
        ({"values": {"location": ["Site B"]}}, "/values/location"),
        ({"panels": [TABLE | {"of": {"deviceIds": ["pump"]}}]}, "/panels"),
        ({"from": 0}, "/from"),
        ({"dashboardId": other["id"]}, "/dashboardId"),
    ):
        answer = await door.post(shared, json=body, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), body
    # Negative control: what it does offer is answered.
    answer = await door.post(shared, json={"values": {"device": ["chiller"]}}, headers=headers)
    assert answer.json()["panels"][0]["labels"] == {"chiller": "Chiller"}
    document = (await door.get("/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation.get("security") and not path.startswith("/api/v1/shared/") and "telemetry" not in path:
                asked = path.format_map(_Ones(deviceId="pump", dashboardId=other["id"]))
                answer = await door.request(method.upper(), asked, headers=headers)
                assert answer.status_code == 403, (method, path, answer.status_code)


class _Ones(dict):
    def __missing__(self, _name):
        return "1"


@pytest.mark.parametrize(
    ("variable", "allowed", "refused"),
    [
        ({"kind": "device", "default": ["boiler"]}, "boiler", "chiller"),
        ({"kind": "device", "location": "Plant A"}, "chiller", "pump"),
        ({"kind": "device", "tag": "type:x", "default": ["pump"]}, "boiler", "secret"),
        ({"kind": "device"}, "pump", "secret"),
        ({"kind": "location", "choices": ["Plant A"]}, "Plant A", "Site B"),
        ({"kind": "location", "default": ["Plant A"]}, "Plant A", "Site B"),
        ({"kind": "location"}, "Site B", "Hidden"),
    ],
)
async def test_a_link_chooses_among_what_the_document_offers(door, make, link_to, devices, variable, allowed, refused):
    panel = TABLE | {"of": {"variable": "v"}}
    made = await make("Choice", {"schema": 1, "variables": [{"name": "v", **variable}], "panels": [panel]})
    headers = bearer((await link_to(made))["token"])
    for value, status in ((allowed, 200), (refused, 422)):
        answer = await door.post("/api/v1/shared/panels", json={"values": {"v": [value]}}, headers=headers)
        assert answer.status_code == status, (value, answer.text)


async def test_a_link_ends(door, dashboard, link_to, operator, clock, elsewhere):
    short = (await link_to(dashboard, expiresAt=rfc3339(clock.us + 60_000_000)))["token"]
    assert (await door.get("/api/v1/shared/dashboard", headers=bearer(short))).status_code == 200
    clock.advance(60)
    assert (await door.get("/api/v1/shared/dashboard", headers=bearer(short))).status_code == 401
    made = await link_to(dashboard)
    headers = bearer(made["token"])
    await elsewhere.bearer(made["token"])
    assert (await door.get("/api/v1/shared/dashboard", headers=headers)).status_code == 200
    path = f"{DASHBOARDS}/{dashboard['id']}/links/{made['linkId']}"
    assert (await door.delete(path, headers=operator)).status_code == 204
    assert (await door.delete(path, headers=operator)).status_code == 404
    # Here at once, in another process after four seconds.
    assert (await door.get("/api/v1/shared/dashboard", headers=headers)).status_code == 401
    await elsewhere.bearer(made["token"])
    clock.advance(4.1)
    with pytest.raises(Exception, match="needs a valid key"):
        await elsewhere.bearer(made["token"])
    # And with its dashboard.
    headers = bearer((await link_to(dashboard))["token"])
    assert (await door.get("/api/v1/shared/dashboard", headers=headers)).status_code == 200
    assert (await door.delete(f"{DASHBOARDS}/{dashboard['id']}", headers=operator)).status_code == 204
    assert (await door.get("/api/v1/shared/dashboard", headers=headers)).status_code == 401


async def test_every_link_that_does_not_hold_is_refused_alike(door, dashboard, link_to):
    token = (await link_to(dashboard))["token"]
    wrong = [token[:-1] + ("x" if token[-1] != "x" else "y"), "tsl_", "tsl_x", token.replace("tsl_", "tsk_"), ""]
    answers = [await door.get("/api/v1/shared/dashboard", headers=bearer(each)) for each in wrong]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    query = await door.get(f"/api/v1/shared/dashboard?token={token}")
    assert query.status_code == 401


async def test_guessing_links_and_reading_too_much_is_braked(door, dashboard, link_to):
    headers = bearer((await link_to(dashboard))["token"])
    statuses = [
        (await door.get("/api/v1/shared/dashboard", headers=headers)).status_code for _ in range(READS_A_MINUTE + 1)
    ]
    assert statuses == [200] * READS_A_MINUTE + [429]
    guesses = {(await door.get("/api/v1/shared/dashboard", headers=bearer("tsl_guess"))).status_code for _ in range(31)}
    assert guesses == {401, 429}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"days": 0}, "/days"), ({"days": 366}, "/days"), ({"days": 1, "expiresAt": "2099-01-01T00:00:00Z"}, "/days"),
     ({"expiresAt": "2099-01-01T00:00:00Z"}, "/expiresAt"), ({"expiresAt": "2001-01-01T00:00:00Z"}, "/expiresAt")],
)  # fmt: skip
async def test_a_link_has_an_end_within_a_year(door, dashboard, operator, body, pointer):
    answer = await door.post(f"{DASHBOARDS}/{dashboard['id']}/links", json=body, headers=operator)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_making_and_ending_a_link_is_told_without_its_secret(door, dashboard, link_to, operator, registry, acme):
    made = await link_to(dashboard, name="Lobby")
    await door.delete(f"{DASHBOARDS}/{dashboard['id']}/links/{made['linkId']}", headers=operator)
    told = [record.entry for record in await registry.audit.page(acme.no, limit=5)]
    target = f"{dashboard['id']}/{made['linkId']}"
    assert {(entry.action, entry.resource, entry.target) for entry in told} >= {
        ("create", "dashboard links", target), ("revoke", "dashboard links", target),
    }  # fmt: skip
    assert made["token"] not in repr(told)
