"""What can be wrong with the graph as a whole. All in linear time, and in loops: depth costs no stack."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from mainspring.definition.findings import Pointer
from mainspring.definition.model import Workflow
from mainspring.graph.check_joins import JoinChecks
from mainspring.graph.check_ports import PortChecks
from mainspring.graph.check_stopping import NAMING, names_in
from mainspring.graph.check_undo import faults_of_undo
from mainspring.graph.findings import Findings
from mainspring.graph.order import Order

cycles_listed_max = 20

Successors = dict[str, list[str]]


class EdgeChecks:
    """The graph as the checks need it: one edge for each pair that a connection or a dependsOn names."""

    def __init__(self, workflow: Workflow, findings: Findings, what: str = "workflow") -> None:
        self.workflow = workflow
        self.what = what
        self.findings = findings
        self.report = findings.report
        self.index: dict[str, int] = {}
        self.edges: dict[tuple[str, str], Pointer] = {}
        self.helpers: dict[tuple[str, str], Pointer] = {}
        self.awaited: dict[tuple[str, str], Pointer] = {}
        self.on_cycle: set[str] = set()

    def check(self) -> None:
        self.identities()
        if not self.workflow.nodes:
            self.report("MS201", f"the {self.what} has no nodes", ("nodes",))
            return
        self.collect_connections()
        self.collect_dependencies()
        self.collect_helpers()
        off = {target for _, target in self.helpers}
        self.off_graph(off)
        if not self.cycles_of(self.helpers, "MS216", "compensation and fallback run in a loop"):
            for at, message, hint in faults_of_undo(self.workflow, self.index):
                self.report("MS217", message, at, hint)
        again = "what is to be repeated is the body of a node: a `while`, an `until` or a `forEach`"
        self.on_cycle = self.cycles_of(self.edges, "MS209", "the graph has a cycle", again)
        self.reachability(off, self.on_cycle)
        self.collect_named(off)
        if self.awaited and not self.on_cycle:
            waiting = {**self.edges, **self.awaited}
            self.on_cycle = self.cycles_of(waiting, "MS267", "the milestone waits for itself")
        ports = PortChecks(self.workflow, self.edges, self.report)
        JoinChecks(self.workflow, self.index, ports.leaving, self.report).check()
        ports.check()

    # -- collecting

    def identities(self) -> None:
        for index, node in enumerate(self.workflow.nodes):
            if node.id in self.index:
                first = self.index[node.id]
                self.report("MS203", f"duplicate node id `{node.id}`, as nodes[{first}]", ("nodes", index, "id"))
            else:
                self.index[node.id] = index
        seen: set[str] = set()
        for index, connection in enumerate(self.workflow.connections):
            if connection.id is not None and connection.id in seen:
                self.report("MS204", f"duplicate connection id `{connection.id}`", ("connections", index, "id"))
            elif connection.id is not None:
                seen.add(connection.id)

    def collect_connections(self) -> None:
        for index, connection in enumerate(self.workflow.connections):
            at: Pointer = ("connections", index)
            known = self.known(connection.source, "MS206", "the connection's source is", (*at, "source"))
            if not self.known(connection.target, "MS206", "the connection's target is", (*at, "target")) or not known:
                continue
            if connection.source == connection.target:
                self.report(
                    "MS208", f"`{connection.source}` is connected to itself", at, "repeat work with a loop node"
                )
            elif connection.is_compensation:
                self.helpers.setdefault((connection.source, connection.target), at)
            else:
                self.edges.setdefault((connection.source, connection.target), at)

    def collect_dependencies(self) -> None:
        for index, node in enumerate(self.workflow.nodes):
            for place, source in enumerate(node.depends_on):
                at: Pointer = ("nodes", index, "dependsOn", place)
                if not self.known(source, "MS207", f"`{node.id}` depends on", at):
                    continue
                if source == node.id:
                    self.report("MS208", f"`{node.id}` depends on itself", at, "repeat work with a loop node")
                elif (source, node.id) not in self.edges:
                    self.edges[source, node.id] = at

    def collect_helpers(self) -> None:
        for index, node in enumerate(self.workflow.nodes):
            for key, helper in (
                ("compensationNodeId", node.compensation_node_id),
                ("fallbackNodeId", node.fallback_node_id),
            ):
                at: Pointer = ("nodes", index, key)
                if helper is not None and self.known(helper, "MS215", f"the {key} of `{node.id}` is", at):
                    self.helpers.setdefault((node.id, helper), at)
                    self.alone(helper, key, at)

    def alone(self, helper: str, key: str, at: Pointer) -> None:
        """A fallback runs by itself, as a body does: there are no others that it could stop or wait for."""
        kind = self.workflow.nodes[self.index[helper]].type
        if key == "fallbackNodeId" and kind in NAMING:
            message = f"`{helper}` cannot stand in for a node: a {kind} has to do with others of its graph"
            self.report("MS217", message, at, "name a node that works by itself")

    def collect_named(self, off: set[str]) -> None:
        """The nodes that cancels and milestones name; a milestone comes after the one that it waits for."""
        for index, node in enumerate(self.workflow.nodes):
            if node.type not in NAMING:
                continue
            for key, name, at in names_in(node, index):
                what = f"`{node.id}` {'stops' if node.type == 'cancel' else f'is to open or close by `{key}`:'}"
                if name == node.id:
                    self.report("MS266", f"`{node.id}` names itself in `{key}`", at, "name another node")
                elif name in off:
                    message = f"{what} `{name}`, which does not stand on the graph: it runs for another node alone"
                    self.report("MS266", message, at, "name the node that it stands in for, or that it undoes")
                elif self.known(name, "MS266", what, at) and key == "after":
                    self.awaited.setdefault((name, node.id), at)

    def order(self) -> Order:
        """Which nodes come before which, as far as connections and milestones say so."""
        settled = not self.on_cycle and not any(
            node.join is not None and node.join.kind in ("each", "ports") for node in self.workflow.nodes
        )
        return Order([*self.edges, *self.awaited], (target for _, target in self.helpers), settled)

    def known(self, name: str, code: str, what: str, at: Pointer) -> bool:
        if name in self.index:
            return True
        hint = self.findings.hint(name, self.index)
        self.report(code, f"{what} `{name[:80]}`, which is no node", at, hint)
        return False

    # -- checking

    def off_graph(self, off: set[str]) -> None:
        for (source, target), at in self.edges.items():
            named = target if target in off else source
            if named in off:
                way = "into it" if named == target else "out of it"
                message = f"`{named}` is a compensation or fallback node: no normal connection may lead {way}"
                self.report("MS217", message, at, "leave out the connection")

    def cycles_of(
        self, edges: dict[tuple[str, str], Pointer], code: str, what: str, hint: str | None = None
    ) -> set[str]:
        """Report cycles, each spelled out, at the edge that closes it; the nodes on them."""
        found: set[str] = set()
        for cycle in cycles(self.index, edges):
            start = min(range(len(cycle)), key=lambda at: self.index[cycle[at]])
            names = [*cycle[start:], *cycle[:start]]
            found.update(names)
            shown = names if len(names) <= 30 else [*names[:20], "…", *names[-5:]]
            spelled = " -> ".join([*shown, names[0]])
            at = edges[names[-1], names[0]]
            if code == "MS267":  # told at the milestone, not at whichever connection closes the circle
                at = next(self.awaited[pair] for pair in pairwise([*names, names[0]]) if pair in self.awaited)
            self.report(code, f"{what}: {spelled}", at, hint)
        return found

    def reachability(self, off: set[str], on_cycle: set[str]) -> None:
        entered = {target for _, target in self.edges}
        roots = [name for name in self.index if name not in entered and name not in off]
        if not roots:
            self.report("MS210", "no entry point: every node has an incoming connection", ("nodes",))
            return
        reached = reachable(roots, successors_of(self.edges))
        for name, index in self.index.items():
            if name not in reached and name not in off and name not in on_cycle:
                message = f"`{name}` is unreachable: no path leads to it from an entry point"
                self.report("MS211", message, ("nodes", index, "id"))


def successors_of(edges: Iterable[tuple[str, str]]) -> Successors:
    successors: Successors = {}
    for source, target in edges:
        successors.setdefault(source, []).append(target)
    return successors


def reachable(starts: Iterable[str], successors: Successors) -> set[str]:
    reached = set(starts)
    stack = list(reached)
    while stack:
        for target in successors.get(stack.pop(), ()):
            if target not in reached:
                reached.add(target)
                stack.append(target)
    return reached


def cycles(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Cycles that share no node, so that each can be mended by itself; none if and only if the graph is acyclic.

    Nodes on no cycle are stripped from both ends. Each node that is left has a successor that is left, so walking on
    comes back to a node seen before: a cycle. It is taken out, and stripping goes on.
    """
    after: Successors = {name: [] for name in names}
    before: Successors = {name: [] for name in after}
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    into = {name: len(sources) for name, sources in before.items()}
    out = {name: len(targets) for name, targets in after.items()}
    left = dict.fromkeys(after)
    _strip(left, [name for name in after if not into[name] or not out[name]], after, before, into, out)
    found: list[list[str]] = []
    while left and len(found) < cycles_listed_max:
        cycle = _walk(next(iter(left)), left, after)
        found.append(cycle)
        _strip(left, cycle, after, before, into, out)
    return found


def _strip(
    left: dict[str, None],
    ends: list[str],
    after: Successors,
    before: Successors,
    into: dict[str, int],
    out: dict[str, int],
) -> None:
    stack = list(ends)
    while stack:
        name = stack.pop()
        if name not in left:
            continue
        del left[name]
        for target in after[name]:
            into[target] -= 1
            if not into[target]:
                stack.append(target)
        for source in before[name]:
            out[source] -= 1
            if not out[source]:
                stack.append(source)


def _walk(start: str, left: dict[str, None], after: Successors) -> list[str]:
    steps: dict[str, int] = {}
    name = start
    while name not in steps:
        steps[name] = len(steps)
        name = next(target for target in after[name] if target in left)
    return list(steps)[steps[name] :]
