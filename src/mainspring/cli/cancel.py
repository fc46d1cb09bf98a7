"""`mainspring cancel`."""

from __future__ import annotations

from typing import Any

import click

from mainspring.cli import exits, places

END_MS_MAX = 10_000
"""The end of an instance that has nothing to undo is decided at once; of one that has, this waits so long."""


@click.command("cancel", short_help="End an instance.")
@click.argument("id")
@click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
@click.option("--reason", default="", help="Why; it is kept in the journal.")
@click.option("--grace", metavar="TIME", help="What runs has so long to finish: 30s, 5m. [default: none]")
@click.option("--by", help="Who ends it; it is kept in the journal. [default: your login name]")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
def command(id: str, store: str | None, reason: str, grace: str | None, by: str | None, as_json: bool) -> int:
    """End an instance, and the children that it waits for; what is done stays done.

    ID is an id, the beginning of one, or `last`. It may be running in another process: that one is told.

    \b
    mainspring cancel order-7f3k --reason "ordered twice"
    mainspring cancel order-7f3k --grace 30s
    """
    import asyncio

    from mainspring.cli import look, operating, preparing
    from mainspring.cli.pause import milliseconds

    url, who = places.store_url(store), operating.user() if by is None else by
    grace_ms = milliseconds(grace, "--grace") or 0
    with preparing.log_lines():
        known, status = asyncio.run(_cancel(url, id, reason, who, grace_ms))
    if as_json:
        import json

        print(json.dumps({"id": known, "status": status}))
    else:
        screen = look.out()
        screen.line(f"{screen.symbol(status)} {known} {status}")
    return exits.COMPLETED


async def _cancel(url: str, wanted: str, reason: str, by: str, grace_ms: int) -> tuple[str, str]:
    from contextlib import suppress

    from mainspring.cli.operating import operate, resolved
    from mainspring.errors import CommandRefused, UnknownInstance
    from mainspring.machine.children import children_ids
    from mainspring.messaging.control import Cancel

    record = await resolved(url, wanted)
    if not record.open:
        raise CommandRefused(f"{record.id} is {record.status}: it is at its end")
    line = [record.id]
    status = ""
    for id in line:
        # Each has a session of its own: a child that was taken along with its parent would go on before it hears of the end.
        # `alone` takes the instance by the sweep that the message causes, and so has it read that at once.
        async def end(engine: Any, id: str = id) -> dict[str, str]:
            await engine.cancel(id, by=by, reason=reason, grace_ms=grace_ms)
            result = await engine.wait(id)
            for child in children_ids(result.instance, detached=False):
                with suppress(UnknownInstance):
                    if not (await engine.inspect(child)).done:
                        line.append(child)
            return {"status": result.status}

        told = await operate(url, Cancel(id, by, reason, END_MS_MAX + grace_ms, grace_ms), {id}, alone=end)
        status = status or told["status"]
    return record.id, status
