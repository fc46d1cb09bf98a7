"""D2: blocks and waits by the words of other editors and engines: one kind, one key, one form."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.definition.kind_keys import KIND_KEYS, KIND_WORDS
from mainspring.definition.load import read_text
from mainspring.definition.model import Node
from mainspring.graph.check import inspect_text

X = [{"id": "x", "type": "log"}]
BODY = {"nodes": X}


def read(text: str) -> Node:
    reading = read_text(f"id: w\nnodes:\n- {{id: a, {text}}}\n")
    assert [one.text() for one in reading.findings] == []
    assert reading.workflow is not None
    return reading.workflow.nodes[0]


@pytest.mark.parametrize(
    ("text", "kind", "config"),
    [
        ("type: for_each, config: {collection: [1], do: [{id: x, type: log}]}", "forEach", {"items": [1], "body": BODY}),
        ("type: map, config: {over: input.x, maxParallel: 3}, body: [{id: x, type: log}]", "forEach",
         {"items": "input.x", "concurrency": 3, "body": BODY}),
        ("type: loop, config: {items: 3}, do: [{id: x, type: log}]", "forEach", {"items": 3, "body": BODY}),
        ("type: repeat, config: {times: 3}, do: [{id: x, type: log}]", "forEach", {"items": 3, "body": BODY}),
        ("type: loop, config: {until: value.x, max_loops: 9}, do: [{id: x, type: log}]", "until",
         {"condition": "value.x", "maxIterations": 9, "body": BODY}),
        ("type: loop, config: {while: value.x, state: 1}, do: [{id: x, type: log}]", "while",
         {"condition": "value.x", "initial": 1, "body": BODY}),
        ("type: while-loop, config: {expression: value.x}, loopBody: [{id: x, type: log}]", "while",
         {"condition": "value.x", "body": BODY}),
        ("type: forEach, config: {range: {start: 1, end: 9, by: 2}, onFailure: continue}, body: [{id: x, type: log}]",
         "forEach", {"range": {"from": 1, "to": 9, "step": 2}, "onError": "collect", "body": BODY}),
        ("type: forEach, config: {items: 3, on_error: FAIL_FAST}, body: [{id: x, type: log}]", "forEach",
         {"items": 3, "onError": "failFast", "body": BODY}),
        ("type: fork, config: {paths: [[{id: x, type: log}]]}", "parallel", {"branches": [BODY]}),
        ("type: split, branches: {left: [{id: x, type: log}], right: {steps: [{id: x, type: log}]}}", "parallel",
         {"branches": [{"nodes": X, "name": "left"}, {"nodes": X, "name": "right"}]}),
        ("type: firstOf, branches: [{id: fast, nodes: [{id: x, type: log}]}]", "race",
         {"branches": [{"nodes": X, "name": "fast"}]}),
        ("type: criticalSection, config: {key: k}, body: [{id: x, type: log}]", "mutex", {"name": "k", "body": BODY}),
        ("type: lock, config: {resource: k}, body: [{id: x, type: log}]", "mutex", {"name": "k", "body": BODY}),
        ("type: call, config: {workflowId: other, waitForCompletion: false}", "subflow",
         {"workflow": "other", "wait": False}),
        ("type: childWorkflow, config: {flow: other}", "subflow", {"workflow": "other"}),
        ("type: subflow, body: [{id: x, type: log}]", "subflow", {"body": BODY}),
        ("type: signal, config: {name: go}", "wait", {"signal": "go"}),
        ("type: wait_for_signal, config: {signalName: go}", "wait", {"signal": "go"}),
        ("type: waitForEvent, config: {name: paid}", "wait", {"event": "paid"}),
        ("type: human", "wait", {"approval": "a"}),
        ("type: approval, config: {name: boss}", "wait", {"approval": "boss"}),
        ("type: wait, config: {eventName: paid, payloadSchema: {type: object}}", "wait",
         {"event": "paid", "schema": {"type": "object"}}),
        ("type: wait, config: {seconds: 3}", "delay", {"duration": 3_000}),
        ("type: sleep, config: {duration: 3s}", "delay", {"duration": "3s"}),
        ("type: sleepUntil, config: {time: '2027-01-01'}", "delay", {"until": "2027-01-01"}),
        ("type: delay, config: {deadline: '2027-01-01'}", "delay", {"until": "2027-01-01"}),
        ("type: cancel, config: {targets: [17, b]}", "cancel", {"nodes": ["17", "b"]}),
        ("type: cancelRegion, config: {node: b}", "cancel", {"nodes": ["b"]}),
        ("type: milestone, config: {after: 17, until: b}", "milestone", {"after": "17", "before": "b"}),
        ("type: wait, data: {signal: go}", "wait", {"signal": "go"}),
    ],
)  # fmt: skip
def test_spellings(text: str, kind: str, config: dict[str, Any]) -> None:
    node = read(text)
    assert (node.type, node.config) == (kind, config)


@pytest.mark.parametrize(
    "text",
    [
        "type: wait, timeout: 2m, config: {signal: go}",
        "type: wait, config: {signal: go, timeout: 2m}",
        "type: wait, config: {signal: go, timeoutMs: 120000}",
        "type: approval, config: {expiresAfter: 2m}",
        "type: mutex, config: {name: x, timeout: 2m}, body: [{id: x, type: log}]",
    ],
)
def test_a_timeout_is_the_nodes_own_wherever_it_is_said(text: str) -> None:
    node = read(text)
    assert node.timeout == 120_000 and not [key for key in node.config if "imeout" in key or "xpires" in key]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type: wait, timeout: 2m, config: {signal: go, timeout: 3m}", ("MS106", "timeout: 3m}}")),
        ("type: wait, config: {signal: go, timeout: soon}", ("MS105", "soon}}")),
        ("type: forEach, config: {items: [1], collection: [1]}, body: [{id: x, type: log}]", ("MS106", "collection")),
        ("type: forEach, config: {range: {to: 1, end: 2}}, body: [{id: x, type: log}]", ("MS106", "end: 2")),
        ("type: race, branches: {fast: {nodes: [{id: x, typ: log}]}}", ("MS101", "{id: x")),
        ("type: race, branches: {fast: [{id: x, type: lgo}]}", ("MS205", "lgo")),
        ("type: lock, config: {key: 3}, body: [{id: x, type: log}]", ("MS261", "3}")),
        ("type: doWhile", ("MS205", "doWhile")),
    ],
)
def test_what_is_wrong_is_told_where_it_was_said(text: str, expected: tuple[str, str]) -> None:
    document = f"id: w\nnodes:\n- {{id: a, {text}}}\n"
    first = inspect_text(document)[1][0]
    assert first.line == 3 and first.column is not None
    assert (first.code, document.split("\n")[2][first.column - 1 :][: len(expected[1])]) == expected


def test_a_key_of_the_config_beside_it_is_told_once() -> None:
    text = "id: w\nnodes:\n- {id: a, type: forEach, items: input.lines, body: [{id: x, type: log}]}\n"
    (one,) = inspect_text(text)[1]
    assert (one.code, one.line, one.column) == ("MS104", 3, 26)
    assert one.hint == "what a kind of node is told stands in its config: `config: {items: …}`"


def test_a_loop_that_asks_the_other_way_round_is_not_taken_for_another() -> None:
    hints = [one.hint for one in inspect_text("id: w\nnodes:\n- {id: a, type: doWhile}\n")[1]]
    assert hints == ["write `type: until`, whose condition says when to stop: `!(CONDITION)`"]


@pytest.mark.parametrize("kind", KIND_KEYS)
def test_every_key_is_found_by_each_of_its_names_and_by_no_others(kind: str) -> None:
    names = [(word, key) for key, told in KIND_KEYS[kind].items() for word in (key, *told.also.split())]
    assert [KIND_WORDS[kind].find(word) for word, _ in names] == [key for _, key in names]
    assert len({word.lower() for word, _ in names}) == len(names)
    assert KIND_WORDS[kind].find("shade") is None
