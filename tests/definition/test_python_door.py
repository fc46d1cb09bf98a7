"""D1: a workflow made in Python is the one that a file would give, and its errors are told as a file's are."""

from __future__ import annotations

import datetime
import enum
import uuid
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields

import mainspring as ms
from mainspring.definition import builder, canonical, model
from mainspring.graph.workflow import Workflow

HERE = Path(__file__)


@ms.task
def charge(order_id: str, amount: float) -> dict[str, Any]:
    return {"order": order_id, "paid": amount}


def ship(paid: float) -> str:
    return f"sent for {paid:g}"


def alarm() -> str:
    return "called"


def order(**more: Any) -> ms.Workflow:
    return ms.Workflow(
        "order",
        nodes=[
            paying := ms.Node(
                "charge",
                charge,
                input={"order_id": "${ input.id }", "amount": "${ input.amount }"},
                timeout="10s",
                retry=ms.Retry(max_attempts=3, initial_delay=datetime.timedelta(milliseconds=250), strategy="fixed"),
            ),
            ms.Node("ship", "function", config={"handler": ship}, depends_on=[paying], cache="10m"),
            ms.Node("alarm", "function", handler=alarm),
        ],
        connections=[ms.Connection("charge", "alarm", trigger="fail")],
        **more,
    )


IN_A_FILE = f"""
id: order
nodes:
- id: charge
  handler: {__name__}:charge
  input: {{order_id: "${{ input.id }}", amount: "${{ input.amount }}"}}
  timeout: 10000
  retryPolicy: {{maxRetries: 2, retryDelay: 250ms, strategy: Constant}}
- {{id: ship, handler: "{__name__}:ship", dependsOn: charge, cache: {{ttl: 10m}}}}
- {{id: alarm, handler: "{__name__}:alarm"}}
edges: [{{from: charge, to: alarm, on: failure}}]
"""


def test_it_is_the_workflow_of_the_file() -> None:
    from mainspring.tasks.pinning import pinned

    from_file = ms.loads(IN_A_FILE)
    made = order()
    assert isinstance(made, ms.Definition) and made.warnings == ()
    assert pinned(made.workflow) == from_file.workflow
    assert canonical.encode(pinned(made.workflow)) == canonical.encode(from_file.workflow)


def test_it_runs() -> None:
    result = ms.run(order(), input={"id": "o-1", "amount": 3})
    assert result.status == "completed"
    assert result.nodes["ship"].output == "sent for 3" and result.nodes["alarm"].status == "skipped"


def the(node: ms.Node) -> model.Node:
    return ms.Workflow("w", nodes=[node]).workflow.nodes[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (ms.Retry(max_retries=2, retry_on="OSError"), model.Retry(max_attempts=3, retry_on=("OSError",))),
        ({"max_attempts": 3}, model.Retry(max_attempts=3)),
        ({"maxRetries": 2, "retryDelay": "1m"}, model.Retry(max_attempts=3, initial_delay=60_000)),
        (model.Retry(max_attempts=5, jitter=0), model.Retry(max_attempts=5, jitter=0)),
        (3, model.Retry(max_attempts=3)),
        ("none", model.Retry(strategy="none")),
        (False, model.Retry(strategy="none")),
    ],
)
def test_retry(given: Any, expected: model.Retry) -> None:
    assert the(ms.Node("a", "log", retry=given)).retry == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("any", model.Join(kind="any")),
        ({"n": 2}, model.Join(kind="n", n=2)),
        (2, model.Join(kind="n", n=2)),
        (ms.Join(n=2), model.Join(kind="n", n=2)),
        (ms.Join("any", cancel_others=True), model.Join(kind="any", cancel_others=True)),
        (model.Join(kind="any"), model.Join(kind="any")),
    ],
)
def test_join(given: Any, expected: model.Join) -> None:
    joined = ms.Node("c", "log", join=given, depends_on=["a", "b"])
    made = ms.Workflow("w", nodes=[ms.Node("a", "log"), ms.Node("b", "log"), joined])
    assert made.workflow.nodes[2].join == expected


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (datetime.timedelta(minutes=1), 60_000),
        (datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC), "2026-01-02T03:00:00+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("scripts/run.sh"), "scripts/run.sh"),
        (Colour.RED, "red"),
        ((1, [2.5, None]), [1, [2.5, None]]),
        ({"deep": {"er": True}}, {"deep": {"er": True}}),
    ],
)
def test_values_that_a_file_has_a_form_for(given: Any, expected: Any) -> None:
    assert the(ms.Node("a", "log", config={"x": given})).config == {"x": expected}


def test_each_part_of_a_node() -> None:
    made = ms.Workflow(
        "w",
        version="1.0",
        timeout="2h",
        quotas=ms.Resources(cpu=4),
        nodes=[
            ms.Node(
                "a",
                "log",
                resilience=ms.Resilience(failure_policy="fail_fast", fallback_actions=["mail"], max_retries=1),
                circuit_breaker=ms.CircuitBreaker(open_for="1m"),
                rate_limit=ms.RateLimit(5, per="1m"),
                cache=ms.Cache("${ input.id }", ttl="1m"),
                resources=ms.Resources(memory=2),
                position={"x": 1, "y": 2},
                compensation_node_id="b",
            ),
            ms.Node("b", "log"),
        ],
    ).workflow
    assert (made.version, made.timeout, made.quotas) == ("1.0", 7_200_000, model.Resources(cpu=4))
    node = made.nodes[0]
    assert node.retry == model.Retry(strategy="fixed", max_attempts=2)
    assert node.resilience == model.Resilience(
        failure_policy="fail_fast", fallback_actions=(model.FallbackAction(type="mail"),)
    )
    assert node.circuit_breaker == model.CircuitBreaker(open_for=60_000)
    assert node.rate_limit == model.RateLimit(rate=5, per=60_000)
    assert node.cache == model.Cache(key="${ input.id }", ttl=60_000)
    assert (node.resources, node.position) == (model.Resources(memory=2), model.Position(x=1, y=2))
    assert node.compensation_node_id == "b"


