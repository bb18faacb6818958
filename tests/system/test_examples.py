"""What the README and the guide tell a newcomer to do, done: with a real server, from a shell and from the examples."""

import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_S = 60
DECIDE_S = 30


@dataclass
class Demo:
    """A running platform with its demo, in a folder of its own."""

    folder: Path
    url: str
    tenant: dict

    @property
    def address(self) -> tuple[str, str]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, port

    def get(self, path: str):
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": "Bearer " + self.tenant["serviceKey"]}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stored(self, device: str, type_: str) -> list[float]:
        page = self.get(f"/api/v1/devices/{device}/telemetry?type={type_}&limit=1000")
        return [event["value"] for event in page["events"]]


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/health/ready", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newcomer")
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [Path(sys.executable).with_name("tslice"), "up", "--port", "0"],
        cwd=folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TSLICE_")},
    )
    deadline = time.monotonic() + START_S
    url = None
    try:
        while url is None or not is_ready(url):
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            with contextlib.suppress(OSError, ValueError, KeyError):
                url = json.loads((folder / "data" / "demo.json").read_text())["url"]
            threading.Event().wait(0.05)
        found = json.loads((folder / "data" / "demo.json").read_text())
        yield Demo(folder, url, found["tenants"]["acme-123"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        log.close()


def commands(document: str, after: str = "") -> list[str]:
    """The shell blocks of a document below the words `after`."""
    text = (ROOT / document).read_text()
    text = text[text.index(after) :]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def run_shell(demo: Demo, script: str) -> str:
    script = script.replace("http://127.0.0.1:8000", demo.url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=demo.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def body_of(answer: str) -> dict:
    return json.loads(answer.replace("\r", "").split("\n\n")[-1])


def status_of(answer: str) -> int:
    return int(answer.split()[1])


def test_the_first_event_goes_as_the_readme_says(demo):
    prepare, first, again, wrong, read, *rest = commands("README.md", "tests/system/test_examples.py")
    assert rest == []
    mark = "echo; echo ----;"
    before = run_shell(demo, read)
    answers = run_shell(demo, f"{prepare}\n{first}\n{mark}\n{again}\n{mark}\n{wrong}\n{mark}\n{read}").split("\n----\n")
    assert status_of(answers[0]) == 202
    assert body_of(answers[0]) == {"accepted": 1, "rejected": []}
    assert status_of(answers[1]) == 200
    assert [result["outcome"] for result in body_of(answers[1])["results"]] == ["duplicate"]
    assert status_of(answers[2]) == 401
    assert "application/problem+json" in answers[2]
    assert body_of(answers[2])["status"] == 401
    then, now = json.loads(before), json.loads(answers[3])
    assert now["duplicate"] - then["duplicate"] == 1
    assert now["stored"] - then["stored"] >= 1  # this computer's own readings arrive meanwhile
    assert now["balanced"] is True


def test_every_request_of_the_curl_guide_is_accepted(demo):
    prepare, *requests = commands("docs/guide/curl.md")
    for request in requests:
        answer = run_shell(demo, prepare + request)
        assert status_of(answer) == 202, answer
        assert body_of(answer)["rejected"] == []


def test_the_reading_guide_reads(demo):
    (script,) = commands("docs/guide/reading.md")
    prepare, _, requests = script.partition("\n\n")
    for request in requests.strip().splitlines():
        answer = json.loads(run_shell(demo, f"{prepare}\n{request}"))
        assert "status" not in answer, answer


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("c") / "sender"
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2"]
    subprocess.run([compiler, *strict, "-o", program, ROOT / "examples" / "sender.c"], check=True)
    return program


@pytest.fixture(params=["python", "c"])
def sender(request, tmp_path):
    """Command line of an example: sender(url, key, device, type) with its spool in tmp_path."""
    spool = tmp_path / "readings.ndjson"

    def python(url, key, device, type_):
        options = {"--url": url, "--key": key, "--device": device, "--type": type_, "--unit": "C", "--spool": spool}
        return [sys.executable, ROOT / "examples" / "sender.py", *(word for pair in options.items() for word in pair)]

    def c(url, key, device, type_):
        host, _, port = url.removeprefix("http://").partition(":")
        return [request.getfixturevalue("compiled"), host, port, key, device, type_, "C", spool]

    return {"python": python, "c": c}[request.param]


@pytest.fixture
def type_():
    """A measurement type that no other test uses."""
    return f"t{uuid.uuid4().hex}"


def feed(command, numbers, timeout_s=60):
    text = "".join(f"{number}\n" for number in numbers)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout_s, check=False)


def wait_until(condition, what: str, seconds: float = DECIDE_S):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.05)


def test_a_sender_delivers_every_reading(demo, sender, type_):
    done = feed(sender(demo.url, demo.tenant["deviceKeys"]["dev-001"], "dev-001", type_), range(25))
    assert done.returncode == 0, done.stderr
    wait_until(lambda: sorted(demo.stored("dev-001", type_)) == list(range(25)), "25 readings stored")


class Unreliable(http.server.ThreadingHTTPServer):
    """Stands before the platform: refuses, hangs up, or swallows the answer, as its list of moods says."""

    daemon_threads = True

    def __init__(self, behind: tuple[str, str], moods: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.behind, self.moods, self.requests = behind, moods, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Passage(http.server.BaseHTTPRequestHandler):
    server: Unreliable

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mood = self.server.moods.pop(0) if self.server.moods else "pass"
        self.server.requests.append((time.monotonic(), mood))
        self.close_connection = True
        if mood == "busy":
            self.send_response(503)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if mood == "hang up":
            return
        passed = http.client.HTTPConnection(*self.server.behind, timeout=15)
        passed.request(
            "POST", self.path, body, {name: self.headers[name] for name in ("Authorization", "Content-Type")}
        )
        answer = passed.getresponse()
        content = answer.read()
        passed.close()
        if mood == "swallow the answer":
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def test_a_sender_survives_refusals_and_lost_answers_without_loss_or_double(demo, sender, type_):
    moods = ["busy", "hang up", "swallow the answer", "busy"]
    before = demo.get("/api/v1/books")["duplicate"]
    with Unreliable(demo.address, moods) as bridge:
        threading.Thread(target=bridge.serve_forever, daemon=True).start()
        done = feed(sender(bridge.url, demo.tenant["gatewayKey"], "dev-002", type_), range(10))
        bridge.shutdown()
    assert done.returncode == 0, done.stderr
    wait_until(lambda: sorted(demo.stored("dev-002", type_)) == list(range(10)), "10 readings stored once")
    assert demo.get("/api/v1/books")["duplicate"] > before, "what was sent twice is counted"
    waits = [
        later - at
        for (at, mood), (later, _) in zip(bridge.requests, bridge.requests[1:], strict=False)
        if mood == "busy"
    ]
    assert len(waits) == 2
    assert min(waits) >= 1, "Retry-After is obeyed"


def test_a_sender_keeps_what_it_could_not_send(demo, sender, type_):
    with Unreliable(demo.address, []) as closed:
        nobody = closed.url
    command = sender(nobody, demo.tenant["gatewayKey"], "dev-002", type_)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write("1\n2\n3\n")
    process.stdin.flush()
    spool = Path(command[-1])
    wait_until(lambda: spool.is_file() and spool.read_bytes().count(b"\n") == 3, "three readings in the spool")
    process.kill()
    process.communicate()
    done = feed(sender(demo.url, demo.tenant["gatewayKey"], "dev-002", type_), [4])
    assert done.returncode == 0, done.stderr
    wait_until(lambda: sorted(demo.stored("dev-002", type_)) == [1, 2, 3, 4], "all four readings stored")


def test_a_sender_with_a_wrong_key_stops_and_keeps_its_readings(demo, sender):
    command = sender(demo.url, "tsk_wrong", "dev-001", "temperature")
    done = feed(command, [1])
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert Path(command[-1]).read_bytes().count(b"\n") == 1


def test_the_micropython_example_is_python():
    compile((ROOT / "examples" / "sender_micropython.py").read_text(), "sender_micropython.py", "exec")
