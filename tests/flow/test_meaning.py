"""Identity and meaning of events: golden vectors that no release may change, and spellings that mean the same."""

import json
import random
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest

from telemetry_slice.flow.gate.decode import decode
from telemetry_slice.flow.gate.validate import validate
from telemetry_slice.model.events import Kind, TenantNo, encode_meaning, event_id_of, event_key, meaning_of
from telemetry_slice.model.times import EPOCH

T = 1_780_000_000_123_456
N, B, S = Kind.NUMBER, Kind.BOOLEAN, Kind.STRING

# (device, recorded µs, measurements) → encoding, meaning. What is stored was compared by these: never edit a line.
GOLDEN = [
    (("d", 0, [("t", None, N, 0.0)]), "0100000000000000000001000164000174ffff000000000000000000", 5590318812720555990),
    (
        ("dev-001", T, [("temperature", "C", N, 25.5)]),
        "01000652e68bb52240000100076465762d303031000b74656d7065726174757265000143004039800000000000",
        1883044359515111140,
    ),
    (
        ("dev-001", T, [("temperature", "", N, 25.5)]),
        "01000652e68bb52240000100076465762d303031000b74656d70657261747572650000004039800000000000",
        -4068660255442169298,
    ),
    (
        ("dev-001", -62135596800000000, [("t", "°C", N, -1.7976931348623157e308)]),
        "01ff23400100d44000000100076465762d3030310001740003c2b04300ffefffffffffffff",
        2983192413140619656,
    ),
    (
        ("ä/设备 1", T, [("p", None, N, 5e-324)]),
        "01000652e68bb522400001000bc3a42fe8aebee5a4872031000170ffff000000000000000001",
        7705071084402945025,
    ),
    (
        ("dev-001", T, [("c", "bar", N, 1.02), ("b", None, S, "idle"), ("a", None, B, 1.0)]),
        (
            "01000652e68bb52240000300076465762d303031000161ffff013ff0000000000000"
            "000162ffff02000469646c650001630003626172003ff051eb851eb852"
        ),
        -316503372750737649,
    ),
    (
        ("dev-001", T, [("a", None, B, -0.0), ("b", None, S, ""), ("c", "bar", N, 1.02)]),
        (
            "01000652e68bb52240000300076465762d303031000161ffff010000000000000000"
            "000162ffff0200000001630003626172003ff051eb851eb852"
        ),
        3494397979943988842,
    ),
]
UUID = "0190a5f4-7b3c-7def-8abc-0123456789ab"
KEYS = [
    (UUID, "0190a5f47b3c7def8abc0123456789ab"),
    ("a", "da902196ae21b670a1c98c277f03eebb"),
    ("é", "2de6118b75a05cea919457af6401b59d"),
    ("e\u0301", "7d28e6a47d70e3a9b090bd77cd2d23a3"),
    ("0190a5f47b3c7def8abc0123456789ab", "b7fdead6395ccd9b9c62ed833472dafc"),
    ("{0190a5f4-7b3c-7def-8abc-0123456789ab}", "911fe2ca6113732c2f328acc9e61937a"),
    ("0190a5f4-7b3c-7def-8abc-0123456789a\u0663", "6bd28d1c243e1b63c4ad601cd782f196"),
    ("0190a5f4-7b3c-7def-8abc-0123456789a ", "e7d0387eef49d12b6be0691868aa0a39"),
    ("😀", "03e5101cee5db585d11b531202ebb5a3"),
    ("x" * 128, "dbc95f6a5cb0e9c91455520e9f7363e9"),
]


@pytest.mark.parametrize(("event", "encoding", "meaning"), GOLDEN)
def test_meanings_are_frozen(event, encoding, meaning):
    assert encode_meaning(*event).hex() == encoding
    assert meaning_of(*event) == meaning


@pytest.mark.parametrize(("event_id", "key"), KEYS)
def test_keys_are_frozen(event_id, key):
    found, text = event_key(event_id)
    assert found.hex() == key
    assert event_id_of(found, text) == event_id
    assert (text is None) == (event_id == UUID)


def test_a_uuid_is_the_same_in_any_case_and_other_ids_are_not():
    for spelled in (UUID.upper(), UUID.title()):
        assert event_key(spelled) == event_key(UUID)
        assert event_id_of(*event_key(spelled)) == UUID
    assert event_key("Event-1") != event_key("event-1")


def test_an_id_is_its_exact_code_points():
    composed, decomposed = "é", "e\u0301"
    assert unicodedata.normalize("NFC", decomposed) == composed
    assert event_key(composed) != event_key(decomposed)
    with pytest.raises(UnicodeEncodeError):
        event_key("\ud800")


# ------------------------------------------------------------------------------------------------------ spellings
V1 = {
    "eventId": "e",
    "deviceId": "dev-1",
    "recordedAt": "2026-05-28T22:26:40.500Z",
    "type": "temperature",
    "value": 25.5,
    "unit": "C",
}


