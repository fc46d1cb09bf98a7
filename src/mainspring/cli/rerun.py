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
@by_hand.options
def command(
    id: str,
    node: str,
    given: tuple[str, ...],
    dry_run: bool,
    reason: str,
    by: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Run an instance that is at its end again from a node on: the node and all that follows it, each in a new run.

    ID is an id, the beginning of one, or `last`; NODE a node of the instance's own graph. What is before the node stays as it
    is. The new runs have idempotency keys of their own; the old ones stay in the journal.

    \b
    mainspring rerun order-7f3k ship --dry-run
    """
    from msgspec import UNSET, Raw

    from mainspring.cli import givens
    from mainspring.journal.payload import encode_payload
    from mainspring.messaging.control import Rerun

    value = Raw(encode_payload(givens.merged(given), "input")) if given else UNSET
    return by_hand.carried_out(
        id,
        store,
        by,
        as_json,
        lambda known, who: Rerun(known, node, value, who, reason, dry_run),
        f"it runs again from {node} on",
    )
