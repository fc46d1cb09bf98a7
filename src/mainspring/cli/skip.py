"""`mainspring skip`."""

from __future__ import annotations

import click

from mainspring.cli import by_hand


@click.command("skip", short_help="Have a node not run.")
@click.argument("id")
@click.argument("node")
@by_hand.options
def command(id: str, node: str, how: by_hand.How) -> int:
    """Have a node not run. What is under way of it is stopped; what depends on it alone is skipped too.

    ID is an id, the beginning of one, or `last`; NODE the node's path. A node that has failed counts as skipped then, and the
    instance as if it had not failed.

    \b
    mainspring skip order-7f3k ship --dry-run
    mainspring skip order-7f3k ship --reason "they fetch it"
    """
    from mainspring.messaging.control import Skip

    return by_hand.carried_out(id, how, lambda known, **said: Skip(known, node, **said), f"{node} is skipped")
