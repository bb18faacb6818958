"""Whether the chains of the audit hold: asked by `tslice doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from ..engines.inprocess import SystemClock
from ..engines.sql.registry import Registry, registry_over
from ..engines.sqlite.files import REGISTRY
from ..engines.sqlite.registry import open_database
from ..flow.audit import verify
from ..model.audit import INSTALLATION
from ..settings import Settings


@dataclass(frozen=True, slots=True)
class Chains:
    """How many chains and records were read, and what is wrong with which."""

    chains: int
    records: int
    faults: tuple[str, ...]


async def examine_chains(settings: Settings) -> Chains:
    """Read every chain of the installation. Raises UnavailableError."""
    registry = _open(settings)
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


def _open(settings: Settings) -> Registry:
    if settings.distributed:
        # The server's driver is an extra that a data folder does without.
        from ..engines.postgres.registry import open_registry  # noqa: PLC0415

        return open_registry(settings.database_url or "", SystemClock())
    # As it is: the doctor changes nothing.
    return registry_over(open_database(settings.data / REGISTRY, name="registry"), SystemClock())
