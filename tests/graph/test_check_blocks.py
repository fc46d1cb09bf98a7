"""What is said of blocks, waits, cancels and milestones: each fault with its code, place and hint."""

from __future__ import annotations

import pytest

from mainspring.graph.check import inspect_text

Found = list[tuple[str, str]]
BODY = "body: [{id: x, type: log}]"


def told(text: str) -> list[str]:
    """Each finding: its code, and the part of the line that it points at, from there on."""
    lines = text.split("\n")
    return [f"{one.code} {lines[(one.line or 1) - 1][(one.column or 1) - 1 :]}" for one in inspect_text(text)[1]]


def node(kind: str, config: str, more: str = "") -> str:
    return f"id: w\nnodes:\n- {{id: a, type: {kind}, config: {{{config}}}{more}}}\n"


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("forEach", f"items: input.lines, {BODY}"),
        ("forEach", f"items: '${{ input.lines }}', concurrency: 10_000, onError: collect, {BODY}".replace("_", "")),
        ("forEach", f"items: 1000000, {BODY}"),
        ("forEach", f"items: {{a: 1, b: '${{ input.x }}'}}, succeedAt: 2, {BODY}"),
        ("forEach", f"range: {{from: 10, to: 1, step: -1}}, {BODY}"),
        ("forEach", f"range: {{to: input.n, from: '${{ value }}'}}, {BODY}"),
        (
            "forEach",
            f"items: [1], stopWhen: value.done && item > index, more: '${{ value.found + loop.count }}', {BODY}",
        ),
        ("while", f"condition: value.left > 0 && index < 3 && loop.state, initial: {{left: 3}}, {BODY}"),
        ("until", f"condition: true, maxIterations: 1000000, collect: true, {BODY}"),
        ("parallel", "branches: [[{id: x, type: log}], {nodes: [{id: x, type: log}]}], succeedAt: 1"),
        ("race", "branches: [{name: fast, nodes: [{id: x, type: log}]}]"),
        ("mutex", f"name: '${{ input.sku }}', {BODY}"),
        ("subflow", f"{BODY}"),
        ("subflow", "workflow: other, version: 3, wait: false, output: '${ value.total }'"),
        ("wait", "signal: go"),
        ("wait", "event: [a, '${ input.b }'], schema: {type: object}, transient: false"),
        ("wait", "approval: boss"),
        ("delay", "until: '2027-01-01'"),
        ("delay", "until: 1893456000000"),
        ("delay", "until: '${ input.at }'"),
    ],
)
def test_what_is_right(kind: str, config: str) -> None:
    assert told(node(kind, config)) == []


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("forEach", BODY, ["MS261 {id: a"]),
        ("forEach", f"items: [1], range: {{to: 3}}, {BODY}", ["MS261 {to: 3"]),
        ("forEach", "items: [1]", ["MS261 {id: a"]),
        ("forEach", "items: [1], body: none", ["MS261 none"]),
        ("forEach", f"items: -1, {BODY}", ["MS261 -1"]),
        ("forEach", f"items: true, {BODY}", ["MS261 true"]),
        ("forEach", f"items: 1000001, {BODY}", ["MS219 1000001"]),
        ("forEach", f"itmes: [1], {BODY}", ["MS261 {id: a", "MS261 [1]"]),
        ("forEach", f"items: [1], shade: blue, {BODY}", ["MS237 shade"]),
        ("forEach", f"items: [1], concurrency: 10001, {BODY}", ["MS219 10001"]),
        ("forEach", f"items: [1], concurrency: 0, {BODY}", ["MS219 0"]),
        ("forEach", f"items: [1], concurrency: '${{ input.n }}', {BODY}", ["MS261 '${"]),
        ("forEach", f"items: [1], succeedAt: 2, {BODY}", ["MS219 2"]),
        ("forEach", f"items: [1], onError: colect, {BODY}", ["MS103 colect"]),
        ("forEach", f"items: [1], onError: 3, {BODY}", ["MS261 3"]),
        ("forEach", f"items: [1], stopWhen: 3, {BODY}", ["MS261 3"]),
        ("forEach", f"items: [1], stopWhen: value., {BODY}", ["MS212 , body"]),
        ("forEach", f"items: [1], more: value.found, {BODY}", ["MS261 value.found"]),
        ("forEach", f"items: inpt.lines, {BODY}", ["MS212 inpt"]),
        ("forEach", f"items: ['${{ inpt }}'], {BODY}", ["MS213 inpt"]),
        ("forEach", f"range: 3, {BODY}", ["MS261 3"]),
        ("forEach", f"range: {{from: 3}}, {BODY}", ["MS261 {from"]),
        ("forEach", f"range: {{to: 3, stpe: 2}}, {BODY}", ["MS261 2}"]),
        ("forEach", f"range: {{to: 3, step: 0}}, {BODY}", ["MS261 0}"]),
        ("forEach", f"range: {{to: 2000000}}, {BODY}", ["MS219 2000000"]),
        ("forEach", f"range: {{to: [3]}}, {BODY}", ["MS261 [3]"]),
        ("forEach", "items: [1], body: {nodes: []}", ["MS201 []"]),
        ("while", BODY, ["MS261 {id: a"]),
        ("while", f"condition: 3, {BODY}", ["MS261 3"]),
        ("while", f"condition: value.x >, {BODY}", ["MS212 , body"]),
        ("while", f"condition: \"'no'\", {BODY}", ["MS251 'no'"]),
        ("until", f"condition: value, maxIterations: 1000001, {BODY}", ["MS219 1000001"]),
        ("until", f"condition: value, collect: 'yes', {BODY}", ["MS261 'yes'"]),
        ("until", "condition: value", ["MS261 {id: a"]),
        ("parallel", "concurrency: 2", ["MS261 {id: a"]),
        ("parallel", "branches: []", ["MS261 []"]),
        ("parallel", "branches: [3]", ["MS261 3"]),
        ("parallel", "branches: [[{id: x, type: log}]], succeedAt: 2", ["MS219 2"]),
        ("parallel", "branches: [[{id: x, type: log}]], onEror: collect", ["MS261 collect"]),
        ("race", "branches: {}", ["MS261 {}"]),
        ("mutex", BODY, ["MS261 {id: a"]),
        ("mutex", f"name: 3, {BODY}", ["MS261 3"]),
        ("subflow", "version: 3", ["MS261 {id: a", "MS261 3"]),
        ("subflow", f"workflow: x, {BODY}", ["MS261 [{id: x"]),
        ("subflow", "workflow: '${ input.which }'", ["MS261 '${"]),
        ("subflow", "workflow: 3, wait: later", ["MS261 3", "MS261 later"]),
        ("subflow", "workflow: x, version: true", ["MS261 true"]),
        ("wait", "schema: {type: object}", ["MS261 {id: a"]),
        ("wait", "signal: a, event: b", ["MS261 b"]),
        ("wait", "signal: ''", ["MS261 ''"]),
        ("wait", "signal: []", ["MS261 []"]),
        ("wait", "signal: [a, 3]", ["MS261 3"]),
        ("wait", "signal: [a, a]", ["MS261 a]"]),
        ("wait", "approval: [a, b]", ["MS261 [a, b]"]),
        ("wait", "signal: go, schema: {type: objekt}", ["MS240 objekt"]),
        ("wait", "signal: go, schema: x", ["MS261 x"]),
        ("wait", "signal: go, transient: 1", ["MS261 1"]),
        ("wait", "signl: go", ["MS261 {id: a", "MS261 go"]),
        ("wait", f"signal: {'x' * 201}", ["MS261 " + "x" * 201]),
        ("delay", "until: soon", ["MS261 soon"]),
        ("delay", "until: 2027, duration: 5s", ["MS261 2027"]),
        ("cancel", "", ["MS261 {id: a"]),
        ("cancel", "nodes: []", ["MS261 []"]),
        ("cancel", "nodes: [b, a]", ["MS266 b", "MS266 a]"]),
        ("cancel", "nodes: [true]", ["MS261 true"]),
        ("milestone", "", ["MS261 {id: a"]),
        ("milestone", "after: [b]", ["MS261 [b]"]),
        ("milestone", "after: a", ["MS266 a}"]),
        ("milestone", "before: b", ["MS266 b}"]),
    ],
)
def test_what_is_wrong(kind: str, config: str, expected: list[str]) -> None:
    text = node(kind, config)
    found = told(text)
    assert len(found) == len(expected), found
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True)), found


