"""Bodies into events: what is refused and why, what its neighbours have from it (nothing), and what it may cost."""

import json
import random
import sys
import time
import tracemalloc
from contextlib import contextmanager

import pytest

from telemetry_slice.flow.gate import decode as decoding
from telemetry_slice.flow.gate.decode import decode
from telemetry_slice.flow.gate.validate import validate
from telemetry_slice.model.errors import Code, SliceError
from telemetry_slice.model.events import RejectCode, TenantNo

MIB = 1 << 20
LARGEST = 8 * MIB
GOOD = b'{"eventId":"good","deviceId":"d","recordedAt":1780000000000,"type":"t","value":1}'
GOOD_V2 = b'{"eventId":"good","deviceId":"d","recordedAt":1780000000000,"measurements":{"t":1}}'


def read(body, version=1, *, ndjson=False, max_events=1000):
    return decode(body, version, ndjson=ndjson, max_events=max_events)


def refused(body, version=1, **more):
    with pytest.raises(SliceError) as refusal:
        read(body, version, **more)
    return refusal.value


def judged(body, version=1, **more):
    """(ids of the accepted, rejected) after all checks of the gate."""
    decoded = read(body, version, **more)
    batch, _ = validate(TenantNo(1), "acme", decoded, {"d": 1}, 1_780_000_000_000_000)
    for rejected in decoded.rejected:
        assert rejected.detail
        json.dumps([rejected.event_id, rejected.detail, rejected.pointer], ensure_ascii=False).encode()
    return [batch.event_id(index) for index in range(len(batch))], decoded.rejected


def v1(**changes):
    return json.dumps({**json.loads(GOOD), "eventId": "bad", **changes}).encode()


def v2(measurements):
    return json.dumps({**json.loads(GOOD_V2), "eventId": "bad", "measurements": measurements}).encode()


