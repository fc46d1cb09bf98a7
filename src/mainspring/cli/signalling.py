"""`mainspring signal`."""

from __future__ import annotations

import click

from mainspring.cli import exits, places


@click.command("signal", short_help="Send an instance what it waits for.")
@click.argument("id")
@click.argument("name")
@click.argument("payload", nargs=-1)
@click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
@click.option("--by", help="Who sends it; it is kept in the journal. [default: your login name]")
@click.option("--json", "as_json", is_flag=True, help="What was sent, as JSON.")
def command(id: str, name: str, payload: tuple[str, ...], store: str | None, by: str | None, as_json: bool) -> int:
    """Send an instance what a `wait` in it waits for. It takes it when it goes on.

    ID is an id, the beginning of one, or `last`. PAYLOAD is k=v, k.sub=v, @file.json or JSON, and may be repeated.

    \b
    mainspring signal order-7f3k paid amount=30 currency=EUR
    """
    import asyncio

    from mainspring.cli import givens, operating, preparing, sending

    url = places.store_url(store)
    value = givens.merged(payload)
    with preparing.log_lines():
        who = operating.user() if by is None else by
        sent = asyncio.run(sending.send(url, id, "signal", name, value, who))
    sending.told(sent, "signal", f"the signal {name} was sent", url, as_json)
    return exits.COMPLETED
