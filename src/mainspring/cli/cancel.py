"""`mainspring cancel`."""

from __future__ import annotations

import click

from mainspring.cli import exits, places


@click.command("cancel", short_help="End an instance.")
@click.argument("id")
@click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
@click.option("--reason", default="", help="Why; it is kept in the journal.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
def command(id: str, store: str | None, reason: str, as_json: bool) -> int:
    """End an instance that nothing runs now, and the children that it waits for; what is done stays done.

    ID is an id, the beginning of one, or `last`.

    \b
    mainspring cancel order-7f3k --reason "ordered twice"
    """
    import asyncio

    from mainspring.cli import look, preparing

    url = places.store_url(store)
    with preparing.log_lines():
        known, status = asyncio.run(_cancel(url, id, reason))
    if as_json:
        import json

        print(json.dumps({"id": known, "status": status}))
    else:
        screen = look.out()
        screen.line(f"{screen.symbol(status)} {known} {status}")
    return exits.COMPLETED


async def _cancel(url: str, wanted: str, reason: str) -> tuple[str, str]:
    from typing import Any, cast

    from mainspring.assembly import Engine, open_store
    from mainspring.cli.focused import FocusedStore
    from mainspring.cli.reading import opened
    from mainspring.errors import CommandRefused, StoreHeld
    from mainspring.machine.children import children_ids

    async with opened(url) as store:
        record = await places.resolve(store, wanted)
    if not record.open:
        raise CommandRefused(f"{record.id} is {record.status}: it is at its end")
    try:
        line = [record.id]
        status = ""
        for id in line:
            # `recover=False`: the instance is taken by the sweep that the message causes, and so reads it at once. Each has a
            # session of its own: a child that was taken along with its parent would go on before it hears of the end.
            focused = FocusedStore(open_store(url), {id}, children=False)
            async with Engine(cast(Any, focused), wait=False, recover=False) as engine:
                await engine.cancel(id, by="mainspring cancel", reason=reason)
                result = await engine.wait(id)
                status = status or result.status
                for child in children_ids(result.instance, detached=False):
                    found = await focused.find(child)
                    if found is not None and found.open:
                        line.append(child)
        return record.id, status
    except StoreHeld as held:
        raise StoreHeld(f"{held}: stop that engine (Ctrl-C), then cancel, or cancel from within it") from None