MALFORMED, INVALID, TOO_LARGE = RejectCode.MALFORMED, RejectCode.INVALID, RejectCode.TOO_LARGE
BAD = {
    "empty object": (1, b"{}", INVALID, "/eventId"),
    "a number": (1, b"5", INVALID, ""),
    "a text": (1, b'"x"', INVALID, ""),
    "null": (1, b"null", INVALID, ""),
    "a list": (1, b"[1]", INVALID, ""),
    "id of another type": (1, v1(eventId=7), INVALID, "/eventId"),
    "no id": (1, v1(eventId=None), INVALID, "/eventId"),
    "empty id": (1, v1(eventId=""), INVALID, "/eventId"),
    "long id": (1, v1(eventId="x" * 129), INVALID, "/eventId"),
    "control character": (1, v1(eventId="a\nb"), INVALID, "/eventId"),
    "NUL": (1, v1(eventId="a\x00"), INVALID, "/eventId"),
    "C1 control": (1, v1(eventId="a\x85"), INVALID, "/eventId"),
    "device of another type": (1, v1(deviceId=[]), INVALID, "/deviceId"),
    "empty device": (1, v1(deviceId=""), INVALID, "/deviceId"),
    "unknown device": (1, v1(deviceId="nobody"), RejectCode.UNKNOWN_DEVICE, "/deviceId"),
    "foreign tenant": (1, v1(customerId="beta"), RejectCode.FOREIGN_TENANT, "/customerId"),
    "tenant of another type": (1, v1(customerId=1), INVALID, "/customerId"),
    "time without offset": (1, v1(recordedAt="2026-01-01T00:00:00"), INVALID, "/recordedAt"),
    "no time": (1, v1(recordedAt="soon"), INVALID, "/recordedAt"),
    "no such day": (1, v1(recordedAt="2026-02-30T00:00:00Z"), INVALID, "/recordedAt"),
    "fraction of a millisecond": (1, v1(recordedAt=1.5), INVALID, "/recordedAt"),
    "boolean time": (1, v1(recordedAt=True), INVALID, "/recordedAt"),
    "time out of range": (1, v1(recordedAt=10**16), INVALID, "/recordedAt"),
    "time beyond 64 bits": (1, v1(recordedAt=10**30), INVALID, "/recordedAt"),
    "value as text": (1, v1(value="1"), INVALID, "/value"),
    "value as boolean": (1, v1(value=True), INVALID, "/value"),
    "value null": (1, v1(value=None), INVALID, "/value"),
    "NaN": (1, v1(value=float("nan")), MALFORMED, "/value"),
    "Infinity": (1, v1(value=float("inf")), MALFORMED, "/value"),
    "-Infinity": (1, v1(value=float("-inf")), MALFORMED, "/value"),
    "beyond a double": (1, GOOD.replace(b":1}", b":1e400}"), INVALID, "/value"),
    "huge integer": (1, GOOD.replace(b":1}", b":" + b"9" * 5000 + b"}"), INVALID, "/value"),
    "leading zero": (1, GOOD.replace(b":1}", b":01}"), MALFORMED, ""),
    "hexadecimal": (1, GOOD.replace(b":1}", b":0x1}"), MALFORMED, ""),
    "empty type": (1, v1(type=""), INVALID, "/type"),
    "long type": (1, v1(type="x" * 65), INVALID, "/type"),
    "long unit": (1, v1(unit="x" * 33), INVALID, "/unit"),
    "empty unit": (1, v1(unit=""), INVALID, "/unit"),
    "repeated key": (1, GOOD[:-1] + b',"value":2}', INVALID, "/value"),
    "repeated escaped key": (1, GOOD[:-1] + b',"v\\u0061lue":2}', INVALID, "/value"),
    "repeated unknown key": (1, GOOD[:-1] + b',"x":1,"x":1}', INVALID, "/x"),
    "repeated key of half a character": (1, GOOD[:-1] + b',"\\ud800":1,"\\ud800":1}', INVALID, "/?"),
    "lone surrogate": (1, GOOD.replace(b'"d"', b'"\\ud800"'), MALFORMED, ""),
    "not UTF-8": (1, GOOD.replace(b'"d"', b'"\xff"'), MALFORMED, ""),
    "overlong UTF-8": (1, GOOD.replace(b'"d"', b'"\xc0\xaf"'), MALFORMED, ""),
    "UTF-8 of a surrogate": (1, GOOD.replace(b'"d"', b'"\xed\xa0\x80"'), MALFORMED, ""),
    "not UTF-8, in an unknown field": (1, GOOD[:-1] + b',"x":"\xff"}', MALFORMED, ""),
    "control character within a text": (1, GOOD.replace(b'"d"', b'"d\n"'), MALFORMED, ""),
    "bad escape": (1, GOOD.replace(b'"d"', b'"\\x64"'), MALFORMED, ""),
    "single quotes": (1, GOOD.replace(b'"d"', b"'d'"), MALFORMED, ""),
    "no colon": (1, b'{"eventId" "x"}', MALFORMED, ""),
    "trailing comma": (1, GOOD[:-1] + b",}", MALFORMED, ""),
    "comment": (1, GOOD[:-1] + b" /* */}", MALFORMED, ""),
    "deep": (1, GOOD[:-1] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", MALFORMED, ""),
    "deep objects": (1, GOOD[:-1] + b',"x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}", MALFORMED, ""),
    "a large event": (1, GOOD[:-1] + b',"x":"' + b"x" * 70_000 + b'"}', TOO_LARGE, ""),
    "no measurement": (2, v2({}), INVALID, "/measurements"),
    "measurements of another type": (2, v2([1]), INVALID, "/measurements"),
    "too many measurements": (2, v2({f"t{n}": n for n in range(257)}), INVALID, "/measurements"),
    "null measurement": (2, v2({"ok": 1, "a/b~c": None}), INVALID, "/measurements/a~1b~0c"),
    "list as measurement": (2, v2({"ok": 1, "x": [1]}), INVALID, "/measurements/x"),
    "null value": (2, v2({"ok": 1, "x": {"value": None}}), INVALID, "/measurements/x/value"),
    "no value": (2, v2({"ok": 1, "x": {"unit": "C"}}), INVALID, "/measurements/x/value"),
    "unit of another type": (2, v2({"ok": 1, "x": {"value": 1, "unit": 2}}), INVALID, "/measurements/x/unit"),
    "long unit of a measurement": (2, v2({"x": {"value": 1, "unit": "x" * 33}}), INVALID, "/measurements/x/unit"),
    "NaN as measurement": (2, v2({"ok": 1, "x": float("nan")}), MALFORMED, "/measurements/x"),
    "Infinity as value": (2, v2({"x": {"value": float("inf")}}), MALFORMED, "/measurements/x/value"),
    "measurement beyond a double": (2, v2({"x": 1}).replace(b": 1}", b": 1e999}"), INVALID, "/measurements/x"),
    "empty name": (2, v2({"": 1}), INVALID, "/measurements/"),
    "long name": (2, v2({"x" * 65: 1}), INVALID, "/measurements/" + "x" * 65),
    "name of half a character": (2, v2({"ok": None, "\ud800": None}), INVALID, "/measurements/ok"),
    "repeated measurement": (2, GOOD_V2.replace(b'"t":1', b'"t":1,"t":1'), INVALID, "/t"),
    "long text": (2, v2({"x": "y" * 1025}), INVALID, "/measurements/x"),
    "NUL in a text": (2, v2({"x": "a\x00"}), INVALID, "/measurements/x"),
}


SHAPES = ("array", "envelope", "escaped envelope", "ndjson")


@pytest.mark.parametrize(
    ("name", "shape"),
    # A line end within an event ends it where lines are events.
    [(name, shape) for name in BAD for shape in SHAPES if shape != "ndjson" or b"\n" not in BAD[name][1]],
)
def test_a_bad_event_has_its_reason_and_its_neighbours_are_taken(name, shape):
    version, bad, code, pointer = BAD[name]
    good = GOOD if version == 1 else GOOD_V2
    if shape == "ndjson":
        body = b"\n".join((good, bad, good))
    else:
        array = b"[" + b",".join((good, bad, good)) + b"]"
        key = b"\\u0065vents" if shape == "escaped envelope" else b"events"
        body = array if shape == "array" else b'{"' + key + b'":' + array + b"}"
    accepted, rejected = judged(body, version, ndjson=shape == "ndjson")
    assert accepted == ["good", "good"]
    assert [(each.index, each.code, each.pointer) for each in rejected] == [(1, code, pointer)], rejected


@pytest.mark.parametrize(
    ("version", "body", "detail"),
    [
        (1, GOOD.replace(b":1}", b":null}"), "value: expected a number, got null"),
        (
            1,
            GOOD.replace(b"1780000000000", b"1.5"),
            "recordedAt: expected a whole number or an RFC 3339 time, got a number",
        ),
        (1, GOOD.replace(b'"d"', b"5"), "deviceId: expected a text, got a whole number"),
        (2, v2({"x": [1]}), "measurements.x: expected true or false, a number, a text or an object, got a list"),
        (2, v2({"x": {"value": 1, "unit": 2}}), "measurements.x.unit: expected a text or null, got a whole number"),
    ],
)
def test_a_wrong_type_is_told_in_words(version, body, detail):
    [rejected] = decode(body, version, ndjson=False, max_events=10).rejected
    assert rejected.detail == detail


@pytest.mark.parametrize("name", [name for name in BAD if BAD[name][1][:1] == b"{"])
def test_a_bad_event_alone_has_the_same_reason(name):
    version, bad, code, pointer = BAD[name]
    accepted, rejected = judged(bad, version)
    assert (accepted, [(each.code, each.pointer) for each in rejected]) == ([], [(code, pointer)])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \r\n",
        b"hello",
        b"[" + GOOD,
        GOOD[:-9],
        b"[" + GOOD + b"," + GOOD[:-9],
        b'{"events":[' + GOOD,
        GOOD + b"x",
        GOOD + GOOD,
        b"[" + GOOD + b"]]",
        b"[" + GOOD + b",]",
        b"[," + GOOD + b"]",
        b"]",
        b'{"events":[],"events":[' + GOOD + b"]}",
        b'{"events":[],"\\u0065vents":[' + GOOD + b"]}",
        b'{"events" [' + GOOD + b"]}",
        b'{"events":}',
        b'{5:[],"events":[' + GOOD + b"],}",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        GOOD.decode().encode("utf-32"),
        b"\x1f\x8b\x08",
        b"[" * 10_000,
        b"[" * 60_000,
        b'{"events":' + b"[" * 10_000,
        b'{"a":' * 10_000,
        b"\x00" * 1000,
        b'"' * 1001,
    ],
)
def test_what_is_no_json_is_malformed(body):
    error = refused(body) if not body.startswith((b'{"eventId"', b'{"a"')) else None
    if error is None:
        # A single object is looked at as one event.
        try:
            decoded = read(body)
        except SliceError as refusal:
            error = refusal
        else:
            assert [each.code for each in decoded.rejected] == [MALFORMED]
            return
    assert error.code == Code.MALFORMED
    assert error.fields
    assert len(error.detail) < 500


