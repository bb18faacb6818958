"""Keys of access tokens on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from ...ports.signing_in import SigningKeyRecord
from .database import Database
from .signing_in_tables import signing_keys


class SqlSigningKeys:
    """`ports.signing_in.SigningKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> Sequence[SigningKeyRecord]:
        wanted = select(signing_keys).order_by(signing_keys.c.number)
        return await self._database.read(
            lambda connection: [
                SigningKeyRecord(row.number, row.kid, row.sealed, row.signs_from_us)
                for row in connection.execute(wanted)
            ]
        )

    async def add(self, record: SigningKeyRecord) -> bool:
        added = signing_keys.insert().values(
            number=record.number, kid=record.kid, sealed=record.sealed, signs_from_us=record.signs_from_us
        )
        try:
            await self._database.write(lambda connection: connection.execute(added).rowcount)
        except IntegrityError:
            return False
        return True

    async def remove_before(self, number: int) -> None:
        def work(connection: Connection) -> None:
            connection.execute(signing_keys.delete().where(signing_keys.c.number < number))

        await self._database.write(work)
