"""The gate's running totals: every message carries what its tenant was acknowledged, itself included."""

from __future__ import annotations

from telemetry_slice.flow.gate.totals import Totals
from telemetry_slice.model.events import EventBatch, TenantNo
from telemetry_slice.model.placement import Placement
from telemetry_slice.model.times import MINUTE_US

ACME, BETA = TenantNo(1), TenantNo(2)


def batch(tenant: TenantNo, received_us: int, events: int) -> EventBatch:
    return EventBatch(tenant, received_us, keys=[bytes(16)] * events)


def carried(totals: Totals, tenant: TenantNo, received_us: int, events: int) -> tuple[int, int, int]:
    message = totals.message(batch(tenant, received_us, events), wants_outcome=False)
    return message.sequence, message.batches[0].total, message.batches[0].minute_total


def test_totals_run_per_tenant_and_per_minute():
    """A minute that comes back after it was left goes on where it was."""
    totals = Totals()
    assert carried(totals, ACME, 0, 3) == (1, 3, 3)
    assert carried(totals, BETA, 0, 1) == (2, 1, 1)
    assert carried(totals, ACME, MINUTE_US, 2) == (3, 5, 2)
    assert carried(totals, ACME, MINUTE_US - 1, 4) == (4, 9, 7)
    assert carried(totals, ACME, MINUTE_US + 1, 1) == (5, 10, 3)
    assert (totals.accepted(ACME), totals.accepted(BETA)) == (10, 1)


def test_each_placement_has_numbers_of_its_own():
    """They are claimed where the placement is, so they must have no gaps there."""
    totals = Totals()
    own = Placement("tenant_beta")
    first = totals.message(batch(ACME, 0, 1), wants_outcome=False)
    apart = totals.message(batch(BETA, 0, 2), wants_outcome=False, placement=own)
    refused = totals.message(batch(BETA, 0, 2), wants_outcome=False, placement=own)
    second = totals.message(batch(ACME, 0, 1), wants_outcome=False)
    totals.take_back(refused)
    again = totals.message(batch(BETA, 0, 3), wants_outcome=False, placement=own)
    assert [each.sequence for each in (first, second)] == [each.sequence for each in (apart, again)] == [1, 2]
    assert first.incarnation == second.incarnation == totals.incarnation_of(ACME) == totals.incarnation
    assert apart.incarnation == again.incarnation == totals.incarnation_of(BETA) != totals.incarnation
    assert (again.placement, again.batches[0].total) == (own, 5)


def test_a_message_that_the_queue_refused_leaves_no_trace():
    """Its number and its counts go to the next."""
    totals = Totals()
    carried(totals, ACME, 0, 3)
    refused = totals.message(batch(ACME, 0, 5), wants_outcome=False)
    totals.take_back(refused)
    assert carried(totals, ACME, 0, 1) == (2, 4, 4)


def test_refusals_that_could_not_be_kept_are_not_lost():
    """Taken to be written, given back when the store did not answer."""
    totals = Totals()
    totals.reject(ACME, MINUTE_US + 5, "invalid", 2)
    taken = totals.take_rejected()
    assert taken == [(ACME, MINUTE_US, "invalid", 2)]
    assert not totals.rejected(ACME, None, None)
    totals.restore_rejected(taken)
    totals.reject(ACME, MINUTE_US, "invalid")
    assert totals.rejected(ACME, None, None) == {"invalid": 3}
    assert not totals.rejected(ACME, 2 * MINUTE_US, None)
    assert not totals.rejected(BETA, None, None)