def test_parts_of_a_loaded_workflow_can_be_used_again() -> None:
    loaded = ms.loads(IN_A_FILE).workflow
    again = ms.Workflow("order", nodes=loaded.nodes, connections=loaded.connections)
    assert again.workflow == loaded


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(HERE.read_text().split("\n"), 1) if text in line)


def test_all_errors_are_told_at_once_each_at_its_line() -> None:
    too_deep: list[Any] = []
    too_deep.append(too_deep)
    wrong: Any = {"tiemout": 3}
    with pytest.raises(ms.DefinitionError) as caught:
        ms.Workflow(
            "w",
            nodes=[
                ms.Node("a", "functon", timeout="5x", **wrong),  # the first
                ms.Node("b", "log", depends_on=["c"], retry=ms.Retry(max_attempts=20)),  # the second
                ms.Node("d", "log", config={"x": {1, 2}, "f": alarm, "deep": too_deep, "big": 1 << 70}),  # the third
                ms.Node("e", "log", config={"n": float("nan"), "half": "\ud800", "t": datetime.timedelta(0, 0, 1)}),
            ],
            connections=[ms.Connection("a", "q", condition="outptu.x")],  # the connection
        )
    found = {(one.argument, one.code): one for one in caught.value.findings}
    assert found.keys() >= {
        ("nodes[0].timeout", "MS105"), ("nodes[0].tiemout", "MS104"), ("nodes[0].type", "MS205"),
        ("nodes[1].depends_on[0]", "MS207"), ("nodes[1].retry.max_attempts", "MS219"),
        ("nodes[2].config.x", "MS108"), ("nodes[2].config.f", "MS108"), ("nodes[2].config.big", "MS008"),
        ("nodes[3].config.n", "MS008"), ("nodes[3].config.half", "MS003"), ("nodes[3].config.t", "MS105"),
        ("connections[0].target", "MS206"), ("connections[0].condition", "MS212"),
    }  # fmt: skip
    assert {one.code for one in caught.value.findings if (one.argument or "").startswith("nodes[2].config.deep")} == {
        "MS005"
    }
    lines = {argument: one.line for (argument, _), one in found.items()}
    assert lines["nodes[0].timeout"] == line_of("# the first")
    assert lines["nodes[1].retry.max_attempts"] == line_of("# the second")
    assert lines["connections[0].target"] == line_of("# the connection")
    assert {one.file for one in caught.value.findings} == {str(HERE)}
    column = found["nodes[1].retry.max_attempts", "MS219"].column
    line = HERE.read_text().split("\n")[line_of("# the second") - 1]
    assert column is not None and line[column - 1 :].startswith("ms.Retry(")
    assert f"{HERE}:{line_of('# the first')}:17: nodes[0].tiemout: error MS104" in str(caught.value)
    assert "did you mean `timeout`?" in str(caught.value)


def test_what_is_no_graph_is_told_too() -> None:
    with pytest.raises(ms.DefinitionError) as caught:
        ms.Workflow("w", nodes=[ms.Node("a", "log", depends_on=["b"]), ms.Node("b", "log", depends_on=["a"])])
    assert {one.code for one in caught.value.findings} == {"MS209", "MS210"}
    with pytest.raises(ms.DefinitionError) as caught:
        ms.Workflow("w")
    assert [(one.code, one.message) for one in caught.value.findings] == [("MS101", "a workflow needs `nodes`")]


PARTS: list[tuple[Any, type[Any], set[str]]] = [
    # builder's fields, the model's struct, what the builder has besides
    (builder.WorkflowFields, model.Workflow, set()),
    (builder.NodeFields, model.Node, {"handler"}),
    (builder.ConnectionFields, model.Connection, set()),
    (builder.RetryFields, model.Retry, {"max_retries"}),
    (builder.ResilienceFields, model.Resilience, {"max_retries", "retry_delay"}),
    (builder.CircuitBreakerFields, model.CircuitBreaker, set()),
    (builder.RateLimitFields, model.RateLimit, set()),
    (builder.CacheFields, model.Cache, set()),
    (builder.JoinFields, model.Join, set()),
]
POSITIONAL = {"id", "type", "source", "target", "rate", "key", "kind"}


@pytest.mark.parametrize(("typed", "struct", "more"), PARTS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_mypy_is_told_is_what_the_model_has(typed: Any, struct: type[Any], more: set[str]) -> None:
    named = {field.name for field in fields(struct)}
    told = set(typed.__annotations__) - more
    assert told <= named and named - told <= POSITIONAL


def test_the_public_names_are_these() -> None:
    assert ms.Workflow is Workflow and ms.Node is builder.Node
    assert repr(ms.Node("a", "log", timeout=3)) == "Node(id='a', type='log', timeout=3)"
    assert repr(order()) == "<Workflow 'order' of 3 nodes>"
