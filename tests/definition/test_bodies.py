"""D1, D6: the graphs within nodes are spelled, checked and saved like the graph around them."""

from pathlib import Path

import msgspec
import pytest

import mainspring as ms
from mainspring.definition import canonical
from mainspring.definition.bodies import bodies
from mainspring.definition.load import read, read_text
from mainspring.definition.model import Body, Connection, Node, Retry
from mainspring.graph.check import inspect_text
from mainspring.tasks.pinning import pinned

FILE = Path(__file__).parent / "files" / "loops.yaml"


def test_bodies_are_respelled_however_deep() -> None:
    definition = ms.load(FILE)
    _, loop, fork = definition.workflow.nodes
    ((way, body),) = bodies(loop)
    assert way == ("config", "body")
    assert body.nodes[0] == Node(
        id="write",
        type="function",
        config={"handler": "reminders:write"},
        retry=Retry(max_attempts=2, initial_delay=2_000),
        timeout=60_000,
    )
    assert body.connections == (Connection(source="write", target="until-sent", condition="output.wanted"),)
    assert body.output == "${ nodes.write.output }"
    ((_, inner),) = bodies(body.nodes[1])
    assert [node.id for node in inner.nodes] == ["send", "pause"] and inner.nodes[1].depends_on == ("send",)
    assert [(way, body.nodes[0].id) for way, body in bodies(fork)] == [
        (("config", "branches", 0), "mail"),
        (("config", "branches", 1), "note"),
    ]


def test_a_body_has_one_form() -> None:
    workflow = ms.load(FILE).workflow
    data = canonical.encode(workflow)
    assert canonical.decode(data) == workflow
    text = canonical.to_yaml(workflow)
    assert "initialDelay: 2s" in text and "timeout: 1m" in text
    for reading in (read_text(text), read_text(canonical.to_json(workflow), form="json")):
        assert reading.workflow == workflow
    # A default that is written down, a number that is written otherwise: the same body.
    said = read_text(
        "id: w\nnodes: [{id: a, type: while, body: {nodes: [{id: b, type: log, retry: {multiplier: 2}}]}}]\n"
    ).workflow
    unsaid = read_text("id: w\nnodes: [{id: a, type: while, body: [{id: b, type: log, retry: {}}]}]\n").workflow
    assert said is not None and unsaid is not None and canonical.encode(said) == canonical.encode(unsaid)
    assert b'"retry":{}' in canonical.encode(said)


def loop(body: str) -> str:
    block = "- id: l\n  type: forEach\n  dependsOn: a\n  config: {items: 2}\n"
    return f"id: w\nnodes:\n- {{id: a, type: log}}\n{block}  body:\n{body}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("    nodes: [{id: b, typ: log}]", [("MS101", 9, 13), ("MS104", 9, 21)]),
        ("    steps: [{id: b, type: log, retry: {maxRetries: 40}}]", [("MS219", 9, 52)]),
        ("    nodes: [{id: b, type: lgo, dependsOn: [c]}]", [("MS205", 9, 27), ("MS207", 9, 44)]),
        ("    nodes: [{id: b, type: log}]\n    edges: [{from: b, to: q}]", [("MS206", 10, 27)]),
        ("  - {id: b, type: log, dependsOn: c}\n  - {id: c, type: log, dependsOn: b}",
         [("MS210", 9, 3), ("MS209", 9, 35)]),
        ("  - {id: b, type: log, input: '${ nodes.a.output + nodes.b.output + nodes.q }'}",
         [("MS264", 9, 58), ("MS214", 9, 75)]),
        ("  - {id: b, type: log, input: '${ inpt }'}", [("MS213", 9, 35)]),
        ("    nodes: []", [("MS201", 9, 12)]),
        ("    nodes: [{id: b, type: log}]\n    outptu: 1", [("MS104", 10, 5)]),
        ("    nodes: [{id: b, type: mutex, config: {name: x}, body: [{id: c, type: log, timeout: soon}]}]",
         [("MS105", 9, 88)]),
    ],
)  # fmt: skip
def test_what_is_wrong_within_is_told_at_its_place(body: str, expected: list[tuple[str, int, int]]) -> None:
    _, found = inspect_text(loop(body), name="w.yaml")
    assert [(one.code, one.line, one.column) for one in found] == expected


def test_other_kinds_have_bodies_that_are_no_graphs() -> None:
    node = ms.loads("id: w\nnodes: [{id: a, type: http, config: {body: {nodes: 3}}}]\n").workflow.nodes[0]
    assert node.config == {"body": {"nodes": 3}} and list(bodies(node)) == []


def send(text: str) -> str:
    return text


def test_bodies_made_in_python() -> None:
    body = ms.Body(nodes=[ms.Node("send", send, timeout="1m")])
    made = ms.Workflow("w", nodes=[ms.Node("all", "forEach", config={"items": [1], "body": body})])
    kept = pinned(made.workflow)
    ((_, found),) = bodies(kept.nodes[0])
    assert found == Body(
        nodes=(Node(id="send", type="function", config={"handler": f"{__name__}:send"}, timeout=60_000),)
    )
    assert canonical.decode(canonical.encode(kept)) == kept
    with pytest.raises(ms.DefinitionError) as caught:
        ms.Workflow(
            "w",
            nodes=[ms.Node("l", "mutex", config={"name": "x", "body": ms.Body(nodes=[ms.Node("b", "log", retry=40)])})],
        )
    assert [(one.argument, one.code) for one in caught.value.findings] == [
        ("nodes[0].config.body.nodes[0].retry", "MS219")
    ]
    assert isinstance(msgspec.to_builtins(kept), dict)
    assert read(FILE).findings == []
