"""Delivering batches of events until each has an outcome, through refusals and outages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .backoff import Backoff
from .client import TRANSIENT, Api, ProblemError, UnreachableError
from .failure import CliError
from .pacing import Pacer

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 512 * 1024
WAIT_S = 30
SERVER_ERRORS_BEFORE_GIVING_UP = 5


class UndeliverableError(CliError):
    """Sending cannot go on: the credential or the address is wrong, or the server fails every time."""


@dataclass(slots=True)
class Tally:
    """What became of the events sent so far, as the server told it.

    Attributes:
        repeated: how many of the duplicates may be our own repetition of a request whose answer was lost.
        reasons: the first few reasons of dead and rejected events, as sentences.
    """

    stored: int = 0
    duplicate: int = 0
    dead: int = 0
    rejected: int = 0
    repeated: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def settled(self) -> int:
        """How many events have an outcome."""
        return self.stored + self.duplicate + self.dead + self.rejected

    def add(self, other: Tally) -> None:
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.dead += other.dead
        self.rejected += other.rejected
        self.repeated += other.repeated
        self.reasons.extend(other.reasons[: max(0, 5 - len(self.reasons))])

    def summary(self) -> str:
        return f"stored {self.stored}, duplicate {self.duplicate}, dead {self.dead}, rejected {self.rejected}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events for one version of the ingest API, encoded once."""

    events: Sequence[dict[str, Any]]
    version: int

    def encode(self) -> bytes:
        return b"\n".join(json.dumps(event, allow_nan=False, separators=(",", ":")).encode() for event in self.events)

    def halves(self) -> tuple[Batch, Batch]:
        middle = len(self.events) // 2
        return Batch(self.events[:middle], self.version), Batch(self.events[middle:], self.version)


Say = Callable[[str], None]


def rejections(rejected: Any, fallback: str) -> Tally:
    """The tally of refused events; `rejected` is the answer's list, perhaps shorter than the truth."""
    tally = Tally()
    for item in rejected if isinstance(rejected, list) else []:
        if isinstance(item, dict):
            tally.rejected += 1
            if len(tally.reasons) < 5:
                name = item.get("eventId") or f"item {item.get('index')}"
                tally.reasons.append(f"rejected {name}: {item.get('detail') or item.get('code') or fallback}")
    return tally


async def deliver(
    api: Api, batch: Batch, *, say: Say, backoff: Backoff, pacer: Pacer, patience_s: float | None = None
) -> Tally:
    """Send `batch` until every event has an outcome.

    Refusals for load (429, 503) and outages are waited out: ids make a repetition harmless. A batch that is too large
    is halved.

    Args:
        api: the server, as the sender.
        batch: what to send.
        say: told why nothing moves, and an empty text when it moves again.
        backoff: the pauses of this sender.
        pacer: keeps within the quotas of the key.
        patience_s: how long without any answer before giving up; None = for ever.

    Raises:
        UndeliverableError: repeating will not help, or patience ended.
    """
    content = batch.encode()
    headers = {"Content-Type": "application/x-ndjson", "Prefer": f"wait={WAIT_S}"}
    loop = asyncio.get_running_loop()
    last_answer = loop.time()
    uncertain = False
    server_errors = 0
    while True:
        await pacer.turn(len(batch.events))
        try:
            response = await api.attempt("POST", f"/api/v{batch.version}/telemetry", content=content, headers=headers)
        except UnreachableError as error:
            uncertain = True
            pause = backoff.pause_s()
            if patience_s is not None and loop.time() + pause - last_answer > patience_s:
                raise UndeliverableError(f"cannot reach {error}") from error
            say(f"cannot reach {error}; trying again in {pause:.0f} s")
            await asyncio.sleep(pause)
            continue
        last_answer = loop.time()
        pacer.learn(response.headers)
        if response.status_code in {200, 202, 422}:
            body = response.json() if response.content else {}
            backoff.reset()
            say("")
            if response.status_code == 422:
                problem = ProblemError(response)
                tally = rejections(body.get("rejected"), str(problem))
                if not tally.rejected:
                    tally = Tally(rejected=len(batch.events), reasons=[str(problem)])
                return tally
            if response.status_code == 202:
                # Durable, but not decided in time: asking again with the same ids tells the outcome.
                uncertain = True
                say("accepted, waiting for the outcome")
                await asyncio.sleep(backoff.pause_s(1.0))
                continue
            return outcomes(batch, body, uncertain=uncertain)
        problem = ProblemError(response)
        if problem.status == 413 and len(batch.events) > 1:
            tally = Tally()
            for half in batch.halves():
                tally.add(await deliver(api, half, say=say, backoff=backoff, pacer=pacer, patience_s=patience_s))
            return tally
        if problem.status == 413:
            return Tally(rejected=1, reasons=[str(problem)])
        if problem.status == 500:
            server_errors += 1
        if problem.status not in TRANSIENT and not (
            problem.status == 500 and server_errors < SERVER_ERRORS_BEFORE_GIVING_UP
        ):
            raise UndeliverableError(str(problem))
        pause = backoff.pause_s(problem.retry_after_s)
        say(f"{problem.problem.get('detail') or problem}; trying again in {pause:.0f} s" if pause >= 2 else "")
        await asyncio.sleep(pause)


def outcomes(batch: Batch, body: dict[str, Any], *, uncertain: bool) -> Tally:
    """The tally of an answer with outcomes."""
    tally = rejections(body.get("rejected"), "refused")
    for item in body.get("results", []):
        outcome = item.get("outcome")
        if outcome == "stored":
            tally.stored += 1
        elif outcome == "duplicate":
            tally.duplicate += 1
        else:
            tally.dead += 1
            if len(tally.reasons) < 5:
                tally.reasons.append(f"dead {item.get('eventId')}: {item.get('reason') or outcome}")
    if uncertain:
        tally.repeated = tally.duplicate
    if tally.settled != len(batch.events):
        raise UndeliverableError(
            f"the server answered for {tally.settled} of {len(batch.events)} events; this program and it do not match"
        )
    return tally
