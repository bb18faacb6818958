"""What panels show: for whoever is signed in any panels, behind a link those of its dashboard alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from ..flow.panels import PanelData
from ..model.errors import Code, SliceError, invalid
from ..model.permissions import Permission
from ..model.series import TimeRange
from ..model.tenancy import DashboardLink, Tenant
from ..model.times import SECOND_US, parse_time, rfc3339
from .dashboard_documents import (
    MAX_PANELS,
    RANGES_US,
    Chosen,
    DashboardDocument,
    DashboardVariable,
    Id,
    Panel,
    Panels,
    Range,
    Variables,
    ask_of,
    document_of,
    variable_of,
)
from .principal import Caller, Reader, TheServices, allowed_in_tenant
from .problems import problems
from .query import DeviceSeries, LatestView, Moment
from .reading import answer, latest_body, series_body
from .schemas import Wire
from .services import Services

router = APIRouter(tags=["dashboards"])


class PanelsQuery(Wire):
    """Panels to be shown over a range: the last hours or days, or [from, to)."""

    panels: Panels
    variables: Variables = Field(default_factory=list)
    values: Chosen = Field(default_factory=dict)
    range: Range = "24h"
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None


class SharedQuery(Wire):
    """Panels of the shared dashboard by their ids, all unless some are named; its own range unless another is."""

    panel_ids: Annotated[list[Id], Field(max_length=MAX_PANELS)] | None = None
    values: Chosen = Field(default_factory=dict)
    range: Range | None = None


class RollUpView(Wire):
    """How many devices of one location are what."""

    location: str
    online: int
    late: int
    silent: int
    new: int


class AttentionView(Wire):
    """A device that is not heard of."""

    device_id: str
    label: str
    location: str
    status: Literal["late", "silent"]
    last_seen: str | None


class PanelAnswer(Wire):
    """What one panel shows. `labels`: device id → what it is called; `unknown`: ids that no device has; `truncated`:
    there are more devices than are shown; `problem`: why there is nothing.
    """

    id: str
    series: list[DeviceSeries]
    latest: list[LatestView]
    locations: list[RollUpView]
    attention: list[AttentionView]
    labels: dict[str, str]
    unknown: list[str]
    truncated: bool
    problem: str | None


class PanelAnswers(Wire):
    """What the panels show, in the order asked."""

    from_: str = Field(alias="from")
    to: str
    panels: list[PanelAnswer]


class Choice(Wire):
    """What may be chosen, and what it is called."""

    value: str
    label: str


class ChoicesQuery(Wire):
    """Variables whose choices are wanted."""

    variables: Variables


class Choices(Wire):
    """By the name of the variable."""

    choices: dict[str, list[Choice]]


class SharedDashboard(Wire):
    """The dashboard that a link opens."""

    name: str
    document: DashboardDocument
    choices: dict[str, list[Choice]]
    expires_at: str


@router.post("/api/v1/panels/query", operation_id="queryPanels", response_model=PanelAnswers, responses=problems())
async def query_panels(body: PanelsQuery, caller: Reader, services: TheServices) -> Response:
    """What panels show, whether they are kept in a dashboard or are just being made."""
    span = _span(services, body.range, _moment("/from", body.from_), _moment("/to", body.to))
    return await _read(services, caller.tenant, body.panels, body.variables, body.values, span)


@router.post("/api/v1/panels/choices", operation_id="listPanelChoices", responses=problems())
async def list_panel_choices(body: ChoicesQuery, caller: Reader, services: TheServices) -> Choices:
    """What may be chosen for variables."""
    return Choices(choices=await _choices(services, caller.tenant, body.variables))


SharedCaller = Annotated[Caller, allowed_in_tenant(Permission.READ_SHARED_DASHBOARD)]


@router.get(
    "/api/v1/shared/dashboard",
    operation_id="readSharedDashboard",
    response_model=SharedDashboard,
    responses=problems(409),
)
async def read_shared_dashboard(caller: SharedCaller, services: TheServices) -> Response:
    """The dashboard that the link (`tsl_…`, as bearer) opens."""
    link, name, document = await _shared(caller, services)
    choices = await _choices(services, caller.tenant, [each for each in document.variables if _is_open(each)])
    body = SharedDashboard(name=name, document=document, choices=choices, expires_at=rfc3339(link.expires_us))
    return answer(body.model_dump(by_alias=True, exclude_none=True))


@router.post(
    "/api/v1/shared/panels", operation_id="querySharedPanels", response_model=PanelAnswers, responses=problems(409)
)
async def query_shared_panels(body: SharedQuery, caller: SharedCaller, services: TheServices) -> Response:
    """What panels of the shared dashboard show. Of variables that only which the document offers."""
    _, _, document = await _shared(caller, services)
    variables = [variable_of(each) for each in document.variables]
    await services.panels.check_values(caller.tenant, variables, body.values)
    known = {panel.id: panel for panel in document.panels}
    wanted = list(known) if body.panel_ids is None else list(dict.fromkeys(body.panel_ids))
    for index, panel_id in enumerate(wanted):
        if panel_id not in known:
            raise invalid(f"/panelIds/{index}", "The dashboard has no such panel.")
    span = _span(services, body.range or document.range, None, None)
    panels = [known[panel_id] for panel_id in wanted]
    return await _read(services, caller.tenant, panels, document.variables, body.values, span)


async def _shared(caller: Caller, services: Services) -> tuple[DashboardLink, str, DashboardDocument]:
    link = caller.principal
    if not isinstance(link, DashboardLink):
        raise SliceError(Code.FORBIDDEN, "This is for links to dashboards.")
    dashboard = await services.dashboards.get(link.tenant.no, link.dashboard_id)
    if dashboard is None:
        # Deleted, and its links with it: this one was known from a moment ago.
        services.access.dashboard_links.forget()
        raise SliceError(Code.UNAUTHENTICATED, "The request needs a valid key, token or session.")
    return link, dashboard.head.name, document_of(dashboard.document)


def _is_open(variable: DashboardVariable) -> bool:
    """Whether a link may choose beyond the default."""
    return bool(variable.choices or variable.location or variable.tag or not variable.default)


async def _choices(
    services: Services, tenant: Tenant, variables: Sequence[DashboardVariable]
) -> dict[str, list[Choice]]:
    return {
        each.name: [
            Choice(value=value, label=label)
            for value, label in await services.panels.choices(tenant, variable_of(each))
        ]
        for each in variables
    }


def _moment(pointer: str, given: str | int | None) -> int | None:
    if given is None:
        return None
    try:
        return parse_time(str(given))
    except (ValueError, OverflowError) as error:
        raise invalid(pointer, f"Not a time: {error}.") from None


def _span(services: Services, length: Range, from_us: int | None, to_us: int | None) -> TimeRange:
    # A range that ends now ends with the second: whoever looks within it sees the same, and buckets begin on seconds.
    until_us = -(-services.clock.now_us() // SECOND_US) * SECOND_US if to_us is None else to_us
    since_us = until_us - RANGES_US[length] if from_us is None else from_us
    if since_us >= until_us:
        raise invalid("/from", "The range [from, to) is empty: `from` must lie before `to`.")
    return TimeRange(since_us, until_us)


async def _read(
    services: Services,
    tenant: Tenant,
    panels: Sequence[Panel],
    variables: Sequence[DashboardVariable],
    values: Mapping[str, Sequence[str]],
    span: TimeRange,
) -> Response:
    asks = [ask_of(panel) for panel in panels]
    known = [variable_of(each) for each in variables]
    found = await services.panels.read(tenant, asks, known, values, span)
    body = {"from": rfc3339(span.from_us), "to": rfc3339(span.to_us), "panels": [_panel_body(each) for each in found]}
    return answer(body)


def _panel_body(data: PanelData) -> dict[str, Any]:
    return {
        "id": data.id,
        "series": [{"deviceId": each.device_id, **series_body(each)} for each in data.series],
        "latest": [latest_body(device.id, value) for device, value in data.latest],
        "locations": [
            {
                "location": each.location,
                "online": each.online,
                "late": each.late,
                "silent": each.silent,
                "new": each.new,
            }
            for each in data.roll_up
        ],
        "attention": [
            {
                "deviceId": each.device.id,
                "label": each.device.label,
                "location": each.device.location,
                "status": each.reporting,
                "lastSeen": None if each.received_us is None else rfc3339(each.received_us),
            }
            for each in data.attention
        ],
        "labels": data.labels,
        "unknown": list(data.unknown),
        "truncated": data.truncated,
        "problem": data.problem,
    }
