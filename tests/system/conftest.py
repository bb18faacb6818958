"""What all tests of whole systems share."""

import os

import pytest


@pytest.fixture(scope="module", autouse=True)
def unmeasured():
    """The servers run as they do for users: measuring which of their lines run would halve their speed."""
    told = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    yield
    if told is not None:
        os.environ["COVERAGE_PROCESS_CONFIG"] = told
