"""Requests of one tenant in which ids of another stand where one's own belong: made by chance, from a seed.

What is swapped in was found in real answers to the other tenant. Free texts and values of that tenant hold a canary,
which is in no id and is never sent: whoever receives it was told what is not theirs. Each request has a twin in which
things that nobody has stand for the other tenant's, and must be answered alike.
"""

import json
import random
import re
import string
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from urllib.parse import quote, urlencode

from tests.http.routes import ROUTES
from tests.http.sides import CALLERS, IN_ALL_TENANTS, credential, filled

from telemetry_slice.flow.access.passwords import Brake

LIVE = "WebSocket /api/v1/live"
WATCH = {"devices": ["{deviceId}", "nobody has this"], "types": ["t"]}
HEADERS = ("X-Tenant-Id", "X-Tenant", "X-Forwarded-User", "X-Device-Id", "Last-Event-ID", "If-None-Match")
UNDOCUMENTED = ("tenantId", "tenantNo", "customerId", "userId", "deviceId", "keyId", "id")


@dataclass
class Swap:
    """A request, and which positions hold what is another tenant's."""

    route: str
    who: str
    path: dict
    query: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)
    cookies: dict = field(default_factory=dict)
    body: object = None
    foreign: list = field(default_factory=list)

    def with_ghosts(self, ghosts):
        """The same with what nobody has."""

        def put(value):
            if isinstance(value, dict):
                return {name: put(each) for name, each in value.items()}
            if isinstance(value, list | tuple):
                return type(value)(put(each) for each in value)
            return ghosts.get(value, value) if isinstance(value, str | int) else value

        parts = (put(part) for part in (self.path, self.query, self.headers, self.cookies, self.body))
        return Swap(self.route, self.who, *parts, self.foreign)

    def __str__(self):
        return f"{self.who}: {self.route} {self.path} {self.query} {self.headers} {self.cookies} {self.body}"


def ghost_of(rng, value):
    """Something of the same form that does not exist."""
    if isinstance(value, int):
        return value + 10**12 + rng.randrange(10**6)
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    return "".join(next((rng.choice(kind) for kind in kinds if each in kind), each) for each in value)


