"""sqlmap against every reading route of a running server, over SQLite and over PostgreSQL: nothing can be injected."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import apsw
import pytest
import uvicorn
from deploy.local.installation import LocalInstallation

from .processes import Server, wait_until
from .roles import Roles

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

VALUES = {
    "limit": "10", "points": "10", "hours": "24", "order": "asc", "sort": "id", "status": "online", "outcome": "done",
    "format": "csv", "type": "cpu", "unit": "%", "tag": "demo", "q": "boiler", "location": "Plant A",
    "reason": "clock", "actor": "console", "action": "create", "resource": "devices",
    "from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z", "asOf": "2026-12-31T00:00:00Z", "cursor": "abc",
}  # fmt: skip


def sqlmap(folder: Path, *arguments: str) -> str:
    """What sqlmap says; it asks nothing, keeps to the given addresses and leaves the timing of answers alone."""
    fixed = ["--batch", "--flush-session", "--ignore-proxy", "--ignore-code=*", "--disable-coloring", "--timeout=30"]
    fixed += ["--technique=BEU", "--level=1", "--risk=1", f"--output-dir={folder}", "--answers=keep testing=Y"]
    program = Path(sys.executable).with_name("sqlmap")
    ran = subprocess.run(
        [program, *fixed, *arguments], capture_output=True, text=True, timeout=3000, check=False, cwd=folder
    )
    return ran.stdout + ran.stderr


def findings(told: str) -> list[str]:
    return re.findall(
        r"parameter '.*' is (?:vulnerable|'.*' injectable)|identified the following injection point", told
    )


def looked_at(told: str) -> int:
    """How many parameters it has tried all its ways with, in vain."""
    return len(re.findall(r"parameter '.*' does not seem to be injectable", told))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def serving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(address, service key) of a server with the demo's tenants, and what its database is called."""
    folder = tmp_path_factory.mktemp("serving")
    if request.param == "sqlite":
        server = Server(folder)
        server.start()
        try:
            key = server.demo["tenants"]["acme-123"]["serviceKey"]
            yield f"http://127.0.0.1:{server.port}", key, request.param
        finally:
            server.stop()
    else:
        with LocalInstallation() as installation, Roles(installation.settings, folder) as roles:
            yield f"http://127.0.0.1:{roles.port}", roles.keys["serviceKey"], request.param


def targets(url: str, document: dict[str, Any]) -> list[str]:
    """Every reading route of a tenant with all its parameters, and each id in a path."""
    found = []
    for path, operations in document["paths"].items():
        parameters = operations.get("get", {}).get("parameters", ())
        if "/installation/" in path or "/tenants" in path or not parameters:
            continue
        place = path.replace("{deviceId}", "dev-001").replace("{letter_id}", "1")
        names = [each["name"] for each in parameters if each["in"] == "query"]
        if names:
            found.append(f"{url}{place}?{urlencode({name: VALUES[name] for name in names})}")
        if "{" in path:
            found.append(f"{url}{place.replace('dev-001', 'dev-001*').replace('letters/1', 'letters/1*')}")
    return found


def test_nothing_can_be_injected(serving: tuple[str, str, str], tmp_path: Path) -> None:
    url, key, database = serving
    header = f"--headers=Authorization: Bearer {key}"
    document = json.loads(subprocess.run([sys.executable, Path(__file__).parents[2] / ".ci" / "openapi"],
                                         capture_output=True, text=True, check=True).stdout)  # fmt: skip
    (tmp_path / "targets").write_text("\n".join(targets(url, document)))
    told = sqlmap(tmp_path, "-m", str(tmp_path / "targets"), header, f"--dbms={database}")
    body = json.dumps({"select": "latest", "devices": ["dev-001"], "types": ["cpu"]})
    told += sqlmap(tmp_path, "-u", f"{url}/api/v1/query", f"--data={body}", header, f"--dbms={database}")
    assert findings(told) == [], told[-5000:]
    print(looked_at(told), "parameters")
    assert looked_at(told) > 50, told[-5000:]


class Injectable:
    """What none of our routes is: a statement with the caller's text in it."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.execute("CREATE TABLE devices (id TEXT); INSERT INTO devices VALUES ('boiler'), ('pump')")

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        asked = parse_qs(scope["query_string"].decode()).get("q", [""])[0]
        try:
            rows = self.connection.execute(f"SELECT id FROM devices WHERE id = '{asked}'").fetchall()
        except apsw.Error:
            rows = []
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(rows).encode()})


def test_what_can_be_injected_is_found(tmp_path: Path) -> None:
    """The negative control."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Injectable(), lifespan="off", log_level="error"))
    thread = threading.Thread(target=lambda: asyncio.run(server._serve([listener])), daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the injectable server")
    try:
        (tmp_path / "targets").write_text(f"http://127.0.0.1:{listener.getsockname()[1]}/?q=boiler")
        assert findings(sqlmap(tmp_path, "-m", str(tmp_path / "targets"), "--dbms=sqlite"))
    finally:
        server.should_exit = True
        thread.join(30)
