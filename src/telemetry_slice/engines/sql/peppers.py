"""What is kept under a pepper, on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Update, select, text

from ...model.events import TenantNo
from ...model.tenancy import KeyKind
from .database import Database, has_walls
from .keys import is_live
from .registry_tables import keys
from .signing_in_tables import second_factors, signing_keys

# The same where keys and persons are walled off from one another; migrations/registry/postgresql.
_NAME_BEHIND_WALLS = text("SELECT name_pepper(:named)")
_OTHERS_BEHIND_WALLS = text("SELECT key_id FROM keys_under_other_peppers(:named, :now_us, :most) AS key_id")
_FACTORS_BEHIND_WALLS = text("SELECT user_id, sealed FROM second_factors_after(:after, :most)")


class SqlUnderPeppers:
    """`ports.peppers.UnderPeppers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _changed(self, change: Update, tenant: TenantNo | None = None, user_id: str | None = None) -> bool:
        return await self._database.write(
            lambda connection: connection.execute(change).rowcount > 0, tenant=tenant, user_id=user_id
        )

    async def rehash_key(self, tenant: TenantNo, key_id: str, old: bytes, new: bytes, pepper: str) -> bool:
        mine = (keys.c.tenant_no == tenant) & (keys.c.key_id == key_id) & (keys.c.mac == old)
        return await self._changed(keys.update().where(mine).values(mac=new, pepper=pepper), tenant)

    async def name_pepper(self, pepper: str) -> None:
        def work(connection: Connection) -> None:
            if has_walls(connection):
                connection.execute(_NAME_BEHIND_WALLS, {"named": pepper})
            else:
                connection.execute(keys.update().where(keys.c.pepper.is_(None)).values(pepper=pepper))

        await self._database.write(work)

    async def keys_under_others(self, pepper: str, now_us: int, limit: int) -> Sequence[str]:
        others = (
            select(keys.c.key_id)
            .where(keys.c.pepper.is_distinct_from(pepper), keys.c.kind != KeyKind.CERTIFICATE, is_live(now_us))
            .order_by(keys.c.key_id)
            .limit(limit)
        )

        def work(connection: Connection) -> Sequence[str]:
            if has_walls(connection):
                asked = {"named": pepper, "now_us": now_us, "most": limit}
                return connection.scalars(_OTHERS_BEHIND_WALLS, asked).all()
            return connection.scalars(others).all()

        return await self._database.read(work)

    async def reseal_signing_key(self, number: int, old: str, new: str) -> bool:
        mine = (signing_keys.c.number == number) & (signing_keys.c.sealed == old)
        return await self._changed(signing_keys.update().where(mine).values(sealed=new))

    async def factors_after(self, user_id: str, limit: int) -> Sequence[tuple[str, str]]:
        wanted = (
            select(second_factors.c.user_id, second_factors.c.sealed)
            .where(second_factors.c.user_id > user_id)
            .order_by(second_factors.c.user_id)
            .limit(limit)
        )

        def work(connection: Connection) -> Sequence[tuple[str, str]]:
            rows = (
                connection.execute(_FACTORS_BEHIND_WALLS, {"after": user_id, "most": limit})
                if has_walls(connection)
                else connection.execute(wanted)
            )
            return [(row.user_id, row.sealed) for row in rows]

        return await self._database.read(work)

    async def reseal_factor(self, user_id: str, old: str, new: str) -> bool:
        mine = (second_factors.c.user_id == user_id) & (second_factors.c.sealed == old)
        return await self._changed(second_factors.update().where(mine).values(sealed=new), user_id=user_id)
