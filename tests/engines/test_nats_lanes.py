"""Several lanes of one gate: each placement database has its own, with a bound of its own."""

import pytest
from tests.engines.nats_lanes import ACME, BETA, drain, lane_of, message

from telemetry_slice.engines.nats.lanes import Lanes
from telemetry_slice.engines.nats.queue import JetStreamQueue
from telemetry_slice.model.errors import QueueFullError, UnavailableError
from telemetry_slice.model.placement import Placement

ONE = Placement(database="one")


def to(placement, number, tenant):
    sent = message(number, 50, tenant, bytes(16) if placement == ONE else b"gate" * 4)
    sent.placement = placement
    return sent


async def test_a_full_lane_refuses_its_own_tenants_alone(nats_server):
    shared = JetStreamQueue(lane_of(nats_server))
    own = JetStreamQueue(lane_of(nats_server, max_packs=3))
    lanes = Lanes({None: shared, "one": own})
    await lanes.start()
    try:
        kept = []
        with pytest.raises((QueueFullError, UnavailableError)):
            for number in range(1, 100):
                await lanes.put(to(ONE, number, BETA))
                kept.append(number)
        assert kept == [1, 2, 3]
        with pytest.raises(QueueFullError):
            await lanes.put(to(ONE, 5, BETA))
        for number in range(1, 21):
            await lanes.put(to(Placement("tenant_acme"), number, ACME))
        # What the full lane has not taken yet is held by the gate, and follows.
        held = {(each.incarnation[:4], each.sequence) for each in await lanes.held()}
        assert held == {(b"gate", n) for n in range(1, 21)} | {(bytes(4), n) for n in range(1, 5)}
        assert await drain(shared, range(1, 21)) == [*range(1, 21)]
        assert await drain(own, range(1, 5)) == [*range(1, 5)]
        with pytest.raises(QueueFullError):
            await lanes.put(to(Placement(database="nobody's"), 1, ACME))
    finally:
        await lanes.close()
