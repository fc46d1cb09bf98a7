"""From a document to a definition that can run: reading and all checks, everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from mainspring.definition.bodies import bodies, body_types, nesting_max
from mainspring.definition.bounds import findings_max
from mainspring.definition.findings import Finding, finding
from mainspring.definition.load import Definition, Format, Reading, read, read_text
from mainspring.definition.model import Node, Workflow
from mainspring.definition.vocabulary import node_types as known_node_types
from mainspring.errors import DefinitionError
from mainspring.graph import check_breakers, recursion
from mainspring.graph.check_edges import EdgeChecks
from mainspring.graph.check_nodes import NodeChecks
from mainspring.graph.findings import Findings
from mainspring.graph.sight import Sight


def load(
    path: str | Path, *, resilience: str | Path | None = None, node_types: Collection[str] = known_node_types
) -> Definition:
    """Read and check a file. Raises DefinitionError with everything that is wrong with it.

    `resilience` is the path of a resilience file: its rules become part of the definition, and hold where the workflow and
    its nodes do not say it themselves.
    """
    definition = _definition(*inspect_file(path, node_types=node_types))
    return definition if resilience is None else with_resilience(definition, resilience)


def loads(
    text: str | bytes,
    *,
    format: Format = "yaml",
    name: str = "<text>",
    folder: str = "",
    resilience: str | Path | None = None,
    node_types: Collection[str] = known_node_types,
) -> Definition:
    """Read and check a text, likewise."""
    found = _definition(*inspect_reading(read_text(text, form=format, name=name, folder=folder), node_types))
    return found if resilience is None else with_resilience(found, resilience)


def with_resilience(definition: Definition, path: str | Path) -> Definition:
    """A definition with the rules of a resilience file, which take the place of any that it had. Raises DefinitionError with
    everything that is wrong with the file."""
    from mainspring.graph.check_resilience import load_resilience, spec_of  # most workflows are loaded without one

    workflow = replace(definition.workflow, resilience=spec_of(load_resilience(path), path))
    return Definition(workflow, definition.folder, definition.source, definition.warnings)


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
    _check_graph(workflow, node_types, findings).workflow(workflow)
    for message, at in recursion.endless(workflow):
        findings.report("MS268", message, at, "let a condition lead there that is false at last")
    for message, at in check_breakers.disagreeing(workflow):
        findings.report("MS269", message, at, "say the same of it, or name different targets")
    return findings


def _check_graph(
    graph: Workflow,
    node_types: Collection[str],
    findings: Findings,
    around: Sight | None = None,
    block: Node | None = None,
) -> NodeChecks:
    """One graph and the bodies within its nodes, whose expressions may name the nodes `around` them too."""
    edges = EdgeChecks(graph, findings, "workflow" if block is None else "body")
    edges.check()
    sight = Sight(graph.nodes, edges.index, edges.order(), around, block)
    nodes = NodeChecks(sight, node_types, findings)
    for index, node in enumerate(graph.nodes):
        nodes.node(node, ("nodes", index))
        for way, body in bodies(node) if node.type in body_types else ():
            at = ("nodes", index, *way)
            if sight.depth >= nesting_max:
                findings.report("MS265", f"the bodies are nested deeper than nesting_max, {nesting_max}", at)
                continue
            within = Findings(findings)
            scope = Workflow(id=node.id, nodes=body.nodes, connections=body.connections)
            _check_graph(scope, node_types, within, sight, node).templates(body.output, ("output",))
            findings.add(within, at)
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
