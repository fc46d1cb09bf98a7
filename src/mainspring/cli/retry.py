"""`mainspring retry`."""

from __future__ import annotations

import click

from mainspring.cli import by_hand


@click.command("retry", short_help="Have a failed node run again.")
@click.argument("id")
@click.argument("node")
@click.option(
    "--input", "given", multiple=True, metavar="VALUE", help="Instead of what came in: k=v, @file.json, JSON."
)
@by_hand.options
def command(id: str, node: str, given: tuple[str, ...], how: by_hand.How) -> int:
    """Have a failed node run again, with what was skipped or cancelled because it had failed. One that waits for its next
    attempt makes it now.

    ID is an id, the beginning of one, or `last`; NODE the node's path. Its instance is opened where it is at its end; what
    has completed stays as it is. The new run has an idempotency key of its own.

    \b
    mainspring retry order-7f3k ship --dry-run
    mainspring retry order-7f3k ship --input amount=25
    """
    from msgspec import UNSET, Raw

    from mainspring.cli import givens
    from mainspring.journal.payload import encode_payload
    from mainspring.messaging.control import Retry

    value = Raw(encode_payload(givens.merged(given), "input")) if given else UNSET
    return by_hand.carried_out(id, how, lambda known, **said: Retry(known, node, value, **said), f"{node} runs again")
