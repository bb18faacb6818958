"""A chain of hashes notices whatever is done to it: tried on chains and harms made at random."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_slice.flow.audit import verify
from telemetry_slice.model.audit import (
    FIRST_HASH,
    Actor,
    ActorKind,
    AuditEntry,
    AuditOutcome,
    AuditRecord,
    ChainCheck,
    hash_after,
    shown,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ENTRIES = st.builds(
    AuditEntry,
    st.integers(0, 2**53),
    st.builds(Actor, st.sampled_from(ActorKind), TEXT, TEXT),
    TEXT,
    TEXT,
    TEXT,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | TEXT,
    st.sampled_from(AuditOutcome),
    st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-9, 9) | TEXT, max_size=3),
)


def chained(entries):
    records, hash_ = [], FIRST_HASH
    for sequence, entry in enumerate(entries, 1):
        hash_ = hash_after(hash_, sequence, entry)
        records.append(AuditRecord(sequence, entry, hash_))
    return records


def fault(records, head):
    check = ChainCheck()
    check.read(records)
    check.end(*head)
    return check.fault


def harmed(draw, records):
    """What somebody has made of a chain."""
    records = list(records)
    at = draw(st.integers(0, len(records) - 1))
    match draw(st.sampled_from(["change", "rehash", "remove", "insert", "move", "renumber"])):
        case "change":
            name = draw(st.sampled_from([field.name for field in dataclasses.fields(AuditEntry)]))
            other = draw(ENTRIES)
            changed = dataclasses.replace(records[at].entry, **{name: getattr(other, name)})
            records[at] = dataclasses.replace(records[at], entry=changed)
        case "rehash":
            # By somebody who knows how hashes are made, and makes one anew.
            entry, before = draw(ENTRIES), records[at - 1].hash if at else FIRST_HASH
            records[at] = AuditRecord(at + 1, entry, hash_after(before, at + 1, entry))
        case "remove":
            del records[at]
        case "insert":
            records.insert(at, dataclasses.replace(records[at], entry=draw(ENTRIES)))
        case "move":
            records.insert(draw(st.integers(0, len(records) - 1)), records.pop(at))
        case "renumber":
            del records[at]
            records = [dataclasses.replace(record, sequence=number) for number, record in enumerate(records, 1)]
    return records


@settings(max_examples=400, deadline=None, print_blob=True)
@given(st.data())
def test_whatever_is_changed_removed_inserted_or_moved_is_noticed(data):
    records = chained(data.draw(st.lists(ENTRIES, min_size=1, max_size=6)))
    head = records[-1].sequence, records[-1].hash
    assert fault(records, head) is None
    other = harmed(data.draw, records)
    assert (fault(other, head) is None) == (other == records)


@settings(max_examples=100, deadline=None)
@given(st.lists(ENTRIES, min_size=2, max_size=5))
def test_without_the_hash_before_a_changed_record_would_pass(entries):
    """The negative control: hashes of the records alone say nothing of their neighbours."""
    records = [AuditRecord(n, entry, hash_after(FIRST_HASH, n, entry)) for n, entry in enumerate(entries, 1)]
    assert all(record.hash == hash_after(FIRST_HASH, record.sequence, record.entry) for record in records)
    assert fault(records, (records[-1].sequence, records[-1].hash)) is not None


def test_the_spelling_that_is_hashed_is_frozen():
    actor = Actor(ActorKind.USER, "u1", "änn")
    entry = AuditEntry(1, actor, "issue", "keys", "k", None, "::1", None, AuditOutcome.DONE, {"b": None, "a": True})
    assert hash_after(FIRST_HASH, 1, entry).hex() == GOLDEN


GOLDEN = "e9535ed75e6c4e37121386574c5de80ea69d9a63f073c50300d85df9e3c8d3af"


@pytest.mark.parametrize("harm", ["UPDATE", "DELETE first", "DELETE last", "INSERT", "append"])
async def test_a_registry_that_was_tampered_with_is_found_out(registry, acme, harm):
    """By somebody who may do everything to the file."""
    actor = Actor(ActorKind.CONSOLE, "console", "")
    for n in range(5):
        entry = AuditEntry(n, actor, "a", "r", str(n), None, None, None, AuditOutcome.DONE, {})
        await registry.audit.append(acme.no, entry)
    assert (await verify(registry.audit, acme.no)).fault is None
    copy = "INSERT INTO audit SELECT tenant_no, {}, at_us, 'user', '', '', action, resource, target, NULL, NULL, NULL,"
    copy += " outcome, detail, hash FROM audit WHERE sequence = 5"
    statement = {
        "UPDATE": "UPDATE audit SET target = 'x' WHERE sequence = 3",
        "DELETE first": "DELETE FROM audit WHERE sequence = 1",
        "DELETE last": "DELETE FROM audit WHERE sequence = 5",
        "INSERT": copy.format(0),
        "append": copy.format(6),
    }[harm]
    with registry.database.writer.begin() as connection:
        for trigger in ("audit_no_update", "audit_no_delete", "audit_head"):
            connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        connection.exec_driver_sql(statement)
    assert (await verify(registry.audit, acme.no)).fault is not None


def test_what_comes_from_outside_is_shown_harmless():
    assert shown("a\x00b\nc\u202ed" + "x" * 500) == "a\ufffdb\ufffdc\ufffdd" + "x" * 193
