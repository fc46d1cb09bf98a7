"""A graph under way: the instance's own, or one pass through a body. And what expressions see from there."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any, NamedTuple

from .joins import Joins
from .shape import Graph, Shape
from .state import NodeState, Run


class Loop:
    """What `loop` says to a pass of a loop. `items` grows while it goes on; None for while and until."""

    def __init__(self, index: int, item: Any, items: list[Any] | None, state: Any, outer: Loop | None) -> None:
        self.index = index
        self.item = item
        self.items = items
        self.state = state
        self.outer = outer

    @property
    def told(self) -> dict[str, Any]:
        """As expressions see it."""
        return {
            "index": self.index,
            "item": self.item,
            "count": None if self.items is None else len(self.items),
            "state": self.state,
            "outer": self.outer and self.outer.told,
        }


class Scope:
    """Nodes, and where they stand.

    `wave` lists the nodes that ended and whose wave is in the line; None while no wave of this scope is. `fresh`: that
    wave is its first. `all_decide`: in that wave all nodes decide first.
    """

    def __init__(
        self,
        graph: Graph,
        shape: Shape,
        entry: Any,
        block: Run | None = None,
        number: int = 0,
        place: int = 0,
        loop: Loop | None = None,
    ) -> None:
        self.graph = graph
        self.shape = shape
        self.entry = entry
        self.block = block
        self.number = number
        self.place = place
        self.loop = loop
        self.parent: Scope | None = block.scope if block else None
        self.prefix = f"{block.key[0]}[{number}]." if block else ""
        self.nodes = {id: NodeState(id, [*self._queues(id)]) for id in shape.nodes}
        self.joins = Joins(shape, self.nodes)
        self.variables: dict[str, Any] = {}
        self.wave: list[str] | None = None
        self.fresh = False
        self.all_decide = False
        self.starting: list[Run] = []
        self.line: deque[str] = deque()
        self.unhandled: list[dict[str, Any]] = []
        self.failed: list[str] = []
        self.terminates = False
        self.closed = False
        self.stands_in = block is not None and block.falling
        self.undoes: dict[str, Any] | None = None

    def _queues(self, id: str) -> Collection[str | None]:
        return self.shape.ports(id) if self.shape.join(id) == "ports" else (None,)

    @property
    def off(self) -> bool:
        """Whether it is, or is within, what stands in or undoes: nothing in it is undone."""
        around = self.parent is not None and self.parent.off
        return self.stands_in or self.undoes is not None or around

    @property
    def error(self) -> dict[str, Any] | None:
        """The error of the node that this stands in for."""
        if self.stands_in and self.block is not None:
            return self.block.own_error
        return self.parent.error if self.parent else None

    @property
    def undoing(self) -> dict[str, Any] | None:
        """What `compensation` is to expressions here."""
        return self.undoes or (self.parent.undoing if self.parent else None)

    @property
    def done(self) -> bool:
        """Whether all nodes have ended."""
        return all(node.final for node in self.nodes.values())

    def output_of(self, id: str) -> Any:
        """A node's output: a list where it can run more than once."""
        return self.nodes[id].output(self.shape.repeats(id))

    @property
    def leaves_output(self) -> Any:
        """What the graph came to without an output mapping."""
        leaves = [id for id in self.nodes if not self.shape.outgoing[id]]
        if len(leaves) == 1:
            return self.output_of(leaves[0])
        return {id: self.output_of(id) for id in leaves if self.nodes[id].status == "completed"}

    @property
    def all_variables(self) -> dict[str, Any]:
        """The variables as they are seen here."""
        return {**(self.parent.all_variables if self.parent else {}), **self.variables}

    def node(self, id: str) -> Any:
        """What `nodes.<id>` is: the innermost node of that name, looking outward."""
        if id not in self.nodes:
            return self.parent.node(id) if self.parent else None
        node = self.nodes[id]
        return {
            "completed": node.status == "completed",
            "failed": node.status == "failed",
            "skipped": node.status == "skipped",
            "output": self.output_of(id),
        }


class Sight(NamedTuple):
    """What an expression is evaluated with. `loop` and `index` are the body's own unless something else is said."""

    scope: Scope
    input: Any
    value: Any = None
    output: Any = None
    error: Any = None
    loop: Loop | None = None

    def get(self, path: str) -> Any:
        """What a dotted path leads to; None where nothing is there."""
        root, *rest = path.split(".")
        here: Any = None
        if root == "nodes":
            here, rest = self.scope.node(rest[0]), rest[1:]
        elif root in ("item", "index", "loop"):
            told = self.loop.told if self.loop else {}
            here = (told or None) if root == "loop" else told.get(root)
        elif root == "variables":
            here = self.scope.all_variables
        elif root == "compensation":
            here = self.scope.undoing
        else:
            here = {"input": self.input, "value": self.value, "output": self.output, "error": self.error}[root]
        for part in rest:
            here = here.get(part) if isinstance(here, dict) else None
        return here
