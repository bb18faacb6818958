"""The rows of claimed events as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...model.events import EventBatch, Kind
from ..sql.settling import Verdicts
from .arrays import float8s, int4_runs, int4s, int8_runs, int8s, texts, uuids
from .series import SeriesKey


class Rows:
    """One row per measurement of every event that is to be stored; `ids` knows all of their series.

    Raises KeyError for a series that `ids` does not know.

    Attributes:
        newest_us: series id → when the series received its last reading of these.
    """

    def __init__(self, verdicts: Sequence[Verdicts], ids: Mapping[SeriesKey, int]) -> None:
        self._ids = ids
        self._tenants: list[tuple[int, int]] = []
        self._received: list[tuple[int, int]] = []
        self._series: list[int] = []
        self._recorded: list[int] = []
        self._keys: list[bytes] = []
        self._numbers: list[float | str | None] = []
        self._strings: list[str | None] = []
        self._event_texts: list[str | None] = []
        self.newest_us: dict[int, int] = {}
        for verdict in verdicts:
            before = len(self._series)
            # Most batches are new as a whole, one measurement an event: taken by columns in a third of the time.
            whole = not verdict.reasons and not any(verdict.outcomes)
            if not (whole and self._take_columns(verdict.batch)):
                self._take_events(verdict)
            batch = verdict.batch
            added = self._series[before:]
            self._tenants.append((batch.tenant, len(added)))
            self._received.append((batch.received_us, len(added)))
            for series in added:
                if batch.received_us > self.newest_us.get(series, 0):
                    self.newest_us[series] = batch.received_us

    def _take_columns(self, batch: EventBatch) -> bool:
        """Take a batch whose events have one number or boolean each; False, with nothing taken, if it is not so."""
        if max(map(len, batch.measurements), default=0) != 1:
            return False
        measurements = [only for (only,) in batch.measurements]
        if Kind.STRING in {measurement[2] for measurement in measurements}:
            return False
        ids, tenant = self._ids, batch.tenant
        self._series += [
            ids[tenant, device, m[0], m[1], m[2]] for device, m in zip(batch.devices, measurements, strict=True)
        ]
        self._recorded += batch.recorded_us
        self._keys += batch.keys
        self._numbers += [m[3] for m in measurements]
        self._strings += [None] * len(measurements)
        self._event_texts += batch.texts
        return True

    def _take_events(self, verdict: Verdicts) -> None:
        ids, batch, outcomes, reasons = self._ids, verdict.batch, verdict.outcomes, verdict.reasons
        columns = zip(batch.keys, batch.texts, batch.devices, batch.recorded_us, batch.measurements, strict=True)
        for index, (key, text, device, recorded_us, measurements) in enumerate(columns):
            if outcomes[index] or index in reasons:
                continue
            for kind_of, unit, kind, value in measurements:
                self._series.append(ids[batch.tenant, device, kind_of, unit, kind])
                self._recorded.append(recorded_us)
                self._keys.append(key)
                self._event_texts.append(text)
                is_string = kind == Kind.STRING
                self._numbers.append(None if is_string else value)
                self._strings.append(str(value) if is_string else None)

    def columns(self) -> tuple[bytes, ...]:
        """tenant_no, series_id, recorded_us, event_key, received_us, number, text, event_text as arrays."""
        return (
            int4_runs(self._tenants),
            int4s(self._series),
            int8s(self._recorded),
            uuids(self._keys),
            int8_runs(self._received),
            float8s(self._numbers),  # type: ignore[arg-type]
            texts(self._strings),
            texts(self._event_texts),
        )
