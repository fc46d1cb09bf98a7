"""`mainspring rerun`."""

from __future__ import annotations

import click

from mainspring.cli import by_hand


@click.command("rerun", short_help="Run an instance again from a node on.")
@click.argument("id")
@click.argument("node")
@click.option(
    "--input", "given", multiple=True, metavar="VALUE", help="Instead of what came in: k=v, @file.json, JSON."
)
@click.option("--with", "file", metavar="FILE", help="By this version of its workflow (see migrate), from there on.")
@by_hand.options
def command(id: str, node: str, given: tuple[str, ...], file: str | None, how: by_hand.How) -> int:
    """Run an instance that is at its end again from a node on: the node and all that follows it, each in a new run.

    ID is an id, the beginning of one, or `last`; NODE a node of the instance's own graph. What is before the node stays as it
    is. The new runs have idempotency keys of their own; the old ones stay in the journal.

    \b
    mainspring rerun order-7f3k ship --dry-run
    mainspring rerun order-7f3k ship --with order.yaml
    """
    from msgspec import UNSET, Raw

    from mainspring.cli import givens
    from mainspring.cli.migrate import definition_of
    from mainspring.journal.payload import encode_payload
    from mainspring.messaging.control import Rerun

    body, folder = definition_of(file) if file is not None else ("", "")
    value = Raw(encode_payload(givens.merged(given), "input")) if given else UNSET
    return by_hand.carried_out(
        id,
        how,
        lambda known, **said: Rerun(known, node, value, body=body, folder=folder, **said),
        f"it runs again from {node} on",
    )
