"""The registry's ports over one database."""

from __future__ import annotations

from dataclasses import dataclass

from ...ports.edge import Clock
from .accounts import SqlAccounts, SqlFirstRun
from .audit import SqlAudit
from .credentials import SqlCredentials, credentials_over
from .dashboards import SqlDashboards
from .database import Database
from .devices import SqlDevices
from .erasures import SqlErasures
from .keys import SqlKeys
from .sessions import SqlSessions
from .signing_in import SqlSigningIn, signing_in_over
from .tenants import SqlTenants


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry's ports over one database."""

    database: Database
    tenants: SqlTenants
    devices: SqlDevices
    keys: SqlKeys
    credentials: SqlCredentials
    accounts: SqlAccounts
    sessions: SqlSessions
    first_run: SqlFirstRun
    audit: SqlAudit
    erasures: SqlErasures
    signing_in: SqlSigningIn
    dashboards: SqlDashboards

    def close(self) -> None:
        """Finish and close."""
        self.database.close()


def registry_over(database: Database, clock: Clock) -> Registry:
    """The ports of a database that is up to date."""
    return Registry(
        database=database,
        tenants=SqlTenants(database, clock),
        devices=SqlDevices(database, clock),
        keys=SqlKeys(database, clock),
        credentials=credentials_over(database, clock),
        accounts=SqlAccounts(database, clock),
        sessions=SqlSessions(database),
        first_run=SqlFirstRun(database),
        audit=SqlAudit(database),
        erasures=SqlErasures(database),
        signing_in=signing_in_over(database),
        dashboards=SqlDashboards(database),
    )
