"""The river: the queue between gate and writer, and the store behind the writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..model.books import BooksStep, HeldMessage, StoreBooks
from ..model.events import EventBatch, Message, Settlement, TenantNo
from ..model.series import DeadLetter


class Intake(Protocol):
    """The gates' end of the queue."""

    async def put(self, message: Message) -> None:
        """Return only when the message would survive kill -9 of every process.

        Raises:
            QueueFullError: the bound (events, bytes or messages) is reached; nothing was taken. Raised before the first
                await, so that the message's number is still the newest and can be given again.
            UnavailableError: whether it will survive is unknown. It stays in the queue as long as this process lives,
                and the queue goes on trying to keep and deliver it, under the same number.
        """

    async def held(self) -> Sequence[HeldMessage]:
        """What the queue holds, leased or not.

        Every message whose `put` was called before this, and whose ack was not, is in the answer. What is put or acked
        meanwhile may be in it or not.

        Raises:
            UnavailableError: the queue cannot be asked.
        """


class EventQueue(Intake, Protocol):
    """Durable, at-least-once hand-over from gates to writers. No order is promised across tenants.

    Within a tenant the order is kept, or no message is ever lost: a message's running totals must not announce an
    earlier one that will never be settled. So a number that `put` was given becomes durable before any later one of
    its gate, or QueueFullError gives it back.

    One queue is one lane: what is in it waits for one database. Tenants share a lane fairly: a lease takes from each
    tenant in turn, as far as the engine looks ahead.
    """

    async def lease(self, max_events: int) -> Sequence[Message]:
        """Wait for messages and take some, about `max_events` events in all, at least one message."""

    async def ack(self, messages: Sequence[Message]) -> None:
        """Forget settled messages. Acking twice is a no-op. An ack that is lost means another delivery."""

    async def retry(self, messages: Sequence[Message], delay_s: float) -> None:
        """Give leased messages back. They are leased again after `delay_s`, before newer ones of their tenant."""


class EventStore(Protocol):
    """Keeps events exactly once. The only writer of events, ledger, dead letters and books."""

    async def split(self, messages: Sequence[Message]) -> Sequence[Sequence[Message]]:
        """`messages` in parts that one transaction each can settle, in their order: those of one placement.

        Raises UnavailableError when a tenant's placement cannot be looked up.
        """

    async def append(self, messages: Sequence[Message], *, commit: bool = True) -> Sequence[Settlement]:
        """Settle messages of one placement in one transaction, durable on return: claim each message by (incarnation,
        sequence), claim event ids, store the claimed, tell duplicates from conflicts by meaning, bury the dead, bump
        the books.

        The same (tenant, id) again is a duplicate if its meaning is the same and a dead letter `conflict` otherwise,
        within one call as well as across calls; the first in order of messages wins. A message claimed before is
        `redelivered` and changes nothing. With `commit=False` everything is tried and rolled back.

        Raises:
            DataError: some event cannot be stored whatever the circumstances; nothing was changed.
            UnavailableError: nothing is known; repeat with the same messages.
        """

    async def books(self, tenant: TenantNo, from_us: int | None = None, to_us: int | None = None) -> StoreBooks:
        """The store's counts for one tenant in one snapshot taken after every `append` sent before this call.

        With a range, counts by received time, at minute resolution: [from_us, to_us) must lie on whole minutes.
        """

    async def book_history(self, tenant: TenantNo, from_us: int, to_us: int, step_us: int) -> Sequence[BooksStep]:
        """The same counts by received time, in steps of `step_us` counted from `from_us`, oldest first; steps without
        any count are left out. Edges and step are whole minutes. An append under way may be missing.
        """

    async def count_rejected(self, counts: Sequence[tuple[TenantNo, int, str, int]]) -> None:
        """Add (tenant, received minute µs, code, count) to the books."""

    async def expire(self, before_us: int, tenant: TenantNo | None = None) -> int:
        """Delete up to some thousands of readings recorded before `before_us`; the count deleted, 0 when none are left.

        Ledger and books are untouched: the same ids stay duplicates, `stored` is never lowered.
        """


class DeadLetters(Protocol):
    """What could not be stored. Every change is one transaction with the books."""

    async def list(
        self,
        tenant: TenantNo,
        *,
        reason: str | None,
        after: int | None,
        limit: int,
        device_id: str | None = None,
        received: tuple[int | None, int | None] = (None, None),
    ) -> Sequence[DeadLetter]:
        """Up to `limit` letters that are not yet replayed, newest first, ids below `after`; of one device, and with a
        received time (µs) in [from, to), if these are given.
        """

    async def get(self, tenant: TenantNo, letter_id: int) -> DeadLetter | None:
        """One letter, None if it does not exist, belongs to another tenant or has been replayed."""

    async def mend(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> DeadLetter | None:
        """Replace the letter's event by the only one in `event`; its reason stays until it is replayed."""

    async def replay(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> Settlement | None:
        """Append the only event in `event` (the letter's own, decoded again) and move the letter to its new outcome in
        the books of its original received time, exactly once. None if there is no such open letter.

        If the event dies again the letter stays, with the new reason.
        """

    async def discard(self, tenant: TenantNo, letter_id: int) -> bool:
        """Close the letter without replay; it stays `dead` in the books. False if there is no such open letter."""

    async def open_counts(self) -> dict[TenantNo, int]:
        """How many open letters each tenant has."""
