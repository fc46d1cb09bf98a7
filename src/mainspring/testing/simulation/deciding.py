"""Which decision a failure must get, and how an instance must end that has some, worked out a second time (SEMANTICS 48-55).

What holds for a node is looked for field by field: the node, the named policy that matches it, the workflow, the rules of the
file, the default.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from mainspring.definition.model import Node, Resilience, ResilienceSpec, StepPolicy, Workflow

LENIENT = ("partial_success", "graceful_degradation")


class Rules:
    """Those of one workflow."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.spec = workflow.resilience or ResilienceSpec()
        self.file = self.spec.name or "the resilience rules"
        self.whole = workflow.failure_policy or self.spec.default_failure_policy or "continue"

    def bound(self, field: str) -> Fraction | None:
        """A number of the workflow, or else of the file."""
        value = getattr(self.workflow, field)
        value = getattr(self.spec, field) if value is None else value
        return None if value is None else Fraction(str(value))

    def named(self, node: Node) -> tuple[StepPolicy, str] | None:
        """The named policy that holds for a node, and how it is told. Drawn ones match by a tag."""
        told = node.resilience.policy if node.resilience is not None else None
        if told is not None:
            return self.spec.step_policies[told], f"policy {told}"
        for name, policy in self.spec.step_policies.items():
            words = policy.match or (name,)
            tag = next((tag for tag in node.tags if tag in words), None)
            if tag is not None:
                return policy, f"policy {name} (tag {tag})"
        return None

    def said(self, node: Node, field: str, key: str) -> tuple[Any, str]:
        """What the node, or else its named policy, says; and how that is told."""
        own = getattr(node.resilience or Resilience(), field)
        if own is not None:
            return own, f"{key} {_text(own)} of node {node.id}"
        found = self.named(node)
        value = None if found is None else getattr(found[0], field)
        return (None, "") if found is None or value is None else (value, f"{key} {_text(value)} of {found[1]}")

    def policy(self, node: Node) -> tuple[str, str]:
        """The policy of a node, and where that comes from."""
        own, rule = self.said(node, "failure_policy", "failurePolicy")
        if own is not None:
            return own, rule
        if self.workflow.failure_policy is not None:
            return self.whole, f"failurePolicy {self.whole} of the workflow"
        if self.spec.default_failure_policy is not None:
            return self.whole, f"defaultFailurePolicy {self.whole} of {self.file}"
        return "continue", "continue, the default"

    def critical(self, node: Node) -> bool:
        """Whether it is a critical node."""
        told = self.said(node, "is_critical", "isCritical")[0]
        if told is not None:
            return bool(told)
        return bool(self.said(node, "failure_impact", "failureImpact")[0] == "critical")

    def decide(self, node: Node, failed: Iterable[Node], count: int) -> tuple[str, str]:
        """What the failure of a node means, and the beginning of the rule.

        `failed` are those of the instance's own graph, this one among them, of `count` nodes in all (0: it is in a body).
        """
        policy, rule = self.policy(node)
        if policy == "fail_fast":
            return "terminate", rule
        bound = self.bound("termination_threshold")
        critical = sum(1 for one in failed if self.critical(one))
        if count and bound is not None and critical and critical >= bound * count:
            return "terminate", f"terminationThreshold {float(bound):g}"
        lenient = policy in LENIENT and not self.critical(node)
        return "degrade" if lenient else "continue", rule

    def end(self, failed: list[Node], nodes: Iterable[Node]) -> str:
        """How an instance ends in which these failed, and nobody took that."""
        whole = self.whole in LENIENT
        if any(not whole and self.policy(node)[0] not in LENIENT for node in failed):
            return "failed"
        critical = [node for node in failed if self.critical(node)]
        if critical:
            ratio = self.bound("critical_step_ratio")
            every = sum(1 for node in nodes if self.critical(node))
            if ratio is None or not whole or every - len(critical) < ratio * every:
                return "failed"
        most = self.bound("max_partial_failures")
        return "failed" if most is not None and len(failed) > most else "partial_success"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
