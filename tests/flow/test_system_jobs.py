"""What an installation does by itself is in its audit, as done by a system job."""

import asyncio

import pytest

from telemetry_slice.flow import history
from telemetry_slice.flow.audit import Auditor
from telemetry_slice.model.audit import INSTALLATION, ActorKind, actor_of
from telemetry_slice.model.tenancy import Duty, SystemJob
from telemetry_slice.runtime.jobs import Jobs

DAY_S = 86_400
PERIOD_US = 30 * DAY_S * 1_000_000


@pytest.fixture
def jobs(registry, clock):
    return Jobs(Auditor(registry.audit, monotonic=clock.monotonic), clock)


@pytest.fixture
def told(registry):
    """A function that reads what the installation's audit says, oldest first."""

    async def read():
        records = await registry.audit.after(INSTALLATION, sequence=0, limit=100)
        assert {record.entry.actor.kind for record in records} <= {ActorKind.SYSTEM}
        entries = [record.entry for record in records]
        return [(each.actor.id, each.action, each.resource, each.target, dict(each.detail)) for each in entries]

    return read


async def test_keys_that_follow_one_another_are_told(jobs, told, access, clock):
    await access.jwks()
    await jobs.rotate(access.signers, PERIOD_US)
    following = (await access.jwks())["keys"][-1]["kid"]
    assert await told() == [("signing keys", "publish", "signing keys", following, {})]
    await jobs.rotate(access.signers, PERIOD_US)
    assert len(await told()) == 1, "nothing was done, nothing is told"
    clock.advance(DAY_S + 16 * 60)
    await jobs.rotate(access.signers, PERIOD_US)
    assert (await told())[1:] == [("signing keys", "forget", "signing keys", "", {"keys": 1})]


async def test_rows_that_were_filled_in_are_told(jobs, told):
    left = [2, 3, 0]

    async def step():
        return left.pop(0)

    await jobs.fill(step)
    assert await told() == [("backfill", "fill in", "rows", "", {"rows": 5})]
    left.append(0)
    await jobs.fill(step)
    assert len(await told()) == 1


class Expiring:
    """A store whose readings grow old."""

    def __init__(self, *steps):
        self.steps = list(steps)

    async def expire(self, _before_us, _tenant=None):
        return self.steps.pop(0) if self.steps else 0


async def test_readings_that_were_deleted_are_told_once_a_day(jobs, told, clock, monkeypatch):
    monkeypatch.setattr(history, "RETENTION_EVERY_S", 0.01)
    store = Expiring(4, 3, 0)
    task = asyncio.create_task(jobs.retention(store, 30)())
    told_of = ("retention", "delete", "readings", "")
    async with asyncio.timeout(30):
        while not await told():
            await asyncio.sleep(0.01)
        store.steps += [5, 0, 6, 0]
        while store.steps:
            await asyncio.sleep(0.01)
        assert await told() == [(*told_of, {"days": 30, "events": 7})]
        clock.advance(DAY_S)
        while len(await told()) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    assert (await told())[1:] == [(*told_of, {"days": 30, "events": 11})]


def test_a_system_job_is_an_actor_of_its_own():
    assert {actor_of(SystemJob(duty)).id for duty in Duty} == set(Duty)
