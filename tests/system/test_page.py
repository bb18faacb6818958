"""The page as a person meets it: the real server with its demo, a real browser; the steps are in web/e2e-real."""

import json
import os
import secrets
import shutil
import subprocess
import sys

import pytest
from deploy.local.installation import LocalInstallation
from deploy.local.process import free_port
from tests.oidc_provider import SEARCHED, WEB
from tests.oidc_provider import provider as running_provider

from .processes import Server
from .roles import Roles

RUNNER = WEB / "node_modules" / "@playwright" / "test" / "cli.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RUN_S = 1_200


def program(*names: str) -> str:
    """Path of the first of these programs that is here."""
    found = next(filter(None, (shutil.which(name, path=SEARCHED) for name in names)), None)
    if found is None:
        pytest.fail(f"none of {', '.join(names)} is here: `make test` installs what the tests need")
    return found


@pytest.fixture
def built():
    """The page, the browser and the test runner are there; otherwise it is said what to do."""
    if not (WEB / "dist" / "index.html").is_file():
        pytest.fail("the page is not built, web/dist is missing: run `make web`")
    if not RUNNER.is_file():
        pytest.fail("the page's libraries are not installed, web/node_modules is missing: run `make setup`")


@pytest.fixture
def port():
    """The provider must know where the server will be."""
    return free_port()


@pytest.fixture
def provider(built, port):
    with running_provider(f"http://127.0.0.1:{port}") as running:
        yield running


def sign_in_with(provider):
    """The settings under which the company's provider signs people in."""
    told = {"corp": provider.settings(label="The company", roles={"keepers": "acme-123:operator"})}
    return {"TSLICE_OIDC_PROVIDERS": json.dumps(told)}


@pytest.fixture
def server(built, tmp_path, provider, port):
    started = Server(tmp_path, **sign_in_with(provider))
    started.port = port
    started.start()
    yield started
    assert started.stop() == 0, started.log.read_text()


def browse(folder, *arguments, environment=None):
    """Run the browser's tests, told what is in `environment`."""
    done = subprocess.run(
        [program("node"), RUNNER, "test", *arguments, "--output", folder / "browser"],
        cwd=WEB,
        env=os.environ | {"PATH": SEARCHED, "CHROMIUM": program(*BROWSERS)} | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    print(done.stdout)
    return done


def empty_tenant(data, environment):
    """The owner of a tenant that has no devices."""
    owner = {"email": "owner@campus.example", "password": secrets.token_urlsafe(12)}
    verbs = (
        ("tenants", "create", "campus", "--name", "Campus"),
        ("users", "create", owner["email"], "--role", "owner", "--tenant", "campus", "--password", owner["password"]),
    )
    for verb in verbs:
        command = [sys.executable, "-m", "telemetry_slice", *verb, "--data", data]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return owner


def told_of(data, environment, port, provider):
    """What the browser's tests are told of a running platform."""
    demo = json.loads((data / "demo.json").read_text())["tenants"]
    tenant, other, empty = demo["acme-123"], demo["beta-456"], empty_tenant(data, environment)
    return {
        "PAGE_URL": f"http://127.0.0.1:{port}",
        "PAGE_EMAIL": tenant["user"]["email"],
        "PAGE_PASSWORD": tenant["user"]["password"],
        "PAGE_GATEWAY_KEY": tenant["gatewayKey"],
        "PAGE_PROVIDER": provider.issuer,
        "PAGE_OTHER_EMAIL": other["user"]["email"],
        "PAGE_OTHER_PASSWORD": other["user"]["password"],
        "PAGE_EMPTY_EMAIL": empty["email"],
        "PAGE_EMPTY_PASSWORD": empty["password"],
    }


@pytest.fixture
def visited(server, provider):
    return told_of(server.folder / "data", server.environment, server.port, provider)


@pytest.mark.timeout(RUN_S + 120)
def test_a_person_signs_in_and_out_in_every_way_sees_a_live_reading_and_the_duplicate_counted(
    server, visited, tmp_path
):
    done = browse(tmp_path, "--project=real", environment=visited)
    assert done.returncode == 0, f"{done.stdout}\n{server.log.read_text()}"


@pytest.mark.long
@pytest.mark.timeout(RUN_S + 300)
def test_the_same_on_servers_of_their_own(built, tmp_path, provider, port):
    with LocalInstallation() as installation:
        roles = Roles(installation.settings | sign_in_with(provider), tmp_path)
        roles.port = port
        with roles:
            told = told_of(roles.data, roles.environment, port, provider)
            done = browse(tmp_path, "--project=real", environment=told)
        assert done.returncode == 0, f"{done.stdout}\n{roles.log.read_text()}"


@pytest.mark.long
@pytest.mark.timeout(RUN_S + 120)
def test_every_page_looks_as_it_did(server, visited, tmp_path):
    """PICTURES is the folder where they go; with PICTURES_GUIDE the guide's are made anew there (`make pictures`)."""
    done = browse(tmp_path, "--project=pictures", environment=visited)
    assert done.returncode == 0, f"{done.stdout}\n{server.log.read_text()}"


@pytest.mark.long
def test_the_page_against_recorded_answers(built, tmp_path):
    done = browse(tmp_path, "--project=recorded")
    assert done.returncode == 0, done.stdout
