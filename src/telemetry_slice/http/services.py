"""What the routes work with: put together once by the composition root, found at `request.app.state.services`."""

from __future__ import annotations

from dataclasses import dataclass

from ..flow.access import Access
from ..ports.edge import Clock
from ..ports.registry import Accounts, Devices, Keys, Tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The flow and the ports behind the HTTP door.

    Attributes:
        access: who calls, and everything about keys, accounts, sessions and tokens.
        tenants, devices, keys, accounts: the registry.
        clock: wall-clock time.
        cursor_secret: seals the cursors of listings (`model/cursor.py`).
        version: of the package.
    """

    access: Access
    tenants: Tenants
    devices: Devices
    keys: Keys
    accounts: Accounts
    clock: Clock
    cursor_secret: bytes
    version: str
