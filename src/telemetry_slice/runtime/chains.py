"""The registry without a server: whether the audit's chains hold, which keys end soon, which
erasing stands still, and what verbs do to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..engines.inprocess import SystemClock
from ..engines.sql.registry import Registry, registry_over
from ..engines.sqlite.files import REGISTRY
from ..engines.sqlite.registry import open_database
from ..flow.audit import verify
from ..model.audit import INSTALLATION, Actor, ActorKind, AuditEntry, AuditOutcome, Detail
from ..model.times import DAY_US, rfc3339
from ..settings import Settings

SHOWN_KEYS = 10


@dataclass(frozen=True, slots=True)
class Chains:
    """How many chains and records were read, and what is wrong with which."""

    chains: int
    records: int
    faults: tuple[str, ...]


async def examine_chains(settings: Settings) -> Chains:
    """Read every chain of the installation. Raises UnavailableError."""
    registry = registry_of(settings)
    try:
        audit, tenants = registry.audit, {tenant.no: tenant.id for tenant in await registry.tenants.list()}
        chains = await audit.chains()
        records, faults = 0, []
        for chain in chains:
            check = await verify(audit, chain)
            records += check.sequence
            if check.fault is not None:
                whose = (
                    "the installation" if chain == INSTALLATION else tenants.get(chain, f"the erased tenant {chain}")
                )
                faults.append(f"of {whose}: {check.fault}")
        return Chains(len(chains), records, tuple(faults))
    finally:
        registry.close()


async def examine_expiring_keys(settings: Settings) -> tuple[int, list[str]]:
    """How many keys end soon, and what the first of them are called. Raises UnavailableError."""
    registry, now_us = registry_of(settings), SystemClock().now_us()
    try:
        until_us = now_us + settings.key_warning_days * DAY_US
        count, first = await registry.credentials.expiring.soon(now_us, until_us, SHOWN_KEYS)
    finally:
        registry.close()
    return count, [
        f"{key.key_id} of {key.tenant.id}{'' if key.device_id is None else f' ({key.device_id})'} on"
        f" {rfc3339(key.expires_us)[:10]}"
        for key in first
    ]


async def examine_erasures(settings: Settings, slow_us: int) -> list[str]:
    """The tenants whose erasing was asked for longer ago than that and is not finished. Raises UnavailableError."""
    registry, now_us = registry_of(settings), SystemClock().now_us()
    try:
        due = await registry.erasures.due(0)
    finally:
        registry.close()
    return [
        f"{erasure.tenant_id}, asked for at {rfc3339(erasure.asked_us)}"
        for erasure in due
        if erasure.asked_us < now_us - slow_us
    ]


async def tell_installation(settings: Settings, action: str, tenant_id: str, detail: Detail) -> None:
    """Tell the installation's audit what the person at this machine did to a tenant. Raises UnavailableError."""
    registry = registry_of(settings)
    actor, now_us = Actor(ActorKind.CONSOLE, "console", ""), SystemClock().now_us()
    entry = AuditEntry(now_us, actor, action, "tenants", tenant_id, tenant_id, None, None, AuditOutcome.DONE, detail)
    try:
        await registry.audit.append(INSTALLATION, entry)
    finally:
        registry.close()


def registry_of(settings: Settings) -> Registry:
    """The registry as it is: nothing is migrated here."""
    if settings.distributed:
        # The server's driver is an extra that a data folder does without.
        from ..engines.postgres.registry import open_registry  # noqa: PLC0415

        return open_registry(settings.database_url or "", SystemClock())
    return registry_over(open_database(settings.data / REGISTRY, name="registry"), SystemClock())
