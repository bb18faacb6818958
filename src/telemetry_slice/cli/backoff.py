"""When to try again: the server's Retry-After where there is one, else exponential back-off, both with jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 3600.0


def retry_after_s(header: str | None) -> float | None:
    """Seconds of a Retry-After header (delta-seconds or an HTTP date); None when absent or unreadable."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    if seconds != seconds:  # NaN  # noqa: PLR0124
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


@dataclass(slots=True)
class Backoff:
    """Pauses between attempts, in seconds: full jitter over a doubling ceiling, never below what the server asked for.

    Jitter spreads senders that were refused together; without it they would come back together.
    """

    base_s: float = 0.5
    ceiling_s: float = 30.0
    rng: random.Random = field(default_factory=random.SystemRandom)
    _failures: int = 0

    def pause_s(self, asked_s: float | None = None) -> float:
        """The next pause, at least `asked_s`."""
        ceiling = min(self.ceiling_s, self.base_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        if asked_s is not None:
            return asked_s + self.rng.uniform(0.0, min(0.25 * asked_s + 0.05, self.base_s))
        return self.rng.uniform(0.2 * ceiling, ceiling)

    def reset(self) -> None:
        """Something succeeded: start small again."""
        self._failures = 0
