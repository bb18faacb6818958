"""The documents say what is true: the reference is the code's, every link leads somewhere.

`make reference` (UPDATE_REFERENCE=1) writes docs/reference anew.
"""

import json
import os
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from telemetry_slice import observe
from telemetry_slice.http.app import ROUTERS
from telemetry_slice.http.ingest import VERSIONS
from telemetry_slice.http.principal import Allowed, AllowedInTenant, SocketAllowedInTenant
from telemetry_slice.http.problems import STATUS, TITLES
from telemetry_slice.model.errors import Code
from telemetry_slice.model.events import DeadReason, RejectCode
from telemetry_slice.model.permissions import GRANTS, Party, Permission
from telemetry_slice.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
MADE = "<!-- Made by `make reference`; do not edit. -->\n"

CODES = {
    Code.MALFORMED: "not JSON, a broken encoding, a truncated body",
    Code.INVALID: "well-formed, but a field is at fault; `errors` says which",
    Code.UNAUTHENTICATED: "no credential, or one that is unknown, expired or revoked",
    Code.SECOND_FACTOR_NEEDED: "e-mail and password are right: repeat with `code`",
    Code.FORBIDDEN: "the credential is good, and not for this",
    Code.NOT_FOUND: "does not exist, or belongs to another tenant",
    Code.CONFLICT: "the name is taken, or the change would break a rule",
    Code.GONE: "was offered once",
    Code.TOO_LARGE: "above a limit of bytes or events",
    Code.TOO_SLOW: "the body did not arrive in time",
    Code.UNSUPPORTED_MEDIA_TYPE: "unknown `Content-Type` or `Content-Encoding`",
    Code.QUOTA_EXCEEDED: "a quota is used up: `policy` names it, `Retry-After` says when to repeat",
    Code.CAPACITY: "the platform has no room right now: repeat after `Retry-After`",
    Code.UNAVAILABLE: "a part of the platform cannot be reached, or the outcome is unknown: repeat with the same ids",
}
REJECTS = {
    RejectCode.INVALID: "a field is missing, of the wrong type, or out of range",
    RejectCode.MALFORMED: "a body, or a line of NDJSON, that cannot be read",
    RejectCode.UNKNOWN_DEVICE: "the tenant does not register devices by itself",
    RejectCode.DEVICE_DELETED: "the device was deleted",
    RejectCode.FOREIGN_DEVICE: "a device key sends for its own device only",
    RejectCode.FOREIGN_TENANT: "`customerId` is not the key's tenant",
    RejectCode.TOO_LARGE: "a limit of bytes or events",
    RejectCode.QUOTA: "a quota is used up",
    RejectCode.CAPACITY: "the platform had no room",
    RejectCode.SUSPENDED: "the tenant was suspended by the platform's administrators",
}
DEATHS = {
    DeadReason.CLOCK: "`recordedAt` lies before 2000 or more than 24 h ahead",
    DeadReason.CONFLICT: "another event with this id and another meaning was stored first",
    DeadReason.SERIES_LIMIT: "the tenant's number of series is used up",
    DeadReason.ID_EXPIRED: "the UUIDv7's own time is older than what the ledger of ids still knows",
    DeadReason.POISON: "the store could not keep this event",
}


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def default_of(value: Any) -> str:
    match value:
        case None | "" | ():
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case Enum():
            return f"`{value.value}`"
        case _:
            return f"`{value}`" if str(value) else "none"


