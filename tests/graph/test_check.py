"""Documents, and all that is found in them at its place."""

import time
from pathlib import Path

import pytest

from mainspring.definition import canonical, model
from mainspring.definition.findings import codes
from mainspring.errors import DefinitionError
from mainspring.graph.check import check_workflow, inspect_text, load, loads
from tests.speed import slowness

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
    # nodes that decide
    (node("type: if, config: {conditon: x}"), [("MS261", 3, 3, "an `if` needs a condition")]),
    (node("type: if, config: {condition: 5}"), [("MS261", 3, 41, "an expression, as text")]),
    (node("type: if, config: {condition: true}"), []),
    (node("type: if, config: {condition: value.x > 1}"), []),
    (node("type: if, config: {condition: \"'no'\"}"), [("MS251", 3, 42, "string 'no' is true")]),
    (node("type: switch"), [("MS261", 3, 3, "a list of conditions")]),
    (node("type: switch, config: {conditions: {}}"), [("MS261", 3, 46, "a list of conditions")]),
    (node("type: switch, config: {conditions: [x, {id: p}, {expression: 'true'}, {id: q, when: 3}], match: al}"), [
        ("MS261", 3, 47, "a case is an object"), ("MS261", 3, 50, "needs an `expression`"),
        ("MS261", 3, 59, "needs an `id`"), ("MS261", 3, 95, "an expression, as text"),
        ("MS261", 3, 107, "did you mean `all`?")]),
    (node("type: switch, config: {cases: [{id: p, expression: 1 +}]}"), [("MS212", 3, 65, "ends where")]),
    (node("type: switch, config: {conditions: ["
          + ", ".join(["{id: p, expression: input.x}"] * 1_001) + "]}"), [("MS261", 3, 46, "cases_max, 1000")]),
    (node("type: transform"), [("MS261", 3, 3, "nothing to make")]),
    (node("type: transform, config: {output: 1, map: {}}"), [("MS261", 3, 53, "output and map, and only one")]),
    (node("type: transform, config: {map: {items: input.x, az: 1}}"), [
        ("MS261", 3, 42, "`map` needs `as`"), ("MS261", 3, 63, "unknown key `az`")]),
    (node("type: transform, config: {reduce: 5}"), [("MS261", 3, 45, "`reduce` is an object")]),
    (node("type: transform, config: {filter: {items: {}, where: x.y}}"), [
        ("MS261", 3, 53, "`items` is a list"), ("MS212", 3, 64, "bad condition: unknown name `x`")]),
    (node("type: transform, config: {reduce: {items: inptu.x, initial: '${ 1 + }', next: \"'x'\"}}"), [
        ("MS212", 3, 53, "bad expression: unknown name `inptu`"), ("MS213", 3, 79, "ends where")]),
    (node("type: transform, config: {enrich: 5}"), [("MS261", 3, 45, "`enrich` is an object")]),
    (node("type: transform, config: {template: 5}"), [("MS261", 3, 47, "`template` is a text")]),
    (node("type: transform, config: {map: {items: value.rows, as: {v: '${ item.v + index }'}}}"), []),
    (node("type: log, config: {message: hi, level: warn}"), [("MS261", 3, 51, "did you mean `warning`?")]),
    (node("type: terminate, config: {status: complete}"), [("MS261", 3, 45, "did you mean `completed`?")]),
    (node("type: terminate, cache: {ttl: 1h}"), [("MS244", 3, 35, "no work")]),
    (node("type: log, input: {x: '${ value.x }'}"), [("MS262", 3, 36, "`value` is null here")]),
    (edge("condition: value.x > 1"), [("MS262", 7, 37, "`value` is null here")]),
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
    (edge("condition: \"output.x || 'no'\""), [("MS251", 7, 50, "is true, as all but the empty one")]),
    (node("type: log, input: {x: \"${ input.a && 'x' }\"}"), [("MS251", 3, 48, "string 'x' is true")]),
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
    (graph("- {id: d, type: log, fallbackNodeId: e}", "- {id: e, type: cancel, config: {nodes: [a]}}"), [
        ("MS217", 6, 38, "`e` cannot stand in for a node: a cancel has to do with others of its graph")]),
    (edge("isCompensation: true"), []),
    # joins and ports
    (graph("- {id: d, type: log, join: {n: 3}, dependsOn: [a, b]}"), [("MS218", 6, 28, "only 2 can come")]),
    (graph("- {id: d, type: log, join: each, dependsOn: [a, b]}", "- {id: e, type: log, dependsOn: [c, d]}"), [
        ("MS223", 7, 8, "`e` joins several")]),
    (graph("- {id: d, type: decision, config: {conditions: [{id: big, expression: input.x}]}}",
           "connections: [{source: d, target: a, sourcePort: bgi}]"),
     [("MS229", 3, 8, "`a` can never run"), ("MS224", 7, 50, "unknown port `bgi`")]),
    (graph("- {id: d, type: if, config: {condition: input.x}}", "connections:",
           "- {source: d, target: a, sourcePort: yse}", "- {source: d, target: b, sourcePort: other}",
           "- {source: d, target: c, sourcePort: then}"), [
        ("MS229", 3, 8, "`a` can never run"), ("MS229", 4, 8, "`b` can never run"),
        ("MS224", 8, 38, "did you mean `yes`?"), ("MS224", 9, 38, "its ports are true, false")]),
    (graph("- {id: d, type: if, config: {condition: input.x}}", "- {id: e, type: log, dependsOn: [d]}", "connections:",
           "- {source: d, target: a, sourcePort: true}", "- {source: d, target: a}", "- {source: d, target: b, trigger: all}",
           "- {source: d, target: c, trigger: fail}"), [
        ("MS229", 7, 8, "`e` can never run"), ("MS228", 7, 34, "leaves by one of its ports"),
        ("MS228", 10, 12, "leaves by one of its ports")]),
    (graph("- {id: d, type: terminate}", "connections:", "- {source: d, target: a}",
           "- {source: d, target: b, sourcePort: x}", "- {source: c, target: a}", "- {source: c, target: b}"), [
        ("MS228", 8, 12, "`d` ends the instance"), ("MS224", 9, 38, "nothing comes after it")]),
    (graph("- {id: d, type: switch, config: {match: all, conditions: [{id: p, when: input.x}, {id: q, when: input.y}]}}",
           "- {id: e, type: log, join: {n: 2}}", "connections:", "- {source: d, target: e, sourcePort: p}",
           "- {source: d, target: e, sourcePort: q}"), []),
    (graph("- {id: d, type: switch, config: {conditions: [{id: p, when: input.x}, {id: q, when: input.y}]}}",
           "- {id: e, type: log, join: {n: 2}}", "connections:", "- {source: d, target: e, sourcePort: p}",
           "- {source: d, target: e, sourcePort: q}"), [("MS218", 7, 28, "only 1 can come")]),
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


@pytest.mark.timed
def test_large_graphs_need_no_stack() -> None:
    workflow = chain(100_000)
    began = time.process_time()
    assert check_workflow(workflow) == ()
    assert time.process_time() - began < 5 * slowness()
    back = model.Connection(source="n99999", target="n0")
    ring = model.Workflow(id="w", nodes=workflow.nodes, connections=(*workflow.connections, back))
    assert [one.code for one in check_workflow(ring)] == ["MS209", "MS210"]


@pytest.mark.timed
def test_five_thousand_nodes_load_quickly() -> None:
    text = canonical.to_yaml(chain(5_000))
    began = time.process_time()
    loads(text)
    # 0.2 s on the machine it was written on; the bound only catches what grows faster than the file.
    assert time.process_time() - began < 2


def test_python_door_needs_no_places() -> None:
    found = check_workflow(model.Workflow(id="w", nodes=(model.Node(id="a", type="script"),)))
    assert [(one.code, one.line, one.pointer) for one in found] == [("MS220", None, ("nodes", 0))]
