import pytest

from telemetry_slice.model.cursor import seal, unseal
from telemetry_slice.model.errors import Code, SliceError

SECRET = b"secret"
PLACE = ["ä/+", 1 << 62, ""]


def test_a_cursor_tells_its_place():
    cursor = seal(SECRET, 1, "devices", PLACE)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert unseal(SECRET, 1, "devices", cursor) == PLACE


@pytest.mark.parametrize(
    ("secret", "tenant", "filter_"), [(b"other", 1, "devices"), (SECRET, 2, "devices"), (SECRET, 1, "devices?q=x")]
)
def test_a_cursor_is_bound(secret, tenant, filter_):
    with pytest.raises(SliceError) as refusal:
        unseal(secret, tenant, filter_, seal(SECRET, 1, "devices", PLACE))
    assert (refusal.value.code, refusal.value.fields[0].pointer) == (Code.INVALID, "cursor")


@pytest.mark.parametrize("cursor", ["", "x", "a" * 40, "ä", "=", "%%%", "A" * 5000, "\x00"])
def test_nonsense_is_refused(cursor):
    with pytest.raises(SliceError):
        unseal(SECRET, 1, "devices", cursor)


def test_every_changed_letter_is_seen():
    cursor = seal(SECRET, 1, "devices", PLACE)
    for place, letter in enumerate(cursor[:-1]):
        with pytest.raises(SliceError):
            unseal(SECRET, 1, "devices", cursor[:place] + ("A" if letter != "A" else "B") + cursor[place + 1 :])
