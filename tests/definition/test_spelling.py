"""Every spelling leads to the same model."""

from pathlib import Path
from typing import Any

import pytest

from mainspring.definition.durations import format_duration, parse_duration
from mainspring.definition.load import read, read_text
from mainspring.definition.model import Cache, Connection, FallbackAction, Join, Node, Resilience, Retry, Workflow

files = Path(__file__).parent / "files"


def workflow_of(name: str) -> Workflow:
    reading = read(files / name)
    assert reading.findings == [] and reading.workflow is not None
    return reading.workflow


def node_of(text: str) -> Node:
    reading = read_text(f"id: w\nnodes:\n  - {{id: a, {text}}}\n")
    assert reading.findings == [] and reading.workflow is not None
    return reading.workflow.nodes[0]


def test_the_explicit_style() -> None:
    workflow = workflow_of("explicit.yaml")
    assert (workflow.id, workflow.name) == ("monthly-invoices", "Monthly invoices")
    assert workflow.nodes[0] == Node(
        id="collect", type="script", name="Collect the usage", config={"runtime": "bash", "path": "scripts/collect.sh"}
    )
    assert [node.config["runtime"] for node in workflow.nodes] == ["bash", "python", "powershell"]
    assert workflow.connections[1] == Connection(source="collect", target="call-for-help", trigger="fail")


def test_the_editor_style() -> None:
    workflow = workflow_of("drawn.json")
    approve = workflow.nodes[2]
    assert approve.config == {"handler": "leave:approve", "colour": "red"}
    assert approve.timeout == 60_000
    assert approve.retry == Retry(strategy="linear", max_attempts=3, initial_delay=250)
    assert workflow.nodes[3].config == {"delayType": "fixed", "duration": 20}
    assert workflow.tags == ("people",) and workflow.metadata == {"createdBy": "hr"}


def test_the_step_style() -> None:
    workflow = workflow_of("steps.yaml")
    assert (workflow.id, workflow.failure_policy) == ("open-an-account", "partial_success")
    create, greet = workflow.nodes
    assert (create.type, create.config) == ("function", {"handler": "account_create", "region": "eu"})
    assert create.retry == Retry(strategy="fixed", max_attempts=4, initial_delay=200)
    assert create.resilience == Resilience(failure_policy="fail_fast", is_critical=True)
    assert greet.depends_on == ("create",)
    assert greet.resilience is not None
    assert greet.resilience.fallback_actions == (
        FallbackAction(type="mail_queue", config={"queue": "q"}),
        FallbackAction(type="mail_log"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("handler: 'm:f'", Node(id="a", type="function", config={"handler": "m:f"})),
        ("handlerId: f", Node(id="a", type="function", config={"handler": "f"})),
        ("function_name: f, type: action", Node(id="a", type="function", config={"handler": "f"})),
        (
            "functionCode: 'x = 1', runtimeType: Python",
            Node(id="a", type="function", config={"code": "x = 1", "runtime": "Python"}),
        ),
        ("scriptPath: a.js", Node(id="a", type="script", config={"path": "a.js", "runtime": "node"})),
        ("type: for_each", Node(id="a", type="forEach")),
        ("type: log, depends_on: [b]", Node(id="a", type="log", depends_on=("b",))),
        ("type: log, max_concurrency: 2", Node(id="a", type="log", max_concurrent_executions=2)),
        ("type: log, timeout: 1h30m", Node(id="a", type="log", timeout=5_400_000)),
        ("type: log, tags: x", Node(id="a", type="log", tags=("x",))),
        ("type: log, priority: High", Node(id="a", type="log", priority="high")),
    ],
)  # fmt: skip
def test_node(text: str, expected: Node) -> None:
    assert node_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("any", Join(kind="any")),
        ("ports", Join(kind="ports")),
        ("{n: 2}", Join(kind="n", n=2)),
        ("{any: true, cancelOthers: true}", Join(kind="any", cancel_others=True)),
        ("{any: {cancelOthers: true}}", Join(kind="any", cancel_others=True)),
        ("{all: true}", Join()),
        ("{all: null}", Join()),
        ("{kind: Each}", Join(kind="each")),
        ("{n: 3, cancel_others: true}", Join(kind="n", n=3, cancel_others=True)),
    ],
)
def test_join(text: str, expected: Join) -> None:
    assert node_of(f"type: log, join: {text}").join == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", Cache()),
        ("false", None),
        ("10m", Cache(ttl=600_000)),
        ("{}", Cache(ttl=3_600_000)),
        ("{key: '${ input.id }', ttl: 2s}", Cache(key="${ input.id }", ttl=2_000)),
        ("{cache_key: '${ input.id }', timeToLive: 500}", Cache(key="${ input.id }", ttl=500)),
    ],
)
def test_cache(text: str, expected: Cache | None) -> None:
    """E8: how a node's result cache is written."""
    assert node_of(f"type: log, cache: {text}").cache == expected


@pytest.mark.parametrize(
    ("text", "trigger"),
    [("Complete", "complete"), ("FAIL", "fail"), ("all", "all"),
     ("failure", "fail"), ("[complete, fail]", "all"), ("[Fail]", "fail")],
)  # fmt: skip
@pytest.mark.parametrize("key", ["trigger", "triggerMessageType", "on", "trigger_message_type"])
def test_trigger(key: str, text: str, trigger: str) -> None:
    reading = read_text(f"id: w\nnodes: []\nedges:\n- {{from: a, to: b, when: output.x, {key}: {text}}}\n")
    assert reading.findings == [] and reading.workflow is not None
    assert reading.workflow.connections == (
        Connection(source="a", target="b", condition="output.x", trigger=trigger),  # type: ignore[arg-type]
    )


def test_stamps_belong_to_the_metadata() -> None:
    """D5: `createdAt`, `updatedAt` and `createdBy`, wherever they are said."""
    reading = read_text(
        "id: w\nnodes: [{id: a, type: log}]\ncreated_at: 2026-01-01\ncreatedBy: me\nmetadata: {updatedAt: x, k: 1}\n"
    )
    assert reading.findings == [] and reading.workflow is not None
    assert reading.workflow.metadata == {"createdAt": "2026-01-01", "createdBy": "me", "updatedAt": "x", "k": 1}


def test_what_belongs_to_the_config_is_told() -> None:
    """D6: a key of a kind of node that stands beside `config`."""
    (found,) = read_text("id: w\nnodes: [{id: a, type: delay, seconds: 3}]\n").findings
    assert found.hint == "what a kind of node is told stands in its config: `config: {seconds: …}`"


durations: list[tuple[Any, int | None]] = [
    ("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000), (250, 250), ("250", 250),
    ("1.5s", 1_500), ("1h 30m", 5_400_000), (2.0, 2), (0, 0), ("", None), ("5x", None), ("-1s", None), (-1, None),
    (1.5, None), (True, None), (None, None), ("s", None), ("1" * 50 + "s", None), (float("nan"), None), ("0.1ms", None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), durations)
def test_duration(value: Any, expected: int | None) -> None:
    assert parse_duration(value) == expected
    if expected is not None:
        assert parse_duration(format_duration(expected)) == expected
