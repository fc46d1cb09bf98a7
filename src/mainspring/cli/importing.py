"""`mainspring import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli import exits

if TYPE_CHECKING:
    from mainspring.definition.model import Workflow


@click.group("import", short_help="Turn what other tools wrote into workflows.")
def command() -> None:
    """Turn what other tools wrote into workflows.

    \b
    mainspring import wfformat montage.json -o montage.yaml --time-scale 0.01
    """


@command.command("wfformat")
@click.argument("file")
@click.option("--output", "-o", "output", required=True, metavar="OUT", help="x.yaml or x.json; `-` is stdout (YAML).")
@click.option("--time-scale", type=float, default=1.0, show_default=True, help="Times the recorded times; 0: at once.")
@click.option("--json", "as_json", is_flag=True, help="The line of summary as JSON.")
def wfformat(file: str, output: str, time_scale: float, as_json: bool) -> int:
    """A recorded execution of a scientific workflow (WfFormat 1.4, 1.5): each task waits as long as it ran.

    \b
    mainspring import wfformat montage.json -o montage.yaml --time-scale 0.01
    mainspring run montage.yaml
    """
    from mainspring.cli import look
    from mainspring.cli import wfformat as reader
    from mainspring.cli.words import clean, count, duration
    from mainspring.definition import canonical

    workflow = reader.load(file, time_scale=time_scale, name=Path(file).stem)
    text = canonical.to_json(workflow) if output.lower().endswith(".json") else canonical.to_yaml(workflow)
    _write(output, text)
    longest = critical_path(workflow)
    tasks, edges = len(workflow.nodes), len(workflow.connections)
    if as_json:
        import json

        told = {"output": output, "tasks": tasks, "edges": edges, "criticalPathMs": longest}
        click.echo(json.dumps(told), err=output == "-")
        return exits.COMPLETED
    screen = look.err() if output == "-" else look.out()
    parts = f"{count(tasks, 'task')}, {count(edges, 'edge')}, critical path {duration(longest)}"
    screen.line(f"{screen.symbol('completed')} {clean(output)}: {parts}")
    return exits.COMPLETED


def _write(output: str, text: str) -> None:
    if output == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"cannot write {output}: {error.strerror or error}", param_hint="-o") from None


def critical_path(workflow: Workflow) -> int:
    """The longest way through, in milliseconds: no run can be quicker."""
    from mainspring.definition.durations import parse_duration
    from mainspring.graph.plan import Plan

    plan = Plan(workflow)
    ends = [0] * len(plan.nodes)
    open_edges = [node.in_degree for node in plan.nodes]
    work = list(plan.roots)
    while work:
        node = work.pop()
        ends[node.index] += parse_duration(node.definition.config["duration"]) or 0
        for edge in node.outgoing:
            ends[edge.target] = max(ends[edge.target], ends[node.index])
            open_edges[edge.target] -= 1
            if not open_edges[edge.target]:
                work.append(plan.nodes[edge.target])
    return max(ends, default=0)
