"""Who has signed in, and what they were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...model.errors import SliceError
from ...model.tenancy import User
from ...ports.accounts import Membership
from .keys import unauthenticated


@dataclass(frozen=True, slots=True)
class Profile:
    """A person with the tenant acted in, and all tenants to choose from."""

    user: User
    memberships: Sequence[Membership]


@dataclass(frozen=True, slots=True)
class SignIn:
    """A new browser session: the cookie's value, and who it stands for."""

    token: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an API client gets."""

    access_token: str
    expires_s: int
    refresh_token: str
    profile: Profile


class ReusedTokenError(SliceError):
    """A refresh token came a second time, and what came of it has ended. The outside hears a plain UNAUTHENTICATED.

    Attributes:
        profile: whose it was; None if the account is gone.
    """

    def __init__(self, profile: Profile | None) -> None:
        refusal = unauthenticated()
        super().__init__(refusal.code, refusal.detail)
        self.profile = profile
