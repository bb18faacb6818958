"""What the registry keeps about signing in, over its database."""

from __future__ import annotations

from dataclasses import dataclass

from .database import Database
from .identities import SqlIdentities
from .links import SqlLinks
from .second_factors import SqlSecondFactors
from .sessions import SqlSignIns
from .signing_keys import SqlSigningKeys


@dataclass(frozen=True, slots=True)
class SqlSigningIn:
    """`ports.signing_in.SigningIn`."""

    sign_ins: SqlSignIns
    signing_keys: SqlSigningKeys
    links: SqlLinks
    second_factors: SqlSecondFactors
    identities: SqlIdentities


def signing_in_over(database: Database) -> SqlSigningIn:
    """The ports of a registry that is up to date."""
    return SqlSigningIn(
        SqlSignIns(database),
        SqlSigningKeys(database),
        SqlLinks(database),
        SqlSecondFactors(database),
        SqlIdentities(database),
    )
