"""`tslice send`: a file of readings becomes events, every one with an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

from rich.console import Console

from .backoff import Backoff
from .client import Api
from .delivery import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Batch, Tally, UndeliverableError, deliver
from .journal import Journal
from .pacing import Pacer
from .progress import Meter, meter
from .readings import FileEvent, FileReader
from .target import Target

IN_FLIGHT = 4
JOURNAL_EVERY_S = 2.0
LINGER_S = 0.25


@dataclass(frozen=True, slots=True)
class Sending:
    """What `send` was asked to do.

    Attributes:
        speed: None = as fast as allowed; else the recorded pace times this.
        patience_s: how long without any answer before giving up; None = for ever.
        journals: folder that remembers how far an interrupted sending got.
    """

    reader: FileReader
    target: Target
    speed: float | None
    patience_s: float | None
    journals: Path

    def journal(self) -> Journal:
        key = blake2b(self.target.key.encode(), digest_size=12).hexdigest()
        reader = self.reader
        return Journal(
            self.journals, reader.path, (self.target.url, key, reader.device, reader.type, reader.unit, reader.zone.key)
        )


@dataclass(slots=True)
class _Progress:
    """Outcomes of batches that settle in any order.

    Attributes:
        whole: of the file from its start to the first event without outcome.
        everything: of all events that have one.
    """

    whole: Tally
    everything: Tally
    journal: Journal
    next_batch: int = 0
    written_at: float = 0.0
    waiting: dict[int, Tally] = field(default_factory=dict)

    def settle(self, number: int, tally: Tally, now: float) -> int:
        """Batch `number` is through; how many events are through in all."""
        self.waiting[number] = tally
        self.everything.add(tally)
        while self.next_batch in self.waiting:
            self.whole.add(self.waiting.pop(self.next_batch))
            self.next_batch += 1
        if now - self.written_at >= JOURNAL_EVERY_S:
            self.written_at = now
            self.journal.write(self.whole)
        return self.everything.settled


async def batches(reader: FileReader, speed: float | None, skip: int) -> AsyncIterator[Batch]:
    """The events of a file from `skip` on, in file order, in batches of one API version; paced if asked."""
    loop = asyncio.get_running_loop()
    pending: list[FileEvent] = []
    size = 0
    started = loop.time()
    first_us: int | None = None
    for number, event in enumerate(reader):
        if number < skip:
            continue
        if speed is not None:
            first_us = event.recorded_us if first_us is None else first_us
            due = started + (event.recorded_us - first_us) / 1e6 / speed
            if pending and due - loop.time() > LINGER_S:
                yield Batch([item.body for item in pending], pending[0].version)
                pending, size = [], 0
            await asyncio.sleep(max(0.0, due - loop.time()))
        # A close bound of the encoded size: texts dominate, and a number never takes more than 25 characters.
        weight = len(str(event.body)) + 16
        full = len(pending) >= MAX_BATCH_EVENTS or size + weight > MAX_BATCH_BYTES
        if pending and (full or event.version != pending[0].version):
            yield Batch([item.body for item in pending], pending[0].version)
            pending, size = [], 0
        pending.append(event)
        size += weight
    if pending:
        yield Batch([item.body for item in pending], pending[0].version)


async def send_all(sending: Sending, progress: _Progress, shown: Meter) -> None:
    """Deliver the file, a few requests at a time.

    Raises:
        UndeliverableError: going on is useless; what settled is in `progress`.
    """
    queue: asyncio.Queue[tuple[int, Batch] | None] = asyncio.Queue(maxsize=IN_FLIGHT)
    loop = asyncio.get_running_loop()
    pacer = Pacer()

    async def produce() -> None:
        number = 0
        async for batch in batches(sending.reader, sending.speed, progress.whole.settled):
            await queue.put((number, batch))
            number += 1
        for _ in range(IN_FLIGHT):
            await queue.put(None)

    async def settle(api: Api, item: tuple[int, Batch], backoff: Backoff) -> None:
        number, batch = item
        tally = await deliver(api, batch, say=shown.say, backoff=backoff, pacer=pacer, patience_s=sending.patience_s)
        shown.moved(progress.settle(number, tally, loop.time()))

    async def work(api: Api) -> None:
        backoff = Backoff()
        while (item := await queue.get()) is not None:
            await settle(api, item, backoff)

    async with Api(
        sending.target.url, sending.target.key, ca_file=sending.target.ca_file, own=sending.target.own
    ) as api:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(produce())
                # The first answer tells what is wrong with the key, and the quotas; then the others join in.
                first = await queue.get()
                if first is None:
                    return
                await settle(api, first, Backoff())
                for _ in range(IN_FLIGHT):
                    group.create_task(work(api))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None


def report(console: Console, tally: Tally, reader: FileReader) -> None:
    """What became of everything, the last line in figures."""
    for reason in tally.reasons:
        console.print(f"  {reason}", highlight=False, markup=False)
    if reader.notes.missing:
        console.print(f"{reader.notes.missing} cells were empty and are not sent", highlight=False)
    if reader.notes.nonexistent:
        console.print(
            f"{reader.notes.nonexistent} times fall into an hour that {reader.zone.key} skips; "
            "they were read with the offset before the change",
            highlight=False,
        )
    if tally.repeated:
        console.print(f"up to {tally.repeated} of the duplicates were sent twice: an answer was lost", highlight=False)
    console.print(tally.summary(), highlight=False, soft_wrap=True)


def run_send(sending: Sending, console: Console, errors: Console) -> int:
    """Send a file; the exit code: 0 if everything is stored or was before, 1 if not, 130 if interrupted.

    Raises:
        ReadingError: the file cannot be read; nothing was sent.
    """
    reader = sending.reader
    # The first pass finds mistakes before anything is sent, and the total for the bar.
    total = sum(1 for _ in reader)
    notes = replace(reader.notes)
    if total == 0:
        errors.print(f"{reader.path}: no readings in it", highlight=False, markup=False)
        return 1
    journal = sending.journal()
    progress = _Progress(journal.read(), journal.read(), journal)
    if progress.whole.settled:
        console.print(
            f"Going on after {progress.whole.settled} of {total} events of an interrupted sending", highlight=False
        )
    code = 0
    try:
        with meter(console, total, "events") as shown:
            shown.moved(progress.whole.settled)
            asyncio.run(send_all(sending, progress, shown))
    except KeyboardInterrupt:
        code = 130
        errors.print("Interrupted; the same command goes on from here", highlight=False)
    except UndeliverableError as error:
        code = 1
        errors.print(str(error), highlight=False, markup=False, soft_wrap=True)
    if code == 0:
        journal.end()
    elif progress.whole.settled:
        journal.write(progress.whole)
    reader.notes = notes
    report(console, progress.everything, reader)
    return code or (1 if progress.everything.dead or progress.everything.rejected else 0)
