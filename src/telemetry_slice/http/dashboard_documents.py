"""What a dashboard is written down as: the document, version 1 of its schema, and what its panels ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, ValidationError, field_validator, model_validator

from ..model.dashboards import MAX_DOCUMENT_BYTES, PanelAsk, Selection, Variable, VariableKind
from ..model.errors import Code, SliceError, invalid
from ..model.events import MAX_DEVICE_ID, MAX_TYPE
from ..model.times import DAY_US, HOUR_US, MINUTE_US
from .schemas import Plain, Text200, Wire

COLUMNS = 12
MAX_PANELS = 60
MAX_VARIABLES = 4
Range = Literal["15m", "1h", "6h", "24h", "7d", "30d", "90d"]
RANGES_US: Mapping[Range, int] = {
    "15m": 15 * MINUTE_US,
    "1h": HOUR_US,
    "6h": 6 * HOUR_US,
    "24h": DAY_US,
    "7d": 7 * DAY_US,
    "30d": 30 * DAY_US,
    "90d": 90 * DAY_US,
}

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
DeviceName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_DEVICE_ID), Plain]
MeasurementType = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TYPE), Plain]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64), Plain]
Many = Annotated[list[DeviceName], Field(max_length=100)]
Chosen = Annotated[dict[Id, Annotated[list[DeviceName], Field(max_length=20)]], Field(max_length=MAX_VARIABLES)]

PanelKind = Literal["line", "stat", "gauge", "bar", "table", "locations", "attention", "text"]
_OF_KIND: Mapping[str, frozenset[str]] = {
    "line": frozenset({"of", "types", "band"}),
    "stat": frozenset({"of", "types", "show", "sparkline", "thresholds", "decimals"}),
    "gauge": frozenset({"of", "types", "show", "min", "max", "thresholds", "decimals"}),
    "bar": frozenset({"of", "types", "show", "per", "decimals"}),
    "table": frozenset({"of", "types"}),
    "locations": frozenset({"of"}),
    "attention": frozenset({"of"}),
    "text": frozenset({"text"}),
}
"""What each kind of panel may say besides its id, kind, title and place."""
_EVERY_KIND = frozenset({"id", "kind", "title", "at"})
_NEEDS_TYPES = frozenset({"line", "stat", "gauge", "bar"})
_POINTS = {"line": 400, "stat": 60, "gauge": 60}
_BARS = {"device": 60, "time": 24}


class PanelPlace(Wire):
    """Where a panel is, in a grid of 12 columns."""

    x: Annotated[int, Field(ge=0, lt=COLUMNS)]
    y: Annotated[int, Field(ge=0, le=2_000)]
    w: Annotated[int, Field(ge=1, le=COLUMNS)]
    h: Annotated[int, Field(ge=1, le=40)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.x + self.w > COLUMNS:
            raise ValueError(f"The grid has {COLUMNS} columns: x + w is too much.")
        return self


class PanelSelection(Wire):
    """Devices: by their ids, or by a variable, or by location and tag; nothing = all of the tenant."""

    device_ids: Annotated[list[DeviceName], Field(max_length=50)] = Field(default_factory=list)
    variable: Id | None = None
    location: Text200 | None = None
    tag: Tag | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (bool(self.device_ids), self.variable is not None, self.location is not None or self.tag is not None)
        if sum(ways) > 1:
            raise ValueError("Name devices by deviceIds, by a variable, or by location and tag: by one of these.")
        return self


class Threshold(Wire):
    """From this value on, a level and what it is called."""

    at: FiniteFloat
    level: Literal["good", "notice", "warning", "critical"]
    label: Annotated[str, StringConstraints(max_length=40), Plain] = ""


class Panel(Wire):
    """One panel. `of` and `types` say what it is about; the others how it is shown, and are each for some kinds."""

    id: Id
    kind: PanelKind
    title: Text200 = ""
    at: PanelPlace
    of: PanelSelection | None = None
    types: Annotated[list[MeasurementType], Field(max_length=5)] | None = None
    show: Literal["last", "avg", "min", "max", "count"] | None = None
    per: Literal["device", "time"] | None = None
    band: bool | None = None
    sparkline: bool | None = None
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    thresholds: Annotated[list[Threshold], Field(max_length=8)] | None = None
    text: Annotated[str, StringConstraints(max_length=10_000)] | None = None

    @field_validator("text")
    @classmethod
    def _is_text(cls, text: str | None) -> str | None:
        if text is not None and any(
            (ord(each) < 32 and each not in "\n\t") or 0xD800 <= ord(each) < 0xE000 for each in text
        ):
            raise ValueError("Control characters are not allowed.")
        return text

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        odd = sorted(given - _EVERY_KIND - _OF_KIND[self.kind])
        if odd:
            raise ValueError(f"A panel of kind {self.kind} has no {odd[0]}.")
        if self.kind in _NEEDS_TYPES and not self.types:
            raise ValueError(f"A panel of kind {self.kind} needs types.")
        if self.kind == "gauge" and (self.min is None or self.max is None or self.min >= self.max):
            raise ValueError("A gauge needs a min that is less than its max.")
        return self


class DashboardVariable(Wire):
    """A choice at the top: a device or a location. `choices`, or else whatever has `location` and `tag`."""

    name: Id
    kind: Literal["device", "location"]
    label: Text200 = ""
    choices: Many = Field(default_factory=list)
    location: Text200 | None = None
    tag: Tag | None = None
    default: Annotated[list[DeviceName], Field(max_length=20)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.kind == "location" and len(self.default) > 1:
            raise ValueError("One location is chosen at a time.")
        return self


Panels = Annotated[list[Panel], Field(max_length=MAX_PANELS)]
Variables = Annotated[list[DashboardVariable], Field(max_length=MAX_VARIABLES)]


class DashboardDocument(Wire):
    """What a dashboard consists of; at most 100,000 bytes of JSON. `refreshSeconds` 0 = never by itself."""

    schema_: Literal[1] = Field(alias="schema")
    description: Annotated[str, StringConstraints(max_length=1_000), Plain] = ""
    range: Range = "24h"
    refresh_seconds: Literal[0, 5, 10, 30, 60, 300, 900] = 30
    variables: Variables = Field(default_factory=list)
    panels: Panels = Field(default_factory=list)

    @field_validator("variables")
    @classmethod
    def _named_once(cls, variables: list[DashboardVariable]) -> list[DashboardVariable]:
        if len({each.name for each in variables}) != len(variables):
            raise ValueError("Two variables have the same name.")
        return variables

    @field_validator("panels")
    @classmethod
    def _known_once(cls, panels: list[Panel]) -> list[Panel]:
        if len({each.id for each in panels}) != len(panels):
            raise ValueError("Two panels have the same id.")
        return panels

    @model_validator(mode="after")
    def _has_its_variables(self) -> Self:
        known = {each.name for each in self.variables}
        for panel in self.panels:
            if panel.of is not None and panel.of.variable is not None and panel.of.variable not in known:
                raise ValueError(f"The panel {panel.id} is of a variable that there is not: {panel.of.variable}.")
        return self


def text_of(document: DashboardDocument) -> str:
    """A document as it is kept. Raises SliceError INVALID if it is too large."""
    text = document.model_dump_json(by_alias=True, exclude_none=True)
    if len(text.encode()) > MAX_DOCUMENT_BYTES:
        raise invalid("/document", f"A dashboard has at most {MAX_DOCUMENT_BYTES:,} bytes of JSON.")
    return text


def document_of(text: str) -> DashboardDocument:
    """A document that was kept. Raises SliceError CONFLICT for one of another schema, which an import may bring."""
    try:
        return DashboardDocument.model_validate_json(text)
    except ValidationError:
        raise SliceError(Code.CONFLICT, "The dashboard is of a schema that this release does not know.") from None


def ask_of(panel: Panel) -> PanelAsk:
    """What a panel asks of the telemetry."""
    of = panel.of or PanelSelection()
    points = _BARS[panel.per or "device"] if panel.kind == "bar" else _POINTS.get(panel.kind, 0)
    return PanelAsk(
        panel.id,
        Selection(tuple(of.device_ids), of.variable, of.location, of.tag),
        tuple(dict.fromkeys(panel.types or ())),
        points=points,
        latest=panel.kind in {"stat", "gauge", "table", "bar"},
        roll_up=panel.kind == "locations",
        attention=panel.kind == "attention",
    )


def variable_of(variable: DashboardVariable) -> Variable:
    """The same for the flow."""
    return Variable(
        variable.name,
        VariableKind(variable.kind),
        tuple(variable.choices),
        variable.location,
        variable.tag,
        tuple(variable.default),
    )
