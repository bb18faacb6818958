"""Who may do what, in one table; routes and sockets ask it, and docs/reference/permissions.md shows it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import combinations
from typing import assert_never

from .tenancy import Console, DashboardLink, DeviceKey, GatewayKey, Principal, Role, Scope, ServiceKey, SystemJob, User


class Party(StrEnum):
    """One of the things that a principal can be: a column of the table. A principal may be several."""

    DEVICE = "device key"
    GATEWAY = "gateway key"
    SERVICE_INGEST = "service key: ingest"
    SERVICE_READ = "service key: read"
    SERVICE_ADMIN = "service key: admin"
    USER = "any user"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    OWNER = "owner"
    PLATFORM = "platform administrator"
    CONSOLE = "console"
    LINK = "dashboard link"


_EVERYDAY = frozenset({"read", "send"})


class Permission(StrEnum):
    """An action (the first word) on a resource (the others): a row of the table."""

    SEND_TELEMETRY = "send telemetry"
    READ_TELEMETRY = "read telemetry"
    READ_BOOKS = "read books"
    READ_DEAD_LETTERS = "read dead letters"
    MEND_DEAD_LETTERS = "mend dead letters"
    REPLAY_DEAD_LETTERS = "replay dead letters"
    DISCARD_DEAD_LETTERS = "discard dead letters"
    READ_DASHBOARDS = "read dashboards"
    CREATE_DASHBOARDS = "create dashboards"
    CHANGE_DASHBOARDS = "change dashboards"
    DELETE_DASHBOARDS = "delete dashboards"
    READ_DASHBOARD_LINKS = "read dashboard links"
    CREATE_DASHBOARD_LINKS = "create dashboard links"
    REVOKE_DASHBOARD_LINKS = "revoke dashboard links"
    READ_SHARED_DASHBOARD = "read shared dashboard"
    READ_DEVICES = "read devices"
    CREATE_DEVICES = "create devices"
    PROVISION_DEVICES = "provision devices"
    CHANGE_DEVICES = "change devices"
    DELETE_DEVICES = "delete devices"
    READ_DEVICE_KEYS = "read device keys"
    ISSUE_DEVICE_KEYS = "issue device keys"
    REVOKE_DEVICE_KEYS = "revoke device keys"
    READ_KEYS = "read keys"
    ISSUE_KEYS = "issue keys"
    REVOKE_KEYS = "revoke keys"
    READ_ENROLMENT_TOKENS = "read enrolment tokens"
    CREATE_ENROLMENT_TOKENS = "create enrolment tokens"
    REVOKE_ENROLMENT_TOKENS = "revoke enrolment tokens"
    READ_USERS = "read users"
    ADD_USERS = "add users"
    CHANGE_USERS = "change users"
    REMOVE_USERS = "remove users"
    RESET_USERS = "reset users"
    REMOVE_SECOND_FACTORS = "remove second factors"
    MAKE_OWNERS = "make owners"
    JOIN_ACCOUNTS = "join accounts"
    RESET_ACCOUNTS = "reset accounts"
    READ_INVITATIONS = "read invitations"
    CREATE_INVITATIONS = "create invitations"
    WITHDRAW_INVITATIONS = "withdraw invitations"
    ACCEPT_OWN_INVITATION = "accept own invitation"
    READ_SELF = "read self"
    READ_OWN_SESSIONS = "read own sessions"
    END_OWN_SESSION = "end own session"
    END_OWN_SESSIONS = "end own sessions"
    CHANGE_OWN_SESSION = "change own session"
    READ_OWN_SECOND_FACTOR = "read own second factor"
    ADD_OWN_SECOND_FACTOR = "add own second factor"
    REMOVE_OWN_SECOND_FACTOR = "remove own second factor"
    CHANGE_OWN_PASSWORD = "change own password"  # nosec B105  # noqa: S105 - no password
    READ_AUDIT = "read audit"
    EXPORT_AUDIT = "export audit"
    READ_SETTINGS = "read settings"
    CHANGE_SETTINGS = "change settings"
    READ_STATUS = "read status"
    READ_TENANTS = "read tenants"
    CREATE_TENANTS = "create tenants"
    CHANGE_TENANTS = "change tenants"
    SUSPEND_TENANTS = "suspend tenants"
    RESUME_TENANTS = "resume tenants"
    ERASE_TENANTS = "erase tenants"
    READ_TENANT_FIGURES = "read tenant figures"
    INVITE_OWNERS = "invite owners"
    READ_INSTALLATION_AUDIT = "read installation audit"
    EXPORT_INSTALLATION_AUDIT = "export installation audit"

    @property
    def action(self) -> str:
        return self.partition(" ")[0]

    @property
    def resource(self) -> str:
        return self.partition(" ")[2]

    @property
    def is_own(self) -> bool:
        """Whether it is about the caller's own account, in whatever tenant."""
        return self.resource.startswith("own ")

    @property
    def is_audited(self) -> bool:
        """Whether the audit is told whenever somebody makes use of it, or tries to."""
        return self.action not in _EVERYDAY


