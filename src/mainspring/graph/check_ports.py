"""By which ports nodes leave, and connections that start from a port by which their source never does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mainspring.definition.findings import Pointer, did_you_mean
from mainspring.definition.model import Node, Workflow
from mainspring.definition.ports import MAY_TIME_OUT, TIMEOUT, WITH_PORTS, Ports, ports_of, spellings_of
from mainspring.definition.vocabulary import node_types
from mainspring.graph import custom_kinds

ports_listed_max = 10


def ports_of_node(node: Node, declared: dict[str, tuple[str, ...] | None] | None = None) -> Ports | None:
    """The ports of a node of any kind; None where its work chooses one that nobody knows before.

    `declared` remembers custom kinds: to find one may mean to look for plugins.
    """
    if node.type in node_types:
        return ports_of(node.type, node.config, node.timeout is not None) if node.type in WITH_PORTS else None
    known = {} if declared is None else declared
    if node.type not in known:
        known[node.type] = custom_kinds.ports_of(node.type)
    names = known[node.type]
    return None if names is None else Ports(names, primary=True)


class Leaving(NamedTuple):
    """A node whose ports are known."""

    node: Node
    ports: Ports


class PortChecks:
    """`edges` has the place that each pair of nodes is connected at."""

    def __init__(
        self, workflow: Workflow, edges: Mapping[tuple[str, str], Pointer], report: Callable[..., None]
    ) -> None:
        self.workflow = workflow
        self.edges = edges
        self.report = report
        custom: dict[str, tuple[str, ...] | None] = {}
        self.leaving = {
            node.id: Leaving(node, ports)
            for node in workflow.nodes
            if (ports := ports_of_node(node, custom)) is not None
        }

    def check(self) -> None:
        """All connections, and what `dependsOn` implies."""
        if not self.leaving:
            return
        for index, connection in enumerate(self.workflow.connections):
            source, port = self.leaving.get(connection.source), connection.source_port
            if source is None or connection.is_compensation or source.ports.has(port):
                continue
            at: Pointer = ("connections", index)
            if port is not None:
                message = f"unknown port `{port}` on node `{connection.source}`"
                self.report("MS224", message, (*at, "sourcePort"), _hint(source, port))
            elif connection.trigger == "complete":
                self._no_port(source, (*at, "source"))
        for index, node in enumerate(self.workflow.nodes):
            for place, name in enumerate(node.depends_on):
                source, at = self.leaving.get(name), ("nodes", index, "dependsOn", place)
                if source is not None and not source.ports.primary and self.edges.get((name, node.id)) == at:
                    self._no_port(source, at)

    def _no_port(self, source: Leaving, at: Pointer) -> None:
        node, ports = source
        if not ports.names and not ports.more:
            self.report("MS228", f"the connection never fires: `{node.id}` ends the instance", at, "leave it out")
            return
        message = f"the connection never fires: `{node.id}`, a node of type {node.type}, leaves by one of its ports"
        self.report("MS228", message, at, f"name one as sourcePort: {_listed(ports)}")


def _hint(source: Leaving, port: str) -> str:
    """What was perhaps meant, or by which ports the node leaves."""
    node, ports = source
    meant = did_you_mean(port, {**dict.fromkeys(ports.names), **spellings_of(node.type, node.config)})
    if port == TIMEOUT and node.type in MAY_TIME_OUT:
        return f"give `{node.id}` a `timeout`"
    if meant is not None:
        return meant
    if ports.names:
        return f"its ports are {_listed(ports)}" + (
            ", and the primary output, without a sourcePort" if ports.primary else ""
        )
    if ports.primary:
        return "it leaves by its primary output only: leave out the sourcePort"
    return "nothing comes after it"


def _listed(ports: Ports) -> str:
    return ", ".join(ports.names[:ports_listed_max])
