"""What a definition says of failures, from the plain data of `random_failures`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .block_documents import template_text

OF_THE_WHOLE = {
    "threshold": "terminationThreshold",
    "maxPartial": "maxPartialFailures",
    "ratio": "criticalStepRatio",
    "retryBudget": "retryBudget",
    "scope": "compensationScope",
    "compensateOnCancel": "compensateOnCancel",
}
OF_A_NODE = {
    "failurePolicy": "failurePolicy",
    "isCritical": "isCritical",
    "impact": "failureImpact",
    "compensateFailed": "compensateFailed",
    "compensateInDoubt": "compensateInDoubt",
}


def whole(graph: dict[str, Any]) -> dict[str, Any]:
    """The fields of the workflow."""
    return {key: graph[name] for name, key in OF_THE_WHOLE.items() if graph.get(name) is not None}


def of_node(node: dict[str, Any]) -> dict[str, Any]:
    """The fields of a node."""
    fields: dict[str, Any] = {}
    resilience = {key: node[name] for name, key in OF_A_NODE.items() if node.get(name) is not None}
    fallbacks = [body["nodes"][0] for body in node.get("fallbacks", ())]
    if fallbacks and node["named"]:
        fields["fallbackNodeId"] = fallbacks.pop(0)["id"]
    if fallbacks:
        resilience["fallbackActions"] = [_action(one) for one in fallbacks]
    if resilience:
        fields["resilience"] = resilience
    if node.get("undo"):
        fields["compensationNodeId"] = node["undo"]["nodes"][0]["id"]
    return fields


def _action(node: dict[str, Any]) -> dict[str, Any]:
    mapping = node["mapping"]
    return {"type": node["id"], "config": {"input": template_text(mapping[1])} if mapping else {}}


def off_graph(graph: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes that stand beside a graph: what stands in for its nodes by name, and what undoes them."""
    for node in graph["nodes"]:
        if node.get("fallbacks") and node["named"]:
            yield node["fallbacks"][0]["nodes"][0]
        if node.get("undo"):
            yield node["undo"]["nodes"][0]
