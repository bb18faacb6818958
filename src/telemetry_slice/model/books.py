"""The books: what became of everything that arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .events import Message, TenantNo


@dataclass(slots=True)
class StoreBooks:
    """The store's side, read in one snapshot.

    Attributes:
        announced: Σ over gates of the highest running total that reached the store.
        announced_by: the same per gate incarnation.
        stored, duplicate: settled events.
        dead: settled events by reason; a replayed letter has moved to its new outcome.
        rejected: refused events by code, as the gates reported them.
        claimed: gate incarnation → the sequence below and at which every message is settled.
        ahead: gate incarnation → settled sequences above that.
    """

    announced: int = 0
    announced_by: dict[bytes, int] = field(default_factory=dict)
    stored: int = 0
    duplicate: int = 0
    dead: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    claimed: dict[bytes, int] = field(default_factory=dict)
    ahead: dict[bytes, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message the queue still holds: per batch its tenant, received time, number of events and running total."""

    incarnation: bytes
    sequence: int
    batches: tuple[tuple[TenantNo, int, int, int], ...]

    @classmethod
    def of(cls, message: Message) -> HeldMessage:
        """What the books need to know of `message`."""
        return cls(
            message.incarnation,
            message.sequence,
            tuple((batch.tenant, batch.received_us, len(batch), batch.total) for batch in message.batches),
        )


@dataclass(slots=True)
class BooksStep:
    """What the store knows of events received within one step of time, which begins at `start_us`.

    Attributes:
        announced: events that the gates acknowledged, as their running totals told the store.
        stored, duplicate, dead, rejected: as in `StoreBooks`.
    """

    start_us: int
    announced: int = 0
    stored: int = 0
    duplicate: int = 0
    dead: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)


def steps_of(counts: Iterable[tuple[int, str, str, int]]) -> Sequence[BooksStep]:
    """Steps, oldest first, out of counts by (start of the step, entry, code); `announced` is an entry here."""
    steps: dict[int, BooksStep] = {}
    for start_us, entry, code, count in counts:
        if not count:
            continue
        step = steps.setdefault(start_us, BooksStep(start_us))
        match entry:
            case "dead":
                step.dead[code] = count
            case "rejected":
                step.rejected[code] = count
            case _:
                setattr(step, entry, count)
    return [steps[start_us] for start_us in sorted(steps)]


@dataclass(frozen=True, slots=True)
class Books:
    """The books of one tenant over [from_us, to_us), or since creation.

    `balanced` compares three independent counts: what the gates acknowledged, what the store settled, what the queue
    holds. None is computed from the others.
    """

    from_us: int | None
    to_us: int | None
    received: int
    accepted: int
    rejected: dict[str, int]
    stored: int
    duplicate: int
    dead: dict[str, int]
    in_flight: int
    balanced: bool
