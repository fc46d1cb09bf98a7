"""Graphs drawn by Hypothesis, as workflows and as networkx knows them."""

from __future__ import annotations

from collections.abc import Iterable

import networkx as nx
from hypothesis import strategies as st

from mainspring.definition.model import Connection, Node, Workflow


def workflow_of(size: int, edges: Iterable[tuple[int, int]]) -> Workflow:
    """Nodes n0, n1, … and these connections."""
    return Workflow(
        id="drawn",
        nodes=tuple(Node(id=f"n{number}", type="log") for number in range(size)),
        connections=tuple(Connection(source=f"n{a}", target=f"n{b}") for a, b in edges),
    )


def networkx_of(workflow: Workflow) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(node.id for node in workflow.nodes)
    graph.add_edges_from((one.source, one.target) for one in workflow.connections)
    return graph


@st.composite
def dags(draw: st.DrawFn, max_nodes: int = 9) -> Workflow:
    """Acyclic, in an order of nodes that is not the topological one; the same edge may be there twice."""
    size = draw(st.integers(1, max_nodes))
    place = draw(st.permutations(range(size)))
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(lambda pair: pair[0] < pair[1])
    edges = draw(st.lists(pairs, max_size=3 * size)) if size > 1 else []
    return workflow_of(size, [(place[a], place[b]) for a, b in edges])


@st.composite
def any_graphs(draw: st.DrawFn, max_nodes: int = 7) -> Workflow:
    """Cycles and connections to itself included."""
    size = draw(st.integers(1, max_nodes))
    number = st.integers(0, size - 1)
    return workflow_of(size, draw(st.lists(st.tuples(number, number), max_size=3 * size)))
