"""Sessions on SQL."""

from __future__ import annotations

from sqlalchemy import Connection, Executable, select

from ...ports.registry import Session, SessionKind
from .database import Database
from .registry_tables import sessions


class SqlSessions:
    """`ports.registry.Sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: Session) -> None:
        await self._database.write(lambda connection: _insert(connection, session))

    async def find(self, token: bytes) -> Session | None:
        def work(connection: Connection) -> Session | None:
            row = connection.execute(select(sessions).where(sessions.c.token == token)).one_or_none()
            if row is None:
                return None
            return Session(
                row.token,
                SessionKind(row.kind),
                row.family,
                row.user_id,
                row.tenant_id,
                row.created_us,
                row.expires_us,
                row.used,
            )

        return await self._database.read(work)

    async def rotate(self, old: bytes, new: Session) -> bool:
        def work(connection: Connection) -> bool:
            taken = connection.execute(
                sessions.update().where(sessions.c.token == old, sessions.c.used.is_(False)).values(used=True)
            ).rowcount
            if taken <= 0:
                return False
            _insert(connection, new)
            return True

        return await self._database.write(work)

    async def extend(self, token: bytes, expires_us: int) -> None:
        await self._run(sessions.update().where(sessions.c.token == token).values(expires_us=expires_us))

    async def switch(self, token: bytes, tenant_id: str) -> None:
        await self._run(sessions.update().where(sessions.c.token == token).values(tenant_id=tenant_id))

    async def end_family(self, family: str) -> None:
        await self._run(sessions.delete().where(sessions.c.family == family))

    async def end_user(self, user_id: str) -> None:
        await self._run(sessions.delete().where(sessions.c.user_id == user_id))

    async def forget_expired(self, before_us: int) -> int:
        expired = sessions.delete().where(sessions.c.expires_us < before_us)
        return await self._database.write(lambda connection: max(connection.execute(expired).rowcount, 0))

    async def _run(self, statement: Executable) -> None:
        def work(connection: Connection) -> None:
            connection.execute(statement)

        await self._database.write(work)


def _insert(connection: Connection, session: Session) -> None:
    connection.execute(
        sessions.insert().values(
            token=session.token,
            kind=session.kind,
            family=session.family,
            user_id=session.user_id,
            tenant_id=session.tenant_id,
            created_us=session.created_us,
            expires_us=session.expires_us,
            used=session.used,
        )
    )
