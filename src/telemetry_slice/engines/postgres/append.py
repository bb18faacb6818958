"""Appending to PostgreSQL: claim, store, bury and count in one transaction. Several writers do so at once.

Every transaction takes its locks in one order, and within each kind sorted: messages, ledger, series, letters,
counters. So two writers wait for one another in one direction only, and none deadlocks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from threading import Lock
from typing import LiteralString

from psycopg import Connection, Error
from psycopg.errors import UniqueViolation

from ...model.errors import UnavailableError
from ...model.events import DeadReason, Message, Outcome, Settlement
from ...model.times import MINUTE_US
from ..sql.settling import Counts, Verdicts, announced, detail_of, settlement_of
from . import claims
from .arrays import int4s, int8s, texts, uuids
from .counters import write_counts, write_totals
from .identity import bucket_of
from .rows import Rows
from .series import CACHED, SeriesIds, SeriesKey
from .transaction import Session, transaction

_DUPLICATE, _DEAD = int(Outcome.DUPLICATE), int(Outcome.DEAD)

_CLAIM_NEW: LiteralString = """
    INSERT INTO event_ledger (bucket, tenant_no, event_key, meaning)
    SELECT * FROM unnest(%s::int4[], %s::int4[], %s::uuid[], %s::int8[])
"""
_CLAIM = _CLAIM_NEW + "ON CONFLICT DO NOTHING RETURNING tenant_no, uuid_send(event_key)"
_DROPPED = "SELECT start, horizon FROM partition_heads WHERE parent = 'event_ledger'"
_MEANINGS = """
    SELECT tenant_no, uuid_send(event_key), meaning FROM event_ledger
    JOIN unnest(%s::int4[], %s::int4[], %s::uuid[]) AS w(bucket, tenant_no, event_key)
    USING (bucket, tenant_no, event_key)
"""
_RELEASE = """
    DELETE FROM event_ledger l USING unnest(%s::int4[], %s::int4[], %s::uuid[]) AS w(bucket, tenant_no, event_key)
    WHERE l.bucket = w.bucket AND l.tenant_no = w.tenant_no AND l.event_key = w.event_key
"""
# The clock is read as late as possible, and never gives what it gave before, although the server's may step back.
# Rows go in the order of their index, whose pages are then visited one after another: a tenth of the server's time.
_STORE = """
    WITH clock AS MATERIALIZED (
        SELECT setval('store_clock', greatest(
            (extract(epoch FROM clock_timestamp()) * 1000000)::int8, (SELECT last_value + 1 FROM store_clock)
        )) AS us
    ), stored AS (
        INSERT INTO telemetry_events
            (tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number, text, event_text)
        SELECT r.tenant_no, r.series_id, r.recorded_us, r.event_key, r.received_us, clock.us, r.number, r.text,
            r.event_text
        FROM clock, unnest(
            %s::int4[], %s::int4[], %s::int8[], %s::uuid[], %s::int8[], %s::float8[], %s::text[], %s::text[]
        ) AS r(tenant_no, series_id, recorded_us, event_key, received_us, number, text, event_text)
        ORDER BY r.series_id, r.recorded_us
    )
    SELECT us FROM clock
"""
# Whoever is writing the same row writes about the same minute.
_SEEN = """
    UPDATE series s SET received_us = w.received_us FROM (
        SELECT o.series_id, g.received_us FROM unnest(%s::int4[], %s::int8[]) AS g(series_id, received_us)
        JOIN series o ON o.series_id = g.series_id AND o.received_us < g.received_us
        ORDER BY o.series_id FOR UPDATE OF o SKIP LOCKED
    ) w WHERE s.series_id = w.series_id