def accepted(body, version=1):
    """(key, recorded µs, meaning, measurements) of the only event in `body`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    decoded = decode(raw, version, ndjson=False, max_events=10)
    batch, _ = validate(TenantNo(1), "acme", decoded, {"dev-1": 1, "dev-2": 2}, T)
    assert decoded.rejected == []
    assert len(batch) == 1
    return batch.keys[0], batch.recorded_us[0], batch.meanings[0], batch.measurements[0]


PLAIN = json.dumps(V1).encode()
V2 = {name: V1[name] for name in ("eventId", "deviceId", "recordedAt")}
SAME = {
    "key order": json.dumps(dict(reversed(V1.items()))).encode(),
    "spacing": json.dumps(V1, indent=4).encode(),
    "in a list": json.dumps([V1]).encode(),
    "in an envelope": json.dumps({"events": [V1]}).encode(),
    "exponent": PLAIN.replace(b"25.5", b"2.55e1"),
    "another exponent": PLAIN.replace(b"25.5", b"255E-1"),
    "trailing zeros": PLAIN.replace(b"25.5", b"25.50000"),
    "more digits than a double has": PLAIN.replace(b"25.5", b"25.50000000000000000000001"),
    "offset zero": PLAIN.replace(b"Z", b"+00:00"),
    "negative offset zero": PLAIN.replace(b"Z", b"-00:00"),
    "another offset": PLAIN.replace(b"2026-05-28T22:26:40.500Z", b"2026-05-29T04:11:40.500+05:45"),
    "small letters": PLAIN.replace(b"T22", b"t22").replace(b"Z", b"z"),
    "microseconds": PLAIN.replace(b".500Z", b".500000Z"),
    "nanoseconds": PLAIN.replace(b".500Z", b".500000000Z"),
    "epoch milliseconds": PLAIN.replace(b'"2026-05-28T22:26:40.500Z"', b"1780007200500"),
    "escapes": PLAIN.replace(b"dev-1", b"\\u0064ev\\u002d1").replace(b"temperature", b"temper\\u0061ture"),
    "escaped keys": PLAIN.replace(b'"value"', b'"\\u0076alue"'),
    "unknown fields": json.dumps({**V1, "events": [1], "battery": {"v": [3.3]}}).encode(),
    "its own tenant": json.dumps({**V1, "customerId": "acme"}).encode(),
}
SAME_V2 = {
    "one measurement": {**V2, "measurements": {"temperature": {"value": 25.5, "unit": "C"}}},
    "in another order": {"measurements": {"temperature": {"unit": "C", "value": 25.5}}, **V2},
    "unknown fields": {**V2, "measurements": {"temperature": {"value": 25.5, "unit": "C", "x": None}}, "y": 1},
}


@pytest.mark.parametrize("spelling", SAME)
def test_the_same_spelled_differently(spelling):
    assert accepted(SAME[spelling]) == accepted(PLAIN)


@pytest.mark.parametrize("spelling", SAME_V2)
def test_one_measurement_of_v2_is_v1(spelling):
    assert accepted(SAME_V2[spelling], 2) == accepted(PLAIN)


def test_no_unit_is_no_unit_in_both_versions():
    bare = {name: value for name, value in V1.items() if name != "unit"}
    for same in (
        accepted({**V1, "unit": None}),
        accepted({**V2, "measurements": {"temperature": 25.5}}, 2),
        accepted({**V2, "measurements": {"temperature": {"value": 25.5}}}, 2),
        accepted({**V2, "measurements": {"temperature": {"value": 25.5, "unit": None}}}, 2),
    ):
        assert same == accepted(bare)
    assert accepted(bare) != accepted(PLAIN)


@pytest.mark.parametrize("zero", [b"-0", b"-0.0", b"-0e5", b"-1e-400", b"0.000", b"0E-9", b"1e-400"])
def test_zero_is_zero(zero):
    assert accepted(PLAIN.replace(b"25.5", zero))[2] == accepted(PLAIN.replace(b"25.5", b"0"))[2]


@pytest.mark.parametrize(
    "other",
    [
        {"deviceId": "dev-2"},
        {"recordedAt": "2026-05-28T22:26:40.500001Z"},
        {"type": "Temperature"},
        {"value": 25.500000000000004},
        {"unit": "F"},
        {"unit": None},
    ],
)
def test_what_means_something_else(other):
    assert accepted(V1 | other)[2] != accepted(V1)[2]


def test_kinds_are_told_apart():
    def measured(value):
        return accepted({**V2, "measurements": {"x": value}}, 2)[2]

    assert len({measured(value) for value in (1, True, "1", "true", 0, False, "", "0")}) == 8


def test_order_of_measurements_does_not_matter(seed):
    chance = random.Random(seed)
    values = [
        (f"type-{number}", chance.choice([1.5, True, "idle", {"value": 2, "unit": "bar"}])) for number in range(30)
    ]
    first = accepted({**V2, "measurements": dict(values)}, 2)
    for _ in range(20):
        chance.shuffle(values)
        assert accepted({**V2, "measurements": dict(values)}, 2) == first


def test_numbers_and_times_survive_any_spelling(seed):
    chance = random.Random(seed)
    for _ in range(500):
        value = chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300)
        us = chance.randrange(-(10**16), 10**17)
        moment = EPOCH + timedelta(microseconds=us)
        hours = timedelta(minutes=chance.randrange(-14 * 60, 14 * 60))
        spelled = (moment + hours).replace(tzinfo=None).isoformat(timespec="microseconds")
        sign = "-" if hours < timedelta(0) else "+"
        offset = f"{sign}{abs(hours).seconds // 3600:02}:{abs(hours).seconds // 60 % 60:02}"
        assert datetime.fromisoformat(spelled + offset).astimezone(UTC) == moment
        plain = accepted(V1 | {"value": value, "recordedAt": moment.isoformat().replace("+00:00", "Z")})
        raw = json.dumps(V1 | {"value": "?", "recordedAt": spelled + offset}).encode()
        assert accepted(raw.replace(b'"?"', f"{value:.17e}".encode())) == plain
        assert plain[1] == us
        assert plain[3][0][3] == value
