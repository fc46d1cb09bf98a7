"""What the model knows and this version does not run, or does not enforce, yet.

The first is refused with its name, never run as something else; the second is said as a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.model import Node, Workflow
from mainspring.graph.plan_node import MACHINE_TYPES

RUNNABLE_TYPES = frozenset({"function", "script", *MACHINE_TYPES})
RUNNABLE_POLICIES = frozenset({None, "continue", "fail_fast"})


def unsupported(workflow: Workflow) -> list[Finding]:
    """One finding for each place."""
    return [
        finding("MS901", f"{what} is not run by this version of mainspring yet", at) for what, at in _places(workflow)
    ]


def _places(workflow: Workflow) -> Iterator[tuple[str, Pointer]]:
    if workflow.failure_policy not in RUNNABLE_POLICIES:
        yield f"the failure policy {workflow.failure_policy}", ("failurePolicy",)
    if workflow.checkpoint is not None and workflow.checkpoint.policy != "each":
        yield f"the checkpoint policy {workflow.checkpoint.policy}", ("checkpoint", "policy")
    for index, node in enumerate(workflow.nodes):
        for what, key in _node(node):
            yield f"{what} of node {node.id}", ("nodes", index, key)
    for index, connection in enumerate(workflow.connections):
        if connection.is_compensation:
            yield "a compensation connection", ("connections", index)


def _node(node: Node) -> Iterator[tuple[str, str]]:
    if node.type not in RUNNABLE_TYPES:
        yield f"the type {node.type}", "type"
    if node.type == "delay" and "duration" not in node.config:
        yield "a delay that is no `duration`", "config"
    if node.compensation_node_id is not None:
        yield "the compensation", "compensationNodeId"
    if node.fallback_node_id is not None:
        yield "the fallback", "fallbackNodeId"
    resilience = node.resilience
    if resilience is not None and (resilience.fallback_actions or resilience.failure_policy not in RUNNABLE_POLICIES):
        yield "the resilience block", "resilience"


def not_enforced(workflow: Workflow) -> list[Finding]:
    """What this version runs without: limits, thresholds, triggers. It is said, so that nobody counts on it."""
    return [
        finding("MS903", f"{what} is not enforced by this version of mainspring yet", at)
        for what, at in _promises(workflow)
    ]


_OF_THE_WORKFLOW = {
    "max_concurrency": "maxConcurrency",
    "quotas": "quotas",
    "retry_budget": "retryBudget",
    "max_partial_failures": "maxPartialFailures",
    "critical_step_ratio": "criticalStepRatio",
    "termination_threshold": "terminationThreshold",
    "compensation_scope": "compensationScope",
}
_OF_A_NODE = {
    "circuit_breaker": "circuitBreaker",
    "priority": "priority",
    "max_concurrent_executions": "maxConcurrentExecutions",
    "rate_limit": "rateLimit",
    "resources": "resources",
}


def _promises(workflow: Workflow) -> Iterator[tuple[str, Pointer]]:
    for field, key in _OF_THE_WORKFLOW.items():
        if getattr(workflow, field) is not None:
            yield key, (key,)
    if workflow.triggers:
        yield "what starts the workflow by itself (triggers)", ("triggers",)
    for index, node in enumerate(workflow.nodes):
        for field, key in _OF_A_NODE.items():
            if getattr(node, field) is not None:
                yield f"{key} of node {node.id}", ("nodes", index, key)
