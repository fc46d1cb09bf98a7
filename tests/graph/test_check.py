"""Documents, and all that is found in them at its place."""

import time
from pathlib import Path

import pytest

from mainspring.definition import canonical, model
from mainspring.definition.findings import codes
from mainspring.errors import DefinitionError
from mainspring.graph.check import check_workflow, inspect_text, load, loads

files = Path(__file__).parents[1] / "definition" / "files"

Found = list[tuple[str, int, int, str]]


def graph(*lines: str) -> str:
    """A workflow of log nodes a, b, c (lines 3 to 5), and what follows from line 6 on."""
    nodes = "".join(f"- {{id: {name}, type: log}}\n" for name in "abc")
    return f"id: w\nnodes:\n{nodes}" + "\n".join(lines)


def edges(*pairs: str) -> str:
    return graph("connections:", *(f"- {{source: {pair[0]}, target: {pair[1]}}}" for pair in pairs))


def node(text: str) -> str:
    return f"id: w\nnodes:\n- {{id: a, {text}}}\n"


def edge(text: str) -> str:
    return graph("connections:", f"- {{source: a, target: b, {text}}}")


cases: list[tuple[str, Found]] = [
    (edges("ab", "bc", "ac"), []),
    (graph("- {id: d, type: log, dependsOn: [a]}", "connections: [{source: a, target: d}]"), []),
    # the model
    (graph("conections: []"), [("MS104", 6, 1, "did you mean `connections`?")]),
    (edge("conditon: x"), [("MS104", 7, 26, "did you mean `condition`?")]),
    ("nodes: []\n", [("MS101", 1, 1, "needs `id`")]),
    (node("name: x"), [("MS101", 3, 3, "a node needs `type`")]),
    (node("type: log, retry: {strategy: exponentail}"), [("MS103", 3, 40, "did you mean `exponential`?")]),
    (node("type: log, timeout: 5 parsecs"), [("MS105", 3, 31, "no duration")]),
    (node("type: log, name: 5"), [("MS102", 3, 28, "`name` must be text, not the number 5")]),
    (node("type: log, nodeType: log"), [("MS106", 3, 22, "two spellings of `type`")]),
    (node("runtimeType: Bsh, scriptPath: x"), [("MS103", 3, 24, "did you mean `bash`?")]),
    (node("type: log, data: {retryPolicy: {maxAttempts: x}}"), [("MS102", 3, 56, "whole number")]),
    (node("type: log, resilience: {maxRetries: 20}"), [("MS219", 3, 47, "from 1 to 10")]),
    (node("type: log") + "version: 1.0\n", [("MS107", 4, 10, '"1.0" in quotes')]),
    # nodes
    ("id: w\nnodes: []\n", [("MS201", 2, 8, "no nodes")]),
    ("id: w\nnodes: [{id: a.b, type: log}]\n", [("MS202", 2, 14, "a.b")]),
    (graph("- {id: b, type: log}"), [("MS203", 6, 8, "duplicate node id `b`")]),
    (node("type: functon"), [("MS205", 3, 17, "did you mean `function`?")]),
    (node("type: script"), [("MS220", 3, 3, "neither path nor code")]),
    (node("type: function"), [("MS221", 3, 3, "no handler")]),
    (node("type: delay"), [("MS222", 3, 3, "no duration")]),
    (node("type: delay, config: {duration: soon}"), [("MS105", 3, 43, "soon")]),
    (node("type: log, retry: {maxAttempts: 11, jitter: 2}"), [("MS219", 3, 43, "11"), ("MS219", 3, 55, "jitter")]),
    # connections
    (edges("ax"), [("MS206", 7, 23, "`x`, which is no node")]),
    (edges("aa"), [("MS208", 7, 3, "connected to itself")]),
    (edge("id: e") + "\n- {source: a, target: c, id: e}", [("MS204", 8, 30, "`e`")]),
    (graph("- {id: d, type: log, dependsOn: [bb]}"), [("MS207", 6, 34, "depends on `bb`, which is no node")]),
    (edges("ab", "bc", "ca"), [("MS210", 3, 1, "no entry"), ("MS209", 9, 3, "a -> b -> c -> a")]),
    (edges("ab", "bc", "cb"), [("MS209", 9, 3, "cycle: b -> c -> b")]),
    (graph("- {id: d, type: log}", *edges("bc", "cb", "cd").split("\n")[5:]), [
        ("MS211", 6, 8, "`d` is unreachable"), ("MS209", 9, 3, "b -> c -> b")]),
    # expressions
    (edge("condition: outptu.x > 1"), [("MS212", 7, 37, "did you mean `output`?")]),
    (edge("condition: 'output.x >'"), [("MS212", 7, 48, "ends where a value")]),
    (edge("condition: nodes.bb.output"), [("MS214", 7, 43, "no node `bb`")]),
    (node("type: log, input: {x: ['${ inpt.a }']}"), [("MS213", 3, 38, "did you mean `input`?")]),
    (node("type: transform, config: {output: 'a ${ 1'}"), [("MS213", 3, 48, "never closed")]),
    (node("type: script, config: {code: 'echo ${HOME}', runtime: sh}"), []),
    (node("type: if, config: {condition: 1 +}"), [("MS212", 3, 44, "ends where")]),
    (graph("output: ${ outputt }"), [("MS213", 6, 12, "did you mean `output`?")]),
    # compensation and fallback
    (graph("- {id: d, type: log, compensationNodeId: x}"), [("MS215", 6, 42, "is `x`, which is no node")]),
    (graph("- {id: d, type: log, fallbackNodeId: e}", "- {id: e, type: log, fallbackNodeId: d}"), [
        ("MS216", 7, 38, "d -> e -> d")]),
    (graph("- {id: d, type: log, compensationNodeId: c}", "connections: [{source: a, target: c}]"), [
        ("MS217", 7, 15, "`c`")]),
    (edge("isCompensation: true"), []),
    # joins and ports
    (graph("- {id: d, type: log, join: {n: 3}, dependsOn: [a, b]}"), [("MS218", 6, 28, "only 2 can come")]),
    (graph("- {id: d, type: log, join: each, dependsOn: [a, b]}", "- {id: e, type: log, dependsOn: [c, d]}"), [
        ("MS223", 7, 8, "`e` joins several")]),
    (graph("- {id: d, type: decision, config: {conditions: [{id: big, expression: input.x}]}}",
           "connections: [{source: d, target: a, sourcePort: bgi}]"), [("MS224", 7, 50, "unknown port `bgi`")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), cases)
def test_findings(text: str, expected: Found) -> None:
    definition, found = inspect_text(text, name="w.yaml")
    assert [(one.code, one.line, one.column) for one in found] == [case[:3] for case in expected]
    for one, case in zip(found, expected, strict=True):
        assert case[3] in one.text()
        assert one.text().startswith(f"w.yaml:{one.line}:{one.column}: {one.severity} {one.code} ")
    assert (definition is None) == any(one.severity == "error" for one in found)


def test_json_has_places_too() -> None:
    text = (
        '{"id": "w", "nodes": [\n  {"id": "a", "type": "log", "input": "${ inptu.x }"},\n  {"id": "b", "typ": "log"}]}'
    )
    _, found = inspect_text(text, format="json")
    assert [(one.code, one.line, one.column) for one in found] == [("MS101", 3, 3), ("MS104", 3, 15)]
    _, found = inspect_text(text.replace('typ"', 'type"'), format="json")
    assert [(one.code, one.line, one.column) for one in found] == [("MS213", 2, 43)]


def test_faults_of_model_and_graph_are_told_in_one_go() -> None:
    _, found = inspect_text(edge("conditon: x, trigger: al") + "\n- {source: b, target: cc}\ntimeout: x\n")
    assert {one.code for one in found} == {"MS104", "MS103", "MS206", "MS105"}


def test_load_raises_all_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        loads(edges("ax", "bb"))
    assert [one.code for one in caught.value.findings] == ["MS206", "MS208"]
    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("name", ["explicit.yaml", "drawn.json", "steps.yaml"])
def test_load(name: str) -> None:
    definition = load(files / name)
    assert definition.folder == str(files) and definition.source == str(files / name)
    assert check_workflow(definition.workflow) == ()


def test_codes_that_are_reported_are_explained() -> None:
    assert all(code.title and code.explanation.endswith(".") for code in codes.values())
    assert {case[0] for _, expected in cases for case in expected} <= set(codes)


def chain(size: int) -> model.Workflow:
    nodes = tuple(model.Node(id=f"n{i}", type="log") for i in range(size))
    connections = tuple(model.Connection(source=f"n{i}", target=f"n{i + 1}") for i in range(size - 1))
    return model.Workflow(id="w", nodes=nodes, connections=connections)


def test_large_graphs_need_no_stack() -> None:
    workflow = chain(100_000)
    began = time.process_time()
    assert check_workflow(workflow) == ()
    assert time.process_time() - began < 5
    back = model.Connection(source="n99999", target="n0")
    ring = model.Workflow(id="w", nodes=workflow.nodes, connections=(*workflow.connections, back))
    assert [one.code for one in check_workflow(ring)] == ["MS209", "MS210"]


def test_five_thousand_nodes_load_quickly() -> None:
    text = canonical.to_yaml(chain(5_000))
    began = time.process_time()
    loads(text)
    # 0.2 s on the machine it was written on; the bound only catches what grows faster than the file.
    assert time.process_time() - began < 2


def test_python_door_needs_no_places() -> None:
    found = check_workflow(model.Workflow(id="w", nodes=(model.Node(id="a", type="script"),)))
    assert [(one.code, one.line, one.pointer) for one in found] == [("MS220", None, ("nodes", 0))]
