"""What can be said about a workflow from its graph alone."""

from __future__ import annotations

from mainspring.graph.analysis.active import ActiveConnection, active_connections, active_paths
from mainspring.graph.analysis.processed import ProcessedWorkflow
from mainspring.graph.analysis.workflow_graph import CriticalPath, UnknownNode, WorkflowGraph

__all__ = [
    "ActiveConnection",
    "CriticalPath",
    "ProcessedWorkflow",
    "UnknownNode",
    "WorkflowGraph",
    "active_connections",
    "active_paths",
]
