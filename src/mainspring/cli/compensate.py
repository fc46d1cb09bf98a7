"""`mainspring compensate`."""

from __future__ import annotations

import click

from mainspring.cli import places, pools


@click.command("compensate", short_help="Undo what an instance could not.")
@click.argument("id")
@click.option("--store", metavar="URL", help=f"Where it is. [default: {places.DEFAULT_STORE}]")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Load more tasks; may be repeated.")
@click.option("--pool", "pool_sizes", multiple=True, metavar="NAME=SIZE", help=pools.HELP)
@click.option("--no-wait", is_flag=True, help="Do not wait for a store that another engine holds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, with everything.")
def command(
    id: str, store: str | None, imports: tuple[str, ...], pool_sizes: tuple[str, ...], no_wait: bool, as_json: bool
) -> int:
    """Take up again what the compensation of an instance had to leave. What is undone is not undone twice.

    ID is an id, the beginning of one, or `last`. The instance ends as it had before; its reason tells what is undone by then.

    \b
    mainspring compensate trip-7f3k
    """
    from mainspring.cli import preparing, run
    from mainspring.cli.session import Wanted

    url, sizes = places.store_url(store), pools.sizes(pool_sizes)
    with preparing.stdout_for(as_json):
        preparing.load_modules(imports)
        wanted = Wanted(None, id, None, None, url, "full", not no_wait, compensate=True, pools=sizes)
        view = run.view(as_json)
        outcome = run.conducted(wanted, view)
    return run.told_of(outcome, wanted, imports, as_json, False, view.told)
