"""Changing dead letters, each change in one transaction with the books."""

from __future__ import annotations

import json
from typing import LiteralString

from psycopg import Connection
from psycopg.errors import UniqueViolation

from ...model.events import EventBatch, Outcome, Settlement, TenantNo
from ..sql.settling import Counts, Verdicts, detail_of, settlement_of
from .append import Appender
from .arrays import Uuids, uuids
from .counters import write_counts
from .transaction import Session, transaction


class Letters:
    """Mend, replay and discard."""

    def __init__(self, appender: Appender) -> None:
        self._appender = appender

    def mend(self, connection: Session, tenant: TenantNo, letter_id: int, event: EventBatch) -> bool:
        """As `ports.events.DeadLetters.mend`; whether there was such a letter."""
        values = (
            _key(event),
            event.meanings[0],
            event.texts[0],
            event.device_ids[0],
            json.dumps(event.body(0), ensure_ascii=False),
        )
        with transaction(connection, [tenant]):
            return _change(
                connection,
                "event_key = (%s::uuid[])[1], meaning = %s, event_text = %s, device_id = %s, body = %s",
                values,
                tenant,
                letter_id,
            )

    def discard(self, connection: Session, tenant: TenantNo, letter_id: int) -> bool:
        """As `ports.events.DeadLetters.discard`."""
        with transaction(connection, [tenant]):
            return _change(connection, "state = 'discarded'", (), tenant, letter_id)

    def replay(self, connection: Session, tenant: TenantNo, letter_id: int, event: EventBatch) -> Settlement | None:
        """As `ports.events.DeadLetters.replay`."""
        with transaction(connection, [tenant]):
            letter = connection.execute(
                "SELECT reason, received_us FROM dead_letters"
                " WHERE id = %s AND tenant_no = %s AND state = 'dead' FOR UPDATE",
                (letter_id, tenant),
            ).fetchone()
            if letter is None:
                return None
            reason, event.received_us = letter
            verdict = Verdicts(event)
            stored_us, learnt = self._appender.decide(connection, [verdict])
            counts = Counts()
            again = verdict.reasons.get(0)
            if again is None:
                _change(connection, "state = 'replayed'", (), tenant, letter_id)
            else:
                verdict.outcomes[0] = Outcome.DEAD
                values = (str(again), detail_of(again))
                if not _change(connection, "reason = %s, detail = %s", values, tenant, letter_id):
                    # Another letter already says the same of this event: this one is its repetition.
                    _change(connection, "state = 'replayed'", (), tenant, letter_id)
                    verdict.outcomes[0] = Outcome.DUPLICATE
                    verdict.reasons.clear()
            counts.settled(verdict)
            counts.bump(tenant, event.received_us, "dead", reason, -1)
            write_counts(connection, counts)
        self._appender.remember(learnt)
        return settlement_of([verdict], stored_us)


def _key(event: EventBatch) -> Uuids:
    return uuids(event.keys[:1])


def _change(
    connection: Connection, assignments: LiteralString, values: tuple[object, ...], tenant: TenantNo, letter_id: int
) -> bool:
    """Change an open letter; False if there is none, or if another says the same already."""
    statement: LiteralString = (
        "UPDATE dead_letters SET " + assignments + " WHERE id = %s AND tenant_no = %s AND state = 'dead'"
    )
    try:
        with connection.transaction():
            return connection.execute(statement, (*values, letter_id, tenant)).rowcount > 0
    except UniqueViolation:
        return False
