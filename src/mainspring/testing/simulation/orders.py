"""Orders by hand, and what can be done by them (SEMANTICS 93 to 98), worked out a second time."""

from __future__ import annotations

from msgspec import UNSET, Struct
from msgspec.structs import replace

from mainspring.journal.messages import CompleteNode, Intervention, RerunFrom, RetryNode, SetVariables, SkipNode
from mainspring.testing.simulation.checks_letters import OPEN, REOPENED_FROM, why_not_again
from mainspring.testing.simulation.watched import FINAL, Watched
from mainspring.testing.simulation.watched_fallback import WatchedFallback
from mainspring.testing.simulation.watched_scope import WatchedNode, WatchedScope

WHATS = ("skip", "complete", "retry", "rerun", "rerun", "variables")
NAMES: dict[type, str] = {
    SkipNode: "skip",
    CompleteNode: "complete",
    RetryNode: "retry",
    RerunFrom: "rerun",
    SetVariables: "variables",
}
HANDS = "hand "
"""How the names of orders begin that are drawn for their own sake. A letter that is put back to work is another matter."""

ENDED = REOPENED_FROM | {"cancelled"}


class Asked(Struct, frozen=True):
    """Somebody orders something by hand. `what` is as the journal has it."""

    what: str
    instance: str
    message: Intervention

    @property
    def by(self) -> str:
        """Its name."""
        return self.message.by

    @property
    def path(self) -> str:
        """The node that it is for ("": the whole)."""
        return getattr(self.message, "path", "")

    @property
    def run(self) -> int:
        """The run that it is for."""
        return getattr(self.message, "run", 0)

    def same(self, other: Asked) -> bool:
        """Whether it is that order: an engine sees to it by itself for which run it is."""
        mine, theirs = self.message, other.message
        if isinstance(mine, SetVariables):
            return self.instance == other.instance and mine == theirs
        return self.instance == other.instance and mine == replace(theirs, run=self.run)

    def covers(self, path: str) -> bool:
        """Whether this is its node, or lies in a body of it."""
        return path == self.path or path.startswith(f"{self.path}[")


def can_be_meant(what: str, watched: Watched, scope: WatchedScope, node: WatchedNode) -> str:
    """As what kind of place the node is one for such an order ("": hardly)."""
    final = not watched.open
    if "[undo:" in scope.address or isinstance(scope.block, WatchedFallback) or watched.saga is not None:
        return ""
    if what == "rerun":
        return f"{watched.status} {node.status}" if final and scope is watched.own else ""
    if what == "retry":
        return node.status if node.status in ("failed", "retrying") else ""
    if final and node.status != "failed":
        return ""
    return node.status


def why_not(watched: Watched, asked: Asked, status: str, now: int) -> str:
    """Why it cannot be done ("": it can). `status`: of the instance, as it was when the row began."""
    if asked.what == "variables":
        return "" if status in OPEN else f"the instance is {status}"
    if status not in OPEN and status not in ENDED:
        return f"the instance is {status}"
    scope, id = watched.scope_of(asked.path), asked.path.rpartition(".")[2]
    if scope is None:
        return "its body has ended"
    node = scope.nodes[id]
    if node.run != asked.run:
        return f"it is in run {node.run}"
    if asked.what == "rerun":
        return _why_no_rerun(watched, id, node, status)
    if asked.what == "retry":
        if node.status == "retrying" and status in OPEN:
            return "" if asked.message.input is UNSET else "it is in the middle of a run"  # type: ignore[union-attr]
        return why_not_again(watched, status, asked.path, asked.run, now)
    return _why_not_ended(watched, asked, scope, id, node, status, now)


def _why_not_ended(
    watched: Watched, asked: Asked, scope: WatchedScope, id: str, node: WatchedNode, status: str, now: int
) -> str:
    """For what ends a node by hand."""
    rule, message = scope.graph.rules[id], asked.message
    if rule.lanes or rule.repeating:
        return "its inbox decides when it ends"
    if node.status == "failed":
        reason = why_not_again(watched, status, asked.path, asked.run, now)
        if reason:
            return reason
    elif status not in OPEN or node.status in FINAL:
        return f"it is {node.status}, and all is {status}"
    if isinstance(message, CompleteNode):
        if id in scope.blocks:
            return "it has bodies under way"
        if message.port is not None and message.port not in {edge.port for edge in scope.graph.outgoing[id]}:
            return f"it has no port {message.port}"
    return ""


def _why_no_rerun(watched: Watched, id: str, node: WatchedNode, status: str) -> str:
    if status not in ENDED or watched.saga is not None:
        return f"the instance is {status}, or was undone"
    if id not in watched.own.nodes or node is not watched.own.nodes[id]:
        return "it is in a body"
    if node.status == "skipped" and not node.arrived and watched.graph.incoming[id]:
        return "nothing came to it"
    for one in all_that_follows(watched.own, id):
        lanes = any(watched.graph.rules[edge.target].lanes for edge in watched.graph.outgoing[one])
        if watched.graph.rules[one].lanes or watched.graph.rules[one].repeating or lanes:
            return f"{one} has an inbox, or leads to one"
    return ""


def all_that_follows(scope: WatchedScope, id: str) -> set[str]:
    """The node, and all to which its connections lead."""
    found = {id}
    line = [id]
    while line:
        for edge in scope.graph.outgoing[line.pop()]:
            if edge.target not in found:
                found.add(edge.target)
                line.append(edge.target)
    return found
