"""D6: joins and connections that can never fire, what could run too often, and what makes no sense."""

from __future__ import annotations

import pytest

from mainspring.graph.check import inspect_text

Codes = list[tuple[str, str]]


def found(nodes: str, connections: str) -> Codes:
    text = f"id: w\nnodes:\n{_lines(nodes)}\nconnections:\n{_lines(connections)}\n"
    return [(one.code, one.message) for one in inspect_text(text)[1]]


def _lines(text: str) -> str:
    return "\n".join(f"- {{{part.strip()}}}" for part in text.strip().splitlines())


WORK = "".join(f"id: {name}, type: function, handler: 'm:f'\n" for name in "abc")
"""Three nodes that leave by whichever port their task names."""


@pytest.mark.parametrize(
    ("nodes", "connections", "codes"),
    [
        ("id: d, type: log, join: {n: 3}", "source: a, target: d\nsource: b, target: d", ["MS218"]),
        ("id: d, type: log, join: {n: 2}", "source: a, target: d\nsource: b, target: d", []),
        ("id: d, type: log, join: {n: 0}", "source: a, target: d", ["MS219"]),
        # two ports of one node never fire together, nor do its completion and its failure
        (
            "id: d, type: log, join: {n: 2}",
            "source: a, target: d, sourcePort: x\nsource: a, target: d, sourcePort: y",
            ["MS218"],
        ),
        ("id: d, type: log, join: {n: 2}", "source: a, target: d\nsource: a, target: d, trigger: fail", ["MS218"]),
        ("id: d, type: log, join: {n: 2}", "source: a, target: d, trigger: all\nsource: a, target: d", []),
        (
            "id: d, type: log, join: {n: 2}",
            "source: a, target: d\nsource: b, target: d, condition: 1 > 2",
            ["MS218", "MS228"],
        ),
        # ports
        ("id: d, type: log, join: ports", "source: a, target: d\nsource: b, target: d", ["MS227"]),
        (
            "id: d, type: log, join: ports",
            "source: a, target: d\nsource: b, target: d, targetPort: default",
            ["MS227"],
        ),
        ("id: d, type: log, join: ports", "source: a, target: d\nsource: b, target: d, targetPort: y", []),
        (
            "id: d, type: log, join: ports",
            "source: a, target: d, targetPort: x\nsource: b, target: d, targetPort: y, condition: 'false'",
            ["MS218", "MS228"],
        ),
        (
            "id: d, type: log, join: ports",
            "source: a, target: d, targetPort: x, sourcePort: p\nsource: a, target: d, targetPort: y, sourcePort: q",
            ["MS218"],
        ),
        (
            "id: d, type: log, join: ports",
            "source: a, target: d, targetPort: x, sourcePort: p\nsource: a, target: d, targetPort: y, sourcePort: q\n"
            "source: b, target: d, targetPort: y",
            [],
        ),
        # cancelOthers
        ("id: d, type: log, join: {all: true, cancelOthers: true}", "source: a, target: d", ["MS226"]),
        ("id: d, type: log, join: {any: true, cancelOthers: true}", "source: a, target: d\nsource: b, target: d", []),
        (
            "id: d, type: log, join: each\nid: e, type: log, join: {any: true, cancelOthers: true}",
            "source: a, target: d\nsource: b, target: d\nsource: d, target: e",
            ["MS226"],
        ),
        # repeating nodes
        (
            "id: d, type: log, join: each\nid: e, type: log",
            "source: a, target: d\nsource: b, target: d\nsource: d, target: e\nsource: c, target: e",
            ["MS223"],
        ),
        (
            "id: d, type: log, join: each\nid: e, type: log, join: each",
            "source: a, target: d\nsource: b, target: d\nsource: d, target: e\nsource: c, target: e",
            [],
        ),
        (
            "id: d, type: log, join: each\nid: e, type: log",
            "source: a, target: d\nsource: d, target: e\nsource: c, target: e",
            [],  # one message can come, so d runs once
        ),
        (
            "id: d, type: log, join: ports\nid: e, type: log",
            "source: a, target: d, targetPort: x\nsource: b, target: d, targetPort: x\nsource: d, target: e\n"
            "source: c, target: e",
            ["MS223"],
        ),
        # connections that never fire, and nodes that never run
        ("", "source: a, target: b, trigger: fail, sourcePort: x", ["MS228", "MS229"]),
        ("", "source: a, target: b, condition: '0'\nsource: b, target: c", ["MS228", "MS229", "MS229"]),
        ("", "source: a, target: c, condition: '0'\nsource: b, target: c", ["MS228"]),
        ("", "source: a, target: b, condition: input.never", []),
    ],
)
def test_joins(nodes: str, connections: str, codes: list[str]) -> None:
    assert sorted(code for code, _ in found(WORK + nodes, connections)) == codes


def test_a_graph_that_multiplies_is_refused() -> None:
    nodes, edges = ["id: n0_0, type: log", "id: n0_1, type: log"], []
    for layer in range(1, 16):
        for place in range(2):
            nodes.append(f"id: n{layer}_{place}, type: log, join: each")
            edges += [f"source: n{layer - 1}_{other}, target: n{layer}_{place}" for other in range(2)]
    assert ("MS225", "`n14_0` could run more than 10,000 times (runs_max)") in found("\n".join(nodes), "\n".join(edges))


def test_many_ports_are_looked_at_within_bounds() -> None:
    nodes = (
        "\n".join(f"id: s{number}, type: function, handler: 'm:f'" for number in range(40))
        + "\nid: d, type: log, join: ports"
    )
    edges = "\n".join(
        f"source: s{number}, target: d, sourcePort: p{side}, targetPort: t{number}{side}"
        for number in range(40)
        for side in range(2)
    )
    assert [code for code, _ in found(nodes, edges)] in ([], ["MS218"])