class Fuzzer:
    """Makes requests of `attacker` with what is `victim`'s, and notes what should not be."""

    def __init__(self, seed, attacker, victim, pool, document):
        self.rng = random.Random(seed)
        self.attacker = attacker
        self.victim = victim
        # Small numbers would mean something in every position; where a letter is named, a number is wanted.
        self.pool = {name: values for name, values in pool.items() if name == "letter_id" or isinstance(values[0], str)}
        self.everything = sorted({value for values in pool.values() for value in values if isinstance(value, str)})
        self.document = document
        self.found = []
        self.taken = set()
        """What is the attacker's too by now: names are each tenant's own."""
        self.positions = Counter()
        self.statuses = Counter()
        self.cells = 0
        self._count = 0

    def foreign(self, name):
        """Something of the victim's that belongs at a position of this name, or now and then anywhere."""
        if name in self.pool and self.rng.random() < 0.8:
            return self.rng.choice(self.pool[name])
        return self.rng.choice(self.everything)

    # -------------------------------------------------------------------------------------------- one request
    def case(self, route, who):
        """A request that is right but for what was swapped."""
        rng, template, self._count = self.rng, ROUTES[route][2] if route in ROUTES else WATCH, self._count + 1
        own = {name: rng.choice(values) for name, values in self.attacker.ids.items()}
        own |= {"who": f"case {self._count}".replace(" ", "-"), "discarded_id": own["letter_id"]}
        _method, path = route.split(" ", 1)
        swap = Swap(route, who, {name: own[name] for name in re.findall(r"{(\w+)}", path)})
        swap.body = self._filled(template, own)
        kinds = [self._in_query, self._in_headers, self._in_cookies]
        if swap.path:
            # What the path names is the other's, most of the time: else nothing of one's own would be left.
            is_repeatable = route.startswith(("GET", "PATCH"))
            if not is_repeatable or rng.random() < 0.6:
                self._in_path(swap)
        if route == LIVE:
            kinds += [self._in_query, self._in_query, self._in_body]
        elif template is not None:
            kinds += [self._in_body] * 3
        if "cursor" in self._parameters(route):
            kinds += [self._in_query] * 3
        if not swap.foreign or rng.random() < 0.5:
            for put in rng.sample(kinds, rng.choice((1, 1, 2))):
                put(swap)
        return swap

    def _filled(self, body, own):
        if isinstance(body, str):
            return filled(body, {name: value for name, value in own.items() if name != "deviceId"}).replace(
                "{deviceId}", str(own["deviceId"])
            )
        if isinstance(body, dict):
            return {name: self._filled(each, own) for name, each in body.items()}
        return [self._filled(each, own) for each in body] if isinstance(body, list) else body

    def _note(self, swap, position, value):
        swap.foreign.append((position, value))
        self.positions[position.split(" ")[0]] += 1

    def _in_path(self, swap):
        name = self.rng.choice(sorted(swap.path))
        of = {"discarded_id": "letter_id"}.get(name, name)
        # The router wants a number where a letter is named.
        swap.path[name] = self.rng.choice(self.pool[of]) if of == "letter_id" else self.foreign(of)
        self._note(swap, f"path {name}", swap.path[name])

    def _in_query(self, swap):
        documented = self._parameters(swap.route)
        if "cursor" in documented and self.rng.random() < 0.7:
            documented = ["cursor"]
        name = self.rng.choice(documented * 3 + list(UNDOCUMENTED))
        value = self.foreign({"cursor": "next", "device": "deviceId", "actor": "userId"}.get(name, name))
        swap.query.append((name, value))
        self._note(swap, f"{'cursor' if name == 'cursor' else 'query'} {name}", value)

    def _in_headers(self, swap):
        name = self.rng.choice(HEADERS)
        value = quote(str(self.foreign({"Last-Event-ID": "eventId"}.get(name, "tenantId"))))
        swap.headers[name] = value
        self._note(swap, f"header {name}", value)

    def _in_cookies(self, swap):
        name = self.rng.choice(("tslice_session", "tenant", "tslice_tenant"))
        if name == "tslice_session" and swap.who == "owner in a browser":
            name = "tenant"
        value = quote(str(self.foreign("sessionId" if name == "tslice_session" else "tenantId")))
        swap.cookies[name] = value
        self._note(swap, f"cookie {name}", value)

    def _in_body(self, swap):
        body = swap.body
        places = []

        def walk(value):
            for key in value if isinstance(value, dict) else range(len(value)):
                if isinstance(value[key], dict | list):
                    walk(value[key])
                elif not isinstance(value[key], bool):
                    places.append((value, key))

        walk(body)
        names = [name for name in self._properties(swap.route) if name not in body]
        if places and self.rng.random() < 0.6:
            holder, key = self.rng.choice(places)
            name = key if isinstance(key, str) else "deviceId"
        else:
            holder = self.rng.choice([body, *(each for each in body.values() if isinstance(each, dict))])
            key = name = self.rng.choice([*names, *UNDOCUMENTED])
        value = self.foreign(name)
        if name == "ids":
            value = self.rng.choice(self.pool["letter_id"])
        holder[key] = [value] if name in {"ids", "devices", "types", "tags"} and isinstance(key, str) else value
        self._note(swap, f"body {name}", value)

    def _parameters(self, route):
        return [each["name"] for each in self._operation(route).get("parameters", ()) if each["in"] == "query"]

    def _operation(self, route):
        if route == LIVE:
            return {"parameters": [{"name": name, "in": "query"} for name in ("device", "type")]}
        method, path = route.partition("?")[0].split(" ")
        path = path.replace("{deviceKeyId}", "{keyId}").replace("{discarded_id}", "{letter_id}")
        path = path.replace("/versions/1", "/versions/{version}")
        return self.document["paths"][path][method.lower()]

    def _properties(self, route):
        """The fields that a body may have by the document."""
        names, waiting = set(), [self._operation(route).get("requestBody", {})]
        while waiting:
            each = waiting.pop()
            if isinstance(each, dict):
                names |= set(each.get("properties", ()))
                waiting += each.values()
                if (ref := each.get("$ref")) is not None:
                    waiting.append(self.document["components"]["schemas"][ref.rpartition("/")[2]])
            elif isinstance(each, list):
                waiting += each
        return sorted(names)

    # -------------------------------------------------------------------------------------------- what comes back
    async def send(self, swap):
        """The status and bytes of an answer."""
        headers = await credential(self.attacker, swap.who) | swap.headers
        if swap.cookies:
            cookies = "; ".join(f"{name}={value}" for name, value in swap.cookies.items())
            headers["Cookie"] = f"{headers['Cookie']}; {cookies}" if "Cookie" in headers else cookies
        method, path = swap.route.split(" ", 1)
        query = urlencode([(name, str(value)) for name, value in swap.query])
        if swap.route == LIVE:
            async with self.attacker.house.watch(headers, query) as socket:
                if socket.status != 101:
                    return socket.status, b""
                socket.say({"kind": "watch", "id": 1} | swap.body)
                told = await socket.answer()
                return 422 if told["kind"] == "refused" else 101, json.dumps(told).encode()
        path = filled(path, swap.path)
        path += ("&" if "?" in path else "?") + query if query else ""
        client = self.attacker.house.client
        client.cookies.clear()
        answer = await client.request(method, path, headers=headers, json=swap.body)
        return answer.status_code, answer.content

    def skips(self, route, who):
        """What somebody may do in every tenant is theirs to do."""
        everywhere = re.search(r"/api/v1/(tenants|installation)", route) or route == "POST /api/v1/users"
        return who in IN_ALL_TENANTS and everywhere

    async def attack(self, route, who):
        """One request, and its twin."""
        self._release_brakes()
        swap = self.case(route, who)
        ghosts = {value: ghost_of(self.rng, value) for _, value in swap.foreign}
        status, told = await self.send(swap)
        self.statuses[status] += 1
        if status >= 500:
            self.found.append((str(swap), f"breaks: {status}"))
        for canary in self.victim.canaries:
            if canary in told:
                self.found.append((str(swap), f"tells {canary}"))
        values = {value for _, value in swap.foreign}
        if 200 <= status < 300 and not route.startswith("GET"):
            self.taken |= values
        elif status != 401 and not values & self.taken and not self._is_told_apart(swap):
            other, _ = await self.send(swap.with_ghosts(ghosts))
            if other != status and 429 not in {status, other}:
                self.found.append((str(swap), f"is told apart: {status}, {other} for what nobody has {ghosts}"))

    def _release_brakes(self):
        """Guessing is braked by address, and here everybody has the same."""
        access = self.attacker.house.platform.services.access
        for part in (access.people, access.links, access.second_factors, access.dashboard_links):
            for each in vars(part).values():
                if isinstance(each, Brake):
                    each._due.clear()

    def _is_told_apart(self, swap):
        """An e-mail is taken in the whole installation: a second account of it cannot be added."""
        return swap.route == "POST /api/v1/users" and any(position == "body email" for position, _ in swap.foreign)

    async def run(self, rounds, *, routes=(*ROUTES, LIVE), callers=CALLERS, until_found=False):
        """Every route with every caller, so many times, in a random order; with half a round, each with every other."""
        cells = [(route, who) for route in routes for who in callers if not self.skips(route, who)]
        for _ in range(ceil(rounds)):
            self.rng.shuffle(cells)
            for route, who in cells[: ceil(len(cells) * rounds)]:
                self.cells += 1
                await self.attack(route, who)
                if until_found and self.found:
                    return
