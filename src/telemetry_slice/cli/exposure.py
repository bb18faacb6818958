"""Whether the demo, whose passwords lie in a file, can be reached from a network, or secrets be guessed."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .failure import CliError
from .names import DEMO_FILE, PLAN_FILE

if TYPE_CHECKING:
    from ..settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_own(url: str) -> bool:
    """Whether the address of a folder's own server is on this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def has_demo(data: Path) -> bool:
    """Whether a folder holds the demo, or the beginning of one."""
    return (data / DEMO_FILE).exists() or (data / PLAN_FILE).exists()


def check_exposure(host: str, data: Path, *, wants_demo: bool) -> None:
    """Raises CliError where the demo's credentials would be served to a network."""
    present = has_demo(data)
    if (wants_demo or present) and not is_loopback(host):
        remedy = "use another --data folder" if present else "start with --no-demo"
        raise CliError(
            f"the demo's credentials lie in {data / DEMO_FILE} and are refused on {host}: "
            f"{remedy}, listen on 127.0.0.1, or say --demo-public"
        )


def check_secrets(settings: Settings) -> None:
    """Raises CliError for secrets that everybody knows, unless it is the demo, which only this machine can reach."""
    from ..runtime.weakness import weak_secrets  # noqa: PLC0415 - heavy

    if has_demo(settings.data) and is_loopback(settings.host):
        return
    if found := weak_secrets(settings):
        raise CliError("\n".join(["the platform does not start with secrets that everybody knows", *found]))
