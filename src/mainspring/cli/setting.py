"""`mainspring set`."""

from __future__ import annotations

import click

from mainspring.cli import by_hand


@click.command("set", short_help="Give an instance's variables other values.")
@click.argument("id")
@click.argument("values", nargs=-1, required=True)
@by_hand.options
def command(id: str, values: tuple[str, ...], how: by_hand.How) -> int:
    """Give an instance's variables other values, for what comes. What runs has seen the ones before.

    ID is an id, the beginning of one, or `last`. VALUES are k=v, k.sub=v, @file.json or JSON.

    \b
    mainspring set order-7f3k rate=1.5 --reason "the rate has changed"
    """
    from msgspec import Raw

    from mainspring.cli import givens
    from mainspring.journal.payload import encode_payload
    from mainspring.messaging.control import SetVariables

    given = givens.merged(values)
    if not isinstance(given, dict):
        raise click.UsageError("VALUES must be an object: k=v, or JSON in braces")
    raw = Raw(encode_payload(given, "variables"))
    return by_hand.carried_out(
        id,
        how,
        lambda known, **said: SetVariables(known, raw, **said),
        f"{', '.join(given)} {'has' if len(given) == 1 else 'have'} another value",
    )