# A link opens its dashboard and nothing else.
_ANYONE = frozenset(Party) - {Party.LINK}
_SENDERS = frozenset({Party.DEVICE, Party.GATEWAY, Party.SERVICE_INGEST})
_ADMINISTRATORS = frozenset({Party.ADMIN, Party.OWNER, Party.SERVICE_ADMIN, Party.CONSOLE})
_OPERATORS = _ADMINISTRATORS | {Party.OPERATOR}
_READERS = frozenset(
    {Party.VIEWER, Party.OPERATOR, Party.ADMIN, Party.OWNER, Party.SERVICE_READ, Party.CONSOLE},
)
_PLATFORM = frozenset({Party.PLATFORM, Party.CONSOLE})

GRANTS: Mapping[Permission, frozenset[Party]] = {
    Permission.SEND_TELEMETRY: _SENDERS,
    Permission.READ_TELEMETRY: _READERS,
    Permission.READ_BOOKS: _READERS,
    Permission.READ_DEAD_LETTERS: _READERS,
    Permission.MEND_DEAD_LETTERS: _OPERATORS,
    Permission.REPLAY_DEAD_LETTERS: _OPERATORS,
    Permission.DISCARD_DEAD_LETTERS: _OPERATORS,
    Permission.READ_DASHBOARDS: _READERS,
    Permission.CREATE_DASHBOARDS: _OPERATORS,
    Permission.CHANGE_DASHBOARDS: _OPERATORS,
    Permission.DELETE_DASHBOARDS: _OPERATORS,
    Permission.READ_DASHBOARD_LINKS: _OPERATORS,
    Permission.CREATE_DASHBOARD_LINKS: _OPERATORS,
    Permission.REVOKE_DASHBOARD_LINKS: _OPERATORS,
    Permission.READ_SHARED_DASHBOARD: frozenset({Party.LINK}),
    Permission.READ_DEVICES: _READERS,
    Permission.CREATE_DEVICES: _OPERATORS,
    Permission.PROVISION_DEVICES: _OPERATORS,
    Permission.CHANGE_DEVICES: _OPERATORS,
    Permission.DELETE_DEVICES: _OPERATORS,
    Permission.READ_DEVICE_KEYS: _OPERATORS,
    Permission.ISSUE_DEVICE_KEYS: _OPERATORS,
    Permission.REVOKE_DEVICE_KEYS: _OPERATORS,
    Permission.READ_KEYS: _ADMINISTRATORS,
    Permission.ISSUE_KEYS: _ADMINISTRATORS,
    Permission.REVOKE_KEYS: _ADMINISTRATORS,
    Permission.READ_ENROLMENT_TOKENS: _ADMINISTRATORS,
    Permission.CREATE_ENROLMENT_TOKENS: _ADMINISTRATORS,
    Permission.REVOKE_ENROLMENT_TOKENS: _ADMINISTRATORS,
    Permission.READ_USERS: _ADMINISTRATORS,
    Permission.ADD_USERS: _ADMINISTRATORS,
    Permission.CHANGE_USERS: _ADMINISTRATORS,
    Permission.REMOVE_USERS: _ADMINISTRATORS,
    Permission.RESET_USERS: _ADMINISTRATORS,
    Permission.REMOVE_SECOND_FACTORS: _ADMINISTRATORS,
    Permission.MAKE_OWNERS: _PLATFORM | {Party.OWNER},
    Permission.JOIN_ACCOUNTS: _PLATFORM,
    Permission.RESET_ACCOUNTS: _PLATFORM,
    Permission.READ_INVITATIONS: _ADMINISTRATORS,
    Permission.CREATE_INVITATIONS: _ADMINISTRATORS,
    Permission.WITHDRAW_INVITATIONS: _ADMINISTRATORS,
    Permission.ACCEPT_OWN_INVITATION: frozenset({Party.USER}),
    Permission.READ_SELF: _ANYONE,
    Permission.READ_OWN_SESSIONS: frozenset({Party.USER}),
    Permission.END_OWN_SESSION: _ANYONE,
    Permission.END_OWN_SESSIONS: frozenset({Party.USER}),
    Permission.CHANGE_OWN_SESSION: frozenset({Party.USER}),
    Permission.READ_OWN_SECOND_FACTOR: frozenset({Party.USER}),
    Permission.ADD_OWN_SECOND_FACTOR: frozenset({Party.USER}),
    Permission.REMOVE_OWN_SECOND_FACTOR: frozenset({Party.USER}),
    Permission.CHANGE_OWN_PASSWORD: frozenset({Party.USER}),
    Permission.READ_AUDIT: _ADMINISTRATORS,
    Permission.EXPORT_AUDIT: _ADMINISTRATORS,
    Permission.READ_SETTINGS: _ADMINISTRATORS,
    Permission.CHANGE_SETTINGS: _ADMINISTRATORS,
    Permission.READ_STATUS: _ANYONE,
    Permission.READ_TENANTS: _PLATFORM,
    Permission.CREATE_TENANTS: _PLATFORM,
    Permission.CHANGE_TENANTS: _PLATFORM,
    Permission.SUSPEND_TENANTS: _PLATFORM,
    Permission.RESUME_TENANTS: _PLATFORM,
    Permission.ERASE_TENANTS: _PLATFORM,
    Permission.READ_TENANT_FIGURES: _PLATFORM,
    Permission.INVITE_OWNERS: _PLATFORM,
    Permission.READ_INSTALLATION_AUDIT: _PLATFORM,
    Permission.EXPORT_INSTALLATION_AUDIT: _PLATFORM,
}
"""Which parties have which permission. What belongs to a tenant, they have in the tenant that they act in alone."""

