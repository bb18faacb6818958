"""`tslice doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from ..engines.folder.lock import holder_url
from ..engines.sql.migrate import NewerSchemaError, head
from ..engines.sqlite.backup import quick_check, revision, sqlite_version
from ..engines.sqlite.files import REGISTRY, SAFE_SQLITE, TELEMETRY
from ..model.errors import UnavailableError
from ..model.times import HOUR_US
from ..settings import Settings
from .client import Api, Json
from .configuration import settings_of
from .connection import mint
from .exposure import has_demo, is_loopback, is_own
from .failure import CliError
from .names import DEMO_FILE
from .tables import show_json
from .target import ca_file

EARLIEST_YEAR = 2025
SKEW_S = 5.0
DAYS_LEFT = 14
SHOWN = 5
SLOW_ERASING_US = HOUR_US


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: fine or not, what was found, and what to do. `fine` None = not checked, and why."""

    name: str
    fine: bool | None
    found: str
    remedy: str = ""


def check_settings(data: Path) -> tuple[Settings | None, Finding]:
    try:
        settings = settings_of(data=data)
    except CliError as error:
        return None, Finding("settings", False, str(error), "mend the environment or tslice.toml")
    return settings, Finding("settings", True, "as they should be")


def check_sqlite() -> Finding:
    text, number = sqlite_version()
    if number < SAFE_SQLITE:
        return Finding("SQLite", False, f"{text} may corrupt a file in WAL mode", "install apsw 3.53 or newer")
    return Finding("SQLite", True, text)


def check_folder(data: Path) -> Iterator[Finding]:
    """The folder and its files: there, ours, and nobody else's."""
    if not data.is_dir():
        yield Finding("data folder", False, f"{data} does not exist", "start `tslice up`, or name it with --data")
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data folder", False, f"{data} may not be written by this user", f"chown or chmod {data}")
        return
    secret = [data, *(path for path in data.iterdir() if path.is_file())]
    open_to_others = [path for path in secret if path.stat().st_mode & 0o077]
    if open_to_others:
        names = ", ".join(str(path) for path in open_to_others)
        yield Finding("data folder", False, f"others may read {names}", f"chmod -R go-rwx {data}")
    else:
        yield Finding("data folder", True, f"{data}, its owner's alone")


def check_secrets(settings: Settings) -> Iterator[Finding]:
    """Whether the installation's own secrets are there, and what still needs a pepper of before."""
    from ..runtime.secrets import kept_secrets  # noqa: PLC0415 - heavy
    from ..runtime.weakness import weak_secrets  # noqa: PLC0415 - the same

    try:
        kept = kept_secrets(settings, make=False)
    except FileNotFoundError:
        yield Finding("secrets", False, "secrets.json is missing", "restore it from a backup: no key works without it")
    except (OSError, ValueError) as error:
        yield Finding("secrets", False, str(error), "mend its mode, or restore it from a backup")
    else:
        for found in weak_secrets(settings):
            yield Finding("secrets", False, found, "the platform does not start with it: set another")
        yield Finding("secrets", True, "complete")
        if kept.other_peppers:
            yield check_peppers(settings)


def check_peppers(settings: Settings) -> Finding:
    """Whether the earlier peppers can be let go."""
    from ..runtime.secrets import depending_on_other_peppers  # noqa: PLC0415 - only when there are some

    try:
        found = asyncio.run(depending_on_other_peppers(settings))
    except UnavailableError as error:
        return Finding("peppers", None, f"cannot be counted: {error}")
    if not found:
        return Finding("peppers", True, "nothing needs an earlier one: `tslice secrets retire-peppers`")
    some = f" ({', '.join(found.keys[:SHOWN])}{', …' if len(found.keys) > SHOWN else ''})" if found.keys else ""
    counted = f"{len(found.keys)} live keys{some} and {found.sealed} sealed secrets"
    return Finding("peppers", True, f"{counted} still need an earlier one")


def check_databases(data: Path) -> Iterator[Finding]:
    for name, history in ((TELEMETRY, "telemetry"), (REGISTRY, "registry")):
        path = data / name
        if not path.is_file():
            yield Finding(name, False, "is missing", "start `tslice up`, which makes it, or restore a backup")
            continue
        damage = quick_check(path)
        if damage:
            yield Finding(name, False, damage, "stop the server and restore a backup into a new folder")
            continue
        try:
            present, newest = revision(path), head(history)
        except (NewerSchemaError, ValueError) as error:
            yield Finding(name, False, str(error), "use the release that wrote it")
            continue
        if present != newest:
            yield Finding(name, False, f"schema {present}, this release has {newest}", "run `tslice migrate`")
        else:
            yield Finding(name, True, f"whole, schema {present}")


