"""Which server a verb speaks to, and as whom."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .exposure import is_own
from .failure import CliError
from .names import DEMO_FILE, DEMO_TENANT, LOCK_FILE


class TargetError(CliError):
    """It is not clear where to send or with which key; the text says what to give."""


@dataclass(frozen=True, slots=True)
class Target:
    """Address and credential of a server; `own` = the one that runs on the data folder, on this machine."""

    url: str
    key: str
    ca_file: str | None = None
    own: bool = False


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty when there is no such file or it holds something else."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def ca_file() -> str | None:
    """TSLICE_CA_FILE: PEM file of further trusted issuers."""
    return os.environ.get("TSLICE_CA_FILE") or None


def sending_target(url: str | None, key: str | None, data: Path, tenant: str | None = None) -> Target:
    """Where events go: what was given, else the demo in `data`.

    Raises:
        TargetError: neither an address and key nor a demo.
    """
    demo = read_json(data / DEMO_FILE)
    own = {read_json(data / LOCK_FILE).get("url"), demo.get("url")} - {None}
    url = url or read_json(data / LOCK_FILE).get("url") or demo.get("url")
    # A key is a secret of one installation: the demo's is not sent to another address.
    if key is None and url in own:
        key = demo.get("tenants", {}).get(tenant or DEMO_TENANT, {}).get("gatewayKey")
    if url is None:
        raise TargetError(
            f"No address to send to: give --url and --key (or TSLICE_URL and TSLICE_KEY), or start the demo with "
            f"`tslice up` (there is no {data / DEMO_FILE})"
        )
    if key is None:
        raise TargetError(f"No key for {url}: give --key or TSLICE_KEY")
    if not url.startswith(("http://", "https://")):
        raise TargetError(f"{url} is not an address; expected for example http://127.0.0.1:8000")
    return Target(url.rstrip("/"), key, ca_file(), own=url in own and is_own(url))
