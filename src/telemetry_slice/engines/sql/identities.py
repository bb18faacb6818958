"""Who comes from a provider, on SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Executable, bindparam, select, text
from sqlalchemy.exc import IntegrityError

from ...model.events import TenantNo
from ...model.tenancy import Role
from ...ports.accounts import Account
from ...ports.identities import Identity, Moved, ProvidedSignIn, Standing
from .database import Database, has_walls
from .identity_tables import identities, provided_sign_ins
from .registry_tables import accounts, memberships

_NAMED = select(identities.c.user_id).where(
    identities.c.issuer == bindparam("issuer"), identities.c.subject == bindparam("subject")
)
_NAMED_BEHIND_WALLS = text("SELECT user_id FROM identity_named(:issuer, :subject)")
_OF_SESSION = select(provided_sign_ins.c.user_id, provided_sign_ins.c.family).where(
    provided_sign_ins.c.provider == bindparam("provider"), provided_sign_ins.c.session == bindparam("session")
)
_OF_SESSION_BEHIND_WALLS = text("SELECT user_id, family FROM provided_sign_ins_named(:provider, :session)")


class SqlIdentities:
    """`ports.identities.Identities`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, identity: Identity) -> str | None:
        def work(connection: Connection) -> str | None:
            found = _NAMED_BEHIND_WALLS if has_walls(connection) else _NAMED
            user_id: str | None = connection.execute(found, identity._asdict()).scalar_one_or_none()
            return user_id

        return await self._database.read(work)

    async def enrol(self, identity: Identity, account: Account, now_us: int) -> bool:
        def work(connection: Connection) -> None:
            connection.execute(
                accounts.insert().values(
                    user_id=account.user_id,
                    email=account.email,
                    # No e-mail has a blank in it: nobody finds the account by one.
                    email_folded=f"{identity.issuer} {identity.subject}",
                    name=account.name,
                    password=account.password,
                    platform_admin=account.platform_admin,
                    created_us=now_us,
                )
            )
            _insert(connection, identity, account.user_id, now_us)

        return await self._tried(work, account.user_id)

    async def link(self, identity: Identity, user_id: str, now_us: int) -> bool:
        return await self._tried(lambda connection: _insert(connection, identity, user_id, now_us), user_id)

    async def _tried(self, work: Callable[[Connection], None], user_id: str) -> bool:
        try:
            await self._database.write(work, user_id=user_id)
        except IntegrityError:
            return False
        return True

    async def follow(self, user_id: str, standing: Standing) -> Moved:
        def work(connection: Connection) -> Moved:
            # Whoever signs in twice at once waits here for the other one.
            mine = accounts.c.user_id == user_id
            admin = connection.execute(select(accounts.c.platform_admin).where(mine).with_for_update()).scalar_one()
            told = {"platform_admin": standing.platform_admin, "email": standing.email, "name": standing.name}
            changed = {name: value for name, value in told.items() if value is not None}
            if changed:
                connection.execute(accounts.update().where(mine).values(changed))
            moved = {}
            for tenant, role in standing.roles.items():
                before = _set_role(connection, user_id, tenant, role)
                if before != role:
                    moved[tenant] = (before, role)
            return Moved(moved, standing.platform_admin if standing.platform_admin != admin else None)

        return await self._database.write(work, user_id=user_id)

    async def remember(self, sign_in: ProvidedSignIn) -> None:
        kept = provided_sign_ins.insert().values(
            family=sign_in.family,
            user_id=sign_in.user_id,
            provider=sign_in.provider,
            session=sign_in.session,
            sealed=sign_in.sealed,
        )
        await self._tried(lambda connection: _execute(connection, kept), sign_in.user_id)

    async def origin(self, user_id: str, family: str) -> ProvidedSignIn | None:
        wanted = select(provided_sign_ins).where(
            provided_sign_ins.c.family == family, provided_sign_ins.c.user_id == user_id
        )

        def work(connection: Connection) -> ProvidedSignIn | None:
            row = connection.execute(wanted).one_or_none()
            if row is None:
                return None
            return ProvidedSignIn(row.family, row.user_id, row.provider, row.session, row.sealed)

        return await self._database.read(work, user_id=user_id)

    async def of_session(self, provider: str, session: str) -> Sequence[tuple[str, str]]:
        def work(connection: Connection) -> list[tuple[str, str]]:
            found = _OF_SESSION_BEHIND_WALLS if has_walls(connection) else _OF_SESSION
            rows = connection.execute(found, {"provider": provider, "session": session})
            return [(row.user_id, row.family) for row in rows]

        return await self._database.read(work)

    async def of_user(self, provider: str, user_id: str) -> Sequence[tuple[str, str]]:
        wanted = select(provided_sign_ins.c.family).where(
            provided_sign_ins.c.provider == provider, provided_sign_ins.c.user_id == user_id
        )
        return await self._database.read(
            lambda connection: [(user_id, family) for family in connection.scalars(wanted)], user_id=user_id
        )


def _execute(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


def _insert(connection: Connection, identity: Identity, user_id: str, now_us: int) -> None:
    connection.execute(identities.insert().values(**identity._asdict(), user_id=user_id, created_us=now_us))


def _set_role(connection: Connection, user_id: str, tenant: TenantNo, role: Role | None) -> Role | None:
    """Let it be the role from now on; the one before."""
    mine = (memberships.c.user_id == user_id) & (memberships.c.tenant_no == tenant)
    found = connection.execute(select(memberships.c.role).where(mine)).scalar_one_or_none()
    before = None if found is None else Role(found)
    if role is None:
        connection.execute(memberships.delete().where(mine))
    elif before is None:
        connection.execute(memberships.insert().values(user_id=user_id, tenant_no=tenant, role=role))
    elif before != role:
        connection.execute(memberships.update().where(mine).values(role=role))
    return before
