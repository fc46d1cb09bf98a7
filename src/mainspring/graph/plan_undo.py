"""What undoes a node's work: its undo node, as a graph of its own, and which of its runs are to be undone.

An undo node is off the graph. When a run is undone it stands alone, in a scope of its own: a graph of one node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mainspring.definition.kind_keys import SELF
from mainspring.definition.model import Connection, Node
from mainspring.graph.plan_waits import Child

if TYPE_CHECKING:
    from mainspring.graph.plan import Graph
    from mainspring.graph.plan_node import PlanNode


class Undo(NamedTuple):
    """`failed`: a run that failed is undone too; `in_doubt`: so is one that was cancelled while it ran.

    `child`: what the run did was to have another workflow run, by this name, and that one undoes itself ("": it is not so).
    """

    graph: Graph
    failed: bool
    in_doubt: bool
    child: str = ""

    @property
    def node(self) -> PlanNode:
        """The undo node itself."""
        return self.graph.nodes[0]


def undo_nodes(nodes: Sequence[Node], connections: Sequence[Connection]) -> dict[str, str]:
    """Which node undoes which, by their ids. What a node says itself comes before what a connection says."""
    found: dict[str, str] = {}
    for node in nodes:
        if node.compensation_node_id is not None:
            found[node.id] = node.compensation_node_id
    for connection in connections:
        if connection.is_compensation:
            found.setdefault(connection.source, connection.target)
    return found


UNDO_CHILD = "undo child"
"""The kind of node that has a child undo itself. No definition has it: it is in the place of an undo node."""


def settle_undo(
    graph: Graph, nodes: Sequence[Node], connections: Sequence[Connection], alone: Callable[[Node], Graph]
) -> None:
    """Give each compensable node what undoes it. `alone` makes the graph of an undo node."""
    for node in graph.nodes:
        if isinstance(node.told, Child) and node.told.waits:
            undoing = alone(Node(id="undo", type="log"))
            undoing.nodes[0].machine_kind = UNDO_CHILD
            node.undo = Undo(undoing, False, False, node.told.name)
    made: dict[str, Graph] = {}
    for id, undo in undo_nodes(nodes, connections).items():
        if id not in graph.by_id or undo not in graph.by_id:
            continue
        if undo not in made:
            made[undo] = _prepared(alone(graph.by_id[undo].definition))
        resilience = graph.by_id[id].definition.resilience
        failed = resilience is not None and resilience.compensate_failed
        in_doubt = resilience is not None and resilience.compensate_in_doubt
        graph.by_id[id].undo = Undo(made[undo], failed, in_doubt)


def _prepared(graph: Graph) -> Graph:
    """What undoes is not undone itself, and its work is done each time: a kept result would undo nothing."""
    for node in graph.everywhere():
        node.undo = None
    (node,) = graph.nodes
    node.cache = None
    node.reads_input = node.input_check is not None
    return graph


def has_undo(graph: Graph) -> bool:
    """Whether it has a compensable node, those in bodies among them. Subflows that start children do not count."""
    return any(node.undo is not None and not node.undo.child for node in graph.everywhere())


def is_undone(undo: Undo | None, children: Collection[str]) -> bool:
    """Whether a saga undoes what the node did. `children` are the names of workflows that undo themselves."""
    return undo is not None and (not undo.child or undo.child in children)


def undoing_children(graph: Graph, children: Iterable[str]) -> frozenset[str]:
    """The names of children that undo themselves, with that of the workflow itself, where it does."""
    known = frozenset(children)
    return known | {SELF} if known or has_undo(graph) else known


def node_at(graph: Graph, path: str) -> PlanNode | None:
    """The node that an address means, whether its scope is there or not. None: there is no such node, or it undoes."""
    found: PlanNode | None = None
    parts = path.split(".")
    for place, part in enumerate(parts):
        id, _, number = part.partition("[")
        found = graph.by_id.get(id)
        if found is None or place == len(parts) - 1:
            break
        if not found.bodies or not number[:-1].isdigit():
            return None
        graph = _body(found, int(number[:-1]), parts[place + 1].partition("[")[0])
    return found


def _body(block: PlanNode, number: int, id: str) -> Graph:
    """Which body that is: each run of a block numbers them on from a multiple of their number (26). It did not always, so
    where only one has such a node, it is that one."""
    having = [body for body in block.bodies if id in body.by_id]
    if len(having) == 1:
        return having[0]
    return block.bodies[number % len(block.bodies)]
