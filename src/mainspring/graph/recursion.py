"""Workflows that call themselves whatever happens, so that no instance could ever end by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mainspring.definition.bodies import bodies, nesting_max
from mainspring.definition.findings import Pointer
from mainspring.definition.kind_keys import SELF
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.graph.check_ports import ports_of_node

_ALWAYS_BEGUN = frozenset(("until", "parallel", "mutex", "subflow"))
"""Blocks all of whose bodies begin: a list may be empty, a condition false, and of a race only the first one counts."""

_Way = tuple[str, Pointer]


def endless(workflow: Workflow) -> Iterator[_Way]:
    """The calls that every instance makes: what is to be said, and where."""
    if any(node.type == "subflow" and _is_self(node, workflow) for node in _all_nodes(workflow.nodes)):
        for name, at in _unavoidable(workflow.nodes, workflow.connections, workflow):
            yield f"`{name}` starts this same workflow again, whatever happens: no instance would ever end", at


def _all_nodes(nodes: Sequence[Node]) -> Iterator[Node]:
    line = [(node, 0) for node in nodes]
    for node, depth in line:
        yield node
        if depth < nesting_max:
            line.extend((inner, depth + 1) for _, body in bodies(node) for inner in body.nodes)


def _is_self(node: Node, workflow: Workflow) -> bool:
    config = node.config
    named = config.get("workflow")
    version = config.get("version")
    return named == SELF or (named == workflow.id and version in (None, workflow.version))


def _unavoidable(nodes: Sequence[Node], connections: Sequence[Connection], workflow: Workflow) -> list[_Way]:
    """The calls that one entry node at least leads to on each of its ways. A node that ends the instance may be quicker."""
    if any(node.type in ("terminate", "cancel") for node in nodes):
        return []
    index = {node.id: place for place, node in enumerate(nodes)}
    ways: dict[str, list[Connection]] = {}
    entered: set[str] = set()
    for edge in [*connections, *(Connection(source=one, target=node.id) for node in nodes for one in node.depends_on)]:
        if edge.is_compensation or edge.source not in index or edge.target not in index:
            continue
        entered.add(edge.target)
        ways.setdefault(edge.source, []).append(edge)
    found: dict[str, _Way | None] = {}
    for name in _sinks_first(index, ways):
        node = nodes[index[name]]
        found[name] = _call_in(node, index[name], workflow) or _led_to(node, ways.get(name, []), found, nodes, index)
    helpers = {node.compensation_node_id for node in nodes} | {node.fallback_node_id for node in nodes}
    entries = [name for name in index if name not in entered and name not in helpers]
    return list(dict.fromkeys(call for name in entries if (call := found.get(name)) is not None))


def _call_in(node: Node, place: int, workflow: Workflow) -> _Way | None:
    """The call that a node makes itself, or one in a body of its that surely begins."""
    if node.type not in _ALWAYS_BEGUN:
        return None
    if node.type == "subflow" and _is_self(node, workflow):
        return node.id, ("nodes", place, "config", "workflow")
    for way, body in bodies(node):
        inner = _unavoidable(body.nodes, body.connections, workflow)
        if inner:
            return inner[0][0], ("nodes", place, *way, *inner[0][1])
    return None


def _led_to(
    node: Node, ways: list[Connection], found: dict[str, _Way | None], nodes: Sequence[Node], index: dict[str, int]
) -> _Way | None:
    """The call that follows by whichever port the node leaves."""
    ports = ports_of_node(node)
    if ports is None:
        leaves: set[str | None] = {None, *(edge.source_port for edge in ways)}
    elif ports.more:
        return None
    else:
        leaves = {*ports.names, *((None,) if ports.primary else ())}
    calls = []
    for port in leaves:
        call = next(
            (found[edge.target] for edge in ways if _follows(edge, port, nodes, index) and found.get(edge.target)), None
        )
        if call is None:
            return None
        calls.append(call)
    return calls[0] if calls else None


def _follows(edge: Connection, port: str | None, nodes: Sequence[Node], index: dict[str, int]) -> bool:
    """Whether the target surely runs once the source has completed by this port."""
    join = nodes[index[edge.target]].join
    plain = edge.trigger != "fail" and edge.source_port == port and edge.condition in (None, "true")
    return plain and (join is None or join.kind in ("all", "any", "each"))


def _sinks_first(index: dict[str, int], ways: dict[str, list[Connection]]) -> list[str]:
    """Each node after all that it leads to; nodes on a cycle are left out."""
    left = {name: len(ways.get(name, ())) for name in index}
    sources: dict[str, list[str]] = {}
    for name, edges in ways.items():
        for edge in edges:
            sources.setdefault(edge.target, []).append(name)
    line = [name for name, count in left.items() if not count]
    for name in line:
        for source in sources.get(name, ()):
            left[source] -= 1
            if not left[source]:
                line.append(source)
    return line
