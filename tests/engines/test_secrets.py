import json

import pytest

from telemetry_slice.engines.folder.secrets import NAME, ensure_secrets, load_secrets
from telemetry_slice.flow.access import new_signing_key


def test_secrets_are_made_once_for_the_owner_alone(tmp_path):
    made = ensure_secrets(tmp_path, new_signing_key)
    assert ensure_secrets(tmp_path, new_signing_key) == made == load_secrets(tmp_path)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (len(made.pepper), len(made.cursor_secret)) == (32, 32)


def test_secrets_are_not_printed(tmp_path):
    made = ensure_secrets(tmp_path, new_signing_key)
    assert made.signing_key["d"] not in repr(made)


def test_a_file_that_others_may_read_is_refused(tmp_path):
    ensure_secrets(tmp_path, new_signing_key)
    (tmp_path / NAME).chmod(0o644)
    with pytest.raises(ValueError, match="600"):
        load_secrets(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"pepper": "AAAA"})])
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    (tmp_path / NAME).chmod(0o600)
    with pytest.raises(ValueError, match=NAME):
        ensure_secrets(tmp_path, new_signing_key)


def test_missing_secrets_are_not_made_by_loading(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_secrets(tmp_path)
