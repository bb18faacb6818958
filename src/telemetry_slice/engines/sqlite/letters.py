"""Changing dead letters, each change in one transaction with the books. Runs in the writer child."""

from __future__ import annotations

import json
from typing import Any

import apsw

from ...model.events import EventBatch, Outcome, Settlement, TenantNo
from ..sql.settling import Verdicts, detail_of, settlement_of
from .append import Appender, Books

_OPEN = "id=? AND tenant_no=? AND state='dead'"


class Letters:
    """Mend, replay and discard."""

    def __init__(self, connection: apsw.Connection, appender: Appender) -> None:
        self._connection = connection
        self._appender = appender

    def _change(self, assignments: str, values: tuple[object, ...], tenant: TenantNo, letter_id: int) -> bool:
        before = self._connection.total_changes()
        self._connection.execute(
            f"UPDATE OR IGNORE dead_letters SET {assignments} WHERE {_OPEN}",
            (*values, letter_id, tenant),
        )
        return self._connection.total_changes() > before

    def open_counts(self) -> list[tuple[int, int]]:
        """How many open letters each tenant has."""
        counted: list[Any] = self._connection.execute(
            "SELECT tenant_no, count(*) FROM dead_letters WHERE state='dead' GROUP BY tenant_no"
        ).fetchall()
        return counted

    def mend(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> bool:
        """As `ports.events.DeadLetters.mend`; whether there was such a letter."""
        with self._appender.transaction():
            return self._change(
                "event_key=?, meaning=?, event_text=?, device_id=?, body=?",
                (
                    event.keys[0],
                    event.meanings[0],
                    event.texts[0],
                    event.device_ids[0],
                    json.dumps(event.body(0), ensure_ascii=False),
                ),
                tenant,
                letter_id,
            )

    def discard(self, tenant: TenantNo, letter_id: int) -> bool:
        """As `ports.events.DeadLetters.discard`."""
        with self._appender.transaction():
            return self._change("state='discarded'", (), tenant, letter_id)

    def replay(self, tenant: TenantNo, letter_id: int, event: EventBatch) -> Settlement | None:
        """As `ports.events.DeadLetters.replay`."""
        with self._appender.transaction() as stored_us:
            letter = self._connection.execute(
                f"SELECT reason, received_us FROM dead_letters WHERE {_OPEN}",
                (letter_id, tenant),
            ).fetchone()
            if letter is None:
                return None
            reason, event.received_us = letter
            verdict = Verdicts(event)
            self._appender.decide([verdict], stored_us)
            books = Books(self._connection)
            again = verdict.reasons.get(0)
            if again is None:
                self._change("state='replayed'", (), tenant, letter_id)
                entry = "stored" if verdict.outcomes[0] == Outcome.STORED else "duplicate"
                books.bump(tenant, event.received_us, entry, "", 1)
            else:
                verdict.outcomes[0] = Outcome.DEAD
                moved = self._change("reason=?, detail=?", (str(again), detail_of(again)), tenant, letter_id)
                if not moved:
                    # Another letter already says the same of this event: this one is its repetition.
                    self._change("state='replayed'", (), tenant, letter_id)
                    verdict.outcomes[0] = Outcome.DUPLICATE
                    verdict.reasons.clear()
                    books.bump(tenant, event.received_us, "duplicate", "", 1)
                else:
                    books.bump(tenant, event.received_us, "dead", str(again), 1)
            books.bump(tenant, event.received_us, "dead", reason, -1)
            books.write()
            return settlement_of([verdict], stored_us)