def hint(text: str, code: str) -> str:
    return next(f"{one.message}; {one.hint}" for one in inspect_text(text)[1] if one.code == code)


def test_hints_say_what_was_meant() -> None:
    assert "did you mean `items`?" in inspect_text(node("forEach", f"itmes: [1], {BODY}"))[1][1].text()
    assert "iterations_max" in hint(node("until", f"condition: value, maxIterations: 2000000, {BODY}"), "MS219")
    assert "cannot be computed" in hint(node("subflow", "workflow: '${ input.x }'"), "MS261")
    assert "did you mean `pack`?" in hint(
        "id: w\nnodes:\n- {id: pack, type: log}\n- {id: stop, type: cancel, config: {nodes: [pakc]}}\n", "MS266"
    )


def test_a_config_of_the_kinds_that_are_never_tried_again() -> None:
    assert told(node("wait", "signal: go", ", retry: 3")) == ["MS245 3}"]
    assert told(node("wait", "signal: go", ", retry: none")) == []
    assert told(node("mutex", f"name: x, {BODY}", ", retry: 3, cache: {ttl: 1h}")) == [
        "MS245 3, cache: {ttl: 1h}}",
        "MS244 {ttl: 1h}}",
    ]
    assert "nodes of the body" in hint(node("mutex", f"name: x, {BODY}", ", retry: 3"), "MS245")
    assert "leave it out" in hint(node("subflow", "workflow: x", ", retry: 3"), "MS245")


