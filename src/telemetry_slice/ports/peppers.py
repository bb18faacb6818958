"""What the registry keeps under a pepper, for whoever replaces it by another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..model.events import TenantNo


class UnderPeppers(Protocol):
    """HMACs of keys, which only a key's use makes anew, and secrets that are sealed, of all tenants and persons."""

    async def rehash_key(self, tenant: TenantNo, key_id: str, old: bytes, new: bytes, pepper: str) -> bool:
        """Replace the HMAC by the one of the same key under the pepper of that name; False if it is not `old`."""

    async def name_pepper(self, pepper: str) -> None:
        """Let keys that do not tell under which pepper they were made have been made under this one."""

    async def keys_under_others(self, pepper: str, now_us: int, limit: int) -> Sequence[str]:
        """Ids of up to `limit` live keys that were not made under this one."""

    async def reseal_signing_key(self, number: int, old: str, new: str) -> bool:
        """Replace what is sealed by the same sealed anew; False if it is not `old`."""

    async def factors_after(self, user_id: str, limit: int) -> Sequence[tuple[str, str]]:
        """(user id, sealed secret) of up to `limit` second factors whose ids come after this one, in their order."""

    async def reseal_factor(self, user_id: str, old: str, new: str) -> bool:
        """Replace what is sealed by the same sealed anew; False if it is not `old`."""
