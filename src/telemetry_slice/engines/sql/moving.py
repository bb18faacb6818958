"""The registry's half of moving a tenant, for both dialects. `ports.moving` says what the parts are."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from ...model.events import TenantNo
from ...model.parcel import DashboardRow, DeviceRow, Head, KeyRow, MemberRow, Rows
from ...model.placement import SHARED, Placement
from ...model.tenancy import KeyKind, Role, Scope, Tenant
from ...ports.moving import MoveRefusedError
from .accounts import row_of_email
from .dashboard_tables import dashboard_versions, dashboards
from .devices import search_text, with_tags
from .keys import rows_of_keys
from .registry_tables import accounts, device_tags, devices, keys, memberships, tenants
from .tenants import TENANT_COLUMNS, insert_tenant, is_being_erased, tenant_of

AT_ONCE = 1_000
"""Rows that are read or written together."""

DASHBOARDS_AT_ONCE = 100
"""The same of dashboards, each of which may be a tenth of a megabyte: lines of a parcel have a bound."""

See = Callable[[Connection, TenantNo | None, str | None], None]
"""Lets the open transaction see a tenant and a person, where the database has walls between them."""


def see_all(_connection: Connection, _tenant: TenantNo | None, _user_id: str | None) -> None:
    """Where there are no walls."""


def find_tenant(connection: Connection, tenant_id: str) -> Tenant:
    """Raises MoveRefusedError if there is none."""
    row = connection.execute(select(*TENANT_COLUMNS).where(tenants.c.tenant_id == tenant_id)).one_or_none()
    if row is None:
        raise MoveRefusedError(f"there is no tenant {tenant_id}")
    if is_being_erased(connection, TenantNo(row.tenant_no)):
        raise MoveRefusedError(f"the tenant {tenant_id} is being erased: there is no whole of it any more")
    return tenant_of(row)


def read_parts(connection: Connection, tenant: TenantNo) -> Iterator[tuple[str, Rows]]:
    """Devices, keys, members and dashboards, in the open transaction, which sees the tenant."""
    for part, number, reading in (
        ("devices", devices.c.device_no, _devices),
        ("keys", keys.c.key_id, _keys),
        ("members", memberships.c.user_id, _members),
        ("dashboards", dashboards.c.dashboard_id, _dashboards),
    ):
        after: Any = None
        while rows := reading(connection, tenant, number, after):
            yield part, rows
            after = rows[-1][0]


def _page(number: Any, after: Any, wanted: Any) -> Any:
    paged = wanted.order_by(number).limit(AT_ONCE)
    return paged if after is None else paged.where(number > after)


def _devices(connection: Connection, tenant: TenantNo, number: Any, after: Any) -> list[DeviceRow]:
    rows = connection.execute(_page(number, after, select(devices).where(devices.c.tenant_no == tenant)))
    return [
        DeviceRow(d.no, d.id, d.label, d.location, d.tags, d.created_us, d.deleted_us)
        for d in with_tags(connection, rows)
    ]


def _keys(connection: Connection, tenant: TenantNo, number: Any, after: Any) -> list[KeyRow]:
    rows = connection.execute(_page(number, after, select(keys).where(keys.c.tenant_no == tenant)))
    return [
        KeyRow(
            row.key_id,
            KeyKind(row.kind),
            row.device_no,
            row.name,
            tuple(Scope(scope) for scope in row.scopes.split()),
            tuple(row.addresses.split()),
            bytes(row.mac),
            row.created_us,
            row.expires_us,
            row.revoked_us,
            row.last_used_us,
        )
        for row in rows
    ]


def _members(connection: Connection, tenant: TenantNo, number: Any, after: Any) -> list[MemberRow]:
    wanted = (
        select(accounts, memberships.c.role)
        .join_from(memberships, accounts, accounts.c.user_id == memberships.c.user_id)
        # Who comes of a provider comes again, with the roles that it says.
        .where(memberships.c.tenant_no == tenant, func.length(accounts.c.password) > 0)
    )
    return [
        MemberRow(row.user_id, row.email, row.name, row.password, row.created_us, Role(row.role))
        for row in connection.execute(_page(number, after, wanted))
    ]


def _dashboards(connection: Connection, tenant: TenantNo, number: Any, after: Any) -> list[DashboardRow]:
    newest = (dashboard_versions.c.dashboard_id == dashboards.c.dashboard_id) & (
        dashboard_versions.c.version == dashboards.c.version
    )
    wanted = (
        select(dashboards, *(column for column in dashboard_versions.c if column.name not in dashboards.c))
        .join_from(dashboards, dashboard_versions, newest & (dashboard_versions.c.tenant_no == dashboards.c.tenant_no))
        .where(dashboards.c.tenant_no == tenant)
    )
    return [
        DashboardRow(
            row.dashboard_id,
            row.name,
            Role(row.visible_to),
            row.document,
            row.created_us,
            row.changed_us,
            row.changed_by,
        )
        for row in connection.execute(_page(number, after, wanted).limit(DASHBOARDS_AT_ONCE))
    ]


def head_of(tenant: Tenant, *, pepper: str, exported_us: int, stored_until_us: int, weeks: tuple[int, int]) -> Head:
    """The head of a tenant of the registry."""
    return Head(
        tenant.id,
        tenant.name,
        tenant.auto_register,
        tenant.limits,
        tenant.created_us,
        pepper,
        exported_us,
        stored_until_us,
        weeks,
    )


class RegistryIntake:
    """Takes a tenant into the registry, within a transaction that the caller opens and ends.

    Attributes:
        tenant: its number here.
        devices: device number there → here.
    """

    def __init__(
        self, connection: Connection, head: Head, *, placement: Placement = SHARED, see: See = see_all
    ) -> None:
        """Raises MoveRefusedError if there is such a tenant."""
        taken = select(tenants.c.tenant_no).where(tenants.c.tenant_id == head.tenant_id)
        if connection.execute(taken).one_or_none() is not None:
            raise MoveRefusedError(f"there is a tenant {head.tenant_id} here already; an import never adds to one")
        self._connection = connection
        self._pepper = head.pepper
        self._see = see
        self.tenant = insert_tenant(
            connection,
            head.tenant_id,
            head.name,
            auto_register=head.auto_register,
            limits=head.limits,
            now_us=head.created_us,
            placement=placement,
            again=True,
        ).no
        see(connection, self.tenant, None)
        self.devices: dict[int, int] = {}

    def take(self, part: str, rows: Rows) -> bool:
        """Add rows; False if the part is none of the registry's."""
        take = {
            "devices": self._devices,
            "keys": self._keys,
            "members": self._members,
            "dashboards": self._dashboards,
        }.get(part)
        if take is None:
            return False
        if rows:
            take(rows)
        return True

    def _devices(self, rows: Rows) -> None:
        self._connection.execute(
            devices.insert(),
            [
                {
                    "tenant_no": self.tenant,
                    "device_id": row.device_id,
                    "label": row.label,
                    "location": row.location,
                    "search": search_text(row.device_id, row.label, row.location),
                    "created_us": row.created_us,
                    "deleted_us": row.deleted_us,
                }
                for row in rows
            ],
        )
        found = select(devices.c.device_id, devices.c.device_no).where(
            devices.c.tenant_no == self.tenant, devices.c.device_id.in_([row.device_id for row in rows])
        )
        numbers = {row.device_id: row.device_no for row in self._connection.execute(found)}
        self.devices.update((row.no, numbers[row.device_id]) for row in rows)
        tags = [
            {"device_no": numbers[row.device_id], "position": position, "tag": tag}
            for row in rows
            for position, tag in enumerate(row.tags)
        ]
        if tags:
            self._connection.execute(device_tags.insert(), tags)

    def _keys(self, rows: Rows) -> None:
        known = rows_of_keys(self._connection, [row.key_id for row in rows])
        if known:
            raise MoveRefusedError(f"the key {known[0].key_id} belongs to a tenant of this installation already")
        self._connection.execute(
            keys.insert(),
            [
                {
                    "key_id": row.key_id,
                    "tenant_no": self.tenant,
                    "device_no": None if row.device_no is None else self.devices[row.device_no],
                    "kind": row.kind,
                    "name": row.name,
                    "scopes": " ".join(row.scopes),
                    "addresses": " ".join(row.addresses),
                    "mac": row.mac,
                    "created_us": row.created_us,
                    "expires_us": row.expires_us,
                    "revoked_us": row.revoked_us,
                    "last_used_us": row.last_used_us,
                    "pepper": self._pepper,
                }
                for row in rows
            ],
        )

    def _dashboards(self, rows: Rows) -> None:
        for row in rows:
            named = {"tenant_no": self.tenant, "dashboard_id": row.dashboard_id, "version": 1}
            self._connection.execute(
                dashboards.insert().values(**named, visible_to=row.visible_to, created_us=row.created_us)
            )
            self._connection.execute(
                dashboard_versions.insert().values(
                    **named,
                    name=row.name,
                    document=row.document,
                    changed_us=row.changed_us,
                    changed_by=row.changed_by,
                )
            )

    def _members(self, rows: Rows) -> None:
        """Who has an account here under the same e-mail keeps it, and its password; nobody arrives as administrator."""
        for row in rows:
            same = row_of_email(self._connection, row.email)
            user_id: str | None = None if same is None else same.user_id
            if user_id is None:
                self._see(self._connection, self.tenant, row.user_id)
                taken = select(accounts.c.user_id).where(accounts.c.user_id == row.user_id)
                is_taken = self._connection.execute(taken).one_or_none() is not None
                user_id = secrets.token_hex(12) if is_taken else row.user_id
                self._see(self._connection, self.tenant, user_id)
                self._connection.execute(
                    accounts.insert().values(
                        user_id=user_id,
                        email=row.email,
                        email_folded=row.email.casefold(),
                        name=row.name,
                        password=row.password,
                        platform_admin=False,
                        created_us=row.created_us,
                    )
                )
            self._connection.execute(memberships.insert().values(user_id=user_id, tenant_no=self.tenant, role=row.role))
