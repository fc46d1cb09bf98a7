"""From a document to a definition that can run: reading and all checks, everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mainspring.definition.bodies import bodies
from mainspring.definition.bounds import findings_max
from mainspring.definition.findings import Finding, finding
from mainspring.definition.load import Definition, Format, Reading, read, read_text
from mainspring.definition.model import Workflow
from mainspring.definition.vocabulary import node_types as known_node_types
from mainspring.errors import DefinitionError
from mainspring.graph.check_edges import EdgeChecks
from mainspring.graph.check_nodes import Findings, NodeChecks


def load(path: str | Path, *, node_types: Collection[str] = known_node_types) -> Definition:
    """Read and check a file. Raises DefinitionError with everything that is wrong with it."""
    return _definition(*inspect_file(path, node_types=node_types))


def loads(
    text: str | bytes,
    *,
    format: Format = "yaml",
    name: str = "<text>",
    folder: str = "",
    node_types: Collection[str] = known_node_types,
) -> Definition:
    """Read and check a text, likewise."""
    return _definition(*inspect_reading(read_text(text, form=format, name=name, folder=folder), node_types))


def inspect_file(
    path: str | Path, *, node_types: Collection[str] = known_node_types
) -> tuple[Definition | None, tuple[Finding, ...]]:
    """The definition, None where it cannot run, and all errors and warnings in the order of the file."""
    return inspect_reading(read(path), node_types)


def inspect_text(
    text: str | bytes,
    *,
    format: Format = "yaml",
    name: str = "<text>",
    folder: str = "",
    node_types: Collection[str] = known_node_types,
) -> tuple[Definition | None, tuple[Finding, ...]]:
    return inspect_reading(read_text(text, form=format, name=name, folder=folder), node_types)


def check_workflow(workflow: Workflow, *, node_types: Collection[str] = known_node_types) -> tuple[Finding, ...]:
    """All that is wrong with a workflow that comes from no file (the Python door)."""
    return tuple(found for found, _ in _checks(workflow, node_types).all)


def _checks(workflow: Workflow, node_types: Collection[str]) -> Findings:
    findings = Findings()
    _check_graph(workflow, node_types, findings, ()).workflow(workflow)
    return findings


def _check_graph(
    graph: Workflow, node_types: Collection[str], findings: Findings, around: Collection[str]
) -> NodeChecks:
    """One graph and the bodies within its nodes, whose expressions may name the nodes `around` them too."""
    edges = EdgeChecks(graph, findings)
    edges.check()
    names = {*around, *edges.index} if around else edges.index
    nodes = NodeChecks(names, node_types, findings)
    for index, node in enumerate(graph.nodes):
        nodes.node(node, ("nodes", index))
        for way, body in bodies(node):
            within = Findings()
            scope = Workflow(id=node.id, nodes=body.nodes, connections=body.connections)
            _check_graph(scope, node_types, within, names).templates(body.output, ("output",))
            findings.add(within, ("nodes", index, *way))
    for index, connection in enumerate(graph.connections):
        nodes.connection(connection, ("connections", index))
    return nodes


def inspect_reading(
    reading: Reading, node_types: Collection[str] = known_node_types
) -> tuple[Definition | None, tuple[Finding, ...]]:
    found = list(reading.findings)
    workflow = reading.workflow
    if reading.kind == "resilience":
        found.append(reading.placed(finding("MS109", "this is a resilience file, no workflow", ("kind",))))
    if workflow is not None:
        checks = _checks(workflow, node_types).all
        found.extend(reading.all_placed(checks[:findings_max]))
        if len(checks) > findings_max:
            found.append(reading.placed(finding("MS299", f"there are more findings than findings_max, {findings_max}")))
    found.sort(key=lambda one: (one.line or 0, one.column or 0))
    if workflow is None or any(one.severity == "error" for one in found):
        return None, tuple(found)
    return Definition(workflow, reading.folder, reading.name, tuple(found)), tuple(found)


def checked(reading: Reading) -> Definition:
    """The definition of what was read. Raises DefinitionError."""
    return _definition(*inspect_reading(reading))


def _definition(definition: Definition | None, findings: tuple[Finding, ...]) -> Definition:
    if definition is None:
        raise DefinitionError(findings)
    return definition
