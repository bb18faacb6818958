"""Second factors on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from ...ports.signing_in import SecondFactor
from .database import Database
from .signing_in_tables import recovery_codes, second_factors


class SqlSecondFactors:
    """`ports.signing_in.SecondFactors`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: str) -> SecondFactor | None:
        counted = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.user_id == user_id)
        wanted = select(
            second_factors.c.sealed, second_factors.c.confirmed, counted.scalar_subquery().label("codes")
        ).where(second_factors.c.user_id == user_id)

        def work(connection: Connection) -> SecondFactor | None:
            row = connection.execute(wanted).one_or_none()
            return None if row is None else SecondFactor(row.sealed, row.confirmed, row.codes)

        return await self._database.read(work, user_id=user_id)

    async def offer(self, user_id: str, sealed: str) -> bool:
        def work(connection: Connection) -> None:
            connection.execute(
                second_factors.delete().where(
                    second_factors.c.user_id == user_id, second_factors.c.confirmed.is_(False)
                )
            )
            connection.execute(
                second_factors.insert().values(user_id=user_id, sealed=sealed, confirmed=False, last_step=0)
            )

        try:
            await self._database.write(work, user_id=user_id)
        except IntegrityError:
            return False
        return True

    async def confirm(self, user_id: str, sealed: str, step: int, recovery: Sequence[bytes]) -> bool:
        def work(connection: Connection) -> bool:
            changed = connection.execute(
                second_factors.update()
                .where(
                    second_factors.c.user_id == user_id,
                    second_factors.c.sealed == sealed,
                    second_factors.c.confirmed.is_(False),
                )
                .values(confirmed=True, last_step=step)
            ).rowcount
            if changed <= 0:
                return False
            connection.execute(recovery_codes.delete().where(recovery_codes.c.user_id == user_id))
            connection.execute(recovery_codes.insert(), [{"user_id": user_id, "code": code} for code in recovery])
            return True

        return await self._database.write(work, user_id=user_id)

    async def use_step(self, user_id: str, step: int) -> bool:
        used = (
            second_factors.update()
            .where(second_factors.c.user_id == user_id, second_factors.c.last_step < step)
            .values(last_step=step)
        )
        return await self._database.write(lambda connection: connection.execute(used).rowcount > 0, user_id=user_id)

    async def use_recovery(self, user_id: str, code: bytes) -> bool:
        used = recovery_codes.delete().where(recovery_codes.c.user_id == user_id, recovery_codes.c.code == code)
        return await self._database.write(lambda connection: connection.execute(used).rowcount > 0, user_id=user_id)

    async def remove(self, user_id: str) -> bool:
        def work(connection: Connection) -> bool:
            connection.execute(recovery_codes.delete().where(recovery_codes.c.user_id == user_id))
            return connection.execute(second_factors.delete().where(second_factors.c.user_id == user_id)).rowcount > 0

        return await self._database.write(work, user_id=user_id)
