"""Enrolment tokens on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, text

from ...model.events import TenantNo
from ...ports.credentials import Enrolled, EnrolmentToken
from ...ports.edge import Clock
from ...ports.provisioning import REPEATABLE_US, WantedDevice
from .database import AnyRow, Database, has_walls
from .enrolment_tables import enrolment_tokens as tokens
from .keys import is_live
from .provisioning import Terms, add_keys, create_devices
from .registry_tables import devices, keys
from .tenants import tenants_of

_NAMED = select(*tokens.c).where(tokens.c.token_id == bindparam("token_id"))
_NAMED_BEHIND_WALLS = text(f"SELECT {', '.join(column.name for column in tokens.c)} FROM enrolment_token(:token_id)")


class _TakenError(Exception):
    """Somebody else has created the device meanwhile."""


class SqlEnrolmentTokens:
    """`ports.credentials.EnrolmentTokens`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, token: EnrolmentToken) -> None:
        added = tokens.insert().values(
            token_id=token.token_id,
            tenant_no=token.tenant.no,
            digest=token.digest,
            name=token.name,
            prefix=token.prefix,
            location=token.location,
            tags="\n".join(token.tags),
            key_life_us=token.key_life_us,
            max_uses=token.max_uses,
            uses=token.uses,
            created_us=token.created_us,
            expires_us=token.expires_us,
            revoked_us=token.revoked_us,
            last_used_us=token.last_used_us,
        )
        await self._database.write(lambda connection: connection.execute(added), tenant=token.tenant.no)

    async def find(self, token_id: str) -> EnrolmentToken | None:
        def work(connection: Connection) -> EnrolmentToken | None:
            named = _NAMED_BEHIND_WALLS if has_walls(connection) else _NAMED
            found = _tokens(connection, connection.execute(named, {"token_id": token_id}).all())
            return found[0] if found else None

        return await self._database.read(work)

    async def list(self, tenant: TenantNo) -> Sequence[EnrolmentToken]:
        wanted = (
            select(*tokens.c)
            .where(tokens.c.tenant_no == tenant)
            .order_by(tokens.c.created_us.desc(), tokens.c.token_id.desc())
        )
        return await self._database.read(
            lambda connection: _tokens(connection, connection.execute(wanted).all()), tenant=tenant
        )

    async def revoke(self, tenant: TenantNo, token_id: str) -> bool:
        ended = (
            tokens.update()
            .where(tokens.c.tenant_no == tenant, tokens.c.token_id == token_id, tokens.c.revoked_us.is_(None))
            .values(revoked_us=self._clock.now_us())
        )
        return await self._database.write(lambda connection: connection.execute(ended).rowcount > 0, tenant=tenant)

    async def enrol(self, token: EnrolmentToken, wanted: WantedDevice, key_expires_us: int | None) -> Enrolled:
        now_us = self._clock.now_us()

        def work(connection: Connection) -> Enrolled:
            return _enrol(connection, token, wanted, key_expires_us, now_us)

        try:
            return await self._database.write(work, tenant=token.tenant.no)
        except _TakenError:
            return Enrolled.TAKEN


def _enrol(
    connection: Connection, token: EnrolmentToken, wanted: WantedDevice, key_expires_us: int | None, now_us: int
) -> Enrolled:
    tenant = token.tenant.no
    named = (tokens.c.tenant_no == tenant) & (tokens.c.token_id == token.token_id)
    # Taking the row makes those who come at once wait for one another where several writers exist.
    now = connection.execute(
        select(tokens.c.uses, tokens.c.max_uses, tokens.c.expires_us, tokens.c.revoked_us)
        .where(named)
        .with_for_update()
    ).one_or_none()
    if now is None or now.revoked_us is not None or now.expires_us <= now_us:
        return Enrolled.OVER
    there = connection.execute(
        select(devices.c.device_no).where(devices.c.tenant_no == tenant, devices.c.device_id == wanted.device_id)
    ).one_or_none()
    if there is not None:
        return Enrolled.REPEATED if _has_key(connection, there.device_no, wanted, now_us) else Enrolled.TAKEN
    if now.uses >= now.max_uses:
        return Enrolled.OVER
    terms = Terms(tenant, now_us, key_expires_us)
    created = create_devices(connection, terms, [wanted])
    if not created:
        raise _TakenError
    add_keys(connection, terms, [(created[wanted.device_id], wanted)])
    connection.execute(tokens.update().where(named).values(uses=tokens.c.uses + 1, last_used_us=now_us))
    return Enrolled.CREATED


def _has_key(connection: Connection, device_no: int, wanted: WantedDevice, now_us: int) -> bool:
    """Whether the device has had the very key for no more than a day, and has it still."""
    mac = connection.execute(
        select(keys.c.mac).where(
            keys.c.device_no == device_no,
            keys.c.key_id == wanted.key_id,
            keys.c.created_us > now_us - REPEATABLE_US,
            is_live(now_us),
        )
    ).scalar_one_or_none()
    return mac is not None and bytes(mac) == wanted.mac


def _tokens(connection: Connection, rows: Sequence[AnyRow]) -> list[EnrolmentToken]:
    owners = tenants_of(connection, rows)
    return [
        EnrolmentToken(
            row.token_id,
            owners[row.tenant_no],
            bytes(row.digest),
            row.name,
            row.prefix,
            row.location,
            tuple(row.tags.split("\n")) if row.tags else (),
            row.key_life_us,
            row.max_uses,
            row.uses,
            row.created_us,
            row.expires_us,
            row.revoked_us,
            row.last_used_us,
        )
        for row in rows
    ]
