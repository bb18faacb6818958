"""The audit: who did what, kept in chains of hashes. A chain is of one tenant, or of the installation.

The hash of a record is over its own fields and the hash before it, so that no record can be changed, removed, inserted
or moved without the rest of the chain telling. docs/adr/0022 says why it is so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import assert_never

from .events import TenantNo
from .tenancy import Console, DashboardLink, DeviceKey, GatewayKey, Principal, ServiceKey, SystemJob, User

INSTALLATION = TenantNo(0)
"""The chain of what concerns no tenant; the numbers of tenants begin with 1."""
FIRST_HASH = bytes(32)
"""What stands before the first record of every chain."""
MAX_TEXT = 200
"""Characters of a text in a record that comes from outside."""
_VERSION = 1

Detail = Mapping[str, str | int | bool | None]


class AuditOutcome(StrEnum):
    """Whether it was done, or refused."""

    DONE = "done"
    REFUSED = "refused"


class ActorKind(StrEnum):
    """What acted."""

    USER = "user"
    DEVICE = "device key"
    GATEWAY = "gateway key"
    SERVICE = "service key"
    CONSOLE = "console"
    ENROLMENT = "enrolment token"
    LINK = "dashboard link"
    SYSTEM = "system job"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted: the id of an account or a key, and the name that it had then."""

    kind: ActorKind
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What happened.

    Attributes:
        at_us: when.
        action, resource: a verb and what it was done to, as in `model.permissions.Permission`.
        target: which one of the resource, "" where that goes without saying.
        tenant_id: the tenant concerned, as it is called outside.
        address, agent: where from, and with what program, as far as known.
        detail: a few small facts, never a secret.
    """

    at_us: int
    actor: Actor
    action: str
    resource: str
    target: str
    tenant_id: str | None
    address: str | None
    agent: str | None
    outcome: AuditOutcome
    detail: Detail


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry as it is kept: `sequence` counts 1, 2, 3, … within its chain."""

    sequence: int
    entry: AuditEntry
    hash: bytes


def actor_of(principal: Principal) -> Actor:
    """Who a principal is."""
    match principal:
        case User():
            return Actor(ActorKind.USER, principal.user_id, principal.email)
        case DeviceKey():
            return Actor(ActorKind.DEVICE, principal.key_id, principal.device_id)
        case GatewayKey():
            return Actor(ActorKind.GATEWAY, principal.key_id, "")
        case ServiceKey():
            return Actor(ActorKind.SERVICE, principal.key_id, "")
        case Console():
            return Actor(ActorKind.CONSOLE, "console", "")
        case DashboardLink():
            return Actor(ActorKind.LINK, principal.link_id, principal.name)
        case SystemJob():
            return Actor(ActorKind.SYSTEM, principal.duty, "")
        case _:
            assert_never(principal)


def entry_of_job(
    job: SystemJob, at_us: int, action: str, resource: str, *, target: str = "", detail: Detail | None = None
) -> AuditEntry:
    """What the installation has done by itself."""
    tenant_id = job.tenant.id if job.tenant else None
    actor, done = actor_of(job), AuditOutcome.DONE
    return AuditEntry(at_us, actor, action, resource, target, tenant_id, None, None, done, detail or {})


def shown(text: str) -> str:
    """A text from outside as a record may hold it: printable, and not longer than `MAX_TEXT`."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:MAX_TEXT])


def detail_text(detail: Detail) -> str:
    """The one spelling of a detail."""
    return json.dumps(detail, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def hash_after(previous: bytes, sequence: int, entry: AuditEntry) -> bytes:
    """The hash of a record: SHA-256 over the hash before it and a frozen, versioned spelling of its fields."""
    fields = [
        _VERSION,
        sequence,
        entry.at_us,
        entry.actor.kind,
        entry.actor.id,
        entry.actor.name,
        entry.action,
        entry.resource,
        entry.target,
        entry.tenant_id,
        entry.address,
        entry.agent,
        entry.outcome,
        detail_text(entry.detail),
    ]
    return sha256(previous + json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()).digest()


@dataclass(slots=True)
class ChainCheck:
    """Reads a chain from its first record on, in order.

    Attributes:
        sequence, hash: of the last record that was found right.
        fault: the first thing that is wrong, None while nothing is.
    """

    sequence: int = 0
    hash: bytes = FIRST_HASH
    fault: str | None = None

    def read(self, records: Iterable[AuditRecord]) -> None:
        """Go on with the next records."""
        for record in records:
            if self.fault is not None:
                return
            expected = self.sequence + 1
            if record.sequence != expected:
                self.fault = f"record {expected} is missing: {record.sequence} follows {self.sequence}"
            elif record.hash != hash_after(self.hash, expected, record.entry):
                self.fault = f"record {expected} is not what was written after {self.sequence}"
            else:
                self.sequence, self.hash = expected, record.hash

    def end(self, sequence: int, hash_: bytes) -> None:
        """Compare with what is known to be the last record."""
        if self.fault is None and (self.sequence, self.hash) != (sequence, hash_):
            self.fault = f"the chain ends with record {self.sequence}, and {sequence} was its last"