"""
_BURY = """
    INSERT INTO dead_letters
        (tenant_no, event_key, meaning, reason, detail, event_text, device_id, received_us, body, state)
    SELECT w.*, 'dead' FROM unnest(
        %s::int4[], %s::uuid[], %s::int8[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int8[], %s::text[]
    ) AS w
    ON CONFLICT DO NOTHING RETURNING tenant_no, uuid_send(event_key), meaning, reason
"""

CAREFUL_APPENDS = 16
"""An id that was claimed before is seldom alone: a sender repeats many."""

EventId = tuple[int, bytes]
"""(tenant, event key)"""


@dataclass(slots=True)
class Learnt:
    """What a transaction has learnt and its process remembers once it is committed.

    Attributes:
        series: ids of series.
        seen_us: series id → the received time that was written to it.
    """

    series: dict[SeriesKey, int] = field(default_factory=dict)
    seen_us: dict[int, int] = field(default_factory=dict)


class Appender:
    """Settles messages; shared by the threads of a process, each with its own connection."""

    def __init__(self, series_limit: int) -> None:
        self._series = SeriesIds(series_limit)
        self._seen_us: dict[int, int] = {}
        self._claimed: Counter[bytes] = Counter()
        self._lock = Lock()
        # How many appends from now on expect ids that were claimed before. Threads may miscount it: it is a guess.
        self._careful = 0

    def append(self, connection: Session, messages: Sequence[Message], *, commit: bool = True) -> list[Settlement]:
        """As `ports.events.EventStore.append` promises."""
        tenants = {batch.tenant for message in messages for batch in message.batches}
        # In a pipeline statements are sent together up to the next answer that is looked at: six round trips in all.
        with connection.pipeline(), transaction(connection, tenants, commit=commit):
            fresh = claims.claim(connection, messages)
            verdicts = [
                [Verdicts(batch) for batch in message.batches] if new else []
                for message, new in zip(messages, fresh, strict=True)
            ]
            decided = list(chain.from_iterable(verdicts))
            stored_us, learnt = self.decide(connection, decided)
            counts = Counts()
            _bury(connection, decided)
            for verdict in decided:
                counts.settled(verdict)
            totals, minutes = announced(message for message, new in zip(messages, fresh, strict=True) if new)
            write_totals(connection, totals, minutes)
            write_counts(connection, counts)
        if commit:
            self.remember(learnt)
            self._fold(connection, [m.incarnation for m, new in zip(messages, fresh, strict=True) if new])
        return [
            settlement_of(message_verdicts, stored_us) if new else Settlement((), redelivered=True)
            for message_verdicts, new in zip(verdicts, fresh, strict=True)
        ]

    def _fold(self, connection: Session, incarnations: Iterable[bytes]) -> None:
        with self._lock:
            self._claimed.update(incarnations)
            due = [gate for gate, count in self._claimed.items() if count >= claims.FOLD_EVERY]
            for gate in due:
                del self._claimed[gate]
        for gate in due:
            # The messages are settled, whatever becomes of this.
            with suppress(Error):
                claims.fold(connection, gate)

    def remember(self, learnt: Learnt) -> None:
        """Keep what a committed transaction of `decide` has learnt."""
        self._series.remember(learnt.series)
        if len(self._seen_us) > CACHED:
            # Forgotten times are written once more than once a minute, which harms nothing.
            self._seen_us = {}
        self._seen_us.update(learnt.seen_us)

    def decide(self, connection: Connection, verdicts: Sequence[Verdicts]) -> tuple[int, Learnt]:
        """Claim ids, tell duplicates and conflicts, and store the claimed, within the open transaction.

        stored_us, and what to `remember` after the commit.
        """
        _expire_ids(connection, verdicts)
        self._claim_ids(connection, verdicts)
        return self._store(connection, verdicts)

    def _claim_ids(self, connection: Connection, verdicts: Sequence[Verdicts]) -> None:
        """Claim event ids. Most batches hold nothing seen before: insert them at half the cost, unless it fails."""
        wanted: list[tuple[int, int, bytes, int]] = []
        for verdict in verdicts:
            batch, reasons = verdict.batch, verdict.reasons
            events = zip(map(bucket_of, batch.keys), repeat(batch.tenant), batch.keys, batch.meanings)
            if reasons:
                wanted += (event for index, event in enumerate(events) if index not in reasons)
            else:
                wanted += events
        if not wanted:
            return
        wanted.sort()
        if self._careful <= 0:
            try:
                with connection.transaction():
                    connection.execute(_CLAIM_NEW, _claim_columns(wanted))
            except UniqueViolation:
                self._careful = CAREFUL_APPENDS
            else:
                return
        self._careful -= 1
        _claim_one_by_one(connection, verdicts, wanted)

    def _store(self, connection: Connection, verdicts: Sequence[Verdicts]) -> tuple[int, Learnt]:
        """Insert one row per measurement of every claimed event."""
        learnt = Learnt()
        ids = self._series.known
        try:
            rows = Rows(verdicts, ids)
        except KeyError:
            unknown = _unknown(verdicts, ids)
            learnt.series, refused = self._series.resolve(connection, [keys for _, _, keys in unknown])
            _refuse(connection, [unknown[place][:2] for place in sorted(refused)])
            rows = Rows(verdicts, _Both(ids, learnt.series))
        stored = connection.execute(_STORE, rows.columns(), binary=True).fetchone()
        learnt.seen_us = self._note_seen(connection, rows.newest_us)
        return (stored[0] if stored else 0), learnt

    def _note_seen(self, connection: Connection, newest_us: dict[int, int]) -> dict[int, int]:
        """Write when series last received something, for each at most once a minute; what was written."""
        seen_us = self._seen_us
        due = sorted(s for s, received_us in newest_us.items() if received_us - seen_us.get(s, -MINUTE_US) >= MINUTE_US)
        if due:
            connection.execute(_SEEN, (int4s(due), int8s([newest_us[series] for series in due])))
        return {series: newest_us[series] for series in due}


class _Both(dict[SeriesKey, int]):
    """A few ids on top of many, without copying the many."""

    def __init__(self, many: dict[SeriesKey, int], few: dict[SeriesKey, int]) -> None:
        super().__init__(few)
        self._many = many

    def __missing__(self, key: SeriesKey) -> int:
        return self._many[key]


def _expire_ids(connection: Connection, verdicts: Sequence[Verdicts]) -> None:
    """Let events die whose week of the ledger has been dropped: nobody knows whether they were stored.

    A week that is dropped after this look has no partition when its ids are claimed: an infrastructure error, after
    which the append is repeated and looks again.
    """
    bounds = connection.execute(_DROPPED).fetchone()
    start, horizon = bounds or (0, 0)
    if start == horizon:
        return
    for verdict in verdicts:
        for index, key in enumerate(verdict.batch.keys):
            if start <= bucket_of(key) < horizon:
                verdict.reasons.setdefault(index, DeadReason.ID_EXPIRED)


def _claim_columns(wanted: Sequence[tuple[int, int, bytes, int]]) -> tuple[bytes, ...]:
    buckets, tenants, keys, meanings = zip(*wanted, strict=True)
    return int4s(buckets), int4s(tenants), uuids(keys), int8s(meanings)


def _claim_one_by_one(
    connection: Connection, verdicts: Sequence[Verdicts], wanted: Sequence[tuple[int, int, bytes, int]]
) -> None:
    """Claim what is new; what was claimed before is a duplicate by the same meaning, a conflict by another."""
    first: dict[EventId, int] = {}
    for verdict in verdicts:
        batch, reasons = verdict.batch, verdict.reasons
        for index, (key, meaning) in enumerate(zip(batch.keys, batch.meanings, strict=True)):
            if index not in reasons:
                first.setdefault((batch.tenant, key), meaning)
    # Of several with one id the first in order of messages, not the first in order of meanings.
    once = list({event[:3]: (*event[:3], first[event[1], event[2]]) for event in wanted}.values())
    ours: set[EventId] = set(connection.execute(_CLAIM, _claim_columns(once), binary=True).fetchall())
    known = {event: first[event] for event in ours}
    before = [(bucket, tenant, key) for bucket, tenant, key, _ in once if (tenant, key) not in ours]
    if before:
        # A second statement: the snapshot of the first does not show what another writer committed meanwhile.
        found = connection.execute(_MEANINGS, _places(before), binary=True).fetchall()
        known |= {(tenant, key): meaning for tenant, key, meaning in found}
        if len(found) < len(before):
            raise UnavailableError("claims vanished while they were looked at")
    for verdict in verdicts:
        batch, reasons = verdict.batch, verdict.reasons
        for index, (key, meaning) in enumerate(zip(batch.keys, batch.meanings, strict=True)):
            event = (batch.tenant, key)
            if index in reasons:
                continue
            if event in ours:
                ours.discard(event)
            elif known[event] == meaning:
                verdict.outcomes[index] = _DUPLICATE
            else:
                reasons[index] = DeadReason.CONFLICT


def _places(events: Sequence[tuple[int, int, bytes]]) -> tuple[bytes, bytes, bytes]:
    buckets, tenants, keys = zip(*events, strict=True)
    return int4s(buckets), int4s(tenants), uuids(keys)


def _unknown(verdicts: Sequence[Verdicts], known: dict[SeriesKey, int]) -> list[tuple[Verdicts, int, list[SeriesKey]]]:
    """The claimed events with a series that is not known, each with all of its series."""
    found = []
    for verdict in verdicts:
        batch, outcomes, reasons = verdict.batch, verdict.outcomes, verdict.reasons
        tenant = batch.tenant
        for index, (device, measurements) in enumerate(zip(batch.devices, batch.measurements, strict=True)):
            if outcomes[index] or (reasons and index in reasons):
                continue
            for kind_of, unit, kind, _ in measurements:
                if (tenant, device, kind_of, unit, kind) not in known:
                    keys: list[SeriesKey] = [(tenant, device, m[0], m[1], m[2]) for m in measurements]
                    found.append((verdict, index, keys))
                    break
    return found


def _refuse(connection: Connection, events: Sequence[tuple[Verdicts, int]]) -> None:
    """Let events die of the quota of series. A dead letter does not claim its id."""
    if not events:
        return
    released = []
    for verdict, index in events:
        key = verdict.batch.keys[index]
        verdict.reasons[index] = DeadReason.SERIES_LIMIT
        released.append((bucket_of(key), int(verdict.batch.tenant), key))
    connection.execute(_RELEASE, _places(sorted(released)))


def _bury(connection: Connection, verdicts: Sequence[Verdicts]) -> None:
    """Keep the dead as letters; one that lies there already is a duplicate."""
    letters: dict[tuple[int, bytes, int, str], tuple[Verdicts, int]] = {}
    dying = []
    for verdict in verdicts:
        batch = verdict.batch
        for index, reason in verdict.reasons.items():
            identity = (int(batch.tenant), batch.keys[index], batch.meanings[index], str(reason))
            dying.append((identity, verdict, index))
            letters.setdefault(identity, (verdict, index))
    if not dying:
        return
    rows = [
        (*identity, detail_of(identity[3]), v.batch.texts[i], v.batch.device_ids[i], v.batch.received_us,
         json.dumps(v.batch.body(i), ensure_ascii=False))
        for identity, (v, i) in sorted(letters.items(), key=lambda item: item[0])
    ]  # fmt: skip
    tenants, keys, meanings, reasons, details, event_texts, devices, received, bodies = zip(*rows, strict=True)
    values = (
        int4s(tenants), uuids(keys), int8s(meanings), texts(reasons), texts(details), texts(event_texts),
        texts(devices), int8s(received), texts(bodies),
    )  # fmt: skip
    new = set(connection.execute(_BURY, values, binary=True).fetchall())
    for identity, verdict, index in dying:
        if identity in new:
            new.discard(identity)
            verdict.outcomes[index] = _DEAD
        else:
            verdict.outcomes[index] = _DUPLICATE
            del verdict.reasons[index]
