"""What a failure means for the whole: one decision for each, as a value, with the rule that it came from.

Nothing is changed here. `failure` carries out what was decided, and asks for the end once there is nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mainspring.graph.plan import PlanNode
from mainspring.graph.plan_policies import Policies
from mainspring.machine.instance import Instance
from mainspring.machine.saga import undoing
from mainspring.machine.scope import BodyScope, NodeState, Scope

CONTINUE = "continue"
DEGRADE = "degrade"
TERMINATE = "terminate"

NAMED_MAX = 5
"""Of the nodes that failed, so many are named where the end is explained."""


class Decision(NamedTuple):
    """`continue`, `degrade` or `terminate`, and the rule that says so."""

    what: str
    rule: str


HANDLED = Decision(CONTINUE, "a connection took it")
UNDOING = Decision(CONTINUE, "a saga goes on with the next")
STAND_IN = Decision(CONTINUE, "it stood in for another node, whose matter that is")


def decide(instance: Instance, scope: Scope, node: PlanNode) -> Decision:
    """What an unhandled failure of this node, which is about to be recorded, means (SEMANTICS 51, 52)."""
    if undoing(scope) is not None:
        return UNDOING
    if isinstance(scope, BodyScope) and scope.of.stands_in:
        return STAND_IN
    policies = instance.plan.policies
    mine = policies.of(node)
    if mine.policy == "fail_fast":
        return Decision(TERMINATE, mine.rule)
    if scope is instance:
        crossed = _threshold(instance, policies, node)
        if crossed:
            return Decision(TERMINATE, crossed)
    if mine.lenient and mine.critical:
        return Decision(CONTINUE, f"{mine.rule}, and {mine.critical_rule}")
    return Decision(DEGRADE if mine.lenient else CONTINUE, mine.rule)


def _threshold(instance: Instance, policies: Policies, failing: PlanNode) -> str:
    """The rule, where the critical nodes that failed are by now too large a share of all ("": they are not)."""
    bound = policies.threshold
    if bound is None:
        return ""
    among, most = policies.critical(instance.graph)
    nodes = instance.nodes
    critical = 0
    for node in among:
        state = nodes[node.index]
        if node is failing or (state is not None and has_failed(instance, node, state)):
            critical += 1
    if critical < most:
        return ""
    return f"{bound.rule}: {critical} of {instance.graph.on_graph} nodes are critical and failed"


def failed_nodes(instance: Instance) -> Iterator[PlanNode]:
    """The nodes of the instance's own graph that failed, had a run fail, or a condition, with nobody to take that."""
    for node, state in zip(instance.graph.nodes, instance.nodes, strict=True):
        if state is None or not (state.status == "failed" or state.misrouted or node.repeating):
            continue  # nearly all of them, without a call
        if has_failed(instance, node, state):
            yield node


def has_failed(scope: Scope, node: PlanNode, state: NodeState) -> bool:
    """Whether the node, one of its runs or one of its conditions failed, and nobody took it."""
    if state.misrouted or (state.status == "failed" and not state.handled):
        return True
    inbox = scope.inboxes.get(node.index) if node.repeating else None
    return inbox is not None and any(one.error is not None and not one.handled for one in inbox.results)


class Ending(NamedTuple):
    """How an instance ends that has unhandled failures, and why."""

    partial: bool
    reason: str


def ending(instance: Instance) -> Ending:
    """Whether what failed may stand (SEMANTICS 53)."""
    policies = instance.plan.policies
    failed = list(failed_nodes(instance))
    critical = [node for node in failed if policies.of(node).critical]
    broken = _broken(instance, policies, failed, critical)
    if broken is None:
        return Ending(True, f"{_listed(failed, policies)} failed, which the failure policy lets stand")
    count = instance.unhandled
    short = f"{count} unhandled {'failure' if count == 1 else 'failures'}"
    return Ending(False, f"{short}: {_listed(failed, policies)}; {broken}" if broken else short)


def _broken(instance: Instance, policies: Policies, failed: list[PlanNode], critical: list[PlanNode]) -> str | None:
    """Why what failed may not stand; "" where nothing would let it, None where it may."""
    tolerated = [node for node in failed if policies.lenient or policies.of(node).lenient]
    if len(tolerated) < len(failed):
        strict = next(node for node in failed if not policies.lenient and not policies.of(node).lenient)
        return policies.of(strict).rule if tolerated else ""
    if critical:
        why = _ratio_broken(instance, policies, critical)
        if why:
            return why
    most = policies.failures_max
    if most is not None and len(failed) > most.value:
        return f"more than {most.rule}"
    return None


def _ratio_broken(instance: Instance, policies: Policies, critical: list[PlanNode]) -> str:
    """Critical failures stand only while enough critical nodes did not fail, and the policy of the whole is lenient."""
    ratio = policies.ratio
    if ratio is None or not policies.lenient:
        return policies.of(critical[0]).critical_rule
    all_critical = sum(1 for node in instance.graph.nodes if not node.off_graph and policies.of(node).critical)
    held = all_critical - len(critical)
    if held >= ratio.value * all_critical:
        return ""
    return f"{held} of {all_critical} critical nodes did not fail, less than {ratio.rule}"


def _listed(nodes: list[PlanNode], policies: Policies) -> str:
    """The nodes by name, those that are critical marked."""
    named = [f"{node.path}{' (critical)' if policies.of(node).critical else ''}" for node in nodes[:NAMED_MAX]]
    return ", ".join(named) + (f" and {len(nodes) - NAMED_MAX} more" if len(nodes) > NAMED_MAX else "")