def check_audit(settings: Settings) -> Finding:
    """Whether the audit is what was written."""
    from ..runtime.chains import examine_chains  # noqa: PLC0415 - reads whole tables: only when asked

    try:
        found = asyncio.run(examine_chains(settings))
    except UnavailableError as error:
        return Finding("audit", None, f"cannot be read: {error}")
    if found.faults:
        return Finding(
            "audit",
            False,
            "; ".join(found.faults),
            "somebody has changed the database by hand: keep a copy of it, and compare with earlier exports"
            " (`tslice audit verify --against`) and backups",
        )
    return Finding("audit", True, f"{found.records:,} records in {found.chains:,} chains, unbroken")


def check_providers(settings: Settings) -> list[Finding]:
    """Whether people could sign in with each provider of OpenID Connect."""
    if not settings.oidc_providers:
        return []
    from ..runtime.providers import examine_providers  # noqa: PLC0415 - asks other servers: only when there are some

    remedy = "compare issuer with what the provider publishes, and look whether this machine may reach it"
    found = asyncio.run(examine_providers(settings))
    return [
        Finding(f"provider {name}", problem is None, problem or "can be asked, its keys are known", remedy)
        for name, problem in found.items()
    ]


def check_keys(settings: Settings) -> Finding:
    """Whether keys end soon that nobody has replaced."""
    from ..runtime.chains import examine_expiring_keys  # noqa: PLC0415 - opens a database: only when asked

    try:
        count, first = asyncio.run(examine_expiring_keys(settings))
    except UnavailableError as error:
        return Finding("keys", None, f"cannot be read: {error}")
    if count:
        shown = "; ".join(first) + (f"; and {count - len(first):,} more" if count > len(first) else "")
        found = f"{count:,} end within {settings.key_warning_days} days: {shown}"
        return Finding("keys", False, found, "replace them: `tslice keys rotate`, `tslice devices import --rotate`")
    return Finding("keys", True, f"none ends within {settings.key_warning_days} days")


def check_erasures(settings: Settings) -> Finding:
    """Whether tenants are being erased for so long that something must be in the way."""
    from ..runtime.chains import examine_erasures  # noqa: PLC0415 - opens a database: only when asked

    try:
        slow = asyncio.run(examine_erasures(settings, SLOW_ERASING_US))
    except UnavailableError as error:
        return Finding("erasing", None, f"cannot be read: {error}")
    if slow:
        return Finding(
            "erasing",
            False,
            f"not finished: {'; '.join(slow)}",
            "a server (with roles: the scheduler) does it; its log says what is in the way (`erasing_postponed`,"
            " `erasing_waits`): a placement's database that is away, or events that no writer settles",
        )
    return Finding("erasing", True, "none stands still")


def check_disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data).free
    if free < settings.disk_reserve_bytes:
        return Finding(
            "disk", False, f"{free / 1e6:,.0f} MB free, below the reserve: ingest is refused", "make space on that disk"
        )
    return Finding("disk", True, f"{free / 1e9:,.1f} GB free")


def check_clock() -> Finding:
    now = datetime.fromtimestamp(time.time()).astimezone()
    if now.year < EARLIEST_YEAR:
        return Finding("clock", False, f"this machine believes it is {now:%Y-%m-%d}", "set the clock (NTP)")
    return Finding("clock", True, f"{now:%Y-%m-%d %H:%M:%S %z}")


def check_demo(settings: Settings) -> Finding | None:
    """Whether a network can reach a platform whose password lies in a file."""
    if not has_demo(settings.data):
        return None
    url = holder_url(settings.data)
    if not is_loopback(settings.host) or (url is not None and not is_own(url)):
        return Finding(
            "demo",
            False,
            f"the credentials in {settings.data / DEMO_FILE} are served to the network",
            "listen on 127.0.0.1, or use a folder without the demo (--no-demo)",
        )
    return Finding("demo", True, "on loopback only")


