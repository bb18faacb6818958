"""The base of every body on the wire, and the texts that several of them hold."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from ..model.events import MAX_DEVICE_ID


class Wire(BaseModel):
    """camelCase outside, snake_case inside; unknown members are refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


def _plain(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("Control characters are not allowed.")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("Must not be blank.")
    return text


Plain = AfterValidator(_plain)
Filled = AfterValidator(_filled)
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), Plain, Filled]
Text200 = Annotated[str, StringConstraints(max_length=200), Plain]
NewDeviceId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_DEVICE_ID), Plain]
NewTenantId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
DatabaseName = Annotated[str, StringConstraints(max_length=64), Plain]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,189}$", max_length=254), Plain]
Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]
FactorCode = Annotated[str, StringConstraints(min_length=6, max_length=40), Plain]
