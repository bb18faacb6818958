"""The real platform as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import httpx2


def tslice(*arguments, folder, timeout=60, **environment):
    """Run a verb to its end in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "telemetry_slice", *map(str, arguments)],
        cwd=folder,
        env=clean_environment(folder) | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def clean_environment(folder):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TSLICE_")}
    return kept | {"XDG_STATE_HOME": str(folder / "state")}


class Process:
    """`tslice up` and what it prints."""

    def __init__(self, folder, *arguments, **environment):
        self.folder = folder
        self.output = (folder / "up.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "telemetry_slice", "up", "--port", "0", *map(str, arguments)],
            cwd=folder,
            env=clean_environment(folder) | environment,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def printed(self):
        return (self.folder / "up.log").read_text()

    def wait_for(self, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.printed}"
            assert time.monotonic() < deadline, f"waited too long: {self.printed}"
            threading.Event().wait(0.02)

    @property
    def url(self):
        self.wait_for(lambda: "Telemetry Slice is at http" in self.printed and "Ctrl-C" in self.printed)
        return self.printed.split("Telemetry Slice is at ", 1)[1].split()[0]

    def ready(self):
        """Wait until the platform answers; its address."""
        url = self.url
        assert httpx2.get(f"{url}/health/ready", trust_env=False).status_code == 200
        return url

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.output.close()
        return code

    def kill(self):
        """Everything at once, the writer child included."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self.output.close()


@contextmanager
def running(folder, *arguments, **environment):
    process = Process(folder, *arguments, **environment)
    try:
        yield process
    finally:
        process.kill()


def demo_of(folder):
    return json.loads((folder / "data" / "demo.json").read_text())


def get(url, path, key, **params):
    response = httpx2.get(f"{url}{path}", params=params, headers={"Authorization": f"Bearer {key}"}, trust_env=False)
    response.raise_for_status()
    return response.json()


def last_line(result):
    return result.stdout.strip().splitlines()[-1]
