"""What an expression can see: the nodes of its graph and of those around it, what has run before, and the loop around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mainspring.definition.bodies import bodies
from mainspring.definition.kind_keys import LOOPS
from mainspring.definition.model import Node
from mainspring.expression import Expression
from mainspring.graph.findings import Findings
from mainspring.graph.order import Order

LOOP_WORDS = ("item", "index", "loop")
LOOP_FIELDS = frozenset(("index", "item", "count", "state", "outer"))
sources_listed_max = 5


class Told(NamedTuple):
    """What is to be said of an expression; `position` is where in its text."""

    code: str
    message: str
    hint: str | None
    position: int = 0


class Sight:
    """One graph as seen from within. `around` is the sight of the graph that the `block` stands in, whose body this is."""

    __slots__ = ("_within", "around", "block", "index", "loop", "nodes", "order")

    def __init__(
        self,
        nodes: tuple[Node, ...],
        index: Mapping[str, int],
        order: Order,
        around: Sight | None = None,
        block: Node | None = None,
    ) -> None:
        self.nodes = nodes
        self.index = index
        self.order = order
        self.around = around
        self.block = block
        self._within: dict[str, str] | None = None
        is_loop = block is not None and block.type in LOOPS
        self.loop: str | None = block.type if block and is_loop else around.loop if around else None

    @property
    def depth(self) -> int:
        """How many bodies are around."""
        return 0 if self.around is None else self.around.depth + 1

    def outward(self) -> Iterator[Sight]:
        """This one, and those around it."""
        here: Sight | None = self
        while here is not None:
            yield here
            here = here.around

    # -- nodes

    def nodes_told(self, expression: Expression, subject: str | None, done: bool, findings: Findings) -> Iterator[Told]:
        """What is wrong with the nodes that it names. `subject` is the node that looks (None: all have run), which has ended
        where `done`."""
        for name, position in expression.references:
            told = self._node_told(name, subject, done, findings)
            if told is not None:
                yield told._replace(position=position)

    def _node_told(self, name: str, subject: str | None, done: bool, findings: Findings) -> Told | None:
        for sight in self.outward():
            if name in sight.index:
                return None if subject is None or (done and name == subject) else sight._early(name, subject)
            subject, done = sight.block.id if sight.block else None, False
        hint = self._hidden(name) or findings.hint(name, [known for sight in self.outward() for known in sight.index])
        return Told("MS214", f"there is no node `{name[:80]}`: it is always null", hint)

    def _early(self, name: str, subject: str) -> Told | None:
        """A node that has not run when the other one starts, or perhaps not."""
        order = self.order
        if order.precedes(name, subject) is not False:
            return None
        if name == subject:
            return Told("MS264", f"`nodes.{name}` is null here: it is the node itself, which has not ended", None)
        before = ", ".join(f"`{source}`" for source in order.sources(subject)[:sources_listed_max])
        known = f"right before it comes {before}" if before else "nothing comes before it"
        if order.precedes(subject, name):
            return Told("MS264", f"`nodes.{name}` is null here: `{name}` comes after `{subject}`", known)
        message = f"`nodes.{name}` may be null here: nothing says that `{name}` runs before `{subject}`"
        return Told("MS264", message, f"{known}; to wait for it, give `{subject}` `dependsOn: [{name}]`")

    def _hidden(self, name: str) -> str | None:
        """Of a node that is there, but within a body: what is in a body is seen only there."""
        for sight in self.outward():
            block = sight.within.get(name)
            if block is not None:
                return f"it is in a body of `{block}` and seen only there; `nodes.{block}.output` is what comes of it"
        return None

    @property
    def within(self) -> dict[str, str]:
        """The nodes in the bodies of this graph's nodes, each with the block."""
        if self._within is None:
            self._within = {
                inner.id: node.id for node in self.nodes for _, body in bodies(node) for inner in body.nodes
            }
        return self._within

    # -- loops

    def loop_told(self, expression: Expression, local: frozenset[str], own: str) -> Iterator[Told]:
        """What is wrong with its `item`, `index` and `loop`. `local` are words that mean something else here, or are seen
        although no loop is around; `own` is the kind of the node in whose config it stands."""
        for word in LOOP_WORDS:
            if word not in expression.roots or (word in local and word != "loop"):
                continue
            if word == "loop" and (self.loop is not None or word in local):
                yield from _fields_told(expression)
                continue
            loop = own if "loop" in local else self.loop
            if loop is None:
                message = f"`{word}` is null here: there is no loop around it"
                yield Told("MS263", message, "it is seen in the body of a forEach, a while or an until")
            elif word == "item" and loop != "forEach":
                message = f"`item` is null here: the innermost loop is of the kind {loop}, which has none"
                yield Told("MS263", message, "the state is `loop.state`, the item of the loop around `loop.outer.item`")


def _fields_told(expression: Expression) -> Iterator[Told]:
    for name in sorted((expression.fields.get("loop") or frozenset()) - LOOP_FIELDS):
        yield Told(
            "MS263", f"`loop` has no `{name[:80]}`: it is always null", f"it has {', '.join(sorted(LOOP_FIELDS))}"
        )
