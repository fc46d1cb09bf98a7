"""What holds for a node where it may fail, and where that comes from: the node, a named policy, the workflow, the rules of a
resilience file, or mainspring itself (SEMANTICS 50). It is worked out once, for a node when it is first asked.

A named policy may also say what the node does not say of its retry, timeout, fallback actions, breaker and rate limit: the
plan takes these from `effective`, as if the node had said them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from mainspring.definition.model import Node, Resilience, ResilienceSpec, StepPolicy, Workflow

if TYPE_CHECKING:
    from mainspring.graph.plan import Graph
    from mainspring.graph.plan_node import PlanNode

LENIENT = frozenset({"partial_success", "graceful_degradation"})
"""The failure policies that let a failure stand."""

WEIGHTS = {"critical": 8, "major": 4, "minor": 2, "negligible": 1}
"""How much a node counts in the health of its instance, by its failureImpact."""

BY_DEFAULT = "continue, the default"
"""The rule where nobody says anything."""

FILLED = ("retry", "timeout", "circuit_breaker", "rate_limit")
_SWITCHES = ("compensate_failed", "compensate_in_doubt")


class Named(NamedTuple):
    """A step policy that matches a node, in words (`policy payments (tag payments)`), and which fields the node has of it."""

    policy: StepPolicy
    words: str
    gives: frozenset[str] = frozenset()


class NodePolicy(NamedTuple):
    """What an unhandled failure of a node means. `rule` says where that comes from, `critical_rule` whether it is critical
    and by what ("" where nobody says so). `weight` is its share in the health."""

    policy: str
    rule: str
    critical: bool
    critical_rule: str
    impact: str
    weight: int

    @property
    def lenient(self) -> bool:
        """Whether it lets the failure stand, unless the node is critical."""
        return self.policy in LENIENT


class Bound(NamedTuple):
    """A number of the workflow or of the file, with where it comes from."""

    value: Any
    rule: str


class Policies:
    """Those of a workflow, with the rules that it was loaded with."""

    def __init__(self, workflow: Workflow) -> None:
        spec = workflow.resilience or ResilienceSpec()
        self.workflow = workflow
        self._spec = spec
        self._file = spec.name or "the resilience rules"
        self._ranks = {word: (rank, name) for rank, word, name in reversed(list(_words_of(spec)))}
        self._known: dict[PlanNode, NodePolicy] = {}
        self._critical: tuple[tuple[PlanNode, ...], int] | None = None
        self.whole, self.whole_rule = self._of_the_whole()
        self.lenient = self.whole in LENIENT
        self.failures_max = self._bound("max_partial_failures", "maxPartialFailures")
        self.ratio = self._bound("critical_step_ratio", "criticalStepRatio")
        self.threshold = self._bound("termination_threshold", "terminationThreshold")
        self.retry_budget: int | None = self._value("retry_budget")
        self.retry = workflow.retry or spec.retry

    def _value(self, field: str) -> Any:
        own = getattr(self.workflow, field)
        return getattr(self._spec, field) if own is None else own

    def _bound(self, field: str, key: str) -> Bound | None:
        own = getattr(self.workflow, field)
        value = getattr(self._spec, field) if own is None else own
        if value is None:
            return None
        # As it is written: 0.1 of 30 nodes are 3 of them, and no float's hair more.
        return Bound(Fraction(str(value)), f"{key} {value:g} of {'the workflow' if own is not None else self._file}")

    def _of_the_whole(self) -> tuple[str, str]:
        if self.workflow.failure_policy is not None:
            return self.workflow.failure_policy, f"failurePolicy {self.workflow.failure_policy} of the workflow"
        default = self._spec.default_failure_policy
        if default is not None:
            return default, f"defaultFailurePolicy {default} of {self._file}"
        return "continue", BY_DEFAULT

    # -- named policies

    def named(self, node: Node) -> Named | None:
        """The step policy that matches a node: the one that it names, or else the first that does in the file's order."""
        policies = self._spec.step_policies
        if not policies:
            return None
        told = node.resilience.policy if node.resilience is not None else None
        if told is not None:
            policy = policies.get(told)
            return None if policy is None else Named(policy, f"policy {told}")
        found = [
            (*self._ranks[word], place, f"{what} {word}")
            for place, (what, word) in enumerate(words_of(node))
            if word in self._ranks
        ]
        if not found:
            return None
        _, name, _, by = min(found)
        return Named(policies[name], f"policy {name} ({by})")

    def effective(self, node: Node) -> tuple[Node, Named | None]:
        """The node as it is with what its policy says and it does not, and that policy."""
        named = self.named(node)
        if named is None:
            return node, None
        fills = {
            field: getattr(named.policy, field)
            for field in FILLED
            if getattr(node, field) is None and getattr(named.policy, field) is not None
        }
        own = node.resilience or Resilience()
        more: dict[str, Any] = {field: True for field in _SWITCHES if getattr(named.policy, field)}
        if not own.fallback_actions and named.policy.fallback_actions:
            more["fallback_actions"] = named.policy.fallback_actions
        if more:
            fills["resilience"] = replace(own, **more)
        made: Node = replace(node, **fills) if fills else node
        return made, named._replace(gives=frozenset((*fills, *more)))

    # -- what holds

    def of(self, node: PlanNode) -> NodePolicy:
        """What an unhandled failure of this node means."""
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = self._decided(node)
        return known

    def critical(self, graph: Graph) -> tuple[tuple[PlanNode, ...], int]:
        """The critical nodes of the workflow's own graph, and how many of them may not fail (0: any number may)."""
        if self._critical is None:
            nodes = tuple(node for node in graph.nodes if self.of(node).critical)
            bound = self.threshold
            self._critical = nodes, 0 if bound is None else max(ceil(bound.value * graph.on_graph), 1)
        return self._critical

    def _decided(self, node: PlanNode) -> NodePolicy:
        own = node.definition.resilience or Resilience()
        policy, rule = self._first(node, own, "failure_policy", "failurePolicy")
        critical, critical_rule = self._first(node, own, "is_critical", "isCritical")
        impact, impact_rule = self._first(node, own, "failure_impact", "failureImpact")
        if critical is None and impact == "critical":
            critical, critical_rule = True, impact_rule
        if policy is None:
            policy, rule = self.whole, self.whole_rule
        impact = impact or ("critical" if critical else "major")
        return NodePolicy(policy, rule, bool(critical), critical_rule if critical else "", impact, WEIGHTS[impact])

    def _first(self, node: PlanNode, own: Resilience, field: str, key: str) -> tuple[Any, str]:
        value = getattr(own, field)
        if value is not None:
            return value, f"{key} {_said(value)} of node {node.id}"
        named = node.named
        value = None if named is None else getattr(named.policy, field)
        return (None, "") if named is None or value is None else (value, f"{key} {_said(value)} of {named.words}")

    def retry_rule(self, node: PlanNode) -> str:
        """Where the retry of a node comes from."""
        if node.named is not None and "retry" in node.named.gives:
            return f"retry of {node.named.words}"
        if node.definition.retry is not None:
            return f"retry of node {node.id}"
        return f"retry of {'the workflow' if self.workflow.retry is not None else self._file}"

    def fallback_rule(self, node: PlanNode, said: str) -> str:
        """Where a fallback of a node comes from."""
        given = node.named is not None and said == "fallbackActions" and "fallback_actions" in node.named.gives
        return f"{said} of {node.named.words if given and node.named is not None else f'node {node.id}'}"


def words_of(node: Node) -> Iterator[tuple[str, str]]:
    """The words by which a step policy may match a node, each with what it is."""
    yield "type", node.type
    handler = node.config.get("handler")
    if isinstance(handler, str):
        yield "task", handler
        if ":" in handler:
            yield "task", handler.rpartition(":")[2]
    yield from (("tag", tag) for tag in node.tags)
    category = node.metadata.get("category")
    if isinstance(category, str):
        yield "category", category


def _words_of(spec: ResilienceSpec) -> Iterator[tuple[int, str, str]]:
    for rank, (name, policy) in enumerate(spec.step_policies.items()):
        yield from ((rank, word, name) for word in policy.match or (name,))


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
