"""Appending to telemetry.db: the one place that writes events, ledger, dead letters and books. In the writer child."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import apsw

from ...model.events import DeadReason, Kind, Message, Outcome, Settlement
from ..sql.settling import Counts, Verdicts, announced, detail_of, settlement_of

_DUPLICATE, _DEAD = int(Outcome.DUPLICATE), int(Outcome.DEAD)

_ROW = "(?,?,?,?,?,?,?,?,?)"
_CLAIM = "INSERT OR IGNORE INTO event_ledger (tenant_no, event_key, meaning) VALUES "
_APPEND = (
    "INSERT INTO telemetry_recent (tenant_no, series_id, recorded_us, event_key, received_us, stored_us, number, text,"
    " event_text) VALUES "
)
_MANY = 50
_SERIES_CACHE = 200_000

SeriesKey = tuple[int, int, str, str | None, int]


def insert_many(connection: apsw.Connection, insert: str, placeholders: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert `rows` with `_MANY` rows a statement: half the time of one row a statement."""
    whole = len(rows) // _MANY * _MANY
    if whole:
        statement = insert + ",".join([placeholders] * _MANY)
        connection.executemany(
            statement, (tuple(chain.from_iterable(rows[i : i + _MANY])) for i in range(0, whole, _MANY))
        )
    if whole < len(rows):
        connection.executemany(insert + placeholders, rows[whole:])


class SeriesLimitError(Exception):
    """The tenant's quota of series is used up."""