def settings_page() -> str:
    rows = [
        (f"`TSLICE_{name.upper()}`", default_of(field.get_default()), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    assert [name for name, _, meaning in rows if not meaning] == [], "a setting says its unit and meaning"
    return (
        f"# Settings\n\n{MADE}\nFrom the environment, or without the prefix and in lower case from `tslice.toml` in the"
        " working directory; the environment wins.\n\n"
        + table(("setting", "default", "meaning"), rows)
        + "\nVerbs of `tslice` that talk to a server elsewhere also read `TSLICE_URL` (its address), `TSLICE_KEY` (the"
        " key to act with) and `TSLICE_CA_FILE` (PEM file of further trusted issuers).\n"
    )


def metrics_page() -> str:
    rows = []
    for value in vars(observe).values():
        if isinstance(value, MetricWrapperBase):
            name = value._name + ("_total" if value._type == "counter" else "")
            rows.append((f"`{name}`", value._type, ", ".join(value._labelnames), value._documentation))
    return f"# Metrics\n\n{MADE}\n`GET /metrics`, Prometheus.\n\n" + table(
        ("metric", "kind", "labels", "meaning"), sorted(set(rows))
    )


def errors_page() -> str:
    return (
        f"# Error codes\n\n{MADE}\n## Refused requests\n\n"
        "Errors are `application/problem+json` (RFC 9457); `type` is `urn:telemetry-slice:problem:` and the code.\n\n"
        + table(
            ("code", "status", "title", "when"),
            [(f"`{code}`", str(STATUS[code]), TITLES[code], CODES[code]) for code in Code],
        )
        + "\n## Rejected events\n\nThe `code` in `rejected` of an answer to ingest, and the key of `rejected` in the"
        " books.\n\n"
        + table(("code", "when"), [(f"`{code}`", REJECTS[code]) for code in RejectCode])
        + "\n## Dead letters\n\nThe `reason` of a dead letter, and the key of `dead` in the books.\n\n"
        + table(("reason", "when"), [(f"`{reason}`", DEATHS[reason]) for reason in DeadReason])
    )


CONDITIONS = {
    Permission.MAKE_OWNERS: ["a change of users that makes or unmakes an owner"],
    Permission.JOIN_ACCOUNTS: ["a user added without a password"],
    Permission.RESET_ACCOUNTS: ["a reset of a user of several tenants, or of a platform administrator"],
}
"""Permissions that a route asks for besides its own."""


def asked_by_routes() -> dict[str, Permission | None]:
    """What each documented route asks for; None = nothing."""
    asked: dict[str, Permission | None] = {f"POST {path}": Permission.SEND_TELEMETRY for path in VERSIONS}
    for route in (route for router in ROUTERS for route in router.routes):
        if getattr(route, "include_in_schema", True):
            found = [
                dependency.call.permission
                for dependency in route.dependant.dependencies
                if isinstance(dependency.call, Allowed | AllowedInTenant | SocketAllowedInTenant)
            ]
            assert len(found) < 2, route.path
            for method in getattr(route, "methods", ["WebSocket"]):
                asked[f"{method} {route.path}"] = found[0] if found else None
    return asked


def permissions_page() -> str:
    asked = asked_by_routes()
    assert set(GRANTS) == set(Permission)
    assert set(Permission) <= {*asked.values(), *CONDITIONS}, "a permission that nobody asks for"
    rows = []
    for permission in Permission:
        routes = [f"`{route}`" for route, wanted in asked.items() if wanted == permission]
        cells = ["✓" if party in GRANTS[permission] else "" for party in Party]
        rows.append(
            (permission.resource, permission.action, *cells, ", ".join(routes + CONDITIONS.get(permission, [])))
        )
    public = [route for route, wanted in asked.items() if wanted is None]
    return (
        f"# Permissions\n\n{MADE}\nWho may do what: the table of `model/permissions.py`, asked by every route. A caller"
        " who is several things may do what any of them may. What belongs to a tenant is that of the tenant acted in;"
        " with a session or a token of another tenant it is as if it did not exist. Whoever may not is told 403.\n\n"
        + table(("resource", "action", *Party, "asked for by"), rows)
        + "\n## Without a credential\n\n"
        + "".join(f"- `{route}`\n" for route in public)
    )


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("settings", settings_page),
        ("metrics", metrics_page),
        ("errors", errors_page),
        ("permissions", permissions_page),
    ],
)
def test_the_reference_is_the_codes_own(name, make):
    path = ROOT / "docs" / "reference" / f"{name}.md"
    made = make()
    if os.environ.get("UPDATE_REFERENCE"):
        path.write_text(made)
    assert path.read_text() == made, "run `make reference`"


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        # Pictures of the page are made by its tests.
        if "://" in target or target.startswith("../pictures/"):
            continue
        name, _, fragment = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            broken.append(target)
        elif fragment and file.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            if fragment not in map(anchor, headings):
                broken.append(target)
    assert broken == []


def missing_tests(text: str) -> list[str]:
    """The tests that a text names (`tests/…::test_name`) and that are not there."""
    return [
        f"{path}::{name}"
        for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
        if not (file := ROOT / path).exists()
        or not re.search(rf"^(async )?def {name}\(", file.read_text(), re.MULTILINE)
    ]


def test_what_is_said_to_be_checked_is_checked():
    text = (ROOT / "docs" / "security.md").read_text()
    assert missing_tests(text) == []
    rows = [line for line in text.partition("## What is checked")[2].splitlines() if re.match(r"\| (API)?\d", line)]
    assert len(rows) > 45
    assert [row for row in rows if not re.search(r"`tests/[\w/]+\.py::test_\w+` \|$", row)] == []
    assert missing_tests("`tests/test_docs.py::test_gone` `tests/gone.py::test_x`") == [
        "tests/test_docs.py::test_gone",
        "tests/gone.py::test_x",
    ]


def test_every_decision_is_listed():
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    decisions = {path.name for path in (ROOT / "docs" / "adr").glob("0*.md")}
    assert decisions == set(re.findall(r"\((0\d{3}-[\w-]+\.md)\)", index))
    for name in decisions:
        text = (ROOT / "docs" / "adr" / name).read_text()
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
            "Alternatives",
        ], name


def test_help_lists_every_verb():
    verbs = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert verbs >= {"up", "setup", "test", "check", "bench", "lock", "wheel"}
    assert all(verb in shown for verb in verbs)


def test_documented_verbs_exist():
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in documents():
        for verb in re.findall(r"`make ([a-z-]+)", path.read_text()):
            assert verb in verbs, (path, verb)


def test_the_page_knows_the_api_as_it_is():
    made = subprocess.run(
        [sys.executable, ROOT / ".ci" / "openapi"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kept = (ROOT / "web" / "openapi.json").read_text()
    assert json.loads(kept) == json.loads(made.stdout), "run `make openapi`"
