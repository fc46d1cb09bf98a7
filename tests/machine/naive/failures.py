"""What a failure means for the whole: docs/semantics-failures.md, 51 to 54, on nodes and graphs that are plain data.

A node may say `failurePolicy`, `isCritical` and `impact`; a graph has its `policy`, and may have `threshold`, `maxPartial`
and `ratio`. What a graph lists as its `nodes` is what stands on it: fallbacks and undo nodes are parts of their owners.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import Any

LENIENT = ("partial_success", "graceful_degradation")


def policy(graph: dict[str, Any], node: dict[str, Any]) -> str:
    """That of the node, or else that of the whole."""
    return node.get("failurePolicy") or graph["policy"]


def critical(node: dict[str, Any]) -> bool:
    """54."""
    said = node.get("isCritical")
    return node.get("impact") == "critical" if said is None else bool(said)


def decision(graph: dict[str, Any], node: dict[str, Any], failed: Collection[str] | None) -> str:
    """51 and 52. `failed`: the nodes of the instance's own graph that failed unhandled, this one too; None in a body."""
    mine = policy(graph, node)
    if mine == "fail_fast":
        return "terminate"
    if failed is not None and graph.get("threshold") is not None:
        lost = [one for one in graph["nodes"] if one["id"] in failed and critical(one)]
        if lost and len(lost) >= Fraction(str(graph["threshold"])) * len(graph["nodes"]):
            return "terminate"
    return "degrade" if mine in LENIENT and not critical(node) else "continue"


def ending(graph: dict[str, Any], failed: Collection[str]) -> str:
    """53, of an instance in which these nodes failed unhandled, and none of that terminated it."""
    lost = [node for node in graph["nodes"] if node["id"] in failed]
    if not lost:
        return "completed"
    whole = graph["policy"] in LENIENT
    critical_lost = [node for node in lost if critical(node)]
    enough = False
    if whole and graph.get("ratio") is not None:
        all_critical = [node for node in graph["nodes"] if critical(node)]
        held = len(all_critical) - len(critical_lost)
        enough = held >= Fraction(str(graph["ratio"])) * len(all_critical)
    for node in lost:
        if critical(node) and not enough:
            return "failed"
        if not whole and policy(graph, node) not in LENIENT:
            return "failed"
    if graph.get("maxPartial") is not None and len(lost) > graph["maxPartial"]:
        return "failed"
    return "partial_success"
