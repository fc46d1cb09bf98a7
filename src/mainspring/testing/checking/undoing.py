"""Compensation as the journal has it, held to its rules (docs/semantics-failures.md, L): all, in order, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mainspring.engine.result import InstanceResult
from mainspring.graph.plan import Graph, Plan, PlanNode
from mainspring.graph.plan_waits import child_name, starts_child
from mainspring.machine import events as ev
from mainspring.testing.checking.ledger import Deed
from mainspring.testing.checking.space import Part

Undone = tuple[str, int]


def undoing_faults(result: InstanceResult, deeds: Sequence[Deed], parts: Mapping[str, Part]) -> Iterator[str]:
    """What is wrong with the compensation of one instance that is at its end."""
    mine = [deed for deed in deeds if deed.what == "event" and deed.instance == result.id]
    plan = result.instance.plan
    begun: list[Undone] = []
    yield from _one_at_a_time(mine, begun)
    wanted = list(reversed(list(_to_undo(plan, mine, parts))))
    if not _is_undone(result, plan, mine):
        if begun and not any(isinstance(deed.event, ev.CompensationStarted) for deed in mine):
            yield f"{begun[0][0]} was undone, and the instance ended {result.status}"
        return
    yield from _compared(wanted, begun, whole=plan.workflow.compensation_scope != "branch")


def _is_undone(result: InstanceResult, plan: Plan, mine: Sequence[Deed]) -> bool:
    """Whether this end has what was done undone."""
    if result.status == "cancelled":
        return plan.workflow.compensate_on_cancel
    return result.status in ("failed", "compensated")


def _one_at_a_time(mine: Sequence[Deed], begun: list[Undone]) -> Iterator[str]:
    under_way: Undone | None = None
    for deed in mine:
        match deed.event:
            case ev.NodeCompensating(path=path, run=run):
                if under_way not in (None, (path, run)):
                    yield f"{path} began to be undone while {under_way[0]} was" if under_way else ""
                under_way = (path, run)
                if under_way not in begun:
                    begun.append(under_way)
            case ev.NodeCompensated() | ev.NodeCompensationFailed():
                under_way = None
            case _:
                pass


def _compared(wanted: list[Undone], begun: list[Undone], *, whole: bool) -> Iterator[str]:
    surplus = [one for one in begun if one not in wanted]
    if surplus:
        yield f"{surplus[0][0]} was undone, and had not completed"
    missing = [one for one in wanted if one not in begun]
    if missing and whole:
        yield f"{missing[0][0]} completed, and was not undone"
    order = [one for one in wanted if one in begun]
    for expected, found in zip(order, [one for one in begun if one in order], strict=True):
        if expected != found:
            yield f"{found[0]} was undone before {expected[0]}, which had completed after it"
            return


def _to_undo(plan: Plan, mine: Sequence[Deed], parts: Mapping[str, Part]) -> Iterator[Undone]:
    """The runs that completed and can be undone, in the order of their ends."""
    for deed in mine:
        event = deed.event
        if isinstance(event, ev.NodesCancelled):
            for one in event.runs:
                node = node_at(plan, one.path)
                resilience = None if node is None else node.definition.resilience
                if one.in_doubt and resilience is not None and resilience.compensate_in_doubt:
                    yield one.path, one.run
            continue
        if not isinstance(event, ev.NodeCompleted | ev.RunCompleted | ev.NodeFailed | ev.RunFailed):
            continue
        node = node_at(plan, event.path)
        if node is None or not _can_be_undone(node, parts):
            continue
        if isinstance(event, ev.NodeCompleted | ev.NodeFailed) and node.repeating:
            continue  # the end of its runs together
        resilience = node.definition.resilience
        failed = isinstance(event, ev.NodeFailed | ev.RunFailed)
        if not failed or (resilience is not None and resilience.compensate_failed):
            yield event.path, event.run


def _can_be_undone(node: PlanNode, parts: Mapping[str, Part]) -> bool:
    """By a node that undoes it; or by itself, where a child that it waited for can be."""
    definition = node.definition
    if node.undo is not None:
        return True
    if starts_child(definition) and definition.config.get("wait", True) is not False:
        part = parts.get(child_name(definition.config).partition("@")[0])
        return part is not None and part.undoes
    return False


def node_at(plan: Plan, path: str) -> PlanNode | None:
    """The node of a definition that is at a path, whether or not its body is open still."""
    graphs: Sequence[Graph] = (plan,)
    node: PlanNode | None = None
    for segment in path.split("."):
        id = segment.partition("[")[0]
        node = next((graph.by_id[id] for graph in graphs if id in graph.by_id), None)
        if node is None:
            return None
        graphs = node.bodies
    return node
