"""The analysis of graphs and their pictures. No store and no floor: the CPU time of one thread, beside what is to be reached.

CPU time, because nothing here waits: on a machine that does nothing else it is the time that passes.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import workflows
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.export.svg import svg
from mainspring.graph.layout import Wire, draw

Row = dict[str, Any]


def wide(nodes: int, connections: int) -> Workflow:
    """Connections between any two nodes, forward."""
    rng = random.Random(nodes)
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < connections:
        a, b = rng.randrange(nodes), rng.randrange(nodes)
        if a != b:
            pairs.add((min(a, b), max(a, b)))
    return _workflow(nodes, sorted(pairs))


def deep(nodes: int) -> Workflow:
    """Each node before the next three: as many levels as nodes, and numbers of paths with tens of thousands of digits."""
    return _workflow(nodes, [(at, at + step) for at in range(nodes) for step in (1, 2, 3) if at + step < nodes])


def _workflow(nodes: int, pairs: list[tuple[int, int]]) -> Workflow:
    return Workflow(
        id="drawn",
        nodes=tuple(Node(id=f"n{number}", type="log") for number in range(nodes)),
        connections=tuple(Connection(source=f"n{a}", target=f"n{b}") for a, b in pairs),
    )


def process_100000(pairs: int, quick: bool) -> Row:
    """WorkflowGraph and process() of 100,000 nodes and 300,000 connections, once wide and once deep; the slower counts."""
    size = 20_000 if quick else 100_000
    found = {
        shape: _median(partial(_analysed, workflow), pairs)
        for shape, workflow in (("wide", wide(size, 3 * size)), ("deep", deep(size)))
    }
    value = max(found.values())
    stored = len(WorkflowGraph(wide(size, 3 * size)).process().to_json())
    return {
        "value": value,
        "unit": "s CPU",
        "reach": "3 s",
        "ok": value <= 3,
        **{f"{shape}_s": seconds for shape, seconds in found.items()},
        "stored_bytes": stored,
    }


def layout_2000(pairs: int, quick: bool) -> Row:
    """The layered layout of 2,000 nodes and 3,900 connections; and the whole picture as SVG."""
    graph = WorkflowGraph(workflows.layered(2_000))
    wires = [Wire(edge.source, edge.target) for edge in graph.structure.edges]
    value = _median(lambda: draw([(150.0, 46.0)] * 2_000, wires), pairs)
    return {
        "value": value * 1000,
        "unit": "ms CPU",
        "reach": "100 ms",
        "ok": value <= 0.1,
        "svg_ms": _median(lambda: svg(graph), pairs) * 1000,
    }


def layout_100000(pairs: int, quick: bool) -> Row:
    """The layered layout of 100,000 nodes and 300,000 connections of any length: it ends, and says what it left out."""
    size = 20_000 if quick else 100_000
    graph = WorkflowGraph(wide(size, 3 * size))
    wires = [Wire(edge.source, edge.target) for edge in graph.structure.edges]
    began = time.process_time()
    drawn = draw([(150.0, 46.0)] * size, wires)
    value = time.process_time() - began
    return {"value": value, "unit": "s CPU", "reach": "30 s", "ok": value <= 30 and bool(drawn.notes)}


def _analysed(workflow: Workflow) -> bytes:
    return WorkflowGraph(workflow).process().to_json()


def _median(work: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(max(times, 3)):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return statistics.median(found)
