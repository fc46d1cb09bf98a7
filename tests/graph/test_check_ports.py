"""By which ports nodes leave, and what is said of connections that start from another one."""

from __future__ import annotations

import pytest

from mainspring.graph.check import inspect_text

BODY = "body: [{id: x, type: log}]"


def found(source: str, port: str | None) -> list[tuple[str, str]]:
    edge = "source: s, target: t" + (f", sourcePort: {port}" if port else "")
    others = "- {id: t, type: log}\n- {id: u, type: log, dependsOn: t}\n"
    text = f"id: w\nnodes:\n- {{id: s, {source}}}\n{others}connections:\n- {{{edge}}}\n"
    return [(one.code, f"{one.message}; {one.hint}") for one in inspect_text(text)[1]]


@pytest.mark.parametrize(
    ("source", "port"),
    [
        ("type: wait, config: {signal: go}", None),
        ("type: wait, config: {signal: go}, timeout: 1m", "timeout"),
        ("type: wait, config: {signal: go, timeout: 1m}", "timed_out"),
        ("type: wait, config: {signal: [yes-please, no-thanks]}", "no-thanks"),
        ("type: wait, config: {signal: [a, '${ input.b }']}", "anything"),
        ("type: wait, config: {approval: boss}", "approved"),
        ("type: wait, config: {approval: boss}", "yes"),
        ("type: wait, config: {approval: boss}", "Denied"),
        ("type: milestone, config: {before: u}", "closed"),
        ("type: race, branches: {fast: [{id: x, type: log}], slow: [{id: x, type: log}]}", "slow"),
        ("type: race, branches: [{name: fast, nodes: [{id: x, type: log}]}, [{id: x, type: log}]]", None),
        (f"type: forEach, config: {{items: 3}}, {BODY}, timeout: 1h", "timeout"),
        ("type: cancel, config: {nodes: [u]}", None),
        ("type: function, handler: 'm:f'", "whatever"),
    ],
)
def test_ports_that_there_are(source: str, port: str | None) -> None:
    assert found(source, port) == []


@pytest.mark.parametrize(
    ("source", "port", "code", "said"),
    [
        ("type: wait, config: {signal: go}", "go", "MS224", "leaves by its primary output only"),
        ("type: wait, config: {signal: go}", "timeout", "MS224", "give `s` a `timeout`"),
        ("type: wait, config: {signal: [a, b]}", None, "MS228", "name one as sourcePort: a, b"),
        ("type: wait, config: {signal: [a, b]}, timeout: 1m", "c", "MS224", "its ports are a, b, timeout"),
        ("type: wait, config: {approval: boss}", None, "MS228", "approved, rejected"),
        ("type: wait, config: {approval: boss}", "aproved", "MS224", "did you mean `approved`?"),
        ("type: milestone, config: {before: u}", None, "MS228", "open, closed"),
        ("type: milestone, config: {before: u}", "opened", "MS224", "did you mean `open`?"),
        ("type: race, branches: {fast: [{id: x, type: log}]}", None, "MS228", "name one as sourcePort: fast"),
        ("type: race, branches: {fast: [{id: x, type: log}]}", "slow", "MS224", "its ports are fast"),
        (f"type: mutex, config: {{name: m}}, {BODY}", "timeout", "MS224", "give `s` a `timeout`"),
        (f"type: mutex, config: {{name: m}}, {BODY}, timeout: 1m", "x", "MS224", "and the primary output"),
        ("type: log", "x", "MS224", "leave out the sourcePort"),
        ("type: subflow, config: {workflow: y}", "done", "MS224", "leave out the sourcePort"),
    ],
)
def test_ports_that_there_are_not(source: str, port: str | None, code: str, said: str) -> None:
    told = found(source, port)
    assert [one for one, _ in told] == ["MS229", "MS229", code]
    assert said in told[-1][1]


def test_what_depends_on_a_node_without_a_primary_output_can_never_run() -> None:
    text = "id: w\nnodes:\n- {id: s, type: wait, config: {approval: x}}\n- {id: t, type: log, dependsOn: s}\n"
    assert [one.code for one in inspect_text(text)[1]] == ["MS229", "MS228"]


def test_within_a_body_too() -> None:
    edge = "{source: s, target: t, sourcePort: x}"
    body = f"{{nodes: [{{id: s, type: wait, config: {{signal: go}}}}, {{id: t, type: log}}], connections: [{edge}]}}"
    text = f"id: w\nnodes:\n- {{id: m, type: mutex, config: {{name: m, body: {body}}}}}\n"
    assert [(one.code, one.pointer) for one in inspect_text(text)[1]] == [
        ("MS229", ("nodes", 0, "config", "body", "nodes", 1, "id")),
        ("MS224", ("nodes", 0, "config", "body", "connections", 0, "sourcePort")),
    ]
