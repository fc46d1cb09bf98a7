"""JSON: the graph as data for other programs, everything by the ids of the nodes."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.graph.analysis import WorkflowGraph
from mainspring.graph.analysis.structure import Edge
from mainspring.graph.export.within import body_data


def as_data(graph: WorkflowGraph) -> dict[str, Any]:
    """Nodes, connections and the analysis, as plain values."""
    structure, workflow = graph.structure, graph.workflow
    return {
        "workflow": workflow.id,
        "name": workflow.name,
        "nodes": [
            {
                "id": node.id,
                "name": node.name,
                "type": node.type,
                "level": graph.depth(node.id),
                "join": None if node.join is None else node.join.kind,
                "offGraph": number in structure.off_graph,
                "bodies": body_data(node),
            }
            for number, node in enumerate(workflow.nodes)
        ],
        "connections": [_edge(edge, structure.names) for edge in structure.edges],
        "analysis": analysis(graph),
    }


def analysis(graph: WorkflowGraph) -> dict[str, Any]:
    """What was found out, by the ids of the nodes."""
    found = graph.process()
    names = found.names
    return {
        "nodes": len(found.nodes),
        "connections": found.connections,
        "roots": names(found.roots),
        "leaves": names(found.leaves),
        "branchPoints": names(found.branch_points),
        "convergencePoints": names(found.convergence_points),
        "levels": [names(level) for level in found.levels],
        "width": found.width,
        "criticalPath": names(found.critical_path),
        "bottlenecks": names(found.bottlenecks),
        "pathCount": found.path_count,
        "cycle": names(found.cycle),
        "blocked": names(found.blocked),
        "offGraph": names(found.off_graph),
    }


def json_form(graph: WorkflowGraph) -> str:
    """The same on one line."""
    return msgspec.json.encode(as_data(graph)).decode() + "\n"


def _edge(edge: Edge, names: list[str]) -> dict[str, Any]:
    return {
        "id": edge.id,
        "source": names[edge.source],
        "target": names[edge.target],
        "kind": edge.kind,
        "trigger": None if edge.helps else edge.trigger,
        "condition": edge.condition,
        "sourcePort": edge.source_port,
        "targetPort": edge.target_port,
    }
