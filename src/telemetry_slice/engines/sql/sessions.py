"""Sessions and sign-ins on SQL: the same rows by the hash of a token, and by the person."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from ...ports.accounts import Session, SessionKind
from ...ports.signing_in import OpenSignIn
from .database import Database
from .registry_tables import sessions
from .signing_in_tables import sign_ins


class SqlSessions:
    """`ports.accounts.Sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: Session, *, address: str | None = None, user_agent: str | None = None) -> None:
        def work(connection: Connection) -> None:
            # What became of earlier ones is written down by their own person: whoever tidies sees none of them.
            connection.execute(
                sign_ins.delete().where(
                    sign_ins.c.user_id == session.user_id,
                    sign_ins.c.family.not_in(
                        select(sessions.c.family).where(
                            sessions.c.user_id == session.user_id, sessions.c.expires_us > session.created_us
                        )
                    ),
                )
            )
            connection.execute(
                sign_ins.insert().values(
                    family=session.family,
                    user_id=session.user_id,
                    created_us=session.created_us,
                    last_used_us=session.created_us,
                    address=address,
                    user_agent=user_agent,
                )
            )
            _insert(connection, session)

        await self._database.write(work, user_id=session.user_id)

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

    async def switch(self, token: bytes, tenant_id: str) -> None:
        def work(connection: Connection) -> None:
            connection.execute(sessions.update().where(sessions.c.token == token).values(tenant_id=tenant_id))

        await self._database.write(work)

    async def end_user(self, user_id: str) -> None:
        def work(connection: Connection) -> None:
            end_sign_ins(connection, user_id)

        await self._database.write(work, user_id=user_id)

    async def forget_expired(self, before_us: int) -> int:
        expired = sessions.delete().where(sessions.c.expires_us < before_us)
        return await self._database.write(lambda connection: max(connection.execute(expired).rowcount, 0))


class SqlSignIns:
    """`ports.signing_in.SignIns`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, user_id: str, now_us: int) -> Sequence[OpenSignIn]:
        created = func.coalesce(sign_ins.c.created_us, sessions.c.created_us)
        used = func.coalesce(sign_ins.c.last_used_us, sessions.c.created_us)
        wanted = (
            select(
                sessions, created.label("begun_us"), used.label("used_us"), sign_ins.c.address, sign_ins.c.user_agent
            )
            .outerjoin_from(sessions, sign_ins, sign_ins.c.family == sessions.c.family)
            .where(sessions.c.user_id == user_id, sessions.c.expires_us > now_us, sessions.c.used.is_(False))
            .order_by(used.desc(), sessions.c.family)
        )
        return await self._database.read(
            lambda connection: [
                OpenSignIn(
                    row.family,
                    row.kind,
                    row.tenant_id,
                    row.begun_us,
                    row.used_us,
                    row.expires_us,
                    row.address,
                    row.user_agent,
                )
                for row in connection.execute(wanted)
            ],
            user_id=user_id,
        )

    async def is_open(self, user_id: str, family: str, now_us: int) -> bool:
        wanted = select(sessions.c.token).where(
            sessions.c.family == family, sessions.c.user_id == user_id, sessions.c.expires_us > now_us
        )
        return await self._database.read(lambda connection: connection.execute(wanted.limit(1)).first() is not None)

    async def touch(
        self, user_id: str, family: str, *, used_us: int, expires_us: int, address: str | None, user_agent: str | None
    ) -> None:
        def work(connection: Connection) -> None:
            mine = (sessions.c.family == family) & (sessions.c.user_id == user_id) & sessions.c.used.is_(False)
            connection.execute(sessions.update().where(mine).values(expires_us=expires_us))
            connection.execute(
                sign_ins.update()
                .where(sign_ins.c.family == family, sign_ins.c.user_id == user_id)
                .values(last_used_us=used_us, address=address, user_agent=user_agent)
            )

        await self._database.write(work, user_id=user_id)

    async def end(self, user_id: str, family: str) -> bool:
        def work(connection: Connection) -> bool:
            ended = _end(connection, (sessions.c.family == family) & (sessions.c.user_id == user_id))
            connection.execute(sign_ins.delete().where(sign_ins.c.family == family, sign_ins.c.user_id == user_id))
            return ended

        return await self._database.write(work, user_id=user_id)


def end_sign_ins(connection: Connection, user_id: str) -> None:
    """End all of a person, in the open transaction, which is that person's."""
    _end(connection, sessions.c.user_id == user_id)
    connection.execute(sign_ins.delete().where(sign_ins.c.user_id == user_id))


def _end(connection: Connection, which: ColumnElement[bool]) -> bool:
    """Delete sessions, those included that are being made of them meanwhile; whether there were any.

    A rotation under way is waited for, and what it has made is seen by the next statement only. Once none is found,
    none can come any more: it would have to be made of one that is gone.
    """
    found = False
    while connection.execute(sessions.delete().where(which)).rowcount > 0:
        found = True
    return found


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
