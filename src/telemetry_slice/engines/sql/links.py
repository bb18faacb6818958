"""One-time links on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, text

from ...model.events import TenantNo
from ...model.tenancy import Role
from ...ports.accounts import Account
from ...ports.signing_in import Link, LinkKind
from .accounts import insert_account, insert_membership
from .database import AnyRow, Database, has_walls
from .registry_tables import accounts
from .sessions import end_sign_ins
from .signing_in_tables import links

_COLUMNS = tuple(column for column in links.c if column.name != "email_folded")
_NAMED = select(*_COLUMNS).where(links.c.token == bindparam("token"))
_NAMED_BEHIND_WALLS = text(f"SELECT {', '.join(column.name for column in _COLUMNS)} FROM link_named(:token)")


class SqlLinks:
    """`ports.signing_in.Links`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, link: Link) -> None:
        folded = link.email.casefold()

        def work(connection: Connection) -> None:
            mine = (links.c.kind == link.kind) & (
                links.c.user_id == link.user_id if link.tenant_no is None else links.c.tenant_no == link.tenant_no
            )
            over = (links.c.email_folded == folded) | (links.c.expires_us <= link.created_us)
            connection.execute(links.delete().where(mine, over))
            connection.execute(
                links.insert().values(
                    token=link.token,
                    link_id=link.link_id,
                    kind=link.kind,
                    email=link.email,
                    email_folded=folded,
                    tenant_no=link.tenant_no,
                    role=link.role,
                    user_id=link.user_id,
                    created_us=link.created_us,
                    expires_us=link.expires_us,
                )
            )

        await self._database.write(work, tenant=link.tenant_no, user_id=link.user_id)

    async def find(self, token: bytes, now_us: int) -> Link | None:
        def work(connection: Connection) -> Link | None:
            named = _NAMED_BEHIND_WALLS if has_walls(connection) else _NAMED
            row = connection.execute(named, {"token": token}).one_or_none()
            return None if row is None or row.expires_us <= now_us else _link(row)

        return await self._database.read(work)

    async def invitations(self, tenant: TenantNo, now_us: int) -> Sequence[Link]:
        wanted = (
            select(*_COLUMNS)
            .where(links.c.tenant_no == tenant, links.c.kind == LinkKind.INVITATION, links.c.expires_us > now_us)
            .order_by(links.c.email_folded)
        )
        return await self._database.read(
            lambda connection: [_link(row) for row in connection.execute(wanted)], tenant=tenant
        )

    async def withdraw(self, tenant: TenantNo, link_id: str) -> bool:
        withdrawn = links.delete().where(links.c.tenant_no == tenant, links.c.link_id == link_id)
        return await self._database.write(lambda connection: connection.execute(withdrawn).rowcount > 0, tenant=tenant)

    async def enrol(self, invitation: Link, account: Account, now_us: int) -> bool:
        tenant, role = _offered(invitation)

        def work(connection: Connection) -> bool:
            if not _taken(connection, invitation, now_us):
                return False
            insert_account(connection, account, [(tenant, role)], now_us)
            return True

        return await self._database.write(work, tenant=tenant, user_id=account.user_id)

    async def join(self, invitation: Link, user_id: str, now_us: int) -> bool:
        tenant, role = _offered(invitation)

        def work(connection: Connection) -> bool:
            if not _taken(connection, invitation, now_us):
                return False
            insert_membership(connection, tenant, user_id, role)
            return True

        return await self._database.write(work, tenant=tenant, user_id=user_id)

    async def reset(self, link: Link, password: str, now_us: int) -> bool:
        user_id = link.user_id
        if link.kind != LinkKind.RESET or user_id is None:
            raise ValueError(f"link {link.link_id} resets nothing")

        def work(connection: Connection) -> bool:
            if not _taken(connection, link, now_us):
                return False
            connection.execute(links.delete().where(links.c.user_id == user_id))
            connection.execute(accounts.update().where(accounts.c.user_id == user_id).values(password=password))
            end_sign_ins(connection, user_id)
            return True

        return await self._database.write(work, user_id=user_id)


def _offered(invitation: Link) -> tuple[TenantNo, Role]:
    if invitation.kind != LinkKind.INVITATION or invitation.tenant_no is None or invitation.role is None:
        raise ValueError(f"link {invitation.link_id} invites nobody")
    return invitation.tenant_no, invitation.role


def _taken(connection: Connection, link: Link, now_us: int) -> bool:
    taken = links.delete().where(links.c.token == link.token, links.c.expires_us > now_us)
    return connection.execute(taken).rowcount > 0


def _link(row: AnyRow) -> Link:
    return Link(
        row.token,
        row.link_id,
        LinkKind(row.kind),
        row.email,
        None if row.tenant_no is None else TenantNo(row.tenant_no),
        None if row.role is None else Role(row.role),
        row.user_id,
        row.created_us,
        row.expires_us,
    )
