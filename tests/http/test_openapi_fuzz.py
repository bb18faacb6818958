"""Schemathesis over the OpenAPI document of a running server: what fits the document and what does not, one operation
at a time and several that follow from one another; never a 5xx.
"""

from collections import Counter

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    Failure,
    FailureGroup,
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = 5
"""Of each operation, for each kind of data."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def headers(server):
    """Of somebody who may do everything in a tenant that has something."""
    console = server.console("acme")
    with httpx2.Client(base_url=server.url, trust_env=False) as client:
        made = client.post("/api/v1/tenants", json={"tenantId": "acme", "name": "Acme"}, headers=server.console())
        assert made.status_code == 201, made.text
        body = {"kind": "service", "name": "all", "scopes": ["read", "ingest", "admin"]}
        key = client.post("/api/v1/keys", json=body, headers=console).json()["key"]
    return {"console": console, "service": {"Authorization": f"Bearer {key}"}}


@pytest.fixture(scope="module")
def api(server):
    document = httpx2.get(f"{server.url}/openapi.json", trust_env=False).json()
    return schemathesis.openapi.from_dict(document)


def headers_for(operation, headers):
    # The console may send nothing, and a service key may do nothing with tenants.
    return headers["console" if operation.path.startswith("/api/v1/tenants") else "service"]


def failure(operation, mode, seed, call):
    """What `call` has against some case of the operation, None if nothing."""

    @seeded(seed)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        call(case)

    try:
        check()
    except (FailureGroup, Failure, httpx2.HTTPError, OSError) as error:
        return f"{operation.label}: {error} {getattr(error, 'exceptions', '')}"
    except Unsatisfiable:
        # Nothing could be wrong with an operation that takes nothing.
        assert mode == GenerationMode.NEGATIVE
    return None


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_no_operation_breaks(server, api, headers, mode, seed):
    calls, failures = Counter(), []
    for result in api.get_all_operations():
        operation = result.ok()
        credential = headers_for(operation, headers)

        def call(case, credential=credential):
            answer = case.call(base_url=server.url, headers=credential, timeout=20)
            calls[answer.status_code // 100] += 1
            case.validate_response(answer, checks=CHECKS)

        failures.append(failure(operation, mode, seed, call))
    failures = list(filter(None, failures))
    assert failures == [], "\n\n".join(failures)
    assert calls[5] == 0
    assert min(calls[2], calls[4]) > 20, calls


@pytest.mark.parametrize(
    ("journeys", "steps"),
    [(12, 10), pytest.param(80, 20, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
def test_no_journey_through_operations_breaks(server, api, headers, seed, journeys, steps):
    """What one operation has answered is what the next is asked for: made, listed, changed, removed, asked again."""
    operations, followed = Counter(), Counter()

    class Journey(api.as_state_machine()):
        def get_call_kwargs(self, case):
            return {"base_url": server.url, "headers": headers_for(case.operation, headers), "timeout": 30}

        def step(self, input):  # noqa: A002 - schemathesis calls it so
            followed[input.case.operation.label] += input.transition is not None
            return super().step(input)

        def validate_response(self, response, case, additional_checks=(), **_more):
            operations[case.operation.label] += 1
            case.validate_response(response, checks=CHECKS)

    seeded(seed)(Journey)
    Journey.run(
        settings=settings(
            max_examples=journeys,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
    print(f"{sum(operations.values())} steps, {sum(followed.values())} with what was answered before: {operations}")
    assert len(operations) > 8
    assert sum(followed.values()) > 0