@pytest.mark.parametrize(
    "body", [b"5", b"null", b'"x"', b"true", b'{"events":null}', b'{"events":{}}', b'{"events":"x"}']
)
def test_json_that_is_no_events_is_invalid(body):
    error = refused(body)
    assert error.code == Code.INVALID
    assert error.fields


def test_an_event_may_have_a_field_called_events():
    for body in (GOOD[:-1] + b',"events":[1,2]}', GOOD[:-1] + b',"\\u0065vents":[1,2]}'):
        assert judged(body) == (["good"], [])


def test_unknown_fields_are_ignored_and_counted():
    decoded = read(b"[" + GOOD[:-1] + b',"a":1,"b":[{"c":null}]},' + GOOD + b"]")
    assert (len(decoded.events), decoded.unknown_fields) == (2, 2)


def test_the_number_of_events_is_bounded():
    for count, events in ((10, 10), (11, None)):
        for body, ndjson in ((b"[" + b",".join([GOOD] * count) + b"]", False), (b"\n".join([GOOD] * count), True)):
            for each in (body, body.replace(b'"d"', b'"\\u0064"')):
                if events:
                    assert len(read(each, ndjson=ndjson, max_events=10).events) == events
                else:
                    assert refused(each, ndjson=ndjson, max_events=10).code == Code.TOO_LARGE


