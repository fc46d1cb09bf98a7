"""`mainspring graph`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits

if TYPE_CHECKING:
    from mainspring.definition.findings import Finding
    from mainspring.definition.model import Workflow
    from mainspring.graph.analysis import WorkflowGraph

FORMATS = ("text", "mermaid", "dot", "svg", "json")
OF_SUFFIX = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".json": "json"}

DRAWN_ALL_THE_SAME = frozenset({"MS208", "MS209", "MS210", "MS211", "MS216"})
"""Errors that a drawing shows better than any message: circles, and what lies behind them."""


@click.command("graph", short_help="Draw a workflow; say what its graph is like.")
@click.argument("file")
@click.option("--format", "-f", "form", type=click.Choice(FORMATS), help="[default: by the name of OUT, else text]")
@click.option("--output", "-o", metavar="OUT", help="Write to this file instead of stdout.")
@click.option("--analysis", is_flag=True, help="Say what the graph is like, instead of drawing it.")
@click.option("--direction", type=click.Choice(("right", "down")), default="right", show_default=True)
@click.option("--positions", is_flag=True, help="SVG: put the nodes where the definition says (`position`).")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(
    file: str, form: str | None, output: str | None, analysis: bool, direction: str, positions: bool, as_json: bool
) -> int:
    """Draw a workflow: in the terminal, or as Mermaid, Graphviz DOT, SVG or JSON.

    \b
    mainspring graph order.yaml
    mainspring graph order.yaml --analysis
    mainspring graph order.yaml -o order.svg

    A file with errors is not drawn, but one that only has a cycle is, with the cycle shown. Both exit with 2.
    """
    form = "json" if as_json else form or OF_SUFFIX.get(Path(output or "").suffix.lower(), "text")
    if analysis and form not in ("text", "json"):
        raise click.UsageError(f"--analysis is text or JSON, not {form}")
    if positions and form != "svg":
        raise click.UsageError(f"--positions is for SVG, not {form}")
    workflow, findings = _read(file, form == "json")
    if workflow is None:
        return exits.USAGE
    from mainspring.graph.analysis import WorkflowGraph

    graph = WorkflowGraph(workflow)
    _write(_drawn(graph, form, output, analysis, direction, positions), output, form)
    return exits.USAGE if any(one.severity == "error" for one in findings) else exits.COMPLETED


def _read(file: str, as_json: bool) -> tuple[Workflow | None, tuple[Finding, ...]]:
    """The workflow if it can be drawn. What is wrong with it is told here. Raises DefinitionError where that is JSON."""
    from mainspring.cli import faults, look
    from mainspring.definition.load import read
    from mainspring.errors import DefinitionError
    from mainspring.graph.check import inspect_file

    definition, findings = inspect_file(file)
    if definition is not None:
        return definition.workflow, findings
    errors = [one for one in findings if one.severity == "error"]
    drawn = read(file).workflow if all(one.code in DRAWN_ALL_THE_SAME for one in errors) else None
    if drawn is None and as_json:
        raise DefinitionError(findings)
    err = look.err()
    faults.show_findings(err, findings)
    if drawn is None:
        err.line(f"{err.paint('error:', 'red bold')} {faults.tally(findings)}; nothing was drawn")
    err.flush()
    return drawn, findings


def _drawn(graph: WorkflowGraph, form: str, output: str | None, analysis: bool, direction: Any, positions: bool) -> str:
    if form == "text":
        return _text(graph, output, analysis)
    if form == "json":
        import msgspec

        from mainspring.graph.export import json_form

        told = json_form.analysis(graph) if analysis else json_form.as_data(graph)
        return msgspec.json.encode(told).decode() + "\n"
    if form == "mermaid":
        from mainspring.graph.export.mermaid import mermaid

        return mermaid(graph, direction)
    if form == "dot":
        from mainspring.graph.export.dot import dot

        return dot(graph, direction)
    return _svg(graph, direction, positions)


def _text(graph: WorkflowGraph, output: str | None, analysis: bool) -> str:
    from mainspring.cli import look
    from mainspring.graph.export.analysis_text import analysis_text
    from mainspring.graph.export.text import text, unpainted

    screen = look.out()
    tell = analysis_text if analysis else text
    if output is not None:
        return tell(graph, unpainted)
    return tell(graph, screen.paint, plain=not screen.unicode)


def _svg(graph: WorkflowGraph, direction: Any, positions: bool) -> str:
    from mainspring.cli import look
    from mainspring.graph.export.svg import picture

    drawing, notes = picture(graph, direction, positions)
    err = look.err()
    for note in notes:
        err.line(f"{err.paint('note:', 'yellow')} {note}")
    return drawing


def _write(drawing: str, output: str | None, form: str) -> None:
    from mainspring.cli import look
    from mainspring.cli.words import clean

    screen = look.out()
    if output is None or output == "-":
        screen.stream.write(drawing)
        return
    Path(output).write_text(drawing, "utf-8")
    screen.line(f"{screen.symbol('completed')} {clean(output)}: {form}, {len(drawing.encode()):,} bytes")
