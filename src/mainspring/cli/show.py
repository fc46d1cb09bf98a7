"""`mainspring show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.cli.look import Screen
    from mainspring.engine.result import InstanceResult, NodeResult
    from mainspring.journal.records import InstanceRecord

VALUE_LINES = 60


@click.command("show", short_help="How an instance stands, its errors in full.")
@click.argument("id")
@click.option("--store", metavar="URL", help=f"Where to look. [default: {places.DEFAULT_STORE}]")
@click.option("--node", "path", metavar="PATH", help="Only this node, with its output.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, with everything.")
def command(id: str, store: str | None, path: str | None, as_json: bool) -> int:
    """How an instance stands: its nodes, its errors in full, its input and output.

    ID is an id, the beginning of one, or `last`. Only looks: works while an engine runs on the store.

    \b
    mainspring show last
    mainspring show order-7f3k --node charge --json
    """
    import asyncio

    from mainspring.cli import account, look, reading
    from mainspring.errors import StoreCorrupt

    url = places.store_url(store)
    record, result = asyncio.run(reading.instance(url, id))
    if result is None:
        raise StoreCorrupt(f"{record.id} is parked and its journal cannot be read: {record.reason}")
    node = None if path is None else _node(result, path)
    if as_json:
        import json

        whole = account.of_instance(result, url, record.status, record.reason)
        told: dict[str, Any] = whole if node is None else {"path": node.path, **account.of_node(node)}
        print(json.dumps(told, ensure_ascii=False))
    elif node is not None:
        _show_node(look.out(), node, places.command("show", record.id, "--node", node.path, "--json", store=url))
    else:
        _show(look.out(), record, result, url)
    return exits.COMPLETED


def _node(result: InstanceResult, path: str) -> NodeResult:
    if path not in result.nodes:
        from mainspring.definition.findings import did_you_mean

        hint = did_you_mean(path, list(result.nodes))
        raise click.UsageError(f"{result.id} has no node {path!r}{f'; {hint}' if hint else ''}")
    return result.nodes[path]


def _show(screen: Screen, record: InstanceRecord, result: InstanceResult, url: str) -> None:
    from mainspring.cli.summary import counts, show_nodes, show_value
    from mainspring.cli.words import clean, duration, local, now_ms, relative

    now = now_ms()
    see_all = places.command("show", record.id, "--json", store=url)
    head = screen.paint(f"{clean(record.workflow)} {record.status.replace('_', ' ')}", "bold")
    screen.line(f"{screen.symbol(record.status)} {head}  {screen.paint(record.id, 'dim')}")
    if record.reason and record.status != "completed":
        screen.hanging("  reason    ", clean(record.reason), 12)
    screen.line(f"  started   {local(record.created_at)} ({relative(record.created_at, now)})")
    took = duration((record.ended_at or now) - record.created_at)
    screen.line(f"  {'took' if record.ended_at else 'so far'}{' ' * (6 if record.ended_at else 4)}{took}")
    if record.key is not None:
        screen.line(f"  key       {clean(record.key)}")
    if record.open and record.wake_at is not None:
        screen.line(f"  asleep    until {local(record.wake_at)} ({relative(record.wake_at, now)})")
    screen.line(f"  nodes     {counts(result)}")
    screen.line()
    show_nodes(screen, list(result.nodes.values()))
    _stacks(screen, result)
    for title, value in (("input", result.input), ("variables", result.variables), ("output", result.output)):
        if value not in (None, {}) and (title != "output" or result.done):
            screen.line()
            show_value(screen, title, value, see_all, VALUE_LINES)
    if record.open:
        screen.line()
        go_on = places.command("run", "--resume", record.id, store=url)
        screen.line(screen.paint(f"to go on, where nothing runs it now: {go_on}", "dim"))


def _stacks(screen: Screen, result: InstanceResult) -> None:
    from mainspring.cli.words import clean, count

    failed = [(path, error) for path, error in result.errors.items() if error.stack]
    for path, error in failed[:5]:
        screen.line()
        screen.line(f"{screen.paint('error of ' + path, 'bold')}, attempt {error.attempt} of {error.max_attempts}")
        for line in clean(error.stack or "").splitlines():
            screen.line(f"  {line}")
    if len(failed) > 5:
        screen.line(screen.paint(f"… {count(len(failed) - 5, 'more error')}: --json, or --node PATH", "dim"))


def _show_node(screen: Screen, node: NodeResult, see_all: str) -> None:
    from mainspring.cli.node_lines import node_line
    from mainspring.cli.summary import show_value
    from mainspring.cli.words import clean, local

    node_line(screen, node, len(node.path), indent="")
    if node.started_at is not None:
        screen.line(f"  started   {local(node.started_at)}, attempt {node.attempts}")
    if node.because:
        screen.line(f"  because of {node.because}")
    if node.error is not None and node.error.stack:
        screen.line()
        for line in clean(node.error.stack).splitlines():
            screen.line(f"  {line}")
    if node.status == "completed":
        screen.line()
        show_value(screen, "output", node.output, see_all, VALUE_LINES)
