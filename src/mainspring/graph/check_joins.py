"""What can be wrong with joins and connections: what can never fire, what could run too often, what makes no sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby

from msgspec import Struct

from mainspring.definition.deciding import SWITCHES
from mainspring.definition.findings import Pointer
from mainspring.definition.model import Connection, Join, Node, Workflow
from mainspring.errors import ExpressionError
from mainspring.expression import compile_expression, truthy
from mainspring.graph.check_ports import Leaving
from mainspring.graph.joining import DEFAULT_PORT, Edge, runs_at_most, runs_max

coverings_max = 4_096
"""So many ways in which ports may come to be served are looked at; beyond it a join passes unexamined."""

Report = Callable[[str, str, Pointer, str | None], None]


class Way(Struct, frozen=True):
    """A connection as a join sees it. `outcome` is what must become of its source for it to fire (None: never)."""

    source: str
    port: str | None
    outcomes: tuple[str, ...]
    at: Pointer


class JoinChecks:
    """All connections of the graph by their targets, and the joins that wait for them."""

    def __init__(
        self, workflow: Workflow, index: Mapping[str, int], leaving: Mapping[str, Leaving], report: Callable[..., None]
    ) -> None:
        self.nodes = workflow.nodes
        self.index = index
        self.leaving = leaving
        self.report = report
        self.ways: dict[str, list[Way]] = {}
        self._collect(workflow)

    def check(self) -> None:
        for index, node in enumerate(self.nodes):
            if node.join is not None and self.index[node.id] == index:
                self._join(node, node.join, ("nodes", index, "join"))
        self._repeating()
        self._never_run()

    # -- collecting

    def _collect(self, workflow: Workflow) -> None:
        after_completion: set[tuple[str, str]] = set()
        for index, written in enumerate(workflow.connections):
            at: Pointer = ("connections", index)
            if written.is_compensation or not self._joins(written.source, written.target):
                continue
            outcomes = self._outcomes(written, at)
            self.ways.setdefault(written.target, []).append(Way(written.source, written.target_port, outcomes, at))
            if written.trigger != "fail":
                after_completion.add((written.source, written.target))
        for index, node in enumerate(workflow.nodes):
            for place, source in enumerate(node.depends_on):
                if (source, node.id) not in after_completion and self._joins(source, node.id):
                    at = ("nodes", index, "dependsOn", place)
                    self.ways.setdefault(node.id, []).append(Way(source, None, self._completed(source, None), at))

    def _joins(self, source: str, target: str) -> bool:
        return source in self.index and target in self.index and source != target

    def _outcomes(self, written: Connection, at: Pointer) -> tuple[str, ...]:
        """On which ends of its source the connection may fire."""
        trigger, port, condition = written.trigger, written.source_port, written.condition
        if trigger == "fail" and port is not None:
            message = f"the connection never fires: a node that fails leaves by no port, so by none called `{port}`"
            self.report("MS228", message, (*at, "sourcePort"), "leave out the port, or the trigger")
            return ()
        if condition is not None and _never_true(condition):
            self.report("MS228", f"the connection never fires: `{condition[:80]}` is never true", (*at, "condition"))
            return ()
        if trigger == "fail":
            return ("failure",)
        completed = self._completed(written.source, port)
        return (*completed, "failure") if trigger == "all" and port is None else completed

    def _completed(self, source: str, port: str | None) -> tuple[str, ...]:
        """The same where it completes. A switch that takes all cases that hold leaves by several ports at once."""
        known = self.leaving.get(source)
        if known is not None and not known.ports.has(port):
            return ()
        if known is not None and known.node.type in SWITCHES and known.node.config.get("match") == "all":
            return ("some of its ports",)
        return ("primary output" if port is None else f"port {port}",)

    # -- joins

    def _join(self, node: Node, join: Join, at: Pointer) -> None:
        ways = self.ways.get(node.id, [])
        if join.cancel_others and join.kind not in ("any", "n"):
            message = (
                f"the join of `{node.id}` is `{join.kind}`, which waits for all there is: nothing is left to cancel"
            )
            self.report("MS226", message, at, "`cancelOthers` goes with `any` and `n`")
        if join.kind == "n":
            self._number(node, join, ways, at)
        elif join.kind == "ports" and ways:
            self._ports(node, ways, at)

    def _number(self, node: Node, join: Join, ways: list[Way], at: Pointer) -> None:
        if join.n is None or join.n < 1:
            self.report("MS219", f"the join of `{node.id}` needs `n`, at least 1", at)
            return
        most = sum(_most_at_once(list(group)) for _, group in groupby(sorted(ways, key=_source), key=_source))
        if join.n > most:
            why = "" if most == len(ways) else f" of its {len(ways)} connections (some never fire together)"
            self.report(
                "MS218", f"the join of `{node.id}` waits for {join.n} messages, but only {most} can come{why}", at
            )

    def _ports(self, node: Node, ways: list[Way], at: Pointer) -> None:
        ports = dict.fromkeys(way.port for way in ways)
        if set(ports) == {None}:
            message = f"`{node.id}` joins by `ports`, and none of its connections has a target port"
            self.report("MS227", message, at, "name a `targetPort` on each connection, or join by `all`")
            return
        if None in ports and DEFAULT_PORT in ports:
            message = f"a connection into `{node.id}` has no target port, which is `{DEFAULT_PORT}`, as another one has"
            self.report("MS227", message, at, "name another target port")
        dead = [port or DEFAULT_PORT for port in ports if not any(way.outcomes for way in ways if way.port == port)]
        if dead:
            self.report("MS218", f"the join of `{node.id}` can never get a message on its port `{dead[0]}`", at)
        elif not _can_serve(frozenset(ports), ways):
            message = f"the join of `{node.id}` can never get a message on each of its ports: some never fire together"
            self.report("MS218", message, at)

    # -- the whole graph

    def _repeating(self) -> None:
        kinds = [node.join.kind if node.join is not None else "all" for node in self.nodes]
        edges = [
            Edge(self.index[way.source], self.index[target], way.port)
            for target, ways in self.ways.items()
            for way in ways
        ]
        most = runs_at_most(kinds, edges)
        if max(most, default=1) == 1:
            return
        for index, node in enumerate(self.nodes):
            ways = self.ways.get(node.id, [])
            after = next((way.source for way in ways if most[self.index[way.source]] > 1), None)
            at: Pointer = ("nodes", index, "id")
            if most[index] > runs_max:
                self.report("MS225", f"`{node.id}` could run more than {runs_max:,} times (runs_max)", at)
                return
            if after is not None and len(ways) > 1 and kinds[index] != "each":
                message = f"`{node.id}` joins several connections, and `{after}` before it can run more than once"
                self.report("MS223", message, at, "use forEach, or `join: each` here too")
            elif most[index] > 1 and node.join is not None and node.join.cancel_others:
                message = f"`{node.id}` can run more than once, so there are no others to cancel"
                self.report("MS226", message, ("nodes", index, "join"))

    def _never_run(self) -> None:
        """Nodes into which no connection can ever bring a message, and what hangs on them alone."""
        doomed: set[str] = set()
        work = [node.id for node in self.nodes if self._hopeless(node.id, doomed)]
        targets: dict[str, list[str]] = {}
        if work:
            for target, ways in self.ways.items():
                for way in ways:
                    targets.setdefault(way.source, []).append(target)
        while work:
            name = work.pop()
            if name in doomed or not self._hopeless(name, doomed):
                continue
            doomed.add(name)
            work.extend(targets.get(name, ()))
        for index, node in enumerate(self.nodes):
            if node.id in doomed:
                message = f"`{node.id}` can never run: none of its connections ever fires"
                self.report("MS229", message, ("nodes", index, "id"))

    def _hopeless(self, name: str, doomed: set[str]) -> bool:
        ways = self.ways.get(name)
        return bool(ways) and all(not way.outcomes or way.source in doomed for way in ways or ())


def _source(way: Way) -> str:
    return way.source


def _most_at_once(ways: list[Way]) -> int:
    """How many connections from one source can fire at one end of it."""
    outcomes = {outcome for way in ways for outcome in way.outcomes}
    return max((sum(outcome in way.outcomes for way in ways) for outcome in outcomes), default=0)


def _can_serve(ports: frozenset[str | None], ways: list[Way]) -> bool:
    """Whether some combination of ends of the sources brings a message to every port."""
    served: set[frozenset[str | None]] = {frozenset()}
    for _, group in groupby(sorted(ways, key=_source), key=_source):
        mine = list(group)
        outcomes = {outcome for way in mine for outcome in way.outcomes}
        brings = {frozenset(way.port for way in mine if outcome in way.outcomes) for outcome in outcomes}
        served = {one | more for one in served for more in (brings or {frozenset()})}
        if ports in served or len(served) > coverings_max:
            return True
    return ports in served


def _never_true(condition: str) -> bool:
    """Whether a condition that names nothing is false, whatever happens. One that is no expression is another finding."""
    try:
        expression = compile_expression(condition)
        return not expression.roots and not truthy(expression(None))
    except ExpressionError:
        return False