class Series:
    """(tenant, device, type, unit, kind) → series id, cached; new ones are created within the open transaction."""

    def __init__(self, connection: apsw.Connection, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._ids: dict[SeriesKey, int] = {}
        self._created: list[SeriesKey] = []
        self._counts: dict[int, int] = {}

    def id_of(self, key: SeriesKey) -> int:
        """The id of a series. Raises SeriesLimitError where it would have to be created above the quota."""
        found = self._ids.get(key)
        return self._look_up(key) if found is None else found

    def _look_up(self, key: SeriesKey) -> int:
        tenant = key[0]
        # The expression is the unique index's own, so that the look-up is one seek.
        row = self._connection.execute(
            "SELECT series_id FROM series WHERE tenant_no=? AND device_no=? AND type=?"
            " AND ifnull(unit, char(0))=ifnull(?, char(0)) AND kind=?",
            key,
        ).fetchone()
        if row is None:
            if tenant not in self._counts:
                counted: Any = self._connection.execute(
                    "SELECT count(*) FROM series WHERE tenant_no=?", (tenant,)
                ).fetchone()
                self._counts[tenant] = counted[0]
            if self._counts[tenant] >= self._limit:
                raise SeriesLimitError
            self._connection.execute(
                "INSERT INTO series (tenant_no, device_no, type, unit, kind) VALUES (?,?,?,?,?)", key
            )
            row = (self._connection.last_insert_rowid(),)
            self._counts[tenant] += 1
            self._created.append(key)
        if len(self._ids) >= _SERIES_CACHE:
            self._ids.pop(next(iter(self._ids)))
        self._ids[key] = row[0]
        return int(row[0])

    def committed(self) -> None:
        self._created.clear()

    def forget(self, tenant: int) -> None:
        """Its series are gone, or will be."""
        for key in [key for key in self._ids if key[0] == tenant]:
            del self._ids[key]
        self._counts.pop(tenant, None)

    def rolled_back(self) -> None:
        """Forget what the rolled back transaction had created."""
        for key in self._created:
            self._ids.pop(key, None)
        self._created.clear()
        self._counts.clear()


class Claims:
    """Which messages of which gate incarnation are settled: everything up to `claimed`, and the set `ahead` of it."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._known: dict[bytes, tuple[int, frozenset[int]]] = {}

    def of(self, incarnation: bytes) -> tuple[int, frozenset[int]]:
        known = self._known.get(incarnation)
        if known is None:
            row = self._connection.execute(
                "SELECT claimed, ahead FROM message_claims WHERE incarnation=?", (incarnation,)
            ).fetchone()
            known = (row[0], frozenset(json.loads(row[1]))) if row else (0, frozenset())
        return known

    def claim(self, messages: Sequence[Message]) -> tuple[list[bool], dict[bytes, tuple[int, frozenset[int]]]]:
        """Write the claims of `messages`; per message whether it is new, and what to remember after the commit."""
        state: dict[bytes, tuple[int, set[int]]] = {}
        fresh = []
        for message in messages:
            if message.incarnation not in state:
                claimed, ahead = self.of(message.incarnation)
                state[message.incarnation] = (claimed, set(ahead))
            claimed, waiting = state[message.incarnation]
            new = message.sequence > claimed and message.sequence not in waiting
            fresh.append(new)
            if new:
                waiting.add(message.sequence)
                while claimed + 1 in waiting:
                    claimed += 1
                    waiting.discard(claimed)
                state[message.incarnation] = (claimed, waiting)
        if any(fresh):
            for incarnation, (claimed, waiting) in state.items():
                self._connection.execute(
                    "INSERT INTO message_claims VALUES (?,?,?) ON CONFLICT (incarnation)"
                    " DO UPDATE SET claimed=excluded.claimed, ahead=excluded.ahead",
                    (incarnation, claimed, json.dumps(sorted(waiting))),
                )
        return fresh, {incarnation: (claimed, frozenset(waiting)) for incarnation, (claimed, waiting) in state.items()}

    def remember(self, state: dict[bytes, tuple[int, frozenset[int]]]) -> None:
        self._known.update(state)


class Books(Counts):
    """Counts of one transaction, written once at its end."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__()
        self._connection = connection

    def write(self) -> None:
        self._connection.executemany(
            "INSERT INTO book_counts VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET count=count+excluded.count",
            ((*key, count) for key, count in self.by_minute.items()),
        )
        self._connection.executemany(
            "INSERT INTO book_totals VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET count=count+excluded.count",
            ((*key, count) for key, count in self.totals().items()),
        )


class Appender:
    """Settles messages in one transaction at a time."""

    def __init__(self, connection: apsw.Connection, series_limit: int) -> None:
        self._connection = connection
        self._series = Series(connection, series_limit)
        self.claims = Claims(connection)
        newest: Any = connection.execute(
            "SELECT max(stored_us, (SELECT ifnull(max(stored_us), 0) FROM telemetry_recent)) FROM telemetry_merge"
        ).fetchone()
        self._stored_us = int(newest[0])
        self._appended = 0
        counted: Any = connection.execute("SELECT count(*) FROM telemetry_recent").fetchone()
        self.recent_rows = int(counted[0])

    @contextmanager
    def transaction(self, *, commit: bool = True) -> Iterator[int]:
        """One transaction; yields its stored_us. Rolled back on an exception, or with `commit=False`."""
        connection = self._connection
        # The clock of the store never steps back, so that `asOf` is a line through the transactions.
        stored_us = max(time.time_ns() // 1000, self._stored_us + 1)
        self._appended = 0
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield stored_us
            connection.execute("COMMIT" if commit else "ROLLBACK")
        except BaseException:
            self._series.rolled_back()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if commit:
            self._series.committed()
            self._stored_us = stored_us
            self.recent_rows += self._appended
        else:
            self._series.rolled_back()

    def forget_series(self, tenant: int) -> None:
        """Look up, or create, the series of a tenant anew."""
        self._series.forget(tenant)

    def append(self, messages: Sequence[Message], *, commit: bool = True) -> list[Settlement]:
        """As `ports.events.EventStore.append` promises."""
        with self.transaction(commit=commit) as stored_us:
            fresh, claims = self.claims.claim(messages)
            verdicts = [
                [Verdicts(batch) for batch in message.batches] if new else []
                for message, new in zip(messages, fresh, strict=True)
            ]
            decided = list(chain.from_iterable(verdicts))
            self.decide(decided, stored_us)
            books = Books(self._connection)
            for verdict in decided:
                if verdict.reasons:
                    self._bury(verdict)
                books.settled(verdict)
            self._announce(message for message, new in zip(messages, fresh, strict=True) if new)
            books.write()
        if commit:
            self.claims.remember(claims)
        return [
            settlement_of(message_verdicts, stored_us) if new else Settlement((), redelivered=True)
            for message_verdicts, new in zip(verdicts, fresh, strict=True)
        ]

    def decide(self, verdicts: Sequence[Verdicts], stored_us: int) -> None:
        """Claim ids, tell duplicates and conflicts, and store the claimed, within the open transaction."""
        self._claim_ids(verdicts)
        self._appended += self._store(verdicts, stored_us)

    def _claim_ids(self, verdicts: Sequence[Verdicts]) -> None:
        """Claim event ids. Most batches hold nothing seen before: try that first, look closer only if it fails."""
        wanted = [
            (v.batch.tenant, key, meaning)
            for v in verdicts
            for index, (key, meaning) in enumerate(zip(v.batch.keys, v.batch.meanings, strict=True))
            if not v.reasons or index not in v.reasons
        ]
        if not wanted:
            return
        wanted.sort()
        connection = self._connection
        before = connection.total_changes()
        connection.execute("SAVEPOINT claim")
        insert_many(connection, _CLAIM, "(?,?,?)", wanted)
        all_new = connection.total_changes() - before == len(wanted)
        if not all_new:
            connection.execute("ROLLBACK TO claim")
        connection.execute("RELEASE claim")
        if not all_new:
            self._claim_one_by_one(verdicts, wanted)

    def _claim_one_by_one(self, verdicts: Sequence[Verdicts], wanted: Sequence[tuple[int, bytes, int]]) -> None:
        known: dict[tuple[int, bytes], int] = {}
        look_up = "SELECT meaning FROM event_ledger WHERE tenant_no=? AND event_key=?"
        for tenant, key, _ in wanted:
            row = self._connection.execute(look_up, (tenant, key)).fetchone()
            if row is not None:
                known[tenant, key] = row[0]
        claims = []
        for verdict in verdicts:
            batch = verdict.batch
            for index, (key, meaning) in enumerate(zip(batch.keys, batch.meanings, strict=True)):
                if index in verdict.reasons:
                    continue
                first = known.get((batch.tenant, key))
                if first is None:
                    known[batch.tenant, key] = meaning
                    claims.append((batch.tenant, key, meaning))
                elif first == meaning:
                    verdict.outcomes[index] = _DUPLICATE
                else:
                    verdict.reasons[index] = DeadReason.CONFLICT
        insert_many(self._connection, _CLAIM, "(?,?,?)", sorted(claims))

    def _store(self, verdicts: Sequence[Verdicts], stored_us: int) -> int:
        """Append one row per measurement of every claimed event; the number of rows."""
        rows: list[tuple[Any, ...]] = []
        series_id_of = self._series.id_of
        for verdict in verdicts:
            batch, outcomes, reasons = verdict.batch, verdict.outcomes, verdict.reasons
            tenant, received_us = batch.tenant, batch.received_us
            columns = zip(batch.keys, batch.texts, batch.devices, batch.recorded_us, batch.measurements, strict=True)
            for index, (key, text, device, recorded_us, measurements) in enumerate(columns):
                if outcomes[index] or (reasons and index in reasons):
                    continue
                try:
                    ids = [
                        series_id_of((tenant, device, kind_of, unit, kind)) for kind_of, unit, kind, _ in measurements
                    ]
                except SeriesLimitError:
                    reasons[index] = DeadReason.SERIES_LIMIT
                    self._release_id(tenant, key)
                    continue
                for series_id, (_, _, kind, value) in zip(ids, measurements, strict=True):
                    number, string = (None, value) if kind == Kind.STRING else (value, None)
                    rows.append((tenant, series_id, recorded_us, key, received_us, stored_us, number, string, text))
        insert_many(self._connection, _APPEND, _ROW, rows)
        return len(rows)

    def _release_id(self, tenant: int, key: bytes) -> None:
        """A dead letter does not claim its id."""
        self._connection.execute("DELETE FROM event_ledger WHERE tenant_no=? AND event_key=?", (tenant, key))

    def _bury(self, verdict: Verdicts) -> None:
        batch = verdict.batch
        for index, reason in list(verdict.reasons.items()):
            before = self._connection.total_changes()
            self._connection.execute(
                "INSERT OR IGNORE INTO dead_letters (tenant_no, event_key, meaning, reason, detail, event_text,"
                " device_id, received_us, body, state) VALUES (?,?,?,?,?,?,?,?,?,'dead')",
                (
                    batch.tenant,
                    batch.keys[index],
                    batch.meanings[index],
                    str(reason),
                    detail_of(reason),
                    batch.texts[index],
                    batch.device_ids[index],
                    batch.received_us,
                    json.dumps(batch.body(index), ensure_ascii=False),
                ),
            )
            if self._connection.total_changes() == before:
                # The same letter lies here already: this is its repetition.
                verdict.outcomes[index] = _DUPLICATE
                del verdict.reasons[index]
            else:
                verdict.outcomes[index] = _DEAD

    def _announce(self, messages: Iterable[Message]) -> None:
        """Keep the gates' running totals; the largest seen is the newest."""
        totals, minutes = announced(messages)
        self._connection.executemany(
            "INSERT INTO gate_totals VALUES (?,?,?) ON CONFLICT DO UPDATE SET total=max(total, excluded.total)",
            ((*key, total) for key, total in totals.items()),
        )
        self._connection.executemany(
            "INSERT INTO gate_minutes VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET total=max(total, excluded.total)",
            ((*key, total) for key, total in minutes.items()),
        )
