"""What limits are called: in the log, by `engine.limits()` and by `mainspring show`."""

from __future__ import annotations

from mainspring.definition.model import Resources, Workflow
from mainspring.graph.plan import PlanNode

OF_THE_ENGINE = "the engine"


def of_instance(instance: str) -> str:
    """The concurrency of an instance."""
    return f"maxConcurrency of {instance}"


def of_node(node: PlanNode, workflow: str) -> str:
    """How many of a node run at once."""
    kind = "adaptive concurrency" if node.definition.adaptive else "maxConcurrentExecutions"
    return f"{kind} of {node.place} of {workflow}"


def of_rate(node: PlanNode, workflow: str) -> str:
    """How often a node starts."""
    return f"rateLimit of {node.place} of {workflow}"


def of_pool(name: str) -> str:
    """A pool."""
    return f"pool {name}"


def of_units(what: str, owner: str) -> str:
    """Units, of an instance or of the engine."""
    return f"{what} of {owner}"


def amounts(resources: Resources | None) -> dict[str, float]:
    """What is asked for, or is there, by name; what is 0 is not."""
    if resources is None:
        return {}
    named = {"cpu": resources.cpu, "memory": resources.memory, "io": resources.io}
    return {what: amount for what, amount in named.items() if amount}


def needed(node: PlanNode, workflow: Workflow, instance: str) -> list[str]:
    """All limits that a node of this instance needs, as far as its definition says: the engine may have quotas of its own."""
    if node.resource is None:
        return []
    definition = node.definition
    names = [] if workflow.max_concurrency is None else [of_instance(instance)]
    quotas = amounts(workflow.quotas)
    names += [of_units(what, instance) for what in amounts(definition.resources) if what in quotas]
    if definition.adaptive or definition.max_concurrent_executions is not None:
        names.append(of_node(node, workflow.id))
    if definition.pool is not None:
        names.append(of_pool(definition.pool))
    names += [of_units(what, OF_THE_ENGINE) for what in amounts(definition.resources) if what not in quotas]
    if definition.rate_limit is not None:
        names.append(of_rate(node, workflow.id))
    return names
