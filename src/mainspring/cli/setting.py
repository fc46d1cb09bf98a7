"""`mainspring set`."""

from __future__ import annotations

import click

from mainspring.cli import by_hand


@click.command("set", short_help="Give an instance's variables other values.")
@click.argument("id")
@click.argument("values", nargs=-1, required=True)
@by_hand.options
def command(
    id: str, values: tuple[str, ...], dry_run: bool, reason: str, by: str | None, store: str | None, as_json: bool
) -> int:
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
        store,
        by,
        as_json,
        lambda known, who: SetVariables(known, raw, who, reason, dry_run),
        f"{', '.join(given)} {'has' if len(given) == 1 else 'have'} another value",
    )