_OF_SCOPE = {
    Scope.READ: Party.SERVICE_READ,
    Scope.INGEST: Party.SERVICE_INGEST,
    Scope.ADMIN: Party.SERVICE_ADMIN,
}
_OF_ROLE = {
    Role.VIEWER: Party.VIEWER,
    Role.OPERATOR: Party.OPERATOR,
    Role.ADMIN: Party.ADMIN,
    Role.OWNER: Party.OWNER,
}

# Every request asks what its caller is: all answers are made ahead.
_DEVICE = frozenset({Party.DEVICE})
_GATEWAY = frozenset({Party.GATEWAY})
_CONSOLE = frozenset({Party.CONSOLE})
_LINK = frozenset({Party.LINK})
_NOBODY: frozenset[Party] = frozenset()
_SERVICES = {
    frozenset(scopes): frozenset(_OF_SCOPE[scope] for scope in scopes)
    for count in range(len(Scope) + 1)
    for scopes in combinations(Scope, count)
}
_USERS = {
    (role, platform_admin): frozenset(
        {Party.USER, *([_OF_ROLE[role]] if role else []), *([Party.PLATFORM] if platform_admin else [])}
    )
    for role in (None, *Role)
    for platform_admin in (False, True)
}


def parties(principal: Principal) -> frozenset[Party]:
    """What a principal is."""
    match principal:
        case DeviceKey():
            return _DEVICE
        case GatewayKey():
            return _GATEWAY
        case ServiceKey():
            return _SERVICES[principal.scopes]
        case User():
            return _USERS[principal.role, principal.platform_admin]
        case Console():
            return _CONSOLE
        case DashboardLink():
            return _LINK
        case SystemJob():
            # It does what it was made for, and asks for nothing at any route.
            return _NOBODY
        case _:
            assert_never(principal)


def may(principal: Principal, permission: Permission) -> bool:
    """Whether `principal` has `permission` (in the tenant that it acts in, where it is about a tenant)."""
    return not GRANTS[permission].isdisjoint(parties(principal))
