"""What validation says of a graph before it runs, against what the naive interpreter makes of it."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest

from mainspring.definition.findings import Finding
from mainspring.definition.model import Workflow
from mainspring.graph.check import check_workflow

from .naive import Naive, Shape, edges_of
from .random_graphs import document_of, random_graph

NEVER_RUNS = ("MS218", "MS229")
NEVER_FIRES = "MS228"


def findings(graph: dict[str, Any]) -> tuple[Finding, ...]:
    return check_workflow(msgspec.convert(document_of(graph), Workflow))


@pytest.mark.apart
@pytest.mark.parametrize("style", ["wild", "race"])
def test_what_can_never_run_or_fire_never_does(style: str) -> None:
    """D6: what is said never to happen does not, whatever ends first."""
    seen = Counter[str]()
    for seed in range(400):
        random = Random(seed)
        graph = random_graph(random, style=style)
        found = findings(graph)
        for _ in range(3):
            naive = Naive(graph)
            naive.begin()
            while naive.under_way:
                naive.turn(random.choice(sorted(naive.under_way)))
            fired = {index for run in naive.ended.values() for index in run.fired}
            for finding in found:
                seen[finding.code] += 1
                if finding.code in NEVER_RUNS:
                    node = graph["nodes"][finding.pointer[1]]["id"]
                    assert not naive.nodes[node].runs, f"seed {seed}: {finding.message}"
                elif finding.code == NEVER_FIRES:
                    assert _connection(graph, finding.pointer) not in fired, f"seed {seed}: {finding.message}"
    assert all(seen[code] for code in (*NEVER_RUNS, NEVER_FIRES)), seen


def _connection(graph: dict[str, Any], pointer: tuple[str | int, ...]) -> int:
    """The number of the connection that a finding is about: a written one, or one that `dependsOn` implies."""
    if pointer[0] == "connections":
        return int(pointer[1])
    node = graph["nodes"][pointer[1]]
    ends = (node["dependsOn"][pointer[3]], node["id"])
    implied = enumerate(edges_of(graph)[len(graph["connections"]) :], len(graph["connections"]))
    return next(index for index, edge in implied if (edge["source"], edge["target"]) == ends)


@pytest.mark.apart
def test_rule_15_is_what_the_check_refuses() -> None:
    """SEMANTICS 15: after a node that can run more than once, several connections meet in `each` alone."""
    seen = Counter[str]()
    for seed in range(1_200):
        random = Random(seed)
        graph = random_graph(random, style=random.choice(("calm", "repeating")))
        for node in graph["nodes"]:  # joins as nobody should write them, among others
            if random.random() < 0.3:
                node["join"] = {"kind": random.choice(("all", "any", "each", "ports"))}
                if node["join"]["kind"] == "any" and random.random() < 0.5:
                    node["join"]["cancelOthers"] = True
        refused = {
            (finding.code, finding.pointer[1])
            for finding in findings(graph)
            if finding.code == "MS223" or (finding.code == "MS226" and "more than once" in finding.message)
        }
        assert refused == expected(graph), f"seed {seed}"
        seen.update(code for code, _ in refused)
    assert min(seen["MS223"], seen["MS226"]) > 20, seen


def expected(graph: dict[str, Any]) -> set[tuple[str, str | int]]:
    """The nodes that the rules forbid, by their place."""
    shape, wrong = Shape(graph), set[tuple[str, str | int]]()
    for place, (id, node) in enumerate(shape.nodes.items()):
        sources = shape.sources(id)
        if len(sources) > 1 and any(shape.repeats(source) for source in sources) and shape.join(id) != "each":
            wrong.add(("MS223", place))
        elif shape.repeats(id) and (node["join"] or {}).get("cancelOthers"):
            wrong.add(("MS226", place))
    return wrong
