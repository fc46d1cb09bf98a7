"""One node, or one body with its nodes: of an instance as it stands, or of what the journal says was."""

from __future__ import annotations

import json

import click

from mainspring.cli import account
from mainspring.cli.body_history import BodyResult, body_at
from mainspring.cli.look import Screen
from mainspring.cli.node_lines import error_lines, node_line, node_lines
from mainspring.cli.summary import show_value
from mainspring.cli.words import clean, duration, local
from mainspring.definition.findings import did_you_mean
from mainspring.engine.result import InstanceResult, NodeResult
from mainspring.journal.looking_back import Moment

VALUE_LINES = 60


async def find(
    url: str, id: str, result: InstanceResult, path: str, until: Moment | None = None
) -> NodeResult | BodyResult:
    """What stands, or stood, at this path (`until`: at the moment of which `result` is). Raises UsageError."""
    if path in result.nodes:
        return result.nodes[path]
    if "[" not in path:
        raise click.UsageError(f"{id} has no node {path!r}{_hint(path, list(result.nodes))}")
    address, name = (path, "") if path.endswith("]") else path.rsplit(".", 1)
    body = await body_at(url, id, address, until)
    if body is None:
        raise click.UsageError(f"{id} has begun no body {address!r}{_begun(result, address)}")
    if not name:
        return body
    if name not in body.nodes:
        raise click.UsageError(f"{id} has no node {path!r}{_hint(name, list(body.nodes))}")
    return body.nodes[name]


def _hint(name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known)
    return f"; {hint}" if hint else ""


def _begun(result: InstanceResult, address: str) -> str:
    """How many there were, of a block of the instance's own graph."""
    block = address.rpartition("[")[0]
    if block not in result.nodes:
        return _hint(block, list(result.nodes)) if "[" not in block else ""
    bodies = result.nodes[block].bodies
    return "" if bodies is None else f"; it has begun {bodies.begun:,} of {block}"


def show(screen: Screen, found: NodeResult | BodyResult, see_all: str, as_json: bool) -> None:
    """All there is to say of it."""
    if as_json:
        told = account.of_body(found) if isinstance(found, BodyResult) else account.of_one_node(found)
        print(json.dumps(told, ensure_ascii=False))
    elif isinstance(found, BodyResult):
        _show_body(screen, found, see_all)
    else:
        _show_node(screen, found, see_all)


def _show_node(screen: Screen, node: NodeResult, see_all: str) -> None:
    node_line(screen, node, len(node.path), indent="")
    if node.started_at is not None:
        screen.line(f"  started   {local(node.started_at)}, attempt {node.attempts}")
    if node.because:
        screen.line(f"  because of {node.because}")
    if node.error is not None and node.error.stack:
        screen.line()
        for line in clean(node.error.stack).splitlines():
            screen.line(f"  {line}")
    _values(screen, see_all, input=node.input, output=node.output)


def _show_body(screen: Screen, body: BodyResult, see_all: str) -> None:
    status = "running" if body.status == "open" else body.status
    took = f" in {duration(body.ended_at - body.started_at)}" if body.ended_at is not None else ""
    word = "was stopped" if body.status == "cancelled" else f"is {status}" if body.ended_at is None else status
    screen.line(f"{screen.symbol(status)} {screen.paint(f'{clean(body.address)} {word}{took}', 'bold')}")
    screen.line(f"  started   {local(body.started_at)}")
    screen.line()
    node_lines(screen, body.nodes.values())
    if body.error is not None and all(node.status != "failed" for node in body.nodes.values()):
        error_lines(screen, body.error, "  ")  # its own, as of its output mapping; a node's stands beneath the node
    _values(screen, see_all, input=body.input, output=body.output)


def _values(screen: Screen, see_all: str, **values: object) -> None:
    for title, value in values.items():
        if value is not None:
            screen.line()
            show_value(screen, title, value, see_all, VALUE_LINES)
