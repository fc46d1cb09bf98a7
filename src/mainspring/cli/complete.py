"""`mainspring complete`."""

from __future__ import annotations

import click

from mainspring.cli import by_hand


@click.command("complete", short_help="Say that a node is done.")
@click.argument("id")
@click.argument("node")
@click.argument("output", nargs=-1)
@click.option("--port", help="By which port it is left.")
@by_hand.options
def command(id: str, node: str, output: tuple[str, ...], port: str | None, how: by_hand.How) -> int:
    """Say that a node is done, with this output: somebody has done its work, or knows what it came to.

    ID is an id, the beginning of one, or `last`; NODE the node's path. OUTPUT is k=v, k.sub=v, @file.json or JSON, and may be
    repeated; without one it is null. What is under way of the node is stopped.

    \b
    mainspring complete order-7f3k ship tracking=4711 --dry-run
    mainspring complete order-7f3k ship tracking=4711 --reason "shipped by hand"
    """
    from msgspec import Raw

    from mainspring.cli import givens
    from mainspring.journal.payload import encode_payload
    from mainspring.messaging.control import Complete

    value = Raw(encode_payload(givens.merged(output) if output else None, "output"))
    return by_hand.carried_out(
        id, how, lambda known, **said: Complete(known, node, value, port, **said), f"{node} is completed"
    )
