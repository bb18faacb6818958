"""Accounts, memberships and the first run on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select, text
from sqlalchemy.exc import IntegrityError

from ...model.errors import Code, SliceError
from ...model.events import TenantNo
from ...model.tenancy import Limits, Role, Tenant
from ...ports.accounts import Account, Membership
from ...ports.edge import Clock
from .database import AnyRow, Database, has_walls
from .registry_tables import accounts, first_run_offers, memberships, tenants
from .tenants import TENANT_COLUMNS, insert_tenant, tenant_of

_COLUMNS = (
    accounts.c.user_id,
    accounts.c.email,
    accounts.c.name,
    accounts.c.password,
    accounts.c.platform_admin,
)

_OF_EMAIL = select(*_COLUMNS).where(accounts.c.email_folded == bindparam("folded"))
_OF_EMAIL_BEHIND_WALLS = text(f"SELECT {', '.join(c.name for c in _COLUMNS)} FROM account_of_email(:folded)")


def row_of_email(connection: Connection, email: str) -> AnyRow | None:
    """The account that signs in with an e-mail, before it is known whose it is."""
    found = _OF_EMAIL_BEHIND_WALLS if has_walls(connection) else _OF_EMAIL
    return connection.execute(found, {"folded": email.casefold()}).one_or_none()


def _account(row: AnyRow) -> Account:
    return Account(row.user_id, row.email, row.name, row.password, row.platform_admin)


def insert_account(
    connection: Connection, account: Account, roles: Sequence[tuple[TenantNo, Role]], now_us: int
) -> None:
    """Raises SliceError CONFLICT if the e-mail (case-insensitive) is taken."""
    try:
        connection.execute(
            accounts.insert().values(
                user_id=account.user_id,
                email=account.email,
                email_folded=account.email.casefold(),
                name=account.name,
                password=account.password,
                platform_admin=account.platform_admin,
                created_us=now_us,
            )
        )
    except IntegrityError:
        raise SliceError(Code.CONFLICT, "There is an account with this e-mail already.") from None
    for tenant, role in roles:
        connection.execute(memberships.insert().values(user_id=account.user_id, tenant_no=tenant, role=role))


def insert_membership(connection: Connection, tenant: TenantNo, user_id: str, role: Role) -> None:
    """Raises SliceError CONFLICT if there is one."""
    try:
        connection.execute(memberships.insert().values(user_id=user_id, tenant_no=tenant, role=role))
    except IntegrityError:
        raise SliceError(Code.CONFLICT, "This account is a member already, or does not exist.") from None


class SqlAccounts:
    """`ports.accounts.Accounts`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, account: Account, memberships: Sequence[tuple[TenantNo, Role]]) -> None:
        now_us = self._clock.now_us()
        await self._database.write(
            lambda connection: insert_account(connection, account, memberships, now_us), user_id=account.user_id
        )

    async def by_email(self, email: str) -> Account | None:
        def work(connection: Connection) -> Account | None:
            row = row_of_email(connection, email)
            return _account(row) if row else None

        return await self._database.read(work)

    async def by_id(self, user_id: str) -> tuple[Account, Sequence[Membership]] | None:
        def work(connection: Connection) -> tuple[Account, Sequence[Membership]] | None:
            row = connection.execute(select(*_COLUMNS).where(accounts.c.user_id == user_id)).one_or_none()
            if row is None:
                return None
            roles = connection.execute(
                select(memberships.c.role, *TENANT_COLUMNS)
                .join_from(memberships, tenants, tenants.c.tenant_no == memberships.c.tenant_no)
                .where(memberships.c.user_id == user_id)
                .order_by(tenants.c.tenant_id)
            )
            return _account(row), tuple(Membership(tenant_of(role), Role(role.role)) for role in roles)

        return await self._database.read(work, user_id=user_id)

    async def of_tenant(self, tenant: TenantNo) -> Sequence[tuple[Account, Role]]:
        wanted = (
            select(*_COLUMNS, memberships.c.role)
            .join_from(memberships, accounts, accounts.c.user_id == memberships.c.user_id)
            .where(memberships.c.tenant_no == tenant)
            .order_by(accounts.c.email_folded)
        )
        return await self._database.read(
            lambda connection: [(_account(row), Role(row.role)) for row in connection.execute(wanted)],
            tenant=tenant,
        )

    async def join(self, tenant: TenantNo, user_id: str, role: Role) -> None:
        def work(connection: Connection) -> None:
            insert_membership(connection, tenant, user_id, role)

        await self._database.write(work, tenant=tenant)

    async def set_role(self, tenant: TenantNo, user_id: str, role: Role | None) -> bool:
        def work(connection: Connection) -> bool:
            # Taking all owners' rows makes two resignations at once wait for one another where several writers exist.
            owners = connection.execute(
                select(memberships.c.user_id)
                .where(memberships.c.tenant_no == tenant, memberships.c.role == Role.OWNER)
                .order_by(memberships.c.user_id)
                .with_for_update()
            ).scalars()
            if list(owners) == [user_id] and role != Role.OWNER:
                raise SliceError(Code.CONFLICT, "A tenant keeps at least one owner.")
            mine = (memberships.c.tenant_no == tenant) & (memberships.c.user_id == user_id)
            if role is None:
                return connection.execute(memberships.delete().where(mine)).rowcount > 0
            return connection.execute(memberships.update().where(mine).values(role=role)).rowcount > 0

        return await self._database.write(work, tenant=tenant)

    async def set_password(self, user_id: str, password: str) -> bool:
        changed = accounts.update().where(accounts.c.user_id == user_id).values(password=password)
        return await self._database.write(lambda connection: connection.execute(changed).rowcount > 0, user_id=user_id)

    async def any_exists(self) -> bool:
        return await self._database.read(_any_exists)


def _let_nobody_join(connection: Connection) -> None:
    """Until the end of the transaction no account is added by another one. SQLite has one writer anyway."""
    if has_walls(connection):
        connection.execute(text("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE"))


def _any_exists(connection: Connection) -> bool:
    if has_walls(connection):
        return bool(connection.execute(text("SELECT any_account()")).scalar_one())
    return connection.execute(select(func.count()).select_from(accounts)).scalar_one() > 0


class SqlFirstRun:
    """`ports.accounts.FirstRun`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def offer(self, token: bytes, expires_us: int) -> bool:
        def work(connection: Connection) -> bool:
            _let_nobody_join(connection)
            connection.execute(first_run_offers.delete())
            if _any_exists(connection):
                return False
            connection.execute(first_run_offers.insert().values(token=token, expires_us=expires_us))
            return True

        return await self._database.write(work)

    async def claim(
        self, token: bytes, now_us: int, account: Account, tenant_id: str, tenant_name: str
    ) -> Tenant | None:
        def work(connection: Connection) -> Tenant | None:
            _let_nobody_join(connection)
            taken = connection.execute(
                first_run_offers.delete().where(
                    first_run_offers.c.token == token, first_run_offers.c.expires_us > now_us
                )
            ).rowcount
            if taken <= 0 or _any_exists(connection):
                return None
            tenant = insert_tenant(
                connection, tenant_id, tenant_name, auto_register=True, limits=Limits(), now_us=now_us
            )
            insert_account(connection, account, [(tenant.no, Role.OWNER)], now_us)
            return tenant

        return await self._database.write(work, user_id=account.user_id)