def test_what_is_within_a_body_is_checked_like_the_rest() -> None:
    stop = "{id: c, type: cancel, config: {nodes: [a]}}"
    body = f"{{nodes: [{{id: x, type: log}}, {{id: y, type: log, join: {{n: 3}}, dependsOn: x}}, {stop}]}}"
    assert told(node("mutex", f"name: m, body: {body}"))[0].startswith("MS218 {n: 3}")
    assert told(node("mutex", f"name: m, body: {body}"))[1].startswith("MS266 a]")
    cycle = "[{id: x, type: log, dependsOn: y}, {id: y, type: log, dependsOn: x}, {id: z, type: log}]"
    text = node("mutex", f"name: m, body: {cycle}")
    assert "what is to be repeated is the body of a node" in hint(text, "MS209")
    assert "the body has no nodes" in hint(node("mutex", "name: m, body: []"), "MS201")


def nested(depth: int) -> str:
    inner = "[{id: x, type: log}]"
    for level in range(depth):
        inner = f"[{{id: m{level}, type: mutex, config: {{name: x, body: {inner}}}}}]"
    return f"id: w\nnodes: {inner}\n"


def test_bodies_are_nested_so_deep() -> None:
    assert inspect_text(nested(16))[1] == ()
    assert [one.code for one in inspect_text(nested(17))[1]] == ["MS265"]


def test_a_bare_number_as_timeout_is_doubted() -> None:
    assert told(node("wait", "signal: go", ", timeout: 10")) == ["MS110 10}"]
    assert told(node("wait", "signal: go, timeout: '99'")) == ["MS110 '99'}}"]
    assert (
        told(node("wait", "signal: go", ", timeout: 100")) == told(node("wait", "signal: go", ", timeout: 10ms")) == []
    )
    assert told(node("wait", "signal: go", ", timeout: 0")) == []


MILESTONE = """id: w
nodes:
- {id: a, type: log}
- {id: m, type: milestone, config: {after: b}, dependsOn: a}
- {id: b, type: log}
connections:
- {source: m, target: b, sourcePort: open}
"""


def test_a_milestone_that_waits_for_itself() -> None:
    assert told(MILESTONE) == ["MS267 b}, dependsOn: a}"]
    assert "b -> m" in hint(MILESTONE, "MS267") or "m -> b" in hint(MILESTONE, "MS267")
    assert told(MILESTONE.replace("after: b", "after: a")) == []


def test_two_milestones_that_wait_for_one_another() -> None:
    text = """id: w
nodes:
- {id: m, type: milestone, config: {after: b}}
- {id: n, type: milestone, config: {after: a}}
- {id: a, type: log}
- {id: b, type: log}
connections:
- {source: m, target: a, sourcePort: open}
- {source: n, target: b, sourcePort: open}
"""
    assert [one[:5] for one in told(text)] == ["MS267"]


@pytest.mark.parametrize("by", ["fallbackNodeId", "compensationNodeId"])
@pytest.mark.parametrize(
    "waits", ["milestone, config: {after: b}", "milestone, config: {before: b}", "cancel, config: {nodes: [b]}"]
)
def test_what_runs_for_another_node_alone_cannot_be_waited_for(by: str, waits: str) -> None:
    """It is on no graph, never begins there and never ends: a milestone after it would wait for ever."""
    text = f"id: w\nnodes:\n- {{id: a, type: log, {by}: b}}\n- {{id: b, type: log}}\n- {{id: m, type: {waits}}}\n"
    [found] = [one for one in inspect_text(text)[1] if one.code == "MS266"]
    assert found.message.endswith("`b`, which does not stand on the graph: it runs for another node alone")
