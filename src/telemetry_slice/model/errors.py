"""The closed set of error codes, and the one exception that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Every reason for refusing a request; `http/problems.py` maps each to a status."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    SECOND_FACTOR_NEEDED = "second_factor_needed"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    QUOTA_EXCEEDED = "quota_exceeded"
    CAPACITY = "capacity"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field at fault: `pointer` is a JSON pointer into the body, or a query parameter's name."""

    pointer: str
    detail: str


class SliceError(Exception):
    """A refusal with a code from the closed set.

    Attributes:
        code: what kind of refusal this is.
        detail: a sentence for the caller; never contains secrets or another tenant's data.
        fields: the fields at fault, where there are any.
        retry_after_s: seconds after which a repetition may succeed (429 and 503 only).
        policy: the name of the broken quota (429 only).
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        fields: tuple[FieldError, ...] = (),
        retry_after_s: float | None = None,
        policy: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.fields = fields
        self.retry_after_s = retry_after_s
        self.policy = policy


def invalid(pointer: str, detail: str) -> SliceError:
    """A refusal that blames one field."""
    return SliceError(Code.INVALID, detail, fields=(FieldError(pointer, detail),))


class DataError(Exception):
    """The store cannot keep these events whatever the circumstances: split the batch, bury the culprit."""


class UnavailableError(Exception):
    """An engine cannot be reached or its answer was lost: the outcome is unknown, repeat with the same ids."""


class QueueFullError(Exception):
    """The queue is at its bound: nothing was taken."""
