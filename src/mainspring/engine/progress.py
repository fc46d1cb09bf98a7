"""How far an instance is, and how long it will still take, from its state alone.

*Percent*: each node of the instance's own graph counts the same. One at its end counts whole, one that runs as much as its
task has reported, a block as much as its bodies have ended; all others nothing.

*Time left*: the longest way through what is not done, where each node takes as long as those of its type that completed in
this instance took on the average (where none did: all that completed; where there are none: the same node in an earlier
instance of this version, or the average there). What runs has that much less to go; one that reports its progress, and a
block whose bodies end, go on at their own speed; a delay takes what is written in it. It is None where nothing is known,
where the instance stands still, and where something waits for somebody without a time at which that ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import Struct

from mainspring.definition.durations import parse_duration
from mainspring.engine.bodies import counted
from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import Instance, NodeState
from mainspring.machine.lifecycle import INSTANCE_FINAL, NODE_FINAL

Reported = Mapping[str, tuple[float, str]]
"""What tasks have reported, by the paths of their nodes: percent, and a text."""

NOTHING: Reported = {}

GOING = frozenset({"pending", "running"})
"""The states of an instance that goes towards its end by itself."""

NODES_ESTIMATED_MAX = 5_000
"""In a larger graph no time is estimated: it costs a pass over all nodes and connections."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far an instance is. `counts` has the nodes of its own graph by status. Times are in milliseconds."""

    id: str
    status: str
    percent: float
    counts: dict[str, int]
    total: int
    elapsed_ms: int
    remaining_ms: int | None


class Durations(Struct, frozen=True):
    """How long nodes took that completed, in milliseconds: on the average by type, and all together; and each by its id."""

    by_type: dict[str, float]
    mean: float
    by_id: dict[str, int]


def progress_of(instance: Instance, reported: Reported, now: int, earlier: Durations | None = None) -> Progress:
    """All of it. `earlier` are the durations of an earlier instance of the same version."""
    nodes = zip(instance.plan.nodes, instance.nodes, strict=True)
    counts = Counter("pending" if state is None else state.status for node, state in nodes if not node.off_graph)
    final = instance.status in INSTANCE_FINAL
    return Progress(
        id=instance.id,
        status=instance.status,
        percent=100.0 if final else 100 * share_done(instance, reported),
        counts=dict(counts),
        total=instance.plan.on_graph,
        elapsed_ms=max((instance.ended_at or now) - instance.started_at, 0) if instance.started_at else 0,
        remaining_ms=remaining_ms(instance, reported, now, earlier),
    )


def share_done(instance: Instance, reported: Reported = NOTHING) -> float:
    """How much of the graph is done, from 0 to 1."""
    done = float(instance.finished)
    for index in instance.blocks:
        node, state = instance.plan.nodes[index], instance.nodes[index]
        bodies = None if state is None else counted(node, state, instance.blocks[index])
        if bodies is not None and bodies.total:
            done += min(bodies.ended / bodies.total, 1)
    for path, (percent, _) in reported.items():
        told = instance.plan.by_id.get(path)
        state = None if told is None else instance.nodes[told.index]
        if state is not None and state.status == "running":
            done += min(max(percent, 0), 100) / 100
    return done / instance.plan.on_graph if instance.plan.on_graph else 1.0


def durations_of(instance: Instance) -> Durations | None:
    """How long its nodes took that completed by their own work (None: there are none)."""
    by_id: dict[str, int] = {}
    by_type: dict[str, list[int]] = {}
    for node, state in zip(instance.plan.nodes, instance.nodes, strict=True):
        if state is not None and state.status == "completed" and state.started_at and not state.cached:
            by_id[node.id] = took = state.ended_at - state.started_at
            by_type.setdefault(node.definition.type, []).append(took)
    if not by_id:
        return None
    means = {type: sum(each) / len(each) for type, each in by_type.items()}
    return Durations(means, sum(by_id.values()) / len(by_id), by_id)


def remaining_ms(instance: Instance, reported: Reported, now: int, earlier: Durations | None = None) -> int | None:
    """How long it will still take (0 at its end; None: nobody can say)."""
    if instance.status in INSTANCE_FINAL:
        return 0
    if instance.status not in GOING or len(instance.nodes) > NODES_ESTIMATED_MAX:
        return None
    own = durations_of(instance)
    if own is not None:
        expected: Callable[[PlanNode], float] = lambda node: own.by_type.get(node.definition.type, own.mean)  # noqa: E731
    elif earlier is not None:
        expected = lambda node: earlier.by_id.get(node.id, earlier.mean)  # noqa: E731
    else:
        return None
    left: list[float] = []
    for node, state in zip(instance.plan.nodes, instance.nodes, strict=True):
        found = _left(instance, node, state, reported, now, expected)
        if found is None:
            return None
        left.append(found)
    return round(_longest_way(instance, left))


def _left(
    instance: Instance,
    node: PlanNode,
    state: NodeState | None,
    reported: Reported,
    now: int,
    expected: Callable[[PlanNode], float],
) -> float | None:
    """How long this node will still take; None where that is for somebody else to say."""
    if node.off_graph or (state is not None and state.status in NODE_FINAL):
        return 0.0
    written = parse_duration(node.definition.config.get("duration")) if node.definition.type == "delay" else None
    whole = expected(node) if written is None else float(written)
    if state is None or not state.started_at or state.status in ("pending", "ready"):
        return whole
    elapsed = max(now - state.started_at, 0)
    bodies = counted(node, state, instance.blocks.get(node.index))
    if bodies is not None:
        return elapsed * (bodies.total - bodies.ended) / bodies.ended if bodies.total and bodies.ended else whole
    if state.status == "waiting":
        return None if state.due is None else float(max(state.due - now, 0))
    if state.status == "retrying":
        return whole + (max(state.due - now, 0) if state.due is not None else 0)
    percent = reported.get(node.id, (0.0, ""))[0] if state.status == "running" else 0.0
    return elapsed * (100 - percent) / percent if 0 < percent <= 100 else max(whole - elapsed, 0.0)


def _longest_way(instance: Instance, left: list[float]) -> float:
    """Nodes run side by side where the graph lets them, so the longest way is what counts."""
    nodes = instance.plan.nodes
    open_ways = [len(node.incoming) for node in nodes]
    begins = [0.0] * len(nodes)
    ready = [node.index for node in nodes if not node.incoming]
    longest = 0.0
    while ready:
        index = ready.pop()
        ends = begins[index] + left[index]
        longest = max(longest, ends)
        for edge in nodes[index].outgoing:
            begins[edge.target] = max(begins[edge.target], ends)
            open_ways[edge.target] -= 1
            if not open_ways[edge.target]:
                ready.append(edge.target)
    return longest
