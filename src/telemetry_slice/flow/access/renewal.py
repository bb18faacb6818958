"""From one pepper to the next: whatever still needs an earlier one is renewed, or counted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from ...model.peppers import Peppers
from ...ports.edge import Clock
from ...ports.registry import Registry
from .sealing import Seal
from .second_factor import PURPOSE as SECOND_FACTORS
from .signing import PURPOSE as SIGNING_KEYS

log = structlog.get_logger()

AT_ONCE = 200
SHOWN_KEYS = 1_000
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Dependents:
    """What needs a pepper that is not the current one.

    Attributes:
        keys: ids of live keys, at most `SHOWN_KEYS`; each is made anew when it is used.
        sealed: how many secrets are sealed under another; they are sealed anew in the background.
    """

    keys: tuple[str, ...]
    sealed: int

    def __bool__(self) -> bool:
        return bool(self.keys or self.sealed)


async def renew(peppers: Peppers, registry: Registry) -> int:
    """Seal anew what is sealed under another pepper than the current one; how many. Raises UnavailableError.

    Where there is one pepper only, keys of releases that did not write down theirs were made under it.
    """
    if not peppers.others:
        await registry.credentials.under_peppers.name_pepper(peppers.name)
        return 0
    renewed, kept, seal = 0, registry.credentials.under_peppers, Seal(peppers, SIGNING_KEYS)
    for record in await registry.signing_in.signing_keys.list():
        sealed = seal.renewed(record.sealed, record.kid)
        renewed += sealed is not None and await kept.reseal_signing_key(record.number, record.sealed, sealed)
    seal, after = Seal(peppers, SECOND_FACTORS), ""
    while some := await kept.factors_after(after, AT_ONCE):
        for user_id, old in some:
            sealed = seal.renewed(old, user_id)
            renewed += sealed is not None and await kept.reseal_factor(user_id, old, sealed)
        after = some[-1][0]
        await asyncio.sleep(_PAUSE_S)
    if renewed:
        log.info("sealed_anew", secrets=renewed)
    return renewed


async def depending(peppers: Peppers, registry: Registry, clock: Clock) -> Dependents:
    """What would be lost if only the current pepper were known. Raises UnavailableError."""
    kept = registry.credentials.under_peppers
    keys = await kept.keys_under_others(peppers.name, clock.now_us(), SHOWN_KEYS)
    seal = Seal(peppers, SIGNING_KEYS)
    sealed = sum(
        not seal.is_current(record.sealed, record.kid) for record in await registry.signing_in.signing_keys.list()
    )
    seal, after = Seal(peppers, SECOND_FACTORS), ""
    while some := await kept.factors_after(after, AT_ONCE):
        sealed += sum(not seal.is_current(each, user_id) for user_id, each in some)
        after = some[-1][0]
    return Dependents(tuple(keys), sealed)
