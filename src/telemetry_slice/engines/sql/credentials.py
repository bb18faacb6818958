"""What the registry keeps about credentials beyond single keys, over its database."""

from __future__ import annotations

from dataclasses import dataclass

from ...ports.edge import Clock
from .dashboard_links import SqlDashboardLinks
from .database import Database
from .enrolment import SqlEnrolmentTokens
from .expiring import SqlExpiringKeys
from .peppers import SqlUnderPeppers
from .provisioning import SqlProvisioning


@dataclass(frozen=True, slots=True)
class SqlCredentials:
    """`ports.credentials.Credentials`."""

    expiring: SqlExpiringKeys
    provisioning: SqlProvisioning
    enrolment: SqlEnrolmentTokens
    under_peppers: SqlUnderPeppers
    dashboard_links: SqlDashboardLinks


def credentials_over(database: Database, clock: Clock) -> SqlCredentials:
    """The ports of a registry that is up to date."""
    return SqlCredentials(
        SqlExpiringKeys(database),
        SqlProvisioning(database, clock),
        SqlEnrolmentTokens(database, clock),
        SqlUnderPeppers(database),
        SqlDashboardLinks(database, clock),
    )
