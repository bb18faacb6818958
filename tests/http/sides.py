"""Two tenants of equal shape, their callers, and all that is to be seen of one: its answers, its rows, its news."""

import asyncio
import json
import re
from collections import defaultdict
from contextlib import AsyncExitStack
from types import SimpleNamespace
from urllib.parse import quote, urlencode
from uuid import uuid4

import apsw
import psycopg
from tests.http.routes import DOCUMENT, PASSWORD, ROUTES, V1, WAIT

from telemetry_slice.http.live import MAX_WATCHED
from telemetry_slice.model.tenancy import Role
from telemetry_slice.ports.accounts import SessionKind

KEYS = {
    "device": None,
    "gateway": {"kind": "gateway"},
    "service read": {"kind": "service", "scopes": ["read"]},
    "service ingest": {"kind": "service", "scopes": ["ingest"]},
    "service admin": {"kind": "service", "scopes": ["admin"]},
    "service read ingest admin": {"kind": "service", "scopes": ["read", "ingest", "admin"]},
}
PEOPLE = ("nowhere", "viewer", "operator", "admin", "owner", "owner in a browser", "platform", "platform viewer")
CALLERS = ("nobody", "revoked", "console", "link", *KEYS, *PEOPLE)
# Whatever is asked for by permissions about tenants is theirs to ask.
IN_ALL_TENANTS = {"console", "platform", "platform viewer"}
CSRF = {"X-Requested-With": "tslice", "Origin": "http://slice.example"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")


def filled(template, ids):
    """A path with ids, percent-encoded."""
    for name, value in ids.items():
        template = template.replace("{" + name + "}", quote(str(value), safe=""))
    return template


# ------------------------------------------------------------------------------------------------ two equal tenants
async def furnish(house, name, number):
    """A tenant with several of everything; its canary is in every name, label and unit, `number` in every value."""
    canary = f"canary of {name}"
    tenant = await house.tenant(f"{name}-tenant", name=canary)
    console = tenant.console
    # So it is in the audit, too.
    console.headers = console.headers | {"User-Agent": canary}
    devices, ids = [f"{name}-device/{n}" for n in range(3)], defaultdict(list)
    keys = {}
    for device in devices:
        about = {"deviceId": device, "label": canary, "location": f"{name}-place", "tags": [f"{name}-tag"]}
        await console.made("/api/v1/devices", about)
        keys["device"] = await console.made(f"/api/v1/devices/{quote(device, safe='')}/keys", {"name": canary})
        ids["deviceKeyId"].append(keys["device"]["keyId"])
    for who, body in list(KEYS.items())[1:]:
        keys[who] = await console.made("/api/v1/keys", {**body, "name": canary})
        ids["keyId"].append(keys[who]["keyId"])
    revoked = await console.made("/api/v1/keys", {"kind": "gateway"})
    assert (await console.call("DELETE", f"/api/v1/keys/{revoked['keyId']}")).status_code == 204
    people, no = {}, (await house.platform.services.tenants.get(tenant.id)).no
    for who in PEOPLE:
        roles = [(no, role) for role in Role if role in who.split()]
        add = house.platform.services.access.people.add
        email = f"{who.replace(' ', '-')}@{name}.example"
        people[who] = (await add(email, canary, PASSWORD, roles, platform_admin="platform" in who)).user_id
    ids["email"] = [f"{who}@{name}.example" for who in ("viewer", "owner")]
    for n in range(2):
        body = {"email": f"guest-{n}-{name}@example.org", "role": "viewer"}
        ids["invitationId"].append((await console.made("/api/v1/invitations", body))["id"])
        ids["tokenId"].append((await console.made("/api/v1/enrolment-tokens", {"name": canary}))["tokenId"])
    panel = DOCUMENT["panels"][0] | {"of": {"deviceIds": devices}, "title": canary}
    variable = DOCUMENT["variables"][0] | {"choices": devices}
    document = DOCUMENT | {"panels": [panel], "variables": [variable]}
    for _ in range(4):
        made = await console.made("/api/v1/dashboards", {"name": canary, "document": document})
        ids["dashboardId"].append(made["id"])
        link = await console.made(f"/api/v1/dashboards/{made['id']}/links", {"name": canary})
        ids["linkId"].append(link["linkId"])
    now_ms = house.platform.services.clock.now_us() // 1000
    events = [
        {"eventId": f"{name}-{n}", "deviceId": devices[n % 3], "recordedAt": 0 if n < 4 else now_ms - n}
        | {"type": f"{name}-type", "value": number, "unit": canary}
        for n in range(12)
    ]
    sent = await tenant.gateway.send(events, **WAIT)
    assert [result["outcome"] for result in sent.json()["results"]] == ["dead"] * 4 + ["stored"] * 8
    letters = (await tenant.service.get("/api/v1/dead-letters")).json()["deadLetters"]
    ids |= {
        "deviceId": devices,
        "letter_id": [letter["id"] for letter in letters],
        "userId": [people["viewer"], people["admin"]],
        "tenantId": [tenant.id],
        "tenantNo": [no],
        # There are none here, for neither.
        "provider": ["none"],
        "type": [f"{name}-type"],
    }  # fmt: skip
    side = SimpleNamespace(
        name=name, id=tenant.id, no=no, ids=ids, people=people, keys=keys, revoked=revoked["key"], house=house,
        canaries=(canary.encode(), str(number).encode()), gateway=tenant.gateway, link=link["token"],
    )  # fmt: skip
    sessions = await house.client.get("/api/v1/me/sessions", headers=await credential(side, "owner in a browser"))
    ids["sessionId"] = [session["id"] for session in sessions.json()["sessions"]]
    return side


async def credential(side, who):
    """The headers of a caller of this tenant. People come with a new one each time: some routes end it."""
    access = side.house.platform.services.access
    if who == "nobody":
        return {}
    if who == "revoked":
        return {"X-API-Key": side.revoked}
    if who == "console":
        return dict(side.house.console(side.id).headers)
    if who == "link":
        return {"Authorization": f"Bearer {side.link}"}
    if who in side.keys:
        return {"Authorization": f"Bearer {side.keys[who]['key']}"}
    profile = await access.people._first_profile(side.people[who])
    if who == "owner in a browser":
        token, _ = await access.people._new_session(SessionKind.BROWSER, profile, None, side.canaries[0].decode())
        return CSRF | {"Cookie": f"tslice_session={token}"}
    now_s = side.house.platform.services.clock.now_us() // 1_000_000
    signer = await access.signers.current()
    tenant = profile.user.tenant
    return {"Authorization": f"Bearer {signer.sign(side.people[who], now_s, tenant_id=tenant.id if tenant else None)}"}


def leaves(value, name=""):
    """Every (field, plain value) of an answer."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, name)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield name, value


async def harvest(side, other_values=()):
    """By field, what the tenant's own answers to reading hold and `other_values` do not."""
    found = defaultdict(set)
    for who in ("owner in a browser", "service read ingest admin"):
        for route in ROUTES:
            method, path = route.split(" ", 1)
            if method != "GET" or "installation" in path or "/tenants" in path:
                continue
            ids = {name: str(values[0]) for name, values in side.ids.items()}
            for limit in ("", "?limit=2", "?limit=1"):
                url = filled(path, ids).partition("?")[0] + limit
                side.house.client.cookies.clear()
                answer = await side.house.client.get(url, headers=await credential(side, who))
                if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
                    for name, value in leaves(answer.json()):
                        found[name].add(value)
    canary = side.canaries[0].decode()
    kept = {
        name: {v for v in values - set(other_values) if canary not in str(v) and not MOMENT.match(str(v))}
        for name, values in found.items()
    }
    for name, values in side.ids.items():
        kept[name] = kept.get(name, set()) | set(values)
    return {name: sorted(values, key=str) for name, values in kept.items() if values}


# --------------------------------------------------------------------------------------------- what the other one has
def _matching(columns, side):
    """Which rows of a table are the tenant's, by the names of its columns: a condition, None for a table of others."""
    if "tenant_no" in columns:
        return f"tenant_no = {side.no}"
    if "user_id" in columns:
        return "user_id IN (" + ", ".join(f"'{user}'" for user in sorted(side.people.values())) + ")"
    return None


def _kept(columns):
    """Without what is written down by and by: when and from where something was used last."""
    return [name for name in columns if name not in {"last_used_us", "last_address"}]


def rows_in_files(folder, side):
    """The tenant's rows in every SQLite file of a data folder."""
    rows = {}
    for path in sorted(folder.glob("**/*.db")):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if (condition := _matching(columns, side)) is not None:
                query = f"SELECT {', '.join(_kept(columns))} FROM {table} WHERE {condition}"
                rows[path.name, table] = sorted(map(repr, connection.execute(query)))
        connection.close()
    return rows


def rows_on_server(urls, side):
    """The tenant's rows in every table of some PostgreSQL databases; the URLs sign in as a superuser."""
    rows = {}
    for url in urls:
        with psycopg.connect(url) as connection:
            columns = defaultdict(list)
            found = connection.execute(
                "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name), column_name"
                " FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
                " ORDER BY ordinal_position"
            )
            for table, column in found:
                columns[table].append(column)
            for table, names in columns.items():
                if (condition := _matching(names, side)) is not None:
                    query = f"SELECT {', '.join(_kept(names))} FROM {table} WHERE {condition}"
                    rows[url, table] = sorted(map(repr, connection.execute(query)))
    return rows


async def overheard(attacker, victim):
    """What the attacker's callers hear of the victim's events, on sockets with and without a filter of the victim's.

    "watch": they say that they want the victim's devices once the socket is open.
    """
    found, house, once = [], attacker.house, uuid4()
    watching = {
        (who, query): house.watch(await credential(attacker, who), query.removeprefix("watch"))
        for who in ("viewer", "owner in a browser", "service read", "console", "platform viewer")
        for query in ("", "watch", urlencode({"type": [*victim.ids["type"], *attacker.ids["type"]]}, doseq=True))
    }
    async with AsyncExitStack() as opened:
        for socket in watching.values():
            await opened.enter_async_context(socket)
            assert socket.status == 101
        await asyncio.gather(*(socket.frame("hello") for socket in watching.values()))
        devices = [*victim.ids["deviceId"], *attacker.ids["deviceId"]]
        asked = [socket for (_, query), socket in watching.items() if query == "watch"]
        for socket in asked:
            socket.say({"kind": "watch", "id": 1, "devices": devices[:MAX_WATCHED]})
        assert {(await socket.answer())["kind"] for socket in asked} == {"watching"}
        # The victim's is stored first: whoever hears both hears it first. Another process may find out with the
        # first one that somebody listens.
        for side in (victim, attacker):
            for name in ("first", "watched"):
                event = V1 | {"deviceId": side.ids["deviceId"][0], "type": side.ids["type"][0]}
                event |= {"eventId": f"{name} of {side.name} {once}", "unit": side.canaries[0].decode()}
                assert (await side.gateway.send(event, **WAIT)).status_code == 200
        for (who, query), socket in watching.items():
            frame = ""
            while f"watched of {attacker.name}" not in frame:
                frame = json.dumps(await socket.frame("events"))
                found += [(who, query, frame) for canary in victim.canaries if canary.decode() in frame]
    return found
