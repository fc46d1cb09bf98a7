"""`mainspring events`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from mainspring.cli import exits, places

if TYPE_CHECKING:
    from mainspring.engine.result import Recorded

POLL_SECONDS = 0.2
PAGE = 500


@click.command("events", short_help="The journal of an instance, in order.")
@click.argument("id")
@click.option("--store", metavar="URL", help=f"Where to look. [default: {places.DEFAULT_STORE}]")
@click.option("--follow", "-f", is_flag=True, help="Go on as they come, until the instance is at its end.")
@click.option("--path", metavar="PATH", help="Only of this node, or this body (`loop[3]`), and what is in it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, nothing shortened.")
def command(id: str, store: str | None, follow: bool, path: str | None, as_json: bool) -> int:
    """The journal of an instance: everything that happened, in order.

    ID is an id, the beginning of one, or `last`. Only looks: works while an engine runs on the store.

    \b
    mainspring events last
    mainspring events order-7f3k --follow
    mainspring events charges-2b1d --path 'loop[3]'
    mainspring events last --json | jq .event
    """
    import asyncio

    return asyncio.run(_print(places.store_url(store), id, follow, path, as_json))


async def _print(url: str, wanted: str, follow: bool, path: str | None, as_json: bool) -> int:
    from mainspring.cli import event_lines, look
    from mainspring.cli.event_paths import only

    screen, told = look.out(), 0
    async for group in _groups(url, wanted, follow):
        for one in group if path is None else only(group, path):
            told += 1
            screen.line(event_lines.as_json(one) if as_json else event_lines.as_text(screen, one))
        screen.flush()
    if not told:
        look.err().line(f"no event is about {path!r}")
    return exits.COMPLETED


async def _groups(url: str, wanted: str, follow: bool) -> AsyncIterator[list[Recorded]]:
    """The events page by page. Another process writes, and only the store knows: so it is asked, now and then."""
    import asyncio

    from mainspring.cli.reading import opened
    from mainspring.engine.result import recorded

    async with opened(url) as store:
        id = (await places.resolve(store, wanted)).id
        after = 0
        while True:
            page = await store.turns(id, after=after, limit=PAGE)
            if page is None:
                return
            if page.rows:
                after = page.rows[-1].seq
                yield list(recorded(page))
            elif not follow or not page.record.open:
                return
            else:
                await asyncio.sleep(POLL_SECONDS)