def filled(template, separator=b",", most=LARGEST - 200):
    """`template` repeated with a number until it fills `most` bytes."""
    parts, size, number = [], 0, 0
    while size + len(template) + 8 < most:
        part = template.replace(b"%d", b"%d" % number)
        parts.append(part)
        size += len(part) + len(separator)
        number += 1
    return separator.join(parts)


HUGE = {
    "events": (1, lambda: b"[" + filled(GOOD.replace(b"good", b"%d")) + b"]", False),
    "events in an envelope": (1, lambda: b'{"events":[' + filled(GOOD.replace(b"good", b"%d")) + b"]}", False),
    "events as lines": (1, lambda: filled(GOOD.replace(b"good", b"%d"), b"\n"), True),
    "a million numbers": (1, lambda: b"[" + b",".join([b"1"] * 1_000_000) + b"]", False),
    "a million numbers in an envelope": (1, lambda: b'{"events":[' + b",".join([b"1"] * 1_000_000) + b"]}", False),
    "measurements": (2, lambda: GOOD_V2[:-2] + b"," + filled(b'"%d":1') + b"}}", False),
    "as many measurements as are looked at": (
        2,
        lambda: GOOD_V2[:-2] + b"," + b",".join(b'"%d":1' % n for n in range(290_000)) + b"}}",
        False,
    ),
    "unknown fields": (1, lambda: GOOD[:-1] + b"," + filled(b'"%d":1') + b"}", False),
    "brackets": (1, lambda: b"[" * LARGEST, False),
    "brackets in an event": (1, lambda: GOOD[:-1] + b',"x":' + b"[" * (LARGEST - 200), False),
    "line ends": (1, lambda: GOOD + b"\n" * (LARGEST - 200) + b"x", True),
    "blank lines": (1, lambda: GOOD + b"\n " * (LARGEST // 2 - 200) + b"x", True),
    "small lines": (1, lambda: b"{}\n" * (LARGEST // 3), True),
    "white space": (1, lambda: b" " * (LARGEST - 200) + GOOD, False),
    "one text": (1, lambda: GOOD.replace(b"good", b"x" * (LARGEST - 200)), False),
    "one text of escapes": (1, lambda: GOOD.replace(b"good", b"\\u00e9" * (LARGEST // 6 - 200)), False),
    "quotes": (1, lambda: b'["' + b'","' * (LARGEST // 3), False),
    "escaped quotes": (1, lambda: b'{"' + b'\\"' * (LARGEST // 2 - 9), False),
    "long numbers": (1, lambda: b'{"a":[' + b",".join([b"9" * 4000] * 2000) + b"]}", False),
    "long keys that stand twice": (
        1,
        lambda: b"[" + b",".join([b'{"' + b"k" * 30_000 + b'":1,"' + b"k" * 30_000 + b'":2}'] * 130) + b"]",
        False,
    ),
}


@contextmanager
def cpu_time():
    """The seconds of CPU within; a coverage tracer, which multiplies them, waits outside."""
    tracer = sys.gettrace()
    sys.settrace(None)
    began = time.process_time()
    taken = []
    try:
        yield lambda: taken[0]
    finally:
        taken.append(time.process_time() - began)
        sys.settrace(tracer)


@pytest.mark.parametrize("name", HUGE)
def test_nothing_costs_much(name):
    version, made, ndjson = HUGE[name]
    body = made()
    assert len(body) <= LARGEST

    def judge():
        try:
            accepted, rejected = judged(body, version, ndjson=ndjson)
        except SliceError as error:
            return error.code in {Code.MALFORMED, Code.TOO_LARGE}
        told = sum(len(each.detail) + len(each.pointer) for each in rejected)
        return accepted in ([], ["good"]) and (rejected or name == "white space") and told < 100_000

    with cpu_time() as spent:
        assert judge()
    assert spent() < 1.0
    tracemalloc.start()
    try:
        assert judge()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 48 * MIB


def test_the_dearest_request_that_is_taken_costs_less_than_a_second():
    """Both roads at their bounds: what a legitimate sender may do to its neighbours' latency."""
    names = [b"%02x" % number for number in range(250)]
    event = GOOD_V2[:-8] + b'{"' + b'":{"value":1},"'.join(names) + b'":{"value":1}}}'
    plain = b"[" + b",".join([event] * 999) + b"]"
    measurements = b",".join(b'"\\u00e9%d":%d' % (n, n) for n in range(120))
    careful = b'{"events":[' + b",".join([GOOD_V2[:-8] + b"{" + measurements + b"}}"] * 1000) + b"]}"
    for body, count in ((plain, 999), (careful, 1000)):
        assert len(body) <= LARGEST
        with cpu_time() as spent:
            accepted, rejected = judged(body, 2)
        assert (len(accepted), rejected) == (count, [])
        assert spent() < 2.0


def test_both_roads_agree(seed):
    """The quick road accepts nothing that the careful one would not, and both read the same."""
    chance = random.Random(seed)
    parts = [
        b'"',
        b"\\",
        b",",
        b":",
        b"{",
        b"}",
        b"[",
        b"]",
        b"1",
        b"null",
        b" ",
        b"events",
        b"value",
        b"\xff",
        b"-",
        b"e5",
    ]
    for _ in range(3000):
        version = chance.choice([1, 2])
        good = GOOD if version == 1 else GOOD_V2
        body = chance.choice([good, b"[" + good + b"," + good + b"]", b'{"events":[' + good + b"]}"])
        for _ in range(chance.randint(0, 3)):
            at = chance.randrange(len(body) + 1)
            body = body[:at] + chance.choice(parts) + body[at + chance.randint(0, 2) :]
        try:
            quick = read(body, version)
        except SliceError as error:
            quick = error.code
        try:
            careful = decoding._carefully(body, version, ndjson=False, max_events=1000)
        except SliceError as error:
            careful = error.code
        if isinstance(quick, Code) or isinstance(careful, Code):
            assert quick == careful or body.strip() == b"", body
            continue
        assert list(quick.events) == list(careful.events), body
        assert list(quick.places) == list(careful.places), body
        assert quick.rejected == careful.rejected, body