async def check_server(url: str, token: str | None, *, own: bool = False) -> list[Finding]:
    """What a running server says of itself; `own` = it holds the folder's lock."""
    findings = []
    async with Api(url, token, ca_file=ca_file(), own=own, timeout_s=10.0) as api:
        try:
            await api.call("GET", "/health/ready", patience_s=3.0)
        except CliError as error:
            return [Finding("server", False, str(error), "look at its log")]
        findings.append(Finding("server", True, f"ready at {url}"))
        if token is None:
            return findings
        before = time.time()
        try:
            status = await api.call("GET", "/api/v1/status", patience_s=3.0)
        except CliError as error:
            return [*findings, Finding("status", False, str(error), "give a valid --key")]
        theirs = datetime.fromisoformat(status["now"]).timestamp()
        skew = max(before - theirs, theirs - time.time(), 0.0)
        if skew > SKEW_S:
            found = f"this machine and the server differ by {skew:.0f} s"
            findings.append(Finding("clocks", False, found, "let both use NTP"))
        if status["storage"] is not None:
            findings.append(forecast(status))
    return findings


def check_servers(settings: Settings) -> Iterator[Finding]:
    """PostgreSQL, queue and Valkey of a distributed installation."""
    # Drivers that an embedded installation does without.
    from ..runtime import set_up_logging  # noqa: PLC0415
    from ..runtime.examination import examine_servers  # noqa: PLC0415

    set_up_logging(settings)
    for name, problems in asyncio.run(examine_servers(settings)).items():
        if not problems:
            yield Finding(name, True, "as it should be")
        for found, remedy in problems:
            yield Finding(name, False, found, remedy)


def check_roles(settings: Settings) -> list[Finding]:
    """The supervisor that runs over this folder, if one does."""
    running = holder_url(settings.data)
    if running is None:
        return [Finding("roles", None, "no `tslice serve --role all` runs over this folder")]
    return asyncio.run(check_server(running, mint(settings.data, None), own=is_own(running)))


def forecast(status: Json) -> Finding:
    storage = status["storage"]
    size = f"{storage['dataBytes'] / 1e6:,.0f} MB of data, {storage['freeBytes'] / 1e9:,.1f} GB free"
    if storage["ingest"] != "open":
        return Finding("storage", False, f"{size}; ingest is refused: {storage.get('reason')}", "make space")
    days = storage["daysLeft"]
    if days is not None and days < DAYS_LEFT:
        return Finding(
            "storage", False, f"{size}, full in {days:.1f} days", "make space, or set TSLICE_RETENTION_DAYS lower"
        )
    return Finding("storage", True, size + (f", enough for {days:,.0f} days" if days is not None else ""))


def examine(url: str | None, key: str | None, data: Path) -> list[Finding]:
    """Every check that applies: of the folder, or of a server elsewhere."""
    if url is not None:
        return [check_clock(), *asyncio.run(check_server(url, key))]
    settings, finding = check_settings(data)
    if settings is not None and settings.distributed:
        return [
            finding,
            check_clock(),
            *check_secrets(settings),
            *check_servers(settings),
            check_audit(settings),
            *check_providers(settings),
            check_keys(settings),
            check_erasures(settings),
            *check_roles(settings),
        ]
    findings = [finding, check_sqlite(), check_clock(), *check_folder(data)]
    if settings is None or not all(found.fine for found in findings):
        return findings
    findings += check_secrets(settings)
    if not all(found.fine for found in findings):
        return findings
    findings += [
        *check_databases(data),
        check_audit(settings),
        check_keys(settings),
        check_erasures(settings),
        check_disk(settings),
        *check_providers(settings),
    ]
    if (exposed := check_demo(settings)) is not None:
        findings.append(exposed)
    running = holder_url(data)
    if running is None:
        findings.append(Finding("server", None, "none runs on this folder"))
    else:
        findings += asyncio.run(check_server(running, mint(data, None), own=is_own(running)))
    return findings


def run_doctor(url: str | None, key: str | None, data: Path, *, as_json: bool) -> int:
    """Print each check with ✓ or ✗; 1 if one failed."""
    findings = examine(url, key, data)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        console = Console()
        for finding in findings:
            mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: "–"}[finding.fine]
            text = finding.found.replace("[", "\\[")
            console.print(f"{mark} {finding.name}: {text}", highlight=False, soft_wrap=True)
            if finding.fine is False:
                console.print(f"    {finding.remedy}", highlight=False, markup=False, soft_wrap=True)
    return 1 if any(finding.fine is False for finding in findings) else 0
